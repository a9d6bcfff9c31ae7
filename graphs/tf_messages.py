"""What TensorFlow says: kept from the user while all goes well, and cut down to the telling line when it fails."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager

from albert_export._native_noise import Caught, caught_stderr

#: What TensorFlow's loggers put before a message: level, date, thread, place.
_LOG_PREFIX = re.compile(r"^(?:[IWEF]\d{4} [\d:.]+\s+\d+ \S+\] |\d{4}-\d\d-\d\d [\d:.]+: [IWEF] \S+\] |\w+:absl:)")
_NOISE = re.compile(r"^(?:[IW]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IW] |WARNING:|INFO:|I0000|W0000|\s*$)")

#: Keras prints the telling line in bold.
_ESCAPE = re.compile(r"\x1b\[[\d;]*m")
#: What Keras puts before that line, and after it.
_CALLED, _ARGUMENTS = "Exception encountered when calling", "Arguments received by"


@contextmanager
def quiet() -> Iterator[Caught]:
    """Keep from the user what compiled code writes to the standard error, and what TensorFlow's Python loggers say."""
    loggers = [logging.getLogger(name) for name in ("absl", "tensorflow")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with caught_stderr() as caught:
            yield caught
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def logged(text: str) -> list[str]:
    """Return the lines of a log that may tell why something failed."""
    return [_LOG_PREFIX.sub("", line).strip() for line in text.splitlines() if not _NOISE.match(line)]


def telling(message: str) -> list[str]:
    """Return the lines of an error's message that tell something, without escape sequences and Keras' frame."""
    lines = [line.strip() for line in _ESCAPE.sub("", message).partition(_ARGUMENTS)[0].splitlines() if line.strip()]
    return [line for line in lines if not line.startswith(_CALLED)] or lines


def told(error: Exception) -> str:
    """Return the one line that is shown of an error."""
    return next(iter(telling(str(error))), type(error).__name__)[:500]
