"""What older readers of TFLite files take: TFLite Task Library 0.4.4 and MediaPipe."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from albert_export.errors import ExportError, UnknownNameError
from albert_export.tasks import Task


@dataclass(frozen=True)
class Compat:
    """The limits of one reader.

    Attributes:
        name: The value of ``--compat``.
        layers: Forms of the shared layer that it takes, the default first.
        sizes: Sizes that it asks for, whatever the task.
        task_sizes: Sizes that it asks for in one task.
        old_operators: Whether only the operators' versions of TensorFlow 2.12 may be written: one scale a matrix in
            int8, tables widened as a whole in fp16.
    """

    name: str
    layers: tuple[str, ...]
    sizes: Mapping[str, int]
    task_sizes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    old_operators: bool = False


_READER_SIZES = {"question-answering": {"sequence": 384}}

COMPATS: tuple[Compat, ...] = (
    Compat("task-library", ("rolled", "unrolled"), {"batch": 1}, _READER_SIZES, old_operators=True),
    Compat("mediapipe", ("unrolled",), {"batch": 1}),
)


def get_compat(name: str) -> Compat:
    """Return the reader of that name.

    Raises:
        UnknownNameError: There is none.
    """
    for compat in COMPATS:
        if compat.name == name:
            return compat
    raise UnknownNameError("compat", name, [compat.name for compat in COMPATS])


def compat_sizes(compat: Compat, task: Task, sizes: Mapping[str, int | None]) -> dict[str, int | None]:
    """Return ``sizes`` with those that the reader asks for where they were left dynamic.

    Raises:
        ExportError: Another size was asked for.
    """
    asked = {**compat.sizes, **compat.task_sizes.get(task.name, {})}
    for axis, size in asked.items():
        if sizes.get(axis) not in (None, size):
            raise ExportError(
                f"{compat.name} takes {axis} {size} for {task.name}",
                received=sizes[axis],
                fix=f"leave {axis} out, or leave compat out",
            )
    return {**sizes, **asked}


def check_layers(compat: Compat, layers: str) -> None:
    """Check the form of the shared layer.

    Raises:
        ExportError: The reader does not take it.
    """
    if layers not in compat.layers:
        raise ExportError(
            f"{compat.name} takes layers {' or '.join(compat.layers)}",
            received=layers,
            fix=f"choose layers {compat.layers[0]}",
        )
