"""What TensorRT says while it builds, loads or runs, and what it means to a user.

TensorRT writes the reason of a failure to its log; Polygraphy's error says that there was one, and to see the log.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

#: Where Polygraphy writes to, once it is told to use Python's logging.
_LOGGER = "Polygraphy"

#: Codes for colours, and Polygraphy's mark before a message.
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
_MARK = re.compile(r"^\s*\[.\]\s*", re.MULTILINE)

#: The part of a message that names a line of TensorRT's sources.
_SOURCE_LINE = re.compile(r"\[\w+\.(?:cpp|h|cu)::\S*?::\d+\]\s*")

#: Messages that are told of one failure: the last ones, as a builder goes on after many an error.
_TOLD = 3

_MEMORY = re.compile(
    r"out of memory|OutOfMemory|could not be allocated|cudaErrorMemoryAllocation|CUDA Error: 2\b|bad_alloc",
    re.IGNORECASE,
)
#: After these nothing more runs on the GPU in this process.
_DEADLY = re.compile(
    r"illegal memory access|illegal instruction|misaligned address|unspecified launch failure|invalid program counter|"
    r"device-side assert|hardware stack error|CUDA Error: (?:700|702|71[03-9]|720)\b",
    re.IGNORECASE,
)
_NO_START = re.compile(r"CUDA initialization failure|CUDA Error: (?:35|100|803|804|999)\b|insufficient driver", re.I)
_LIBRARY = re.compile(r"\b(lib[\w.+-]+\.so[\w.]*): cannot open shared object file")


@dataclass(frozen=True)
class Trouble:
    """What is wrong with the device.

    Attributes:
        kind: ``memory``, ``dead``, ``start`` or ``library``.
        fix: What mends it.
    """

    kind: str
    fix: str


def read_trouble(text: str) -> Trouble | None:
    """Return what a failure of TensorRT says of the device, or None where it is about the network or the engine.

    Args:
        text: All that was said.
    """
    library = _LIBRARY.search(text)
    if library is not None:
        return Trouble("library", f"put the folder of CUDA that has {library[1]} on LD_LIBRARY_PATH")
    if _DEADLY.search(text) is not None:
        return Trouble("dead", "start the process again; the GPU cannot be used any more in this one")
    if _MEMORY.search(text) is not None:
        return Trouble("memory", "run fewer or shorter rows at a time, or free memory of other processes")
    if _NO_START.search(text) is not None:
        return Trouble("start", "check nvidia-smi, and that its driver is as new as TensorRT's CUDA asks for")
    return None


def listen(logger: Any) -> None:
    """Have Polygraphy's logger hand errors to Python's logging, where :class:`Heard` finds them, and print nothing.

    Args:
        logger: Its ``G_LOGGER``.
    """
    logger.use_python_logging_system = True
    logger.colors = False  # it looks for a package that colours, and prints that there is none
    logger.module_severity = logger.ERROR
    python_logger = logging.getLogger(_LOGGER)
    # Without a handler Python would print them; an application that handles logs still gets them.
    if not any(isinstance(handler, logging.NullHandler) for handler in python_logger.handlers):
        python_logger.addHandler(logging.NullHandler())


class Heard(logging.Handler):
    """Collects TensorRT's errors while a block runs. Those of other threads that fail meanwhile are among them."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self._lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep an error; Polygraphy's own last word is in its exception."""
        if record.levelno < logging.CRITICAL:
            self._lines.append(_plain(record.getMessage()))

    def told(self, error: BaseException) -> str:
        """Return the reason of a failure in one line: TensorRT's, or else the exception's.

        Args:
            error: What was raised.
        """
        said = [line for line in dict.fromkeys(self._lines) if line]
        return "; ".join(said[-_TOLD:])[:400] or _plain(str(error))[:400] or type(error).__name__

    def __enter__(self) -> Self:
        logging.getLogger(_LOGGER).addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger(_LOGGER).removeHandler(self)


def _plain(text: str) -> str:
    return " ".join(_SOURCE_LINE.sub("", _MARK.sub("", _COLOURS.sub("", text))).split())
