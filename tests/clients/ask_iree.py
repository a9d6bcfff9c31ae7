"""Run the portable StableHLO of bundles without JAX: compiled by IREE for this processor.

The file is one of an artifact whose sizes are all fixed: IREE takes no dynamic shapes here. Its function takes the
inputs in the order of the task, then the weights in the order of their names, and returns the outputs in the order of
the task. Needs ``iree-base-compiler``, ``iree-base-runtime`` and ``safetensors``; nothing of albert-export. What it
reads and prints: ``clients.py``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import iree.compiler
import iree.runtime
import numpy as np
from safetensors.numpy import load_file

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
TARGET = {"input_type": "stablehlo", "target_backends": ["llvm-cpu"], "extra_args": ["--iree-llvmcpu-target-cpu=host"]}


def answer(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Compile the file, and run all records."""
    (program,) = (file for file in job["files"] if file.endswith(".cpu.mlirbc"))
    (weights,) = (file for file in job["files"] if file.endswith(".safetensors"))
    config = iree.runtime.Config("local-task")
    context = iree.runtime.SystemContext(config=config)
    compiled = iree.compiler.compile_file(program, **TARGET)
    module = iree.runtime.VmModule.copy_buffer(context.instance, compiled)
    context.add_vm_module(module)
    run = context.modules[module.name]["main"]
    stored = load_file(weights)
    placed = [iree.runtime.asdevicearray(config.device, stored[name]) for name in sorted(stored)]
    found = []
    for record in job["records"]:
        inputs = [iree.runtime.asdevicearray(config.device, np.asarray(record[name], np.int32)) for name in INPUTS]
        outputs = run(*inputs, *placed)
        outputs = outputs if isinstance(outputs, (list, tuple)) else (outputs,)
        found.append({name: np.asarray(output).tolist() for name, output in zip(job["outputs"], outputs, strict=True)})
    return found


if __name__ == "__main__":
    print(json.dumps([answer(job) for job in json.load(sys.stdin)]))
