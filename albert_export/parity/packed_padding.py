"""What a packed artifact owes at padding: it repeats a token there, where the eager model computes one.

:mod:`albert_export.graphs.onnx_packing` says which, and why.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from albert_export.bundle import Artifact
from albert_export.positions import POSITIONS, gathered

Array = npt.NDArray[Any]


def is_packed(artifact: Artifact) -> bool:
    """Whether the artifact leaves padding out, as its manifest says; those of older releases never do."""
    return artifact.facts.get("tokens") == "packed"


def repeated_at_padding(values: Array, mask: Array) -> Array:
    """Return what the eager model computed as a packed artifact gives it.

    Args:
        values: ``[R,S,…]``.
        mask: ``[R,S]``; where it is 0, the result holds what stands at the last token before it in the row at which it
            is not, or else at the first of the row.
    """
    return gathered(values, _repeated_places(mask))


def asked_for_repeated(inputs: Mapping[str, Array]) -> dict[str, Array]:
    """Return inputs of which the eager model gives at the asked positions what a packed artifact gives there.

    Args:
        inputs: Of ``[B,S]``, with ``positions`` ``[B,P]``; those of padding become those of the token repeated there.
    """
    places = _repeated_places(inputs["attention_mask"])
    return {**inputs, POSITIONS: gathered(places, inputs[POSITIONS])}


def _repeated_places(mask: Array) -> Array:
    """Return for each place of ``[R,S]`` which of the row's tokens stands there."""
    return np.maximum.accumulate(np.where(mask != 0, np.arange(mask.shape[1]), 0), axis=1)
