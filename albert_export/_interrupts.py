"""Ctrl-C that is not lost.

Python raises KeyboardInterrupt wherever it happens to be. Inside a destructor, as frameworks have many, it is printed
and forgotten, and the work would go on to its end. So the command line also remembers it, and what is about to replace
a user's files asks.
"""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType

_pending = False


def remember() -> None:
    """From now on, remember Ctrl-C; for the main thread of a program that answers to nobody else."""
    if threading.current_thread() is threading.main_thread() and _is_python_s(signal.getsignal(signal.SIGINT)):
        signal.signal(signal.SIGINT, _interrupted)


def check() -> None:
    """Raise KeyboardInterrupt where Ctrl-C was pressed and the exception got lost."""
    if _pending:
        raise KeyboardInterrupt


def _is_python_s(handler: object) -> bool:
    # One that the program's starter chose stays: it ignores Ctrl-C in the background, for instance.
    return handler is signal.default_int_handler


def _interrupted(number: int, frame: FrameType | None) -> None:
    global _pending
    _pending = True
    # What destructors meet while everything is taken down helps nobody.
    sys.unraisablehook = lambda _: None
    signal.default_int_handler(number, frame)
