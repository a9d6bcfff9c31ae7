"""Printing: results on stdout, progress on stderr."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import click

from albert_export._text import table
from albert_export.errors import AlbertExportError

#: Entries of a long list that are shown to a person; --json has them all.
_SHOWN = 4


def print_json(value: Any) -> None:
    """Print ``value`` as one indented JSON value. NaN and infinities, which JSON lacks, become strings."""
    click.echo(json_text(value, ensure_ascii=not _stdout_is_utf8()))


def json_text(value: Any, *, ensure_ascii: bool = False) -> str:
    """Return ``value`` as one indented JSON value, as :func:`print_json` prints it."""
    return json.dumps(_finite(value), indent=2, ensure_ascii=ensure_ascii)


def print_json_line(value: Any) -> None:
    """Print ``value`` as JSON on one line, and hand it on at once."""
    click.echo(json.dumps(_finite(value), ensure_ascii=not _stdout_is_utf8()))


def print_result(result: Any) -> None:
    """Print a pipeline's result, given as JSON values, for a person."""
    click.echo(render_result(result))


def render_result(result: Any) -> str:
    """Lay out a pipeline's result, given as JSON values, for a person: records as a table, long lists shortened."""
    if isinstance(result, dict):
        return render_result([result])
    if not result:
        return "(nothing found)"
    if isinstance(result[0], list):
        return "\n\n".join(map(render_result, result))
    return table([map(_cell, record.values()) for record in result], header=tuple(result[0]))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:#.4g}"  # significant digits: a small score is not 0
    if isinstance(value, list):
        shown = ", ".join(map(_cell, value[:_SHOWN]))
        return f"[{shown}]" if len(value) <= _SHOWN else f"[{shown}, … {len(value)} in all]"
    return " ".join(str(value).split())


def error_text(error: Exception) -> str:
    """Return in one line what a user is told of an error of ours or of the system."""
    if isinstance(error, OSError) and not isinstance(error, AlbertExportError):
        return f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
    return str(error)


def progress(quiet: bool) -> Callable[[str], None] | None:
    """Return what takes the lines of progress: stderr, or nothing when ``quiet``."""
    return None if quiet else lambda line: click.echo(line, err=True)


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
