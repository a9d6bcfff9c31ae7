"""What int4 stores in place of a checkpoint's matrices, for the eager model that such an artifact is compared with.

Four bits change a model so much that its distance from the unrounded one tells little: where attention is peaked, a
correct artifact lies further from it than an output of half the size. So the reference is the eager model with the
matrices that the export rounds, rounded from the checkpoint; nothing is taken from the artifact, and nothing from the
code that writes it: the rule is stated and computed here a second time, so that a mistake in one of the two shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albert_export.parts import PARTS, part_of

if TYPE_CHECKING:
    from albert_export.bundle import Artifact

#: Precisions whose artifacts are compared with rounded matrices.
ROUNDED = ("int4",)

#: Numbers beside each other in a row that share a step.
BLOCK = 32
#: A number is so many steps: four bits.
LEAST_STEPS, MOST_STEPS = -8, 7
#: A matrix with fewer rows is not rounded: what it gives are the answers themselves.
FEWEST_ROWS = 16
#: A block whose step would be smaller is zero.
_NOTHING = np.float32(1e-30)

Matrix = npt.NDArray[np.float32]


def rounded_parts(artifact: Artifact) -> tuple[str, ...]:
    """Return the parts whose matrices are rounded for the reference of an artifact; none in most precisions."""
    if artifact.precision not in ROUNDED:
        return ()
    return tuple(part for part in PARTS if part in artifact.facts.get("quantized", PARTS))


def reference_told(parts: Sequence[str]) -> str:
    """Return in words what an artifact is compared with.

    Args:
        parts: Those whose matrices are rounded for it.
    """
    if not parts:
        return "the eager model"
    return f"the eager model with its matrices of {', '.join(parts)} rounded to int4 in blocks of {BLOCK}"


def round_matrices(model: Any, parts: Sequence[str]) -> None:
    """Round the matrices of an eager torch model in place, as the int4 export of those parts does.

    Args:
        model: In float32 or float64.
        parts: Of :data:`albert_export.parts.PARTS`.
    """
    import torch

    for name, parameter in model.named_parameters():
        if part_of(name) in parts and parameter.dim() == 2 and len(parameter) >= FEWEST_ROWS:
            # The checkpoint's memory is mapped: it stays as it is.
            rounded = round_to_blocks(parameter.detach().float().numpy())
            parameter.data = torch.from_numpy(rounded).to(parameter.dtype)


def round_to_blocks(matrix: Matrix) -> Matrix:
    """Return the nearest numbers that four bits and a step for each block can hold.

    The step of a block is its number of the largest magnitude (of two as large, the first) divided by -8, so that this
    number is met exactly; every other becomes the nearest multiple of the step, of two as near the even one, from -8 to
    7 steps.

    Args:
        matrix: float32 ``[rows, width]``; blocks lie along a row, the last of which may be shorter.
    """
    rounded = np.zeros_like(matrix)
    for start in range(0, matrix.shape[1], BLOCK):
        block = matrix[:, start : start + BLOCK]
        low, high = block.min(axis=1), block.max(axis=1)
        high_first = block.argmax(axis=1) < block.argmin(axis=1)
        largest = np.where((high > -low) | ((high == -low) & high_first), high, low)
        step = (largest / np.float32(LEAST_STEPS))[:, None]
        filled = np.abs(step[:, 0]) >= _NOTHING
        # In float32, as numbers are stored: in float64, one that lies between two steps could go to the other.
        steps = (block[filled] / step[filled]).round().clip(LEAST_STEPS, MOST_STEPS)
        rounded[filled, start : start + BLOCK] = steps * step[filled]
    return rounded
