"""A checkpoint that was found: its configuration, its weight files, its identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from albert_export.checkpoints import flax_layout, h5_file, msgpack_file, tf1_layout
from albert_export.checkpoints.keras_layout import canonical_shapes, canonical_tensors, is_keras
from albert_export.checkpoints.raw_tensor import RawTensor
from albert_export.checkpoints.safetensors_file import LazyTensors, numpy_tensors, read_headers, torch_tensors
from albert_export.checkpoints.torch_file import load_torch_files, to_numpy
from albert_export.config import AlbertConfig
from albert_export.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import torch

T = TypeVar("T")

SourceKind = Literal["directory", "hub", "builtin"]
WeightFormat = Literal["safetensors", "torch", "h5", "msgpack", "tf1"]

CONFIG_NAME = "config.json"
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Source:
    """Where weights came from, in words that mean the same on every machine.

    Attributes:
        kind: ``directory``, ``hub`` or ``builtin``.
        name: The directory's last name, the hub id, or the built-in name; never a path, and always printable.
        revision: The hub's commit hash; None for the other kinds.
        sha256: Hash of ``config.json`` and the weight files, see :attr:`Checkpoint.source`.
    """

    kind: SourceKind
    name: str
    revision: str | None
    sha256: str


@dataclass(frozen=True)
class Checkpoint:
    """A directory with a configuration and weights, from wherever it was opened.

    Attributes:
        directory: Where the files lie on this machine, those of the tokenizer among them.
        config: The parsed configuration. Copy it before changing it.
        source_kind: ``directory``, ``hub`` or ``builtin``.
        source_name: See :attr:`Source.name`.
        revision: See :attr:`Source.revision`.
        weight_files: The file, or the shards, that hold the weights, sorted by name; of Google's checkpoints the index
            first.
        weight_format: ``safetensors``, ``torch`` for ``pytorch_model.bin``, ``h5`` for ``tf_model.h5``, ``msgpack`` for
            ``flax_model.msgpack``, or ``tf1`` for Google's own checkpoints. Names and orientation of the weights are
            PyTorch's in all of them.
        config_file: Where the configuration was read.
    """

    directory: Path
    config: AlbertConfig
    source_kind: SourceKind
    source_name: str
    revision: str | None
    weight_files: tuple[Path, ...]
    weight_format: WeightFormat
    config_file: Path

    @cached_property
    def source(self) -> Source:
        """Identity of the checkpoint. Every file is read once, in pieces; the result is kept.

        The hash is that of the lines that ``sha256sum CONFIG_FILE WEIGHT_FILES…`` prints in the order of their names,
        so it depends on contents and names and on no path.

        Raises:
            CheckpointError: A file cannot be read.
        """
        files = sorted([self.config_file, *self.weight_files], key=lambda path: path.name)
        lines = "".join(f"{_sha256(path)}  {path.name}\n" for path in files)
        return Source(
            self.source_kind, self.source_name, self.revision, hashlib.sha256(lines.encode("utf-8")).hexdigest()
        )

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return name -> shape of every stored weight; of all but ``pytorch_model.bin`` only the headers are read.

        Raises:
            CheckpointError: A file is truncated, malformed or unsafe.
            MissingDependencyError: The format needs a package that is not installed.
        """
        if self.weight_format == "h5":
            return h5_file.read_shapes(self.weight_files)
        if self.weight_format == "tf1":
            return {name: weight.shape for name, weight in tf1_layout.read_weights(self.weight_files[0]).items()}
        if self.weight_format == "msgpack":
            return msgpack_file.read_shapes(self.weight_files)
        if self.weight_format == "safetensors":
            stored = self._stored_shapes()
            if flax_layout.is_flax(stored):
                return flax_layout.torch_shapes(stored)
            return canonical_shapes(stored) if is_keras(stored) else stored
        return {name: tuple(tensor.shape) for name, tensor in self.torch_tensors().items()}

    def numpy_tensors(self) -> Mapping[str, np.ndarray]:
        """Return name -> weight as numpy, read-only and memory-mapped; each is made when it is asked for.

        numpy has no bfloat16: such weights come as float32, which holds each of their values exactly, in a copy.

        Raises:
            CheckpointError: A file is truncated, malformed or unsafe.
            MissingDependencyError: The weights are in ``pytorch_model.bin`` and torch is not installed, or in
                ``tf_model.h5`` and h5py is not.
        """
        if self.weight_format == "h5":
            return h5_file.read_h5(self.weight_files)
        if self.weight_format == "tf1":
            return tf1_layout.numpy_tensors(self.weight_files[0])
        if self.weight_format == "msgpack":
            return msgpack_file.read_msgpack(self.weight_files)
        if self.weight_format == "safetensors":
            return self._canonical(numpy_tensors(self.weight_files))
        return {name: to_numpy(tensor) for name, tensor in self.torch_tensors().items()}

    def torch_tensors(self) -> Mapping[str, torch.Tensor]:
        """Return name -> weight as torch on the CPU, memory-mapped, in the stored dtype.

        No code of a checkpoint is ever run. The mapping is private: writing into a tensor leaves the file alone.

        Raises:
            CheckpointError: A file is truncated, malformed or unsafe.
            MissingDependencyError: torch is not installed, or h5py for ``tf_model.h5``.
        """
        if self.weight_format == "h5":
            return h5_file.torch_tensors(self.weight_files)
        if self.weight_format == "tf1":
            return tf1_layout.torch_tensors(self.weight_files[0])
        if self.weight_format == "msgpack":
            return msgpack_file.torch_tensors(self.weight_files)
        if self.weight_format == "safetensors":
            return self._canonical(torch_tensors(self.weight_files))
        return load_torch_files(self.weight_files)

    def raw_tensors(self) -> Mapping[str, RawTensor]:
        """Return name -> weight as the bytes that are stored, bfloat16 too; each is made when it is asked for.

        Raises:
            CheckpointError: A file is truncated, malformed or unsafe, or of a dtype that only torch knows.
            MissingDependencyError: As of :meth:`numpy_tensors`.
        """
        if self.weight_format == "torch":
            tensors = self.torch_tensors()
            return LazyTensors(tensors, lambda name: RawTensor.of_torch(name, tensors[name]))
        if self.weight_format == "safetensors":
            arrays = self._canonical(numpy_tensors(self.weight_files, raw=True))
        elif self.weight_format == "tf1":
            arrays = tf1_layout.numpy_tensors(self.weight_files[0], raw=True)
        elif self.weight_format == "msgpack":
            arrays = msgpack_file.read_msgpack(self.weight_files, raw=True)
        else:
            arrays = self.numpy_tensors()
        return LazyTensors(arrays, lambda name: RawTensor.of_numpy(name, arrays[name]))

    def _stored_shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: entry.shape for name, entry in read_headers(self.weight_files).items()}

    def _canonical(self, tensors: Mapping[str, T]) -> Mapping[str, T]:
        """Return tensors of safetensors files, which the reference's other classes write in their own layouts."""
        if flax_layout.is_flax(tensors):
            return flax_layout.torch_layout(tensors)
        return canonical_tensors(tensors, self._stored_shapes()) if is_keras(tensors) else tensors


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise CheckpointError("the files of a checkpoint must be readable", received=str(error)) from error
    return digest.hexdigest()
