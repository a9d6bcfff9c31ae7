"""Run the SavedModels of bundles in TensorFlow alone. What it reads and prints: ``clients.py``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf


def answer(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Load the directory, and run all records by its serving signature."""
    loaded = tf.saved_model.load(str(Path(job["file"]).parent))
    serve = loaded.signatures["serving_default"]
    kinds = {name: spec.dtype for name, spec in serve.structured_input_signature[1].items()}
    found = []
    for record in job["records"]:
        outputs = serve(**{name: tf.constant(rows, kinds[name]) for name, rows in record.items()})
        found.append({name: tensor.numpy().tolist() for name, tensor in outputs.items()})
    return found


if __name__ == "__main__":
    print(json.dumps([answer(job) for job in json.load(sys.stdin)]))
