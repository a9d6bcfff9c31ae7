"""How long each part of the making took, kept over the runs that it took."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Times:
    """Seconds of each part, in a file.

    What is found done takes none; what was broken off counts for nothing, and is begun anew.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Add what is done inside to a part."""
        began = time.monotonic()
        yield
        seconds = self.seconds()
        seconds[part] = round(seconds.get(part, 0.0) + time.monotonic() - began, 1)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._path.with_suffix(".part")
        unfinished.write_text(json.dumps(seconds), encoding="utf-8")
        unfinished.replace(self._path)

    def seconds(self) -> dict[str, float]:
        """Return the seconds of each part so far, in the order in which they were first done."""
        if not self._path.exists():
            return {}
        found: dict[str, float] = json.loads(self._path.read_text(encoding="utf-8"))
        return found
