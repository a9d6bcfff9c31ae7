"""Laying out text for people: tables and sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

_UNITS = ("B", "KB", "MB", "GB")


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
