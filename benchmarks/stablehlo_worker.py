"""Load one StableHLO artifact in JAX and time it; a process of its own, so that memory is that of this file alone.

Reads a JSON object from stdin: ``file``, the ``.jax`` file, with its weights beside or inside it; ``shapes``, a list of
``[batch, sequence]``; ``vocabulary``, the number of ids; ``seconds`` for each shape.

Prints one: ``load_seconds``, to read the export and put the weights on the device; ``compile_seconds``, to lower and
compile the program of 1x128, nothing being kept on the disk; ``first_bytes``, the resident memory that loading,
compiling and one run of 1x128 added; ``run_bytes``, the same after all runs; ``milliseconds``, the least of each shape;
``sample``, the start_logits of the first shape.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import psutil
from jax import export

from albert_export.checkpoints.safetensors_file import numpy_tensors

#: The run after which memory is looked at.
_FIRST = (1, 128)


def main() -> None:
    """Measure what stdin asks for."""
    request = json.load(sys.stdin)
    jax.config.update("jax_enable_compilation_cache", False)
    jax.block_until_ready(jax.numpy.zeros(1))  # the backend itself is no part of an artifact
    process = psutil.Process()
    before = process.memory_info().rss
    start = time.perf_counter()
    path = Path(request["file"])
    exported = export.deserialize(bytearray(path.read_bytes()))
    (_, wanted), _ = jax.tree_util.tree_unflatten(exported.in_tree, exported.in_avals)
    stored = numpy_tensors([next(path.parent.glob("weights*.safetensors"))]) if wanted else {}
    weights = {name: jax.device_put(stored[name].astype(aval.dtype, copy=False)) for name, aval in wanted.items()}
    jax.block_until_ready(weights)
    load_seconds = time.perf_counter() - start
    vocabulary = request["vocabulary"]
    start = time.perf_counter()
    programs = {_FIRST: _compiled(exported, weights, _FIRST)}
    compile_seconds = time.perf_counter() - start
    jax.block_until_ready(programs[_FIRST](_feed(*_FIRST, vocabulary), weights))
    first = process.memory_info().rss
    milliseconds: dict[str, float] = {}
    sample: list[float] = []
    for batch, sequence in request["shapes"]:
        shape = (batch, sequence)
        program = programs.get(shape) or _compiled(exported, weights, shape)
        feed = _feed(batch, sequence, vocabulary)
        sample = sample or np.asarray(program(feed, weights)["start_logits"]).ravel().tolist()
        milliseconds[f"{batch}x{sequence}"] = 1000 * _least_seconds(program, feed, weights, request["seconds"])
    result = {
        "load_seconds": load_seconds,
        "compile_seconds": compile_seconds,
        "first_bytes": first - before,
        "run_bytes": process.memory_info().rss - before,
        "milliseconds": milliseconds,
        "sample": sample,
    }
    print(json.dumps(result))


def _compiled(exported: Any, weights: dict[str, Any], shape: tuple[int, int]) -> Any:
    inputs = dict.fromkeys(
        ("input_ids", "attention_mask", "token_type_ids"), jax.ShapeDtypeStruct(shape, jax.numpy.int32)
    )
    return jax.jit(exported.call).lower(inputs, weights).compile()


def _feed(batch: int, sequence: int, vocabulary: int) -> dict[str, Any]:
    generator = np.random.default_rng([batch, sequence])
    return {
        "input_ids": generator.integers(5, vocabulary, (batch, sequence)).astype(np.int32),
        "attention_mask": np.ones((batch, sequence), np.int32),
        "token_type_ids": np.zeros((batch, sequence), np.int32),
    }


def _least_seconds(program: Any, feed: dict[str, Any], weights: dict[str, Any], budget: float) -> float:
    times: list[float] = []
    while sum(times) < budget or len(times) < 3:
        start = time.perf_counter()
        jax.block_until_ready(program(feed, weights))
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
