"""Measure how far the eager PyTorch model itself lies from float64 when it is converted to a lower precision.

In float16 and bfloat16 it computes in them; for int4 its matrices become what the packed numbers of an ONNX artifact
stand for, and it computes in float32.

What an artifact in that precision may differ by can be no less. For each output of a head the usual cases of parity are
run; printed are signal-to-noise ratio, the largest error as a multiple of the output's spread and of the root mean
square of the error, the gain, and of the decisions that flip the largest margin, as a multiple of that root mean square
and of the error of the scores around.

Usage: ``python -m benchmarks.eager_noise [--model albert-seeded] [--tasks fill-mask …] [--save FILE]``
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from albert_export.checkpoints import open_checkpoint
from albert_export.parity.cases import build_cases
from albert_export.parity.compare import Comparison
from albert_export.parity.criteria import Pool
from albert_export.parity.eager_runtime import EagerRuntime
from albert_export.parity.oracle import Oracle
from albert_export.runtimes.protocol import Array
from albert_export.tasks import TASKS, Task, get_task
from albert_export.tokenization import load_tokenizer
from benchmarks.measuring import save, table

#: Precision -> torch's name of what it is computed in.
PRECISIONS = {"fp16": "float16", "bf16": "bfloat16", "int4": "float32"}


@dataclass(frozen=True)
class Noise:
    """The figures of one output, over all cases."""

    task: str
    output: str
    precision: str
    snr_db: float
    error_of_spread: float
    error_of_rms: float
    decisions: int
    flips: int
    gain: float
    margin_of_rms: float
    margin_of_noise_around: float


def main() -> None:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="albert-seeded", help="built-in model, directory or hub id")
    parser.add_argument("--tasks", nargs="+", default=[task.name for task in TASKS])
    parser.add_argument("--save", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    found = [noise for name in arguments.tasks for noise in _measure(arguments.model, get_task(name))]
    rows = [
        (
            each.task,
            each.output,
            each.precision,
            f"{each.snr_db:.1f}",
            f"{each.error_of_spread:.2f}",
            f"{each.error_of_rms:.1f}",
            f"{each.flips}/{each.decisions}",
            f"{each.gain:.4f}",
            f"{each.margin_of_rms:.1f}",
            f"{each.margin_of_noise_around:.1f}",
        )
        for each in found
    ]
    noise = ("SNR dB", "error / spread", "error / RMS", "flips", "gain", "margin / RMS", "/ around")
    print(table(("task", "output", "in", *noise), rows))
    save(arguments.save, "eager_noise", arguments, {"figures": [asdict(each) for each in found]})


def _measure(model: str, task: Task) -> list[Noise]:
    checkpoint = open_checkpoint(model, task=task)
    oracle = Oracle(checkpoint, task)
    comparisons = {precision: Comparison(_eager(checkpoint, task, precision)) for precision in PRECISIONS}
    tokenizer = load_tokenizer(checkpoint.directory, config=checkpoint.config)
    for case in build_cases(task, checkpoint.config, sizes=dict.fromkeys(task.dynamic_axes), tokenizer=tokenizer):
        reference = oracle.run(case.inputs)
        for comparison in comparisons.values():
            comparison.add(case, reference)
    return [
        _noise(task.name, output, precision, pool)
        for precision, comparison in comparisons.items()
        for (output, places), pool in comparison.pools.items()
        if places == "real"
    ]


def _eager(checkpoint: Any, task: Task, precision: str) -> EagerRuntime:
    import torch

    from albert_export.models.torch_loading import load_eager
    from albert_export.parity.rounding import round_matrices
    from albert_export.parts import PARTS

    model = load_eager(checkpoint, task, dtype="float32")[0].to(getattr(torch, PRECISIONS[precision]))
    if precision == "int4":
        round_matrices(model, PARTS)

    def compute(inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        with torch.inference_mode():
            outputs = model(**{name: torch.from_numpy(array) for name, array in inputs.items()}, return_dict=True)
        return {spec.name: outputs[spec.name].float().numpy() for spec in task.outputs}

    return EagerRuntime(compute, task=task, config=checkpoint.config)


def _noise(task: str, output: str, precision: str, pool: Pool) -> Noise:
    rms = pool.spread / 10 ** (pool.snr_db / 20)
    return Noise(
        task=task,
        output=output,
        precision=precision,
        snr_db=pool.snr_db,
        error_of_spread=pool.error / pool.spread,
        error_of_rms=pool.error / rms,
        decisions=pool.decisions,
        flips=len(pool.flipped),
        gain=pool.gain,
        margin_of_rms=max((flip.margin / rms for flip in pool.flipped), default=0.0),
        margin_of_noise_around=max((flip.margin / flip.noise for flip in pool.flipped if flip.noise), default=0.0),
    )


if __name__ == "__main__":
    main()
