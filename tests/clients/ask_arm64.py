"""Run ONNX and TFLite files in ONNX Runtime and LiteRT for ARM64. What it reads and prints: ``clients.py``.

Runs in the Python of an arm64 Debian, under qemu (``arm64.py``).
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Run = Callable[[dict[str, Any]], dict[str, Any]]

INTEGERS = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


def in_onnxruntime(job: dict[str, Any]) -> Run:
    """Return what gives the outputs of one run of an ONNX file by name."""
    import onnxruntime

    session = onnxruntime.InferenceSession(job["file"], providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    kinds = {tensor.name: INTEGERS[tensor.type] for tensor in session.get_inputs()}

    def run(inputs: dict[str, Any]) -> dict[str, Any]:
        outputs = session.run(names, {name: np.asarray(inputs[name], kind) for name, kind in kinds.items()})
        return dict(zip(names, outputs, strict=True))

    return run


def in_litert(job: dict[str, Any]) -> Run:
    """Return what gives the outputs of one run of a TFLite file by name."""
    from ai_edge_litert.interpreter import Interpreter

    signature = Interpreter(job["file"], num_threads=1).get_signature_runner()
    kinds = {name: detail["dtype"] for name, detail in signature.get_input_details().items()}
    return lambda inputs: signature(**{name: np.asarray(inputs[name], kind) for name, kind in kinds.items()})


def answer(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Run the file on all records."""
    run = (in_litert if job["file"].endswith(".tflite") else in_onnxruntime)(job)
    found = (run(record) for record in job["records"])
    return [{name: outputs[name].astype(np.float32).tolist() for name in job["outputs"]} for outputs in found]


def check_processor() -> None:
    """Refuse to answer on another processor than the one that is to be shown: it multiplies int8 by dot products."""
    features = Path("/proc/cpuinfo").read_text()
    if platform.machine() != "aarch64" or "asimddp" not in features:
        raise SystemExit(f"this must run on an ARM64 processor with dot products: {platform.machine()}, {features}")


if __name__ == "__main__":
    check_processor()
    print(json.dumps([answer(job) for job in json.load(sys.stdin)]))
