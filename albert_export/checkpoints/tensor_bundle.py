"""Reading TensorFlow's tensor bundles, ``PREFIX.index`` with ``PREFIX.data-00000-of-00001`` …, without TensorFlow.

The index is a sorted table: under the empty key the number of shards, under a tensor's name its dtype, shape, shard,
place and checksum, as protocol buffers. The shards are the tensors' bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from albert_export.checkpoints.crc32c import masked_crc32c
from albert_export.checkpoints.safetensors_file import DTYPES, LFS_POINTER, MAX_DIMENSIONS
from albert_export.checkpoints.sstable import Cursor, DamagedError, read_table
from albert_export.errors import CheckpointError

if TYPE_CHECKING:
    import numpy as np

#: TensorFlow's number of a dtype -> safetensors dtype.
_DTYPES = {
    1: "F32",
    2: "F64",
    3: "I32",
    4: "U8",
    5: "I16",
    6: "I8",
    9: "I64",
    10: "BOOL",
    14: "BF16",
    19: "F16",
}
_MAX_INDEX_BYTES = 1 << 28


@dataclass(frozen=True)
class Entry:
    """Where one tensor lies.

    Attributes:
        path: Its shard; the index for a tensor of a dtype, or in slices, that is not read.
        dtype: A key of :data:`albert_export.checkpoints.safetensors_file.DTYPES`; None for text and other kinds.
        shape: Its shape.
        offset: First byte, from the beginning of the shard.
        size: Bytes.
        crc: Masked CRC-32C of its bytes.
        sliced: Whether it is stored in pieces, under names of their own.
    """

    path: Path
    dtype: str | None
    shape: tuple[int, ...]
    offset: int
    size: int
    crc: int
    sliced: bool


def read_index(path: Path) -> dict[str, Entry]:
    """Return every tensor of a bundle, sorted by name; of the shards, their lengths are looked at.

    Args:
        path: ``PREFIX.index``.

    Raises:
        CheckpointError: The index is truncated or damaged, or a shard is missing or too short.
    """
    entries: dict[str, Entry] = {}
    try:
        size = path.stat().st_size
        if size > _MAX_INDEX_BYTES:
            raise _malformed(path, f"a file of {size} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise CheckpointError("the weights must be readable", received=str(error)) from error
    if data.startswith(LFS_POINTER):
        raise _malformed(path, "a git-lfs pointer instead of the index", fix="run `git lfs pull`")
    shards: tuple[Path, ...] | None = None
    try:
        for key, value in read_table(data):
            if shards is None:
                if key:
                    raise DamagedError("no header")
                shards = _shards(path, value)
            elif key[0]:  # pieces of a tensor in slices have names that begin with a zero
                name = key.decode("utf-8")
                entries[name] = _entry(path, shards, name, value)
        if shards is None:
            raise DamagedError("nothing in it")
    except (DamagedError, UnicodeDecodeError) as error:
        raise _malformed(path, str(error)) from None
    _check_shards(path, shards, entries)
    return entries


def shard_paths(index: Path) -> tuple[Path, ...]:
    """Return the shards of a bundle, in their order.

    Raises:
        CheckpointError: The index is damaged, or a shard is missing or too short.
    """
    read = {entry.path for entry in read_index(index).values()} - {index}
    return tuple(sorted(read))


def _shards(path: Path, header: bytes) -> tuple[Path, ...]:
    fields = dict(_fields(header))
    count, endianness = fields.get(1, 0), fields.get(2, 0)
    if endianness:
        raise CheckpointError(
            f"{path.name} must be of a machine with the lowest byte first",
            received="a checkpoint in the other byte order",
            fix="save it again on another machine",
        )
    if not isinstance(count, int) or not 1 <= count <= 99_999:
        raise DamagedError(f"{count!r} shards")
    stem = path.name.removesuffix(".index")
    return tuple(path.with_name(f"{stem}.data-{number:05d}-of-{count:05d}") for number in range(count))


def _entry(path: Path, shards: tuple[Path, ...], name: str, value: bytes) -> Entry:
    numbers: dict[int, int] = {}
    shape: tuple[int, ...] = ()
    sliced = False
    for field, found in _fields(value):
        if field == 2 and isinstance(found, bytes):
            shape = _shape(name, found)
        elif field == 7:
            sliced = True
        elif isinstance(found, int):
            numbers[field] = found
    dtype = _DTYPES.get(numbers.get(1, 0))
    shard, offset, size, crc = (numbers.get(field, 0) for field in (3, 4, 5, 6))
    if dtype is None or sliced:
        return Entry(path, dtype, shape, 0, 0, 0, sliced)
    if shard >= len(shards):
        raise DamagedError(f"{name} in shard {shard} of {len(shards)}")
    if math.prod(shape) * DTYPES[dtype][1] != size:
        raise DamagedError(f"{size} bytes for {name}, {dtype} {list(shape)}")
    return Entry(shards[shard], dtype, shape, offset, size, crc, sliced)


def _shape(name: str, message: bytes) -> tuple[int, ...]:
    sizes: list[int] = []
    for field, dimension in _fields(message):
        if field == 2 and isinstance(dimension, bytes):
            size = dict(_fields(dimension)).get(1, 0)
            if not isinstance(size, int) or size >= 1 << 40 or len(sizes) == MAX_DIMENSIONS:
                raise DamagedError(f"a shape of {name} that no tensor has")
            sizes.append(size)
    return tuple(sizes)


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield number and value of each field of a protocol buffer."""
    cursor = Cursor(message)
    while cursor:
        tag = cursor.varint()
        field, kind = tag >> 3, tag & 7
        if kind == 0:
            yield field, cursor.varint()
        elif kind == 1:
            yield field, int.from_bytes(cursor.take(8), "little")
        elif kind == 2:
            yield field, cursor.take(cursor.varint())
        elif kind == 5:
            yield field, int.from_bytes(cursor.take(4), "little")
        else:
            raise DamagedError(f"a field of unknown kind {kind}")


def _check_shards(path: Path, shards: tuple[Path, ...], entries: dict[str, Entry]) -> None:
    sizes: dict[Path, int] = {}
    for shard in shards:
        if not shard.is_file():
            raise CheckpointError(
                f"every shard that {path.name} counts must be there",
                received=f"no {shard.name}",
                fix="fetch the missing file",
            )
        sizes[shard] = shard.stat().st_size
    for name, entry in entries.items():
        if entry.size and entry.offset + entry.size > sizes[entry.path]:
            raise _damaged_shard(
                entry.path, f"{sizes[entry.path]} bytes, where {name} ends at byte {entry.offset + entry.size}"
            )


def mapped(entries: Iterable[Entry], *, mode: Literal["r", "c"]) -> Callable[[str, Entry], np.ndarray]:
    """Map the entries' shards, read-only or privately, and return what gives an entry's array, bfloat16 as uint16.

    An array's bytes are compared with their checksum when it is asked for.

    Raises:
        CheckpointError: A shard cannot be read, or later, its bytes are not those that were written.
    """
    import numpy as np

    try:
        files = {
            path: np.memmap(path, dtype=np.uint8, mode=mode) for path in {entry.path for entry in entries if entry.size}
        }
    except OSError as error:
        raise CheckpointError("the weights must be readable", received=str(error)) from error

    def view(name: str, entry: Entry) -> np.ndarray:
        assert entry.dtype is not None and not entry.sliced, name
        code = DTYPES[entry.dtype][0]
        if not entry.size:
            return np.zeros(entry.shape, code)
        data = files[entry.path][entry.offset : entry.offset + entry.size]
        if masked_crc32c(data) != entry.crc:
            raise _damaged_shard(entry.path, f"other bytes for {name} than its checksum tells of")
        return np.ndarray(entry.shape, code, buffer=files[entry.path], offset=entry.offset)

    return view


def _malformed(path: Path, received: str, *, fix: str = "save or fetch the checkpoint again") -> CheckpointError:
    return CheckpointError(
        f"{path.name} must be the whole index of a TensorFlow checkpoint", received=received, fix=fix
    )


def _damaged_shard(path: Path, received: str) -> CheckpointError:
    return CheckpointError(
        f"{path.name} must hold what its index says", received=received, fix="save or fetch the checkpoint again"
    )
