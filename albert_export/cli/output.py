"""Printing: results on stdout, progress on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click


def print_json(value: Any) -> None:
    """Print ``value`` as one indented JSON value. NaN and infinities, which JSON lacks, become strings."""
    click.echo(json.dumps(_finite(value), indent=2, ensure_ascii=not _stdout_is_utf8()))


def progress(quiet: bool) -> Callable[[str], None] | None:
    """Return what takes the lines of progress: stderr, or nothing when ``quiet``."""
    return None if quiet else lambda line: click.echo(line, err=True)


def table(rows: Iterable[Sequence[object]], header: Sequence[str] = ()) -> str:
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


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def _stdout_is_utf8() -> bool:
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
