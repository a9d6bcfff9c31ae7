"""Texts with the right answers: JSON lines in a task's form, of the user's own or from the package."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albert_export.builtin import HELD_OUT_SETS, held_out_file
from albert_export.checkpoints import Source
from albert_export.errors import InputError
from albert_export.tasks import Task

#: In place of a file: no data.
NO_DATA = "none"
#: In place of a file: no data, or what a built-in model was not trained on.
DATA_NAMES = (NO_DATA, *HELD_OUT_SETS)

_GZIP_MAGIC = b"\x1f\x8b"
_SHOWN_CHARACTERS = 60
_FIX = f"give JSON lines in the form of the task, plain or gzipped, or {NO_DATA}"


@dataclass(frozen=True)
class Item:
    """One line of data.

    Attributes:
        line: Its number, from 1.
        record: Its JSON object.
    """

    line: int
    record: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Its ``id``, or its line where it has none."""
        return str(self.record["id"]) if "id" in self.record else f"line {self.line}"


@dataclass(frozen=True)
class Dataset:
    """Texts with the right answers.

    Attributes:
        name: The file's last name, or what the package's own data are; never a path.
        sha256: Hash of the file as it lies.
        items: At least one.
        own: Whether the user asked for them; what a built-in model was not trained on is taken unasked.
    """

    name: str
    sha256: str
    items: tuple[Item, ...]
    own: bool = True

    def at(self, item: Item, error: InputError) -> InputError:
        """Return the error with the file and the line that it is about."""
        return InputError(f"{self.name}, line {item.line}: {error.rule}", received=error.received, fix=error.fix)


def check_drop(max_drop: object) -> None:
    """Check the largest drop of a metric that is to pass: None, or points.

    Raises:
        InputError: It is no number from 0 to 100.
    """
    if max_drop is None:
        return
    if isinstance(max_drop, bool) or not isinstance(max_drop, int | float) or not 0 <= max_drop <= 100:
        raise InputError(
            "max_drop must be a number of points from 0 to 100", received=max_drop, fix="leave max_drop out"
        )


def choose_data(data: str | os.PathLike[str] | None, source: Source, task: Task) -> Dataset | None:
    """Return the data that parity is to measure on, or None for none.

    Args:
        data: A file; ``none``; ``held-out`` or ``new-patterns`` of a built-in model; None for ``held-out`` where the
            checkpoint is a built-in model that has them.
        source: The checkpoint.
        task: Says which of a built-in model's data.

    Raises:
        InputError: The file cannot be read, is no JSON lines, or holds none; or the checkpoint has no such data.
    """
    if data == NO_DATA:
        return None
    if data is not None and data not in HELD_OUT_SETS:
        return read_data(data)
    kind = "held-out" if data is None else os.fspath(data)
    path = held_out_file(source.name, task, kind) if source.kind == "builtin" else None
    if path is not None:
        return read_data(path, name=f"{kind} of {source.name}", own=data is not None)
    if data is None:
        return None
    raise InputError(f"{kind} data come with trained built-in models alone", received=source.name, fix=_FIX)


def read_data(path: str | os.PathLike[str], *, name: str | None = None, own: bool = True) -> Dataset:
    """Read JSON lines in UTF-8, plain or gzipped; blank lines are left out.

    Args:
        path: The file.
        name: What it is called in reports and errors; its last name by default.
        own: See :class:`Dataset`.

    Raises:
        InputError: It cannot be read, a line is no JSON object, or there is none.
    """
    name = Path(path).name if name is None else name
    try:
        stored = Path(path).read_bytes()
    except OSError as error:
        raise InputError(
            "data must be a file that can be read", received=f"{path}: {error.strerror}", fix=_FIX
        ) from error
    try:
        text = (gzip.decompress(stored) if stored.startswith(_GZIP_MAGIC) else stored).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{name} must be a whole gzip file", received=error, fix="make or fetch it again") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{name} must be text in UTF-8", received=f"byte {error.start}", fix=_FIX) from error
    # By line feeds alone: JSON may hold what else Python takes for the end of a line.
    lines = enumerate(text.split("\n"), start=1)
    items = tuple(Item(number, _parse(name, number, line)) for number, line in lines if line.strip())
    if not items:
        raise InputError("data must have at least one line", received=f"{name}: none", fix=_FIX)
    return Dataset(name, hashlib.sha256(stored).hexdigest(), items, own)


def _parse(name: str, number: int, line: str) -> Mapping[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        shown = f"{line.strip()[:_SHOWN_CHARACTERS]!a} ({error})"
        raise InputError(f"{name}, line {number} must be a JSON object", received=shown, fix=_FIX) from None
    if not isinstance(record, dict):
        shown = ascii(line.strip()[:_SHOWN_CHARACTERS])
        raise InputError(f"{name}, line {number} must be a JSON object", received=shown, fix=_FIX)
    return record
