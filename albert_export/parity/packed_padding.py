"""What a packed artifact owes at padding: it repeats a token there, where the eager model computes one.

:mod:`albert_export.graphs.onnx_packing` says which, and why.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from albert_export.bundle import Artifact

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
    places = np.maximum.accumulate(np.where(mask != 0, np.arange(mask.shape[1]), 0), axis=1)
    return np.asarray(np.take_along_axis(values, places.reshape(*places.shape, *[1] * (values.ndim - 2)), axis=1))
