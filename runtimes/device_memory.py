"""The limit on device memory that a caller may set, as it is written."""

from __future__ import annotations

from albert_export._text import parse_bytes
from albert_export.errors import InputError

#: Less holds no library that multiplies matrices, let alone a model.
_LEAST = 2**20


def checked_device_memory(limit: int | str | None) -> int | None:
    """Return a limit in bytes, or None where there is none.

    Args:
        limit: Bytes, or a number with K, M or G after it, for powers of 1024: ``4G``.

    Raises:
        InputError: It is none of them, or less than a MiB.
    """
    if limit is None:
        return None
    found = parse_bytes(limit)
    if found is None or found < _LEAST:
        raise InputError(
            "device_memory must be a number of bytes, or one with K, M or G after it, and at least 1M",
            received=limit,
            fix='device_memory="4G", say, or leave it out',
        )
    return found


def shown_bytes(count: int) -> str:
    """``1536 * 2**20`` -> ``1.5 GiB``, as errors tell sizes."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 1000 * size else f"{count / size:.0f} {unit}"
    return f"{count} bytes"
