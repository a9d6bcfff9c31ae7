"""Reading safetensors files: the header is checked whole before a byte of a weight is used.

Format: eight bytes with the header's length (little-endian), the header as JSON (name -> dtype, shape, begin and end
within the data), the data. See https://huggingface.co/docs/safetensors.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from albert_export._imports import require
from albert_export.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import torch

T = TypeVar("T")

#: safetensors dtype -> (numpy dtype in the file's byte order, bytes an element).
DTYPES: dict[str, tuple[str, int]] = {
    "F64": ("<f8", 8),
    "F32": ("<f4", 4),
    "F16": ("<f2", 2),
    "BF16": ("<u2", 2),
    "I64": ("<i8", 8),
    "I32": ("<i4", 4),
    "I16": ("<i2", 2),
    "I8": ("|i1", 1),
    "U8": ("|u1", 1),
    "BOOL": ("|b1", 1),
}
#: The reference implementation refuses longer headers, which no real file has.
MAX_HEADER_BYTES = 100_000_000
#: A weight of more axes is damaged: numpy has none, and to multiply a million sizes would take hours.
MAX_DIMENSIONS = 32
#: How a file begins that git-lfs has not fetched.
LFS_POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies.

    Attributes:
        path: Its file.
        dtype: A key of :data:`DTYPES`.
        shape: Its shape.
        offset: First byte, from the beginning of the file.
        size: Bytes.
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int


class LazyTensors(Mapping[str, T]):
    """Name -> tensor, each made when it is asked for."""

    def __init__(self, names: Iterable[str], load: Callable[[str], T]) -> None:
        self._names = dict.fromkeys(names)
        self._load = load

    def __getitem__(self, name: str) -> T:
        if name not in self._names:
            raise KeyError(name)
        return self._load(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def read_headers(paths: Iterable[Path]) -> dict[str, Entry]:
    """Return every tensor of the files, sorted by name.

    Raises:
        CheckpointError: A file is truncated or malformed, or two files hold one name.
    """
    entries: dict[str, Entry] = {}
    for path in paths:
        for name, entry in read_header(path).items():
            if name in entries:
                raise CheckpointError(
                    "a weight may be in one shard only",
                    received=f"{name} in {entries[name].path.name} and {path.name}",
                    fix="save or fetch the checkpoint again",
                )
            entries[name] = entry
    return dict(sorted(entries.items()))


def read_header(path: Path) -> dict[str, Entry]:
    """Return the tensors of one file, in the order in which they lie in it.

    Raises:
        CheckpointError: The file is truncated or malformed.
    """
    try:
        file_size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            if start + file.read(len(LFS_POINTER) - 8) == LFS_POINTER:
                raise _malformed(path, "a git-lfs pointer instead of the weights", fix="run `git lfs pull`")
            if len(start) < 8:
                raise _malformed(path, f"a file of {file_size} bytes")
            (length,) = struct.unpack("<Q", start)
            if length > min(file_size - 8, MAX_HEADER_BYTES):
                raise _malformed(path, f"a header of {length} bytes in a file of {file_size} bytes")
            file.seek(8)
            text = file.read(length)
    except OSError as error:
        raise CheckpointError("the weights must be readable", received=str(error)) from error
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise _malformed(path, f"a header that is not JSON: {error}") from None
    if not isinstance(header, dict):
        raise _malformed(path, "a header that is no JSON object")
    header.pop("__metadata__", None)
    entries = {name: _entry(path, name, fields, 8 + length) for name, fields in header.items()}
    return _check_layout(path, entries, 8 + length, file_size)


def _entry(path: Path, name: str, fields: Any, data_start: int) -> Entry:
    if not isinstance(fields, dict) or not {"dtype", "shape", "data_offsets"} <= fields.keys():
        raise _malformed(path, f"no dtype, shape and data_offsets for {name}")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if isinstance(shape, list) and len(shape) > MAX_DIMENSIONS:
        raise _malformed(path, f"{len(shape)} axes for {name}")
    if not _are_sizes(shape) or not _are_sizes(offsets) or len(offsets) != 2:
        raise _malformed(path, f"shape {shape} and data_offsets {offsets} for {name}")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise CheckpointError(
            f"{path.name}: the dtype of a weight must be one of {', '.join(DTYPES)}", received=f"{dtype!r} for {name}"
        )
    begin, end = offsets
    if math.prod(shape) * DTYPES[dtype][1] != end - begin:
        raise _malformed(path, f"{end - begin} bytes for {name}, {dtype} {shape}")
    return Entry(path, dtype, tuple(shape), data_start + begin, end - begin)


def _check_layout(path: Path, entries: dict[str, Entry], data_start: int, file_size: int) -> dict[str, Entry]:
    ordered = dict(sorted(entries.items(), key=lambda item: (item[1].offset, item[1].size)))
    position = data_start
    for name, entry in ordered.items():
        if entry.offset != position:
            raise _malformed(path, f"{name} at byte {entry.offset} where byte {position} was due")
        position += entry.size
    if position != file_size:
        raise _malformed(path, f"{file_size} bytes where the header tells of {position}")
    return ordered


def numpy_tensors(paths: Iterable[Path], *, raw: bool = False) -> Mapping[str, np.ndarray]:
    """Return name -> read-only array over the mapped files.

    Args:
        paths: The files.
        raw: Whether bfloat16 comes as its bits in uint16; else as float32, in a copy.

    Raises:
        CheckpointError: A file is truncated or malformed.
    """
    entries = read_headers(paths)
    view = _mapped(entries.values(), mode="r")

    def load(name: str) -> np.ndarray:
        array = view(entries[name])
        if entries[name].dtype == "BF16" and not raw:
            # bfloat16 is the upper half of a float32.
            array = (array.astype("<u4") << 16).view("<f4")
            array.flags.writeable = False
        return array

    return LazyTensors(entries, load)


def torch_tensors(paths: Iterable[Path]) -> Mapping[str, torch.Tensor]:
    """Return name -> tensor over the privately mapped files.

    Raises:
        CheckpointError: A file is truncated or malformed.
        MissingDependencyError: torch is not installed.
    """
    require("torch", needed_for="reading weights as torch tensors", extra="onnx")
    import torch

    entries = read_headers(paths)
    view = _mapped(entries.values(), mode="c")

    def load(name: str) -> torch.Tensor:
        array = view(entries[name])
        array = array.astype(array.dtype.newbyteorder("="), copy=False)  # the only byte order that torch knows
        if entries[name].dtype == "BF16":
            return torch.from_numpy(array.view("int16")).view(torch.bfloat16)
        return torch.from_numpy(array)

    return LazyTensors(entries, load)


def _mapped(entries: Iterable[Entry], *, mode: Literal["r", "c"]) -> Callable[[Entry], np.ndarray]:
    """Map the entries' files, read-only or privately, and return what gives an entry's array."""
    import numpy as np

    try:
        files = {path: np.memmap(path, dtype=np.uint8, mode=mode) for path in {entry.path for entry in entries}}
    except OSError as error:
        raise CheckpointError("the weights must be readable", received=str(error)) from error

    def view(entry: Entry) -> np.ndarray:
        return np.ndarray(entry.shape, DTYPES[entry.dtype][0], buffer=files[entry.path], offset=entry.offset)

    return view


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and item >= 0 for item in value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a name occurs twice")
    return fields


def _malformed(path: Path, received: str, *, fix: str = "save or fetch the file again") -> CheckpointError:
    return CheckpointError(f"{path.name} must be a whole safetensors file", received=received, fix=fix)
