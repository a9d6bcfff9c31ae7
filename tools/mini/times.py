"""How long the parts of the making took, each kept beside what it made."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

#: The parts, in the order in which they are done.
PARTS = ("vocabulary", "texts", "training", "files and figures")


@contextmanager
def timed(path: Path, part: str, *, goes_on: bool = False) -> Iterator[None]:
    """Write to a file how long a part takes, in seconds, be it broken off or not.

    Args:
        path: A JSON file, beside what is made.
        part: One of :data:`PARTS`.
        goes_on: Whether some of it is there already: then the time is added to what the file tells, and where it tells
            nothing nothing is written, since nobody knows how long the rest took.
    """
    began = time.monotonic()
    seconds = seconds_in(path)
    before = seconds.pop(part, None) if goes_on else 0.0
    # What is killed on the way tells nothing: the file is without the part until it is known.
    _write(path, {name: own for name, own in seconds.items() if name != part})
    try:
        yield
    finally:
        if before is not None:
            _write(path, {**seconds, part: round(before + time.monotonic() - began, 1)})


def _write(path: Path, seconds: Mapping[str, float]) -> None:
    unfinished = path.with_suffix(".part")
    unfinished.write_text(json.dumps(seconds), encoding="utf-8")
    unfinished.replace(path)


def seconds_in(path: Path) -> dict[str, float]:
    """Return part -> seconds, of the parts that a file tells of; a file that is not there tells of none."""
    if not path.exists():
        return {}
    found: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return found
