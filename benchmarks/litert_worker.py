"""Load one TFLite file in LiteRT and time it; a process of its own, so that memory is that of this file alone.

Reads a JSON object from stdin: ``file``; ``shapes``, a list of ``[batch, sequence]``; ``threads`` of one run, or null;
``vocabulary``, the number of ids; ``seconds`` for each shape.

Prints one: ``load_seconds``, to make the interpreter and lay out its tensors as they are declared; ``first_bytes``, the
resident memory that loading and one run of 1x128 added; ``run_bytes``, the same after all runs; ``milliseconds``, the
least of each shape; ``sample``, the start_logits of the first shape.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import numpy as np
import psutil
from ai_edge_litert.interpreter import Interpreter

#: The run after which memory is looked at.
_FIRST = (1, 128)


def main() -> None:
    """Measure what stdin asks for."""
    request = json.load(sys.stdin)
    process = psutil.Process()
    before = process.memory_info().rss
    start = time.perf_counter()
    interpreter = Interpreter(model_path=request["file"], num_threads=request["threads"] or os.cpu_count())
    interpreter.allocate_tensors()
    load_seconds = time.perf_counter() - start
    # The runner itself is let go of: while it lives, the interpreter refuses to lay out its tensors anew.
    runner = interpreter.get_signature_runner(next(iter(interpreter.get_signature_list())))
    inputs, outputs = runner.get_input_details(), runner.get_output_details()
    del runner
    vocabulary = request["vocabulary"]
    _run(interpreter, inputs, *_FIRST, vocabulary)
    first = process.memory_info().rss
    milliseconds: dict[str, float] = {}
    sample: list[float] = []
    for batch, sequence in request["shapes"]:
        _run(interpreter, inputs, batch, sequence, vocabulary)
        sample = sample or interpreter.get_tensor(outputs["start_logits"]["index"]).ravel().tolist()
        milliseconds[f"{batch}x{sequence}"] = 1000 * _least_seconds(interpreter, request["seconds"])
    result = {
        "load_seconds": load_seconds,
        "first_bytes": first - before,
        "run_bytes": process.memory_info().rss - before,
        "milliseconds": milliseconds,
        "sample": sample,
    }
    print(json.dumps(result))


def _run(interpreter: Any, inputs: dict[str, Any], batch: int, sequence: int, vocabulary: int) -> None:
    """Lay out the tensors for a shape and run it once."""
    generator = np.random.default_rng([batch, sequence])
    feeds = {
        "input_ids": generator.integers(5, vocabulary, (batch, sequence)),
        "attention_mask": np.ones((batch, sequence), np.int64),
        "token_type_ids": np.zeros((batch, sequence), np.int64),
    }
    for name in feeds:
        interpreter.resize_tensor_input(inputs[name]["index"], (batch, sequence))
    interpreter.allocate_tensors()
    for name, values in feeds.items():
        interpreter.set_tensor(inputs[name]["index"], values.astype(inputs[name]["dtype"]))
    interpreter.invoke()


def _least_seconds(interpreter: Any, budget: float) -> float:
    times: list[float] = []
    while sum(times) < budget or len(times) < 3:
        start = time.perf_counter()
        interpreter.invoke()
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
