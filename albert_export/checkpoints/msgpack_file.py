"""Reading ``flax_model.msgpack`` as flax serialises parameters, without flax: no code of a file is ever run.

A file is one map in maps, whose ends are extensions: type 1, an array, is packed as (shape, name of the dtype, bytes).
An array of more than a gibibyte is a map with the key ``__msgpack_chunked_array__``, its shape and its parts as maps
from numbers. Of msgpack (https://github.com/msgpack/msgpack/blob/master/spec.md) nothing else occurs, and nothing else
is read; so a file can be mapped, and its weights made when they are asked for. Names and orientation are PyTorch's.
"""

from __future__ import annotations

import math
import mmap
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.checkpoints.flax_layout import torch_layout, torch_shapes
from albert_export.checkpoints.safetensors_file import DTYPES, LFS_POINTER, MAX_DIMENSIONS, LazyTensors
from albert_export.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np
    import torch

#: The key that marks an array in parts, and the type of an extension that is an array.
CHUNKED, ARRAY = "__msgpack_chunked_array__", 1
#: Maps in maps; a weight of ALBERT lies nine deep.
_MAX_DEPTH = 32
#: Name of a numpy dtype -> safetensors dtype, whose numpy dtypes bfloat16 has too.
MSGPACK_DTYPES = {
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


@dataclass(frozen=True)
class Entry:
    """Where one weight lies.

    Attributes:
        path: Its file.
        dtype: A key of :data:`albert_export.checkpoints.safetensors_file.DTYPES`.
        shape: Its shape in the file.
        parts: First byte, from the beginning of the file, and bytes of each part of it.
    """

    path: Path
    dtype: str
    shape: tuple[int, ...]
    parts: tuple[tuple[int, int], ...]


def read_entries(paths: Iterable[Path]) -> dict[str, Entry]:
    """Return every weight of the files by its path in them, ``/`` between its parts; none is read.

    Raises:
        CheckpointError: A file is truncated or malformed, or two files hold one weight.
    """
    entries: dict[str, Entry] = {}
    for path in paths:
        found = _entries_of(path)
        for name in found.keys() & entries.keys():
            raise CheckpointError(
                "a weight may be in one shard only", received=f"{name} in {entries[name].path.name} and {path.name}"
            )
        entries.update(found)
    return entries


def read_shapes(paths: Iterable[Path]) -> dict[str, tuple[int, ...]]:
    """Return name -> shape, linear weights as ``[out, in]``, sorted; no weight is read.

    Raises:
        CheckpointError: A file is truncated or malformed.
    """
    return torch_shapes({name: entry.shape for name, entry in read_entries(paths).items()})


def read_msgpack(path: str | os.PathLike[str] | Iterable[Path], *, raw: bool = False) -> Mapping[str, np.ndarray]:
    """Return name -> read-only array, linear weights as ``[out, in]``; each is made when it is asked for.

    Arrays lie over the mapped file where they are aligned in it and in one part, and else are copies.

    Args:
        path: The file, or its shards.
        raw: Whether bfloat16 comes as its bits in uint16; else as float32, which holds each of its values exactly.

    Raises:
        CheckpointError: A file is truncated or malformed.
    """
    entries = read_entries([Path(path)] if isinstance(path, str | os.PathLike) else path)
    view = _viewer(entries.values(), copy=False)

    def load(name: str) -> np.ndarray:
        array = view(entries[name])
        if entries[name].dtype == "BF16" and not raw:
            array = (array.astype("<u4") << 16).view("<f4")  # bfloat16 is the upper half of a float32
        array.flags.writeable = False
        return array

    return torch_layout(LazyTensors(entries, load))


def torch_tensors(paths: Iterable[Path]) -> Mapping[str, torch.Tensor]:
    """Return name -> tensor in the stored dtype, linear weights as ``[out, in]``; each is a copy, made when asked for.

    Raises:
        CheckpointError: A file is truncated or malformed.
        MissingDependencyError: torch is not installed.
    """
    require("torch", needed_for="reading weights as torch tensors", extra="onnx")
    import torch

    entries = read_entries(paths)
    view = _viewer(entries.values(), copy=True)

    def load(name: str) -> torch.Tensor:
        array = view(entries[name])
        if entries[name].dtype == "BF16":
            return torch.from_numpy(array.view("int16")).view(torch.bfloat16)
        return torch.from_numpy(array.astype(array.dtype.newbyteorder("="), copy=False))

    return torch_layout(LazyTensors(entries, load))


def _entries_of(path: Path) -> dict[str, Entry]:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                raise _malformed(path, "a file of 0 bytes")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                if data[: len(LFS_POINTER)] == LFS_POINTER:
                    raise _malformed(path, "a git-lfs pointer instead of the weights", fix="run `git lfs pull`")
                reader = _Reader(path, data, 0, len(data))
                found: dict[str, Entry] = {}
                reader.read_tree("", found, 0)
                if reader.position != len(data):
                    raise _malformed(path, f"{len(data) - reader.position} bytes after its end")
                return found
    except (OSError, ValueError) as error:
        raise CheckpointError("the weights must be readable", received=f"{path.name}: {error}") from error


class _Reader:
    """Walks over a file, or over one array packed in it, and never past its end."""

    def __init__(self, path: Path, data: mmap.mmap, start: int, end: int) -> None:
        self.path, self.data, self.position, self.end = path, data, start, end

    def take(self, count: int) -> bytes:
        begin = self.skip(count)
        return self.data[begin : begin + count]

    def skip(self, count: int) -> int:
        """Go on, and return where that began."""
        begin = self.position
        if count > self.end - begin:
            raise _malformed(self.path, f"an end at byte {self.end} where {count} more were due at byte {begin}")
        self.position += count
        return begin

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def sized(self, code: int, small: int, bits: int, codes: tuple[int, ...]) -> int | None:
        """Return the length that a code tells: in its last bits, or as a number after it; None for another code."""
        if bits and code & ~((1 << bits) - 1) == small:
            return code & ((1 << bits) - 1)
        return self.number(1 << (codes.index(code) + (0 if len(codes) == 3 else 1))) if code in codes else None

    def read_map(self) -> int | None:
        """Return how many pairs follow; None, and stay, where no map begins."""
        begin = self.position
        count = self.sized(self.number(1), 0x80, 4, (0xDE, 0xDF))
        if count is None:
            self.position = begin
        return count

    def read_text(self) -> str:
        begin = self.position
        code = self.number(1)
        length = self.sized(code, 0xA0, 5, (0xD9, 0xDA, 0xDB))
        if length is None:
            length = self.sized(code, 0, 0, (0xC4, 0xC5, 0xC6))
        if length is None:
            raise _malformed(self.path, f"no text at byte {begin}")
        try:
            return self.take(length).decode("utf-8")
        except UnicodeDecodeError:
            raise _malformed(self.path, f"no text at byte {begin}") from None

    def read_count(self) -> int:
        begin = self.position
        code = self.number(1)
        if code < 0x80:
            return code
        size = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}.get(code)
        if size is None:
            raise _malformed(self.path, f"no size at byte {begin}")
        return self.number(size)

    def read_tree(self, name: str, found: dict[str, Entry], depth: int) -> None:
        """Add everything from here on to ``found``: the weights of a map, or one array."""
        count = self.read_map()
        if count is None:
            if not name:
                raise _malformed(self.path, "no map of weights")
            found[name] = self.read_array(name)
            return
        if depth == _MAX_DEPTH:
            raise _malformed(self.path, f"maps more than {_MAX_DEPTH} deep")
        keys: set[str] = set()
        for number in range(count):
            key = self.read_text()
            if key == CHUNKED and number == 0:
                found[name] = self.read_chunked(name, count)
                return
            path = f"{name}/{key}" if name else key
            if not key or "/" in key or key in keys:
                raise _malformed(self.path, f"no name of its own, but {path!r}")
            keys.add(key)
            self.read_tree(path, found, depth + 1)

    def read_array(self, name: str) -> Entry:
        begin = self.position
        code = self.number(1)
        fixed = {0xD4: 1, 0xD5: 2, 0xD6: 4, 0xD7: 8, 0xD8: 16}.get(code)
        size = self.sized(code, 0, 0, (0xC7, 0xC8, 0xC9)) if fixed is None else fixed
        if size is None or self.number(1) != ARRAY:
            raise CheckpointError(f"{self.path.name} must hold arrays", received=f"something else for {name}")
        inner = _Reader(self.path, self.data, self.skip(size), self.position)
        if inner.number(1) != 0x93:
            raise _malformed(self.path, f"no shape, dtype and bytes at byte {begin}")
        axes = inner.sized(inner.number(1), 0x90, 4, (0xDC, 0xDD))
        if axes is None:
            raise _malformed(self.path, f"no shape at byte {begin}")
        if axes > MAX_DIMENSIONS:
            raise _malformed(self.path, f"{axes} axes for {name}")
        shape = tuple(inner.read_count() for _ in range(axes))
        dtype = inner.read_text()
        code = inner.number(1)
        length = inner.sized(code, 0, 0, (0xC4, 0xC5, 0xC6))
        if length is None:
            length = inner.sized(code, 0xA0, 5, (0xD9, 0xDA, 0xDB))  # what msgpack wrote before it told bytes from text
        if dtype not in MSGPACK_DTYPES:
            raise CheckpointError(
                f"{self.path.name}: the dtype of a weight must be one of {', '.join(MSGPACK_DTYPES)}",
                received=f"{dtype!r} for {name}",
            )
        known = MSGPACK_DTYPES[dtype]
        if length is None or math.prod(shape) * DTYPES[known][1] != length or inner.end - inner.position != length:
            raise _malformed(self.path, f"{length} bytes for {name}, {dtype} {list(shape)}")
        return Entry(self.path, known, shape, ((inner.position, length),))

    def read_chunked(self, name: str, count: int) -> Entry:
        """Read what follows the key that marks an array in parts."""
        if count != 3 or self.number(1) != 0xC3 or self.read_text() != "shape":
            raise _malformed(self.path, f"no shape of {name}")
        shape = tuple(self.read_numbered(name, _Reader.read_count))
        if len(shape) > MAX_DIMENSIONS:
            raise _malformed(self.path, f"{len(shape)} axes for {name}")
        if self.read_text() != "chunks":
            raise _malformed(self.path, f"no parts of {name}")
        parts = self.read_numbered(name, lambda reader: reader.read_array(name))
        dtypes = {part.dtype for part in parts}
        total = sum(size for part in parts for _, size in part.parts)
        if len(dtypes) != 1 or math.prod(shape) * DTYPES[parts[0].dtype][1] != total:
            raise _malformed(self.path, f"{total} bytes in {len(parts)} parts for {name}, {list(shape)}")
        return Entry(self.path, parts[0].dtype, shape, tuple(place for part in parts for place in part.parts))

    def read_numbered(self, name: str, read: Callable[[_Reader], Any]) -> list[Any]:
        """Read a map from ``"0"``, ``"1"`` …"""
        count = self.read_map()
        values = []
        for number in range(count or 0):
            if self.read_text() != str(number):
                raise _malformed(self.path, f"no part {number} of {name}")
            values.append(read(self))
        return values


def _viewer(entries: Iterable[Entry], *, copy: bool) -> Callable[[Entry], np.ndarray]:
    """Map the entries' files and return what gives an entry's array."""
    import numpy as np

    try:
        files = {path: np.memmap(path, dtype=np.uint8, mode="r") for path in {entry.path for entry in entries}}
    except (OSError, ValueError) as error:
        raise CheckpointError("the weights must be readable", received=str(error)) from error

    def view(entry: Entry) -> np.ndarray:
        code = DTYPES[entry.dtype][0]
        parts = [np.asarray(files[entry.path][begin : begin + size]) for begin, size in entry.parts]
        if copy or len(parts) > 1 or entry.parts[0][0] % np.dtype(code).itemsize:
            return np.concatenate(parts).view(code).reshape(entry.shape)
        return parts[0].view(code).reshape(entry.shape)

    return view


def _malformed(path: Path, received: str, *, fix: str = "save or fetch the file again") -> CheckpointError:
    return CheckpointError(f"{path.name} must be a whole msgpack file of weights", received=received, fix=fix)
