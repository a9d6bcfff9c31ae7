"""The positions that an artifact with ``positions`` is asked for in the cases of parity."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from albert_export.parity.cases import Case
from albert_export.positions import POSITIONS

#: How many are asked for, from case to case: one, several, and more than some of the rows have.
_COUNTS = (3, 1, 2, 5, 8)


def asked_at_positions(cases: Sequence[Case], seed: int = 0) -> tuple[Case, ...]:
    """Return the cases with the further input: of each row first a real token, then any, in no order, some twice.

    Args:
        cases: Of ``[B,S]``.
        seed: Of the positions.
    """
    return tuple(_asked(case, _COUNTS[index % len(_COUNTS)], seed) for index, case in enumerate(cases))


def _asked(case: Case, count: int, seed: int) -> Case:
    rows, length = case.shape
    generator = np.random.default_rng([seed, zlib.crc32(case.name.encode()), count])
    positions = generator.integers(0, length, (rows, count))
    for row, mask in enumerate(case.inputs["attention_mask"]):
        if mask.any():
            positions[row, 0] = generator.choice(np.flatnonzero(mask))
    return replace(case, inputs={**case.inputs, POSITIONS: positions.astype(np.int64)})
