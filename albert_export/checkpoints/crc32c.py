"""CRC-32C (Castagnoli), the checksum of TensorFlow's files, by numpy: about as fast as the disk.

The checksum is linear: it is the sum, without carries, of what each word of the data contributes, moved on by the bytes
that follow it. So many words are kept side by side, each the sum of a column of the data, and summed up at the end.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

_POLYNOMIAL = 0x82F63B78
_ALL_ONES = 0xFFFFFFFF
#: Words side by side: a power of two, and a row of them fits the processor's cache.
_LANES = 1 << 14
_SHORT = 256


def masked_crc32c(data: bytes | memoryview | np.ndarray) -> int:
    """Return the checksum as LevelDB and TensorFlow store it: rotated, with a constant added.

    Args:
        data: Contiguous bytes.
    """
    crc = crc32c(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & _ALL_ONES


def crc32c(data: bytes | memoryview | np.ndarray) -> int:
    """Return the CRC-32C of contiguous bytes."""
    import numpy as np

    view = data.data.cast("B") if isinstance(data, np.ndarray) else memoryview(data).cast("B")
    if len(view) < _SHORT:
        return _by_bytes(view) ^ _ALL_ONES
    row = 4 * _LANES
    ahead = len(view) % row or row
    if ahead < 4:
        ahead += row
    # Zeros in front of the data contribute nothing to a register that starts at zero.
    first = np.zeros(-(-ahead // row) * row, np.uint8)
    start = len(first) - ahead
    first[start:] = view[:ahead]
    first[start : start + 4] ^= 0xFF  # what starting at all ones comes to
    low, high = _wide_tables(_LANES)
    sums = np.zeros(_LANES, "<u4")
    for rows in (first.view("<u4"), np.frombuffer(view, "<u4", offset=ahead)):
        for words in rows.reshape(-1, _LANES):
            sums = low[sums & 0xFFFF] ^ high[sums >> 16] ^ words
    while len(sums) > 1:
        half = len(sums) // 2
        sums = _move(half, sums[:half]) ^ sums[half:]
    return int(_move(1, sums)[0]) ^ _ALL_ONES


def _by_bytes(view: memoryview) -> int:
    table, register = _byte_table(), _ALL_ONES
    for byte in view:
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register


@cache
def _byte_table() -> tuple[int, ...]:
    table = []
    for register in range(256):
        for _ in range(8):
            register = (register >> 1) ^ (_POLYNOMIAL if register & 1 else 0)
        table.append(register)
    return tuple(table)


@cache
def _columns(words: int) -> tuple[int, ...]:
    """Return what moving each single bit on by a power of two of words makes of it."""
    if words == 1:
        table, columns = _byte_table(), []
        for bit in range(32):
            register = 1 << bit
            for _ in range(4):
                register = table[register & 0xFF] ^ (register >> 8)
            columns.append(register)
        return tuple(columns)
    half = _columns(words // 2)
    return tuple(_apply(half, register) for register in half)


def _apply(columns: tuple[int, ...], register: int) -> int:
    moved = 0
    for bit, column in enumerate(columns):
        if register >> bit & 1:
            moved ^= column
    return moved


def _table(columns: tuple[int, ...]) -> np.ndarray:
    """Return what every combination of the bits becomes, given what each becomes."""
    import numpy as np

    table = np.zeros(1, np.uint32)
    for column in columns:
        table = np.concatenate([table, table ^ np.uint32(column)])
    return table


@cache
def _wide_tables(words: int) -> tuple[np.ndarray, np.ndarray]:
    columns = _columns(words)
    return _table(columns[:16]), _table(columns[16:])


@cache
def _narrow_tables(words: int) -> tuple[np.ndarray, ...]:
    columns = _columns(words)
    return tuple(_table(columns[start : start + 8]) for start in range(0, 32, 8))


def _move(words: int, registers: np.ndarray) -> np.ndarray:
    a, b, c, d = _narrow_tables(words)
    moved: np.ndarray = a[registers & 0xFF] ^ b[registers >> 8 & 0xFF] ^ c[registers >> 16 & 0xFF] ^ d[registers >> 24]
    return moved
