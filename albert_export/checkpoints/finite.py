"""Weights that are no numbers: one of them makes every answer NaN, so a checkpoint that holds any is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from albert_export.checkpoints.matching import match_names
from albert_export.checkpoints.names import parameters, tied_names
from albert_export.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np

    from albert_export.checkpoints.checkpoint import Checkpoint
    from albert_export.tasks import Task

#: Numbers that are looked at together, so that the check takes little memory beside a mapped file.
_CHUNK = 1 << 22

#: Weights that the message names; a training that diverged has spoiled them all.
_NAMED = 8


def check_finite(checkpoint: Checkpoint, task: Task) -> None:
    """Check every weight that the task's model takes from a checkpoint; others may be what they are.

    Args:
        checkpoint: The weights.
        task: The head.

    Raises:
        CheckpointError: A weight holds NaN or infinity, or a number beyond float32; the message names it.
    """
    tensors = checkpoint.numpy_tensors()
    config = checkpoint.config
    taken = match_names(tensors, parameters(config, task), tied=tied_names(config)).renames
    broken = [told for name in sorted(taken) if (told := _told(name, tensors[name]))]
    if broken:
        more = f" and {len(broken) - _NAMED} more" if len(broken) > _NAMED else ""
        raise CheckpointError(
            "weights must be finite in float32",
            received=f"{', '.join(broken[:_NAMED])}{more}",
            fix="give the checkpoint from before its training went wrong, or save it again",
        )


def _told(name: str, weight: np.ndarray) -> str | None:
    """Return what is wrong with a weight, or None; one that is no floating-point number is another check's."""
    import numpy as np

    if weight.dtype.kind != "f":
        return None
    flat = weight.reshape(-1)
    undefined = infinite = 0
    for start in range(0, flat.size, _CHUNK):
        with np.errstate(over="ignore"):
            numbers = flat[start : start + _CHUNK].astype(np.float32, copy=False)
        if not np.isfinite(numbers).all():
            undefined += int(np.isnan(numbers).sum())
            infinite += int(np.isinf(numbers).sum())
    found = [f"{count} {kind}" for count, kind in ((undefined, "NaN"), (infinite, "infinite")) if count]
    return f"{name} ({' and '.join(found)} of {flat.size} numbers)" if found else None
