"""Importing TensorFlow without what it prints: lines about CPU features and registered factories help no user."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from albert_export._imports import require

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def import_tensorflow(*, needed_for: str) -> Any:
    """Import ``tensorflow`` and return it; every import of it in the package comes through here.

    Where the user has not chosen a level in ``TF_CPP_MIN_LOG_LEVEL``, its C++ code is kept silent: what goes wrong in
    an operation is an exception as well.

    Args:
        needed_for: What the user asked for, e.g. ``"exporting to TFLite"``; begins the error's sentence.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
    """
    if "tensorflow" in sys.modules or _LEVEL in os.environ:
        return require("tensorflow", needed_for=needed_for, extra="tensorflow")
    os.environ[_LEVEL] = "3"
    with _silent_stderr():
        return require("tensorflow", needed_for=needed_for, extra="tensorflow")


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep back what is written to file descriptor 2; show it after all when the block raises.

    The first lines are written before TensorFlow reads its level, by code that knows neither Python's ``sys.stderr``
    nor a setting.
    """
    try:
        kept = os.dup(2)
    except OSError:  # a process without stderr has nothing to silence
        yield
        return
    with tempfile.TemporaryFile() as written:
        try:
            os.dup2(written.fileno(), 2)
            yield
        except BaseException:
            os.dup2(kept, 2)
            written.seek(0)
            os.write(2, written.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
