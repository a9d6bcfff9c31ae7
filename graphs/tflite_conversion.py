"""Running TensorFlow's converter, without its noise and with its errors in one line."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from albert_export._native_noise import Caught, caught_stderr
from albert_export._tensorflow import import_tensorflow
from albert_export.errors import ExportError

tf: Any = import_tensorflow(needed_for="exporting to TFLite")

#: What TensorFlow's loggers put before a message: level, date, thread, place.
_LOG_PREFIX = re.compile(r"^(?:[IWEF]\d{4} [\d:.]+\s+\d+ \S+\] |\d{4}-\d\d-\d\d [\d:.]+: [IWEF] \S+\] |\w+:absl:)")
_NOISE = re.compile(r"^(?:[IW]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IW] |WARNING:|INFO:|I0000|W0000|\s*$)")


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


def convert(function: Any) -> bytes:
    """Convert a concrete function to a flatbuffer of builtin operators.

    Args:
        function: A concrete function without variables.

    Raises:
        ExportError: An operator has no builtin sibling, or the converter failed; the message names the operator, or
            gives the last line that tells something.
    """
    failure: Exception | None = None
    with quiet() as noise:
        try:
            # Without a trackable object: with one, the converter goes through a SavedModel in a temporary directory,
            # and orders the inputs by chance.
            converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
            flatbuffer: bytes = converter.convert()
        except Exception as error:  # noqa: BLE001 -- of many kinds, and some say nothing beyond what was logged
            failure = error
    if failure is not None:
        raise _refusal(str(failure), _telling(noise.text)) from failure
    return flatbuffer


def _telling(logged: str) -> list[str]:
    """Return the lines that may tell why something failed."""
    return [_LOG_PREFIX.sub("", line).strip() for line in logged.splitlines() if not _NOISE.match(line)]


def _refusal(message: str, logged: list[str]) -> ExportError:
    lines = [line.strip() for line in message.splitlines() if line.strip()] + logged
    missing = [match[1] for line in lines for match in [re.search(r"error: '(tf\.\w+)' op", line)] if match]
    missing += [name for line in lines for name in re.findall(r"(?:Flex|Custom) ops: (\w+)", line)]
    if missing:
        return ExportError(
            "every operator must be one of TFLite's own",
            received=", ".join(dict.fromkeys(missing)),
            fix="export to another target",
        )
    telling = next((line for line in lines if "error:" in line), lines[-1] if lines else "no message")
    return ExportError("TensorFlow's converter must take the traced model", received=telling[:500])
