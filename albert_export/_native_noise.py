"""Keeping what native libraries print at stderr out of an application's own."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

_lock = threading.RLock()


class Caught:
    """What was printed; complete when the block has ended.

    Attributes:
        text: All of it.
    """

    def __init__(self) -> None:
        self.text = ""


@contextlib.contextmanager
def caught_stderr() -> Iterator[Caught]:
    """Catch what is written to the process's file descriptor 2 meanwhile, by any thread.

    Compiled libraries write there directly, past ``sys.stderr``. Blocks of several threads follow each other, so it is
    for short calls such as loading a model. Where the process has no such descriptor, nothing is caught.
    """
    caught = Caught()
    with _lock:
        if sys.stderr is not None:
            sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # closed, as a daemon's may be
            yield caught
            return
        with tempfile.TemporaryFile() as file:
            try:
                os.dup2(file.fileno(), 2)
                yield caught
            finally:
                if sys.stderr is not None:
                    sys.stderr.flush()
                os.dup2(kept, 2)
                os.close(kept)
                file.seek(0)
                caught.text = file.read().decode("utf-8", "replace")
