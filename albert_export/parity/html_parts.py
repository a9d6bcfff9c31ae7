"""Pieces of the HTML report: escaped text, tables that can be sorted, figures."""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        text: What it shows.
        value: What it is sorted by; None for its text.
        kind: Class of the page's style; empty for none.
    """

    text: str
    value: float | None = None
    kind: str = ""


def number(value: float, shown: str) -> Cell:
    """Return a cell with a number, sorted by all its digits."""
    return Cell(shown, value, "number")


def text(value: object) -> str:
    """Return anything as text that is neither markup nor the end of an attribute, nor what no page may hold."""
    return escape(_CONTROL.sub("\ufffd", str(value)), quote=True)


def percent(share: float) -> str:
    """Return a share of a limit, of which a large one needs no digits."""
    if not math.isfinite(share):
        return "∞"
    return f"{share:.0%}" if share < 100 else f"{share:.1e} times"


def table(header: Sequence[str], rows: Iterable[Sequence[Cell]], name: str) -> str:
    """Return a table that can be sorted by any column, in a region that scrolls by keys too."""
    filled = list(rows)
    numeric = [all(row[column].kind == "number" for row in filled) and bool(filled) for column in range(len(header))]
    heads = "".join(
        f'<th scope="col"{" class=number" if right else ""}>{text(title)}</th>'
        for title, right in zip(header, numeric, strict=True)
    )
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in filled)
    return scrolling(f'<table class="sortable"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>', name)


def scrolling(inner: str, name: str) -> str:
    """Return a region for what may be wider than the screen."""
    return f'<div class="scroll" role="region" tabindex="0" aria-label="{text(name)}">{inner}</div>'


def policy_hash(source: str) -> str:
    """Return what a content security policy calls an inline script or style."""
    digest = hashlib.sha256(source.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _cell(cell: Cell) -> str:
    kind = f' class="{cell.kind}"' if cell.kind else ""
    value = f' data-value="{sortable(cell.value)}"' if cell.value is not None else ""
    return f"<td{kind}{value}>{text(cell.text)}</td>"


def sortable(value: float) -> str:
    """Return a number as JavaScript reads it; NaN goes before all others."""
    if math.isnan(value):
        return "-Infinity"
    return repr(value) if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
