"""Run artifacts on stored inputs and store their outputs: a process of its own, which an emulated processor can run.

    qemu-x86_64 -cpu Haswell python tests/runtimes/run_artifacts.py inputs.npz model_int8.onnx model_int8.tflite

Each gets a file beside it, ``model_int8.onnx.npz``. Only onnxruntime, LiteRT and numpy are imported, with their
defaults: what an app gets that loads a file by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]


def main(inputs: str, *files: str) -> None:
    """Run each file on the inputs."""
    with np.load(inputs) as stored:
        feed = dict(stored)
    for file in files:
        run = _run_litert if file.endswith(".tflite") else _run_onnx
        np.savez(f"{file}.npz", **run(Path(file), feed))


def _run_onnx(path: Path, feed: Arrays) -> Arrays:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, feed), strict=True))


def _run_litert(path: Path, feed: Arrays) -> Arrays:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path), num_threads=1)
    indices = {detail["name"]: detail["index"] for detail in interpreter.get_input_details()}
    for name, index in indices.items():
        interpreter.resize_tensor_input(index, feed[name].shape)
    interpreter.allocate_tensors()
    for name, index in indices.items():
        interpreter.set_tensor(index, feed[name].astype(np.int32))
    interpreter.invoke()
    return {detail["name"]: interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()}


if __name__ == "__main__":
    main(*sys.argv[1:])
