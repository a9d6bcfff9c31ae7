"""Convert a SavedModel to TFLite as TensorFlow's own guide does it: the converter as it comes.

Usage: ``python -m benchmarks.plain_tflite SAVED_MODEL FILE [--int8]``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import tensorflow as tf


def main() -> None:
    """Parse the arguments and convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("saved_model", type=Path)
    parser.add_argument("file", type=Path)
    parser.add_argument("--int8", action="store_true", help="dynamic-range quantisation")
    arguments = parser.parse_args()
    converter = tf.lite.TFLiteConverter.from_saved_model(str(arguments.saved_model), signature_keys=["serving_default"])
    if arguments.int8:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    arguments.file.write_bytes(converter.convert())


if __name__ == "__main__":
    main()
