"""Keeping what native libraries print at stderr out of an application's own."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

_lock = threading.RLock()

#: The process's own stderr while another file has its place, the outermost block's first.
_kept: list[int] = []


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
    for short calls such as loading a model. What was caught is written after all when an exception leaves the block: it
    may tell why. Where the process has no such descriptor, or no place for a temporary file, nothing is caught.
    """
    caught = Caught()
    with _lock, contextlib.ExitStack() as stack:
        _flush()
        file = None
        with contextlib.suppress(OSError):  # a daemon may have closed its stderr, and a container may have no disk
            kept = os.dup(2)
            stack.callback(os.close, kept)
            file = stack.enter_context(tempfile.TemporaryFile())
            os.dup2(file.fileno(), 2)
        if file is None:
            yield caught
            return
        _kept.append(kept)
        ended = False
        try:
            yield caught
            ended = True
        finally:
            _flush()
            os.dup2(kept, 2)
            if kept in _kept:  # not in a process that was forked within the block
                _kept.remove(kept)
            file.seek(0)
            said = file.read()
            caught.text = said.decode("utf-8", "replace")
            if not ended:
                _write(said)


def _flush() -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError, ValueError):  # closed
            sys.stderr.flush()


def _write(said: bytes) -> None:
    with contextlib.suppress(OSError):
        while said:
            said = said[os.write(2, said) :]


def _start_anew() -> None:
    """In a forked process: nobody is left to end a block of another thread."""
    global _lock
    _lock = threading.RLock()
    if _kept:
        os.dup2(_kept[0], 2)
        _kept.clear()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_start_anew)
