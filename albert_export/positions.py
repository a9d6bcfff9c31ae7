"""Fill-mask at chosen positions: the decoder, as wide as the vocabulary, is computed where a word is asked for only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from albert_export.errors import InputError
from albert_export.targets import TARGETS, Target
from albert_export.tasks import Task, TensorSpec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Element = TypeVar("Element", bound=np.generic)

#: The further input, and its second axis.
POSITIONS = "positions"

_CHOSEN_FOR = "fill-mask"


def at_positions(task: Task) -> Task:
    """Return the task with one more input, ``positions`` ``[B,P]``, and with ``logits`` ``[B,P,V]`` at these.

    Raises:
        InputError: Its head has no decoder to save.
    """
    if task.name != _CHOSEN_FOR:
        raise InputError(
            f"positions are chosen for {_CHOSEN_FOR}, whose output is as wide as the vocabulary",
            received=f"positions for {task.name}",
            fix="leave positions out",
        )
    asked = TensorSpec(POSITIONS, "int64", ("batch", POSITIONS))
    outputs = tuple(
        replace(spec, axes=tuple(POSITIONS if axis == "sequence" else axis for axis in spec.axes))
        for spec in task.outputs
    )
    return replace(task, inputs=(*task.inputs, asked), outputs=outputs)


def task_with(task: Task, inputs: Iterable[str]) -> Task:
    """Return the task as an artifact with these inputs, by name, computes it."""
    return at_positions(task) if POSITIONS in inputs and task.name == _CHOSEN_FOR else task


def chooses_positions(task: Task) -> bool:
    """Whether the task, or an artifact's form of it, gives its output at chosen positions."""
    return any(spec.name == POSITIONS for spec in task.inputs)


def check_target_chooses(target: Target) -> None:
    """Check that the target's artifacts can be given positions.

    Raises:
        InputError: They cannot; the message names the targets whose can.
    """
    if not target.chooses_positions:
        possible = " or ".join(other.title for other in TARGETS if other.chooses_positions)
        raise InputError(
            f"{target.title} artifacts compute every position",
            received=POSITIONS,
            fix=f"export to {possible}, or leave positions out",
        )


def gathered(values: npt.NDArray[Element], positions: npt.NDArray[np.integer[Any]]) -> npt.NDArray[Element]:
    """Return what stands at the positions: of ``[B,S,…]`` and ``[B,P]`` an array ``[B,P,…]``."""
    import numpy as np

    return np.take_along_axis(values, positions.reshape(*positions.shape, *[1] * (values.ndim - 2)), axis=1)


def without_positions(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that every form of the task has."""
    return {name: value for name, value in inputs.items() if name != POSITIONS}
