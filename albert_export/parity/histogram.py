"""How many errors are how large, in bins that double: cheap to count, and the same for every output and run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]

#: The bins: errors from 2**LEAST, smaller ones counted with it, to below 2**MOST, larger ones counted with the last.
LEAST, MOST = -80, 40
#: Numbers counted at a time, so that counting needs no memory worth mentioning.
_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class Histogram:
    """The sizes of an output's errors.

    Attributes:
        zeros: Numbers without any error.
        first: ``counts[i]`` is how many errors lie in ``[2**(first + i), 2**(first + i + 1))``; NaN and infinity are
            in none.
        counts: Without empty bins at both ends; empty where no number has an error.
    """

    zeros: int = 0
    first: int = 0
    counts: tuple[int, ...] = ()


def no_errors() -> Counts:
    """Return what :func:`count_errors` gives for no numbers at all: the zeros, then one count for each bin."""
    return np.zeros(1 + MOST - LEAST, np.int64)


def count_errors(errors: npt.NDArray[Any]) -> Counts:
    """Count errors by size, of either sign; counts of several arrays can be added.

    Args:
        errors: Of any shape.
    """
    counted = no_errors()
    flat = errors.reshape(-1)
    for start in range(0, flat.size, _AT_ONCE):
        part = flat[start : start + _AT_ONCE]
        part = part[np.isfinite(part)]
        there = part[part != 0.0]
        counted[0] += part.size - there.size
        # frexp: the mantissa is in [0.5, 1), so the exponent is one more than that of the bin's lower end.
        bins = np.clip(np.frexp(there)[1] - 1, LEAST, MOST - 1) - LEAST
        counted[1:] += np.bincount(bins, minlength=MOST - LEAST)
    return counted


def histogram(counted: Counts) -> Histogram:
    """Return counts as a report holds them."""
    bins = counted[1:]
    filled = np.flatnonzero(bins)
    if not filled.size:
        return Histogram(int(counted[0]))
    first, last = int(filled[0]), int(filled[-1])
    return Histogram(int(counted[0]), LEAST + first, tuple(bins[first : last + 1].tolist()))
