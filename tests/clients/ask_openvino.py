"""Run the ONNX and TFLite files of bundles in OpenVINO. What it reads and prints: ``clients.py``."""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import openvino

#: By itself OpenVINO computes in bfloat16 where the processor has it.
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": 1}


def answer(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Open the file, and run all records."""
    model = openvino.Core().compile_model(job["file"], "CPU", EXACT)
    kinds = {name: port.element_type.to_dtype() for port in model.inputs for name in port.names}
    found = []
    for record in job["records"]:
        outputs = model({name: np.asarray(rows, kinds[name]) for name, rows in record.items()})
        found.append({name: np.asarray(outputs[name], np.float32).tolist() for name in job["outputs"]})
    return found


if __name__ == "__main__":
    print(json.dumps([answer(job) for job in json.load(sys.stdin)]))
