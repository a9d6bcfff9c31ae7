"""Reading sorted tables of LevelDB's format, in which TensorFlow writes the index of a checkpoint.

A table ends with a footer that tells where its index block lies; that tells where the other blocks lie; and a block is
a list of keys, each without what it shares with the one before, and values. Blocks may be compressed with snappy.
See https://github.com/google/leveldb/blob/main/doc/table_format.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from albert_export.checkpoints.crc32c import masked_crc32c

_MAGIC = 0xDB4775248B80FB57
_FOOTER_BYTES = 48
_TRAILER_BYTES = 5
#: A block that claims to become larger than this is damaged: those of real indexes have some 256 KB.
_MAX_BLOCK_BYTES = 1 << 28


class DamagedError(Exception):
    """The bytes are no whole table or message; the text says what is wrong with them."""


@dataclass
class Cursor:
    """Reads numbers and bytes one after another, and never beyond the end.

    Attributes:
        data: The bytes.
        place: The next byte to be read.
    """

    data: bytes
    place: int = 0

    def __bool__(self) -> bool:
        return self.place < len(self.data)

    def take(self, count: int) -> bytes:
        """Return the next ``count`` bytes.

        Raises:
            DamagedError: There are fewer.
        """
        end = self.place + count
        if end > len(self.data):
            raise DamagedError(f"{count} bytes due at byte {self.place} of {len(self.data)}")
        taken = self.data[self.place : end]
        self.place = end
        return taken

    def varint(self) -> int:
        """Return the next number, seven bits a byte.

        Raises:
            DamagedError: It does not end, or has more than 64 bits.
        """
        value = 0
        for shift in range(0, 70, 7):
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >= 1 << 64:
                    break
                return value
        raise DamagedError(f"a number of more than 64 bits before byte {self.place}")


def read_table(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield every key and value of a table, in their order.

    Args:
        data: The whole file.

    Raises:
        DamagedError: A length, a checksum or the order of the keys is wrong.
    """
    if len(data) < _FOOTER_BYTES:
        raise DamagedError(f"a file of {len(data)} bytes")
    footer = data[-_FOOTER_BYTES:]
    if int.from_bytes(footer[-8:], "little") != _MAGIC:
        raise DamagedError("no mark at the end, where every such file has one")
    cursor = Cursor(footer[:-8])
    cursor.varint(), cursor.varint()  # a block of filters, which TensorFlow does not write
    last: bytes | None = None
    for _, handle in _entries(_block(data, cursor.varint(), cursor.varint())):
        place = Cursor(handle)
        for key, value in _entries(_block(data, place.varint(), place.varint())):
            if last is not None and key <= last:
                raise DamagedError("keys out of order")
            last = key
            yield key, value


def _block(data: bytes, offset: int, size: int) -> bytes:
    end = offset + size
    if end + _TRAILER_BYTES > len(data) - _FOOTER_BYTES:
        raise DamagedError(f"a block of {size} bytes at byte {offset} of {len(data)}")
    stored = int.from_bytes(data[end + 1 : end + _TRAILER_BYTES], "little")
    if masked_crc32c(memoryview(data)[offset : end + 1]) != stored:
        raise DamagedError(f"a wrong checksum of the block at byte {offset}")
    kind, contents = data[end], data[offset:end]
    if kind == 0:
        return contents
    if kind == 1:
        return decompress_snappy(contents)
    raise DamagedError(f"a block compressed in an unknown way, {kind}")


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    restarts = int.from_bytes(block[-4:], "little")
    end = len(block) - 4 * (restarts + 1)
    if len(block) < 4 or end < 0:
        raise DamagedError(f"a block of {len(block)} bytes with {restarts} restarts")
    cursor = Cursor(block[:end])
    key = b""
    while cursor:
        shared, own, length = cursor.varint(), cursor.varint(), cursor.varint()
        if shared > len(key):
            raise DamagedError("a key that shares more than there is")
        key = key[:shared] + cursor.take(own)
        yield key, cursor.take(length)


def decompress_snappy(data: bytes) -> bytes:
    """Return what a raw snappy block holds.

    See https://github.com/google/snappy/blob/main/format_description.txt.

    Raises:
        DamagedError: It ends early, copies from before its beginning, or has another length than it says.
    """
    cursor = Cursor(data)
    length = cursor.varint()
    if length > _MAX_BLOCK_BYTES:
        raise DamagedError(f"a block of {length} bytes")
    out = bytearray()
    while cursor and len(out) <= length:
        (tag,) = cursor.take(1)
        kind, rest = tag & 3, tag >> 2
        if kind == 0:
            if rest >= 60:
                rest = int.from_bytes(cursor.take(rest - 59), "little")
            out += cursor.take(rest + 1)
            continue
        if kind == 1:
            count = 4 + (rest & 7)
            distance = (rest >> 3) << 8 | cursor.take(1)[0]
        else:
            count = rest + 1
            distance = int.from_bytes(cursor.take(2 if kind == 2 else 4), "little")
        if not 0 < distance <= len(out):
            raise DamagedError("compressed data that refers to what is not there")
        start = len(out) - distance
        for place in range(start, start + count):  # may run into what it has just written
            out.append(out[place])
    if len(out) != length:
        raise DamagedError(f"compressed data of {len(out)} bytes in place of {length}")
    return bytes(out)
