"""What an application decides by an output, and where two models decide otherwise."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albert_export.parity.criteria import Flip
from albert_export.tasks import TensorSpec

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig

Array = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

#: Last axes of an output along which one entry is chosen: a word, a label, a choice.
_CHOSEN_ALONG = ("vocab_size", "num_labels", "choices")


def compare_decisions(
    spec: TensorSpec, config: AlbertConfig, exact: Array, got: Array, real: Mask
) -> tuple[int, list[Flip]]:
    """Count the decisions of one batch, and return those that the artifact takes otherwise.

    A span's end is the token with the highest score among the real ones of its row; a word, a label or a choice the
    highest along the last axis; of several labels that may hold at once, each is a decision of its own, by its sign.
    The margin is the distance from the decision taken to the next best. Vectors are read for none, nor is a number
    (``num_labels`` 1).

    Args:
        spec: The output.
        config: Tells ``problem_type``.
        exact: The eager model in float64, of the output's shape.
        got: The artifact, of the same shape.
        real: The leading axes of that shape: True at real places.
    """
    last = spec.axes[-1]
    if last == "sequence":
        rows = real.any(-1)
        exact, got = (np.where(real, values, -np.inf)[rows] for values in (exact, got))
        places = np.argwhere(rows)
    elif last in _CHOSEN_ALONG:
        if last == "choices":
            rows = real.any(-1)
            exact, got = (np.where(real, values, -np.inf)[rows] for values in (exact, got))
            places = np.argwhere(rows)
        else:
            exact, got = exact[real], got[real]
            places = np.argwhere(real)
        if last == "num_labels" and config.problem_type == "multi_label_classification":
            decided = ((exact > 0) != (got > 0))[..., None] & np.eye(exact.shape[-1], dtype=bool)
            row, label = np.nonzero(decided.any(-1))
            flips = _flips(np.abs(exact[row, label]), exact[row], got[row], decided[row, label])
            holds = (exact[row, label] > 0).astype(int)
            return exact.size, _placed(flips, np.column_stack([places[row], label]), holds, 1 - holds)
    else:
        return 0, []
    if exact.shape[-1] < 2 or not exact.size:
        return 0, []
    best, theirs = exact.argmax(-1), got.argmax(-1)
    flipped = best != theirs
    if not flipped.any():
        return best.size, []
    two = np.sort(exact[flipped], axis=-1)[..., -2:]
    entries = np.arange(exact.shape[-1])
    decided = (entries == best[flipped, None]) | (entries == theirs[flipped, None])
    flips = _flips(two[..., 1] - two[..., 0], exact[flipped], got[flipped], decided)
    return best.size, _placed(flips, places[flipped], best[flipped], theirs[flipped])


def _flips(margins: Array, exact: Array, got: Array, decided: Mask) -> list[Flip]:
    """Return the flips of some decisions; their noise is that of the scores beside those that were decided between.

    Args:
        margins: ``[N]``.
        exact: The scores of each, ``[N,C]``; infinite where there is none.
        got: The artifact's.
        decided: True at the scores whose order, or sign, flipped: their errors are what is to be explained.
    """
    beside = np.isfinite(exact) & ~decided
    errors = np.subtract(got, exact, where=beside, out=np.zeros(exact.shape))
    noise = np.sqrt((errors**2).sum(-1) / np.maximum(beside.sum(-1), 1))
    return [Flip(*pair) for pair in zip(margins.tolist(), noise.tolist(), strict=True)]


def _placed(flips: list[Flip], places: Array, expected: Array, got: Array) -> list[Flip]:
    """Say where each decision was taken, and what it was."""
    return [
        replace(flip, place=tuple(place), expected=own, got=theirs)
        for flip, place, own, theirs in zip(flips, places.tolist(), expected.tolist(), got.tolist(), strict=True)
    ]
