"""Answer with a portable StableHLO file as a program without JAX does: compiled by IREE, and run on the CPU.

The file is one of an artifact whose sizes are all fixed: IREE takes no dynamic shapes here. Its function takes the
inputs in the order of the task, then the weights in the order of their names, and returns the outputs in the order of
the task. Needs ``iree-base-compiler``, ``iree-base-runtime`` and ``safetensors``; nothing of albert-export.

Usage: ``python read_stablehlo.py FILE.mlirbc WEIGHTS.safetensors < REQUEST``, where the request is a JSON object with
``input_ids``, ``attention_mask`` and ``token_type_ids``; prints a JSON list with an array an output.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import iree.compiler
import iree.runtime
import numpy as np
from safetensors.numpy import load_file

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def answer(file: Path, weights: Path, request: dict[str, list]) -> list[np.ndarray]:
    """Compile the file for this processor, run it once, and return its outputs."""
    options = ["--iree-llvmcpu-target-cpu=host"]
    program = iree.compiler.compile_file(
        str(file), input_type="stablehlo", target_backends=["llvm-cpu"], extra_args=options
    )
    config = iree.runtime.Config("local-task")
    context = iree.runtime.SystemContext(config=config)
    module = iree.runtime.VmModule.copy_buffer(context.instance, program)
    context.add_vm_module(module)
    stored = load_file(weights)
    arguments = [np.asarray(request[name], np.int32) for name in INPUTS] + [stored[name] for name in sorted(stored)]
    placed = [iree.runtime.asdevicearray(config.device, array) for array in arguments]
    outputs = context.modules[module.name]["main"](*placed)
    return [np.asarray(output) for output in (outputs if isinstance(outputs, (list, tuple)) else (outputs,))]


def main() -> None:
    """Parse the arguments, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("weights", type=Path)
    arguments = parser.parse_args()
    outputs = answer(arguments.file, arguments.weights, json.load(sys.stdin))
    print(json.dumps([output.tolist() for output in outputs]))


if __name__ == "__main__":
    main()
