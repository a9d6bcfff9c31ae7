"""Running TensorFlow's converter, without its noise and with its errors in one line."""

from __future__ import annotations

import re
from typing import Any

from albert_export._tensorflow import import_tensorflow
from albert_export.errors import ExportError
from albert_export.graphs.tf_messages import logged, quiet, telling

tf: Any = import_tensorflow(needed_for="exporting to TFLite")


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
        raise _refusal(telling(str(failure)) + logged(noise.text)) from failure
    return flatbuffer


def _refusal(lines: list[str]) -> ExportError:
    missing = [match[1] for line in lines for match in [re.search(r"error: '(tf\.\w+)' op", line)] if match]
    missing += [name for line in lines for name in re.findall(r"(?:Flex|Custom) ops: (\w+)", line)]
    if missing:
        return ExportError(
            "every operator must be one of TFLite's own",
            received=", ".join(dict.fromkeys(missing)),
            fix="export to another target",
        )
    line = next((line for line in lines if "error:" in line), lines[-1] if lines else "no message")
    return ExportError(
        "TensorFlow's converter must take the traced model", received=line[:500], fix="export to another target"
    )
