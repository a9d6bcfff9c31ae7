"""What every emitter hands back to the export."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from albert_export.graphs.sharing import Sharing
from albert_export.tasks import TensorSpec


@dataclass(frozen=True)
class Emitted:
    """What was written.

    Attributes:
        files: The artifact's files, the main one first.
        opset: ONNX operator set of the file; None for a target without any.
        inputs: Name, dtype and shape of each input; symbolic axes by name.
        outputs: The same for outputs.
        sharing: The sharing figures of the finished files.
        versions: Version of each package that had a part in it.
        facts: Operator counts, passes that changed something, loops: for ``inspect``.
        traced_sizes: Size of each dynamic axis in the example input.
        quantized_bytes: Part -> bytes that its matrices which became integers take in float32; those with any.
        traced: What the model was traced into, for a further call with other parts; it holds the model's weights.
    """

    files: tuple[Path, ...]
    opset: int | None
    inputs: tuple[dict[str, Any], ...]
    outputs: tuple[dict[str, Any], ...]
    sharing: Sharing
    versions: dict[str, str]
    facts: dict[str, Any]
    traced_sizes: dict[str, int]
    quantized_bytes: Mapping[str, int] = field(default_factory=dict)
    traced: Any = field(default=None, repr=False, compare=False)


def shape_of(spec: TensorSpec, config: Any, sizes: Mapping[str, int | None]) -> list[int | str]:
    """Return the shape of an input or output: a number for each fixed axis, the name of each dynamic one.

    Args:
        spec: One of the task's.
        config: The model's configuration, which has the sizes of the axes that are the model's.
        sizes: Fixed size of each of the task's dynamic axes, or None where it stays dynamic.
    """
    shape: list[int | str] = []
    for axis in spec.axes:
        if isinstance(axis, int):
            shape.append(axis)
        elif axis in sizes:
            fixed = sizes[axis]
            shape.append(axis if fixed is None else fixed)
        else:
            shape.append(int(getattr(config, axis)))
    return shape


def described(
    spec: TensorSpec, config: Any, sizes: Mapping[str, int | None], dtype: str | None = None
) -> dict[str, Any]:
    """Return an input or output as the manifest has it; arguments as in :func:`shape_of`, ``dtype`` if not its own."""
    return {"name": spec.name, "dtype": dtype or spec.dtype, "shape": shape_of(spec, config, sizes)}
