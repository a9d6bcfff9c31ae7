"""THE TABLE of formats that weights are written in, each as the reference writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albert_export.checkpoints.checkpoint import WeightFormat
from albert_export.checkpoints.contents import Contents
from albert_export.checkpoints.h5_writing import write_h5
from albert_export.checkpoints.msgpack_writing import write_msgpack
from albert_export.checkpoints.names import tied_names
from albert_export.checkpoints.safetensors_file import LazyTensors
from albert_export.checkpoints.writing import write_sharded
from albert_export.errors import UnknownNameError


@dataclass(frozen=True)
class Format:
    """A format that weights are written in.

    Attributes:
        name: The value of ``--to``.
        file: The file that holds the weights, when it is one.
        needs: Module that must be installed to write it, and the extra that brings it; None for neither.
        sharded: Whether the reference cuts it into shards.
        widened: Dtypes that its readers do not know; such weights are written as float32.
        write: Writes contents into a directory; the last argument is the largest file, for sharded formats.
    """

    name: WeightFormat
    file: str
    needs: tuple[str, str] | None
    sharded: bool
    widened: frozenset[str]
    write: Callable[[Contents, Path, int | str], None]


def get_format(name: str) -> Format:
    """Return the format of that name.

    Raises:
        UnknownNameError: None has it; the message names the nearest.
    """
    for row in FORMATS:
        if row.name == name:
            return row
    raise UnknownNameError("format to convert to", name, [row.name for row in FORMATS])


def _write_safetensors(contents: Contents, directory: Path, max_shard_size: int | str) -> None:
    raw = contents.raw_tensors()
    names = {contents.file_name(name): name for name in raw}
    write_sharded(directory, LazyTensors(names, lambda name: raw[names[name]]), max_shard_size=max_shard_size)


def _write_torch(contents: Contents, directory: Path, max_shard_size: int | str) -> None:
    found = contents.checkpoint.torch_tensors()
    # In the file a weight lies as it is written, and not as a view of its transpose.
    tensors: dict[str, Any] = {name: found[source].contiguous() for name, source in contents.stored.items()}
    decoder = {second: tensors[first] for second, first in tied_names(contents.config).items() if first in tensors}
    head = [name for name in tensors if name.startswith("predictions.")]
    ordered: dict[str, Any] = {}
    for name, tensor in tensors.items():
        ordered[contents.file_name(name)] = tensor
        if head and name == head[-1]:  # where the reference's model has its decoder
            ordered |= {second: decoder[second] for second in sorted(decoder, reverse=True)}
    write_sharded(directory, ordered, max_shard_size=max_shard_size, safe_serialization=False)


def _write_h5(contents: Contents, directory: Path, _: int | str) -> None:
    raw = contents.raw_tensors()
    write_h5(
        directory / "tf_model.h5",
        LazyTensors(raw, lambda name: raw[name].numpy()),
        config=contents.config,
        architecture=contents.task.tensorflow_class,
        further=[task.tensorflow_class for task in contents.heads],
    )


def _write_msgpack(contents: Contents, directory: Path, _: int | str) -> None:
    raw = contents.raw_tensors()
    write_msgpack(
        directory / "flax_model.msgpack",
        LazyTensors(raw, lambda name: raw[name].bits),
        config=contents.config,
        architecture=contents.task.flax_class,
        further=[task.flax_class for task in contents.heads],
    )


FORMATS: tuple[Format, ...] = (
    Format("safetensors", "model.safetensors", None, True, frozenset(), _write_safetensors),
    Format("torch", "pytorch_model.bin", ("torch", "onnx"), True, frozenset(), _write_torch),
    Format("h5", "tf_model.h5", ("h5py", "convert"), False, frozenset({"BF16"}), _write_h5),
    Format("msgpack", "flax_model.msgpack", None, False, frozenset(), _write_msgpack),
)
