"""Load one ONNX file in ONNX Runtime and time it; a process of its own, so that memory is that of this file alone.

Reads a JSON object from stdin: ``file``; ``shapes``, a list of ``[batch, sequence]`` or
``[batch, sequence, padding]``, the last in percent of the tokens; ``threads`` of one run, or null;
``vocabulary``, the number of ids; ``seconds`` for each shape. A file with ``positions`` is asked for one of each row.

Prints one: ``load_seconds``; ``load_bytes`` and ``run_bytes``, the resident memory that loading, then running, added;
``milliseconds``, the least of each shape; ``processor_milliseconds``, the least that all threads together took of the
processors; ``sample``, the first output of the first shape.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import onnxruntime
import psutil


def main() -> None:
    """Measure what stdin asks for."""
    request = json.load(sys.stdin)
    process = psutil.Process()
    options = onnxruntime.SessionOptions()
    if request["threads"] is not None:
        options.intra_op_num_threads = request["threads"]
    before = process.memory_info().rss
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(request["file"], options, providers=["CPUExecutionProvider"])
    load_seconds = time.perf_counter() - start
    loaded = process.memory_info().rss
    names = {value.name for value in session.get_inputs()}
    milliseconds: dict[str, float] = {}
    processor: dict[str, float] = {}
    sample: list[float] = []
    for batch, sequence, *padding in request["shapes"]:
        feeds = _feeds(batch, sequence, padding[0] if padding else 0, request["vocabulary"], names)
        if not sample:
            sample = session.run(None, feeds)[0].ravel().tolist()
        label = f"{batch}x{sequence}" + (f" {padding[0]}%" if padding else "")
        least = _least_seconds(session, feeds, request["seconds"])
        milliseconds[label], processor[label] = 1000 * least[0], 1000 * least[1]
    result = {
        "load_seconds": load_seconds,
        "load_bytes": loaded - before,
        "run_bytes": process.memory_info().rss - before,
        "milliseconds": milliseconds,
        "processor_milliseconds": processor,
        "sample": sample,
    }
    print(json.dumps(result))


def _feeds(batch: int, sequence: int, padding: int, vocabulary: int, names: set[str]) -> dict[str, Any]:
    generator = np.random.default_rng([batch, sequence])
    lengths = _lengths(generator, batch, sequence, padding)
    feeds = {
        "input_ids": generator.integers(5, vocabulary, (batch, sequence)),
        "attention_mask": (np.arange(sequence) < lengths[:, None]).astype(np.int64),
        "token_type_ids": np.zeros((batch, sequence), np.int64),
        "positions": generator.integers(0, lengths)[:, None],
    }
    return {name: value for name, value in feeds.items() if name in names}


def _lengths(generator: np.random.Generator, batch: int, sequence: int, padding: int) -> np.ndarray[Any, Any]:
    """Return how many tokens of each row are real: at least 1, of the first row all, together what is no padding."""
    lengths = np.full(batch, sequence)
    missing = min(round(batch * sequence * padding / 100), (batch - 1) * (sequence - 1))
    while missing:
        row = generator.integers(1, batch)
        taken = min(missing, int(generator.integers(1, 1 + max(1, sequence // 8))), int(lengths[row]) - 1)
        lengths[row] -= taken
        missing -= taken
    return lengths


def _least_seconds(session: Any, feeds: dict[str, Any], budget: float) -> tuple[float, float]:
    """Return the least time of a run, and the least time of the processors."""
    session.run(None, feeds)  # the first run allocates
    times: list[float] = []
    processor: list[float] = []
    while sum(times) < budget or len(times) < 3:
        start, used = time.perf_counter(), time.process_time()
        session.run(None, feeds)
        processor.append(time.process_time() - used)
        times.append(time.perf_counter() - start)
    return min(times), min(processor)


if __name__ == "__main__":
    main()
