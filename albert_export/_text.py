"""Text for people and from them: tables, sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_UNITS = ("B", "KB", "MB", "GB")

#: What may stand after a number of bytes that a caller sets as a limit.
_BINARY_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


def table(rows: Iterable[Iterable[object]], header: Sequence[str] = ()) -> str:
    """Lay out rows in columns as wide as their widest cell; numbers are aligned to the right."""
    body = [["" if cell is None else str(cell) for cell in row] for row in rows]
    cells = [list(header), *body] if header else body
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    numeric = [all(_is_number(cell) for cell in column) for column in zip(*body, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in cells
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell or 0)
    except ValueError:
        return False
    return True


def human_size(count: float) -> str:
    """``11832456`` -> ``11.8 MB``; decimal units, as shops and download pages count."""
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 else f"{count:.1f} {_UNITS[unit]}"


def parse_bytes(text: object) -> int | None:
    """Return a number of bytes, which may be written with K, M or G for powers of 1024; None for what is none.

    Args:
        text: ``4096``, ``4G``, ``512MiB`` …
    """
    if isinstance(text, bool):
        return None
    match = re.fullmatch(r"(\d{1,15})\s*([KMG]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    return None if match is None else int(match[1]) * _BINARY_UNITS[match[2].upper()]
