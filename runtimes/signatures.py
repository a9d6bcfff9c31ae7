"""Holding what an artifact's file declares to the task: names, dtypes, and which sizes it fixes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from albert_export.errors import BundleError
from albert_export.tasks import DYNAMIC_AXES, Task, TensorSpec

_INPUT_DTYPES = ("int32", "int64")


@dataclass(frozen=True)
class Declared:
    """One tensor as a file declares it.

    Attributes:
        dtype: numpy's name of it; anything else is told as it is.
        shape: The size of each axis, or None where any size will do.
    """

    dtype: str
    shape: Sequence[int | None]


def not_loadable(
    file: str, detail: str, *, by: str = "of the bundle's task", fix: str = "export it again"
) -> BundleError:
    """Return the error for a file that is no artifact of the task, or that its runtime does not load."""
    return BundleError(f"{file} must be a model {by}", received=detail, fix=fix)


def declared_specs(
    specs: Sequence[TensorSpec], found: Mapping[str, Declared], kind: Literal["input", "output"], file: str
) -> tuple[TensorSpec, ...]:
    """Return the task's specs with the dtypes that the file declares.

    Args:
        specs: The task's inputs or outputs.
        found: What the file declares, by name.
        kind: Which of the two.
        file: What to call the file in errors.

    Raises:
        BundleError: The names are not the task's, or a dtype is none that this release knows for them.
    """
    wanted = [spec.name for spec in specs]
    if sorted(found) != sorted(wanted):
        raise not_loadable(file, f"{kind}s {', '.join(found) or 'none'} where the task has {', '.join(wanted)}")
    for name in wanted:
        dtype = found[name].dtype
        if kind == "input" and dtype not in _INPUT_DTYPES:
            raise not_loadable(file, f"input {name} of dtype {dtype}")
        if kind == "output" and not dtype.startswith("float"):
            raise not_loadable(file, f"output {name} of dtype {dtype}")
    return tuple(replace(spec, dtype=found[spec.name].dtype) for spec in specs)


def fixed_sizes(task: Task, found: Mapping[str, Declared], file: str) -> dict[str, int | None]:
    """Read from the file itself which dynamic axes it fixes: its own word is what its runtime will hold it to.

    Raises:
        BundleError: An input has another number of axes than the task's.
    """
    sizes: dict[str, int | None] = dict.fromkeys(task.dynamic_axes)
    for spec in task.inputs:
        shape = found[spec.name].shape
        if len(shape) != len(spec.axes):
            raise not_loadable(file, f"input {spec.name} of shape {list(shape)}")
        for axis, size in zip(spec.axes, shape, strict=True):
            if axis in DYNAMIC_AXES and isinstance(axis, str) and size is not None:
                sizes[axis] = size
    return sizes
