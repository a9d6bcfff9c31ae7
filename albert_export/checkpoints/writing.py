"""Writing weights: the same tensors give the same bytes, and a file is there whole or not at all."""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.checkpoints.raw_tensor import RawTensor
from albert_export.checkpoints.safetensors_file import DTYPES
from albert_export.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import torch

SAFETENSORS_NAME = "model.safetensors"
TORCH_NAME = "pytorch_model.bin"
#: What the reference's ``save_pretrained`` uses by default.
MAX_SHARD_BYTES = 5 * 10**9
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_CHUNK_BYTES = 1 << 24
#: Name of a torch dtype -> safetensors dtype.
_TORCH_DTYPES = {
    "float64": "F64",
    "float32": "F32",
    "float16": "F16",
    "bfloat16": "BF16",
    "int64": "I64",
    "int32": "I32",
    "int16": "I16",
    "int8": "I8",
    "uint8": "U8",
    "bool": "BOOL",
}
#: The reference implementation stores the dtypes of a file in this order.
_DTYPE_ORDER = ("I64", "F64", "F32", "I32", "BF16", "F16", "I16", "I8", "U8", "BOOL")


@dataclass(frozen=True)
class _Tensor:
    """One tensor to be written; ``data`` makes its bytes when they are due."""

    dtype: str
    shape: tuple[int, ...]
    size: int
    data: Callable[[], np.ndarray]


def write_safetensors(
    path: str | os.PathLike[str], tensors: Mapping[str, Any], *, metadata: Mapping[str, str] | None = None
) -> None:
    """Write one safetensors file, the same bytes for the same tensors in whatever order.

    The bytes are those of the reference implementation: dtypes in a fixed order, names sorted, the header filled
    up with spaces to a multiple of eight. The file replaces an old one at the end, in one step, so that tensors
    mapped from the old file stay valid.

    Args:
        path: The file.
        tensors: Name -> numpy array, :class:`RawTensor`, or torch tensor of any device and layout.
        metadata: Text fields of the header; ``{"format": "pt"}`` by default, which transformers asks for.

    Raises:
        CheckpointError: A dtype that safetensors lacks, or the file cannot be written.
    """
    with replacing(Path(path)) as file:
        _write_safetensors(file, tensors, metadata)


def safetensors_bytes(tensors: Mapping[str, Any], *, metadata: Mapping[str, str] | None = None) -> bytes:
    """Return what :func:`write_safetensors` would write.

    Raises:
        CheckpointError: A dtype that safetensors lacks.
    """
    return b"".join(_pieces(tensors, metadata))


def _write_safetensors(file: IO[bytes], tensors: Mapping[str, Any], metadata: Mapping[str, str] | None = None) -> None:
    for piece in _pieces(tensors, metadata):
        for start in range(0, len(piece), _CHUNK_BYTES):
            file.write(piece[start : start + _CHUNK_BYTES])


def _pieces(tensors: Mapping[str, Any], metadata: Mapping[str, str] | None) -> Iterator[memoryview]:
    """Yield the parts of a safetensors file; at most one tensor is copied at a time, where its layout asks for it."""
    described = {name: _describe(name, tensors[name]) for name in sorted(tensors)}
    order = sorted(described, key=lambda name: (_DTYPE_ORDER.index(described[name].dtype), name))
    header: dict[str, Any] = {"__metadata__": dict(sorted((metadata or {"format": "pt"}).items()))}
    position = 0
    for name in order:
        item = described[name]
        offsets = [position, position + item.size]
        header[name] = {"dtype": item.dtype, "shape": list(item.shape), "data_offsets": offsets}
        position += item.size
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    text += b" " * (-len(text) % 8)
    yield memoryview(len(text).to_bytes(8, "little") + text)
    for name in order:
        if described[name].size:
            yield described[name].data().data.cast("B")


def write_torch_bin(path: str | os.PathLike[str], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write ``pytorch_model.bin`` (a zip archive with a pickle of tensors alone), as ``torch.save`` does.

    Names of the same tensor share its bytes. The same tensors in the same order give the same bytes, wherever they
    lie: of a tensor that is part of a larger memory, such as a mapped file, only the part is written.

    Raises:
        CheckpointError: The file cannot be written.
        MissingDependencyError: torch is not installed.
    """
    with replacing(Path(path)) as file:
        _write_torch(file, tensors)


def _write_torch(file: IO[bytes], tensors: Mapping[str, torch.Tensor]) -> None:
    torch = require("torch", needed_for=f"writing {TORCH_NAME}", extra="onnx")
    parts: dict[Hashable, Any] = {}
    for name, tensor in tensors.items():
        whole = tensor.untyped_storage().nbytes() == tensor.nbytes
        part = tensor.detach() if whole else tensor.detach().clone()
        if part.is_contiguous():
            # The stride of an axis of one says nothing, but is stored: a row that was a column has another.
            part = part.view(-1).view(part.shape)
        parts.setdefault(_identity(name, tensor), part)
    # Given a file object, torch does not put the file's own name into the archive.
    torch.save({name: parts[_identity(name, tensor)] for name, tensor in tensors.items()}, file)


def write_sharded(
    directory: str | os.PathLike[str],
    tensors: Mapping[str, Any],
    *,
    max_shard_size: int | str = MAX_SHARD_BYTES,
    safe_serialization: bool = True,
) -> tuple[Path, ...]:
    """Write the weights of a checkpoint: one file, or shards with an index when they are larger than one may be.

    Names, order of filling and index are those of the reference's ``save_pretrained``. No file of an earlier save is
    replaced before all new ones are written whole; those of the same format that this one does not replace are then
    removed.

    Args:
        directory: Made if absent.
        tensors: Name -> tensor, in the order in which shards are filled.
        max_shard_size: Bytes, or text such as ``"5GB"`` or ``"200MiB"``. A single larger tensor gets a shard alone.
        safe_serialization: safetensors; else ``pytorch_model.bin``.

    Returns:
        The weight files, without the index.

    Raises:
        CheckpointError: A size that cannot be understood, a dtype that cannot be stored, or a failed write.
    """
    directory = Path(directory)
    limit = parse_size(max_shard_size)
    name = SAFETENSORS_NAME if safe_serialization else TORCH_NAME
    sizes = {key: _size(key, tensor) for key, tensor in tensors.items()}
    # safetensors store every name's bytes; a PyTorch file stores those of a tensor with two names once.
    identities = {key: key if safe_serialization else _identity(key, tensor) for key, tensor in tensors.items()}
    shards = _fill_shards(sizes, limit, identities)
    stem, suffix = name.rsplit(".", 1)
    names = (
        [name]
        if len(shards) == 1
        else [f"{stem}-{number:05d}-of-{len(shards):05d}.{suffix}" for number in range(1, len(shards) + 1)]
    )
    write = _write_safetensors if safe_serialization else _write_torch
    with told_plainly(directory):
        directory.mkdir(parents=True, exist_ok=True)
    index_name = f"{name}.index.json"
    with ExitStack() as files:  # each file takes its place at the end, the first of them last
        if len(shards) > 1:
            placed = {key: shard_name for shard_name, keys in zip(names, shards, strict=True) for key in keys}
            total = sum({identities[key]: size for key, size in sizes.items()}.values())
            index = {"metadata": {"total_size": total}, "weight_map": placed}
            text = json.dumps(index, indent=2, sort_keys=True) + "\n"
            files.enter_context(replacing(directory / index_name)).write(text.encode("utf-8"))
        for shard_name, keys in zip(names, shards, strict=True):
            write(files.enter_context(replacing(directory / shard_name)), {key: tensors[key] for key in keys})
    _remove_stale(directory, stem, suffix, keep={*names, *([index_name] if len(shards) > 1 else [])})
    return tuple(directory / shard_name for shard_name in names)


def parse_size(size: int | str) -> int:
    """Return a size in bytes; text is a whole number and a unit, decimal (``GB``) or binary (``GiB``).

    Raises:
        CheckpointError: The text cannot be understood, or the size is below 1.
    """
    if isinstance(size, str):
        match = re.fullmatch(r"\s*(\d+)\s*([KMG]I?B)\s*", size.upper())
        if match is None:
            raise CheckpointError(
                f"max_shard_size must be a number and one of {', '.join(_UNITS)}",
                received=size,
                fix='for example "5GB"',
            )
        size = int(match[1]) * _UNITS[match[2]]
    if size < 1:
        raise CheckpointError("max_shard_size must be at least 1 byte", received=size)
    return size


def _fill_shards(sizes: Mapping[str, int], limit: int, identities: Mapping[str, Hashable]) -> list[list[str]]:
    shards: list[list[str]] = [[]]
    filled = 0
    shard_of: dict[Hashable, list[str]] = {}
    for name, size in sizes.items():
        identity = identities[name]
        if identity in shard_of:
            # A second name of a tensor goes where its bytes are.
            shard_of[identity].append(name)
            continue
        if shards[-1] and filled + size > limit:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        shard_of[identity] = shards[-1]
        filled += size
    return shards


def _identity(name: str, tensor: Any) -> Hashable:
    """Return what is equal for two names of one torch tensor; an empty one is nobody's copy."""
    if tensor.numel() == 0:
        return name
    return (str(tensor.device), tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tuple(tensor.stride()))


def _remove_stale(directory: Path, stem: str, suffix: str, keep: set[str]) -> None:
    own = re.compile(rf"{re.escape(stem)}(-\d{{5}}-of-\d{{5}})?\.{suffix}(\.index\.json)?")
    with told_plainly(directory):
        for path in directory.iterdir():
            if own.fullmatch(path.name) and path.name not in keep:
                path.unlink()


def _describe(name: str, tensor: Any) -> _Tensor:
    import numpy as np

    if isinstance(tensor, RawTensor):
        bits = tensor.bits
        return _Tensor(tensor.dtype, bits.shape, bits.nbytes, lambda: np.ravel(bits))
    if hasattr(tensor, "detach"):
        dtype = _torch_dtype(name, tensor)
        shape = tuple(tensor.shape)
        size = tensor.numel() * DTYPES[dtype][1]
        return _Tensor(dtype, shape, size, lambda: _torch_bytes(tensor))
    array = np.asarray(tensor)
    if array.dtype.name == "bfloat16":  # numpy itself has none; JAX brings it
        return _Tensor("BF16", array.shape, array.nbytes, lambda: array.ravel().view("<u2"))
    codes = {np.dtype(code): dtype for dtype, (code, _) in DTYPES.items() if dtype != "BF16"}
    little = array.dtype.newbyteorder("<")
    if little not in codes:
        raise CheckpointError("safetensors must know the dtype of a weight", received=f"{array.dtype} for {name}")
    return _Tensor(codes[little], array.shape, array.nbytes, lambda: array.astype(little, copy=False).ravel())


def _torch_bytes(tensor: torch.Tensor) -> np.ndarray:
    import torch

    flat = tensor.detach().cpu().contiguous().flatten()
    if flat.dtype is torch.bfloat16:
        flat = flat.view(torch.int16)  # numpy has no bfloat16; the bytes are the same
    array: np.ndarray = flat.numpy()
    return array


def _torch_dtype(name: str, tensor: Any) -> str:
    dtype = _TORCH_DTYPES.get(str(tensor.dtype).removeprefix("torch."))
    if dtype is None:
        raise CheckpointError("safetensors must know the dtype of a weight", received=f"{tensor.dtype} for {name}")
    return dtype


def _size(name: str, tensor: Any) -> int:
    return _describe(name, tensor).size


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Yield a file beside ``path`` that takes its place when all was written, and vanishes when not.

    Raises:
        CheckpointError: The file cannot be written.
    """
    with told_plainly(path):
        unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
        try:
            with unfinished.open("x+b") as file:  # the HDF5 library reads, too
                yield file
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


@contextmanager
def told_plainly(path: Path) -> Iterator[None]:
    """Raise an ``OSError`` of the block, which writes ``path``, in one line.

    Raises:
        CheckpointError: The system failed.
    """
    try:
        yield
    except OSError as error:
        raise CheckpointError(
            "weights must be written whole",
            received=f"{path.name}: {error.strerror or error}",
            fix="check the directory's rights and the free space",
        ) from error
