"""Measure how far correct artifacts lie from the eager model, in units of the eager model's own noise.

The criterion of parity is ``max |artifact - float64| <= noise_factor * e0 + scale_factor * scale``, and in a lower
precision a least signal-to-noise ratio, a cosine and a gain besides. For every target, precision, head, seed and width
of the weights, or built-in model, an artifact is exported and compared on the usual cases. Printed are quantiles of
``error / e0``, and the largest ``error / limit``; the same for the largest difference between a row alone and in a
batch; in a lower precision the least signal-to-noise ratio and cosine, the gains, and the decisions that flipped.
Frameworks whose eager models are held to PyTorch's have rows too, ``eager`` in place of the precision. The last row is
over all.

Usage: ``python -m benchmarks.parity_noise [--target onnx …] [--precision fp32 …] [--calibrate builtin] [--size tiny]
[--seeds 20] [--model albert-mini …] [--tasks qa …] [--sequence 16 …] [--by output] [--save FILE]``
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from albert_export.parity import ParityReport
from albert_export.parity.oracle import TRUTH
from albert_export.parity.report import OutputResult
from albert_export.targets import PRECISIONS, TARGETS, get_target
from albert_export.tasks import DYNAMIC_AXES, TASKS, Task, get_task
from benchmarks.measuring import save, table
from benchmarks.seeded_checkpoint import SIZES

#: Standard deviations of the weights: that of a model before training, and one at which attention is peaked and
#: rounding errors grow from layer to layer.
WIDTHS = (0.02, 0.1)
QUANTILES = (0.5, 0.9, 0.99, 1.0)


#: What rows of the table are about.
BY = {
    "output": ("target", "precision", "task", "output", "at", "model"),
    "target": ("target", "precision", "at", "model"),
}


def main() -> None:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    targets = [target.name for target in TARGETS]
    parser.add_argument("--target", nargs="+", choices=targets, default=["onnx"])
    parser.add_argument("--precision", nargs="+", choices=list(PRECISIONS), default=["fp32"])
    parser.add_argument("--calibrate", help="texts of a calibrated int8 artifact")
    parser.add_argument("--layers", nargs="+", choices=["rolled", "unrolled"], default=["rolled", "unrolled"])
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--model", nargs="+", help="built-in models, in the place of those made from seeds")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="+", default=[task.name for task in TASKS])
    parser.add_argument("--widths", nargs="+", type=float, default=list(WIDTHS))
    parser.add_argument("--by", choices=BY, default="output", help="what a row of the table is about")
    for axis in DYNAMIC_AXES:
        parser.add_argument(f"--{axis}", type=int, help=f"fix the artifacts' {axis}")
    parser.add_argument("--save", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    started = time.perf_counter()
    figures: list[dict[str, Any]] = []
    sizes = {axis: getattr(arguments, axis) for axis in DYNAMIC_AXES}
    for task in [get_task(name) for name in arguments.tasks]:
        for model in arguments.model or _seeded(arguments):
            figures += _measure(task, arguments, model, sizes)
    print(_render(figures, BY[arguments.by]))
    print(f"\n{time.perf_counter() - started:.0f} s")
    save(arguments.save, "parity_noise", arguments, {"figures": figures})


def _seeded(arguments: argparse.Namespace) -> list[tuple[float, int]]:
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    return [(width, seed) for width in arguments.widths for seed in seeds]


def _measure(
    task: Task, arguments: argparse.Namespace, model: str | tuple[float, int], sizes: dict[str, int | None]
) -> list[dict[str, Any]]:
    from albert_export.checkpoints import Checkpoint, open_checkpoint
    from albert_export.exporting import export
    from albert_export.parity import check_parity
    from albert_export.parity.data import NO_DATA

    figures = []
    with tempfile.TemporaryDirectory() as scratch:
        checkpoint: Checkpoint | Path
        if isinstance(model, str):
            checkpoint, seed, name = open_checkpoint(model, task=task), arguments.first_seed, model
        else:
            checkpoint, seed, name = Path(scratch, "checkpoint"), model[1], f"width {model[0]:g}"
            _write_checkpoint(task, arguments.size, *model, checkpoint)
        for target in map(get_target, arguments.target):
            out = Path(scratch, target.name)
            for precision in (each for each in target.precisions if each in arguments.precision):
                for layers in (each for each in target.layers if each in arguments.layers):
                    options: dict[str, Any] = {axis: sizes[axis] for axis in task.dynamic_axes}
                    options["calibrate"] = arguments.calibrate if precision == "int8" else None
                    form: dict[str, Any] = {"precision": precision, "layers": layers, "parity": False, **options}
                    export(target.name, model=checkpoint, task=task.name, out=out, **form)
            if out.is_dir():
                report = check_parity(out, model=checkpoint, seed=seed, data=NO_DATA)
                figures += _figures(report, {"task": task.name, "model": name, "seed": seed})
            print(f"{task.name}, {name}, seed {seed}: {target.name}", file=sys.stderr)
    return figures


def _figures(report: ParityReport, facts: dict[str, Any]) -> list[dict[str, Any]]:
    figures = []
    for eager in report.eager:
        if eager.framework != TRUTH:
            named = {**facts, "target": eager.framework, "precision": "eager", "layers": "-"}
            figures += [_figure(named, each, each.places, each.error) for each in eager.outputs if each.count]
    for artifact in report.artifacts:
        named = {
            **facts,
            "target": artifact.target,
            "precision": artifact.precision,
            "layers": artifact.layers,
            "ok": artifact.ok,
        }
        limits = {output.output: output for output in artifact.outputs if output.places == "real"}
        figures += [_figure(named, each, each.places, each.error) for each in artifact.outputs if each.count]
        for check in artifact.checks:
            if check.name == "row alone":
                figures += [
                    _figure(named, limits[name], check.name, apart) for name, apart in check.differences.items()
                ]
    return figures


def _figure(facts: dict[str, Any], judged: OutputResult, at: str, error: float) -> dict[str, Any]:
    return {
        **facts,
        "output": judged.output,
        "at": at,
        "e0": judged.e0,
        "scale": judged.scale,
        "spread": judged.spread,
        "error": error,
        "of_e0": error / judged.e0,
        "of_scale": error / judged.scale,
        "of_limit": error / judged.limit,
        # A row alone is no output of its own: its ratio is that of the output.
        "snr_db": judged.snr_db,
        "cosine": judged.cosine,
        "gain": judged.gain,
        "decisions": judged.decisions,
        "flips": judged.flips,
        "clear_flips": judged.clear_flips,
    }


def _write_checkpoint(task: Task, size: str, width: float, seed: int, directory: Path) -> None:
    import torch

    from albert_export import AlbertConfig
    from albert_export.builtin import builtin_directory
    from albert_export.models import torch_albert

    torch.manual_seed(seed)
    config = AlbertConfig(**SIZES[size], initializer_range=width, architectures=[task.torch_class])
    model = getattr(torch_albert, task.torch_class)(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:  # fresh biases are 0 and normalisations 1: nothing is rounded there
                parameter.add_(torch.randn_like(parameter) * width)
    model.save_pretrained(directory)
    for file in builtin_directory("albert-seeded").iterdir():
        if "token" in file.name or file.name == "spiece.model":
            shutil.copyfile(file, directory / file.name)


def _render(figures: list[dict[str, Any]], by: tuple[str, ...]) -> str:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for figure in figures:
        groups.setdefault(tuple(figure[key] for key in by), []).append(figure)
    groups[("all", *[""] * (len(by) - 1))] = figures
    rows = [
        (
            *key,
            len(group),
            *(f"{value:.2f}" for value in np.quantile([figure["of_e0"] for figure in group], QUANTILES)),
            f"{max(figure['of_scale'] for figure in group):.1e}",
            f"{max(figure['of_limit'] for figure in group):.2f}",
            f"{min(figure['snr_db'] for figure in group):.1f}",
            f"{min(figure['cosine'] for figure in group):.5f}",
            "{:.3f} to {:.3f}".format(*np.quantile([figure["gain"] for figure in group], (0.0, 1.0))),
            "{} / {} of {}".format(
                *(sum(figure[key] for figure in group) for key in ("clear_flips", "flips", "decisions"))
            ),
        )
        for key, group in groups.items()
    ]
    of_e0 = [f"error/e0 {quantile:.0%}" for quantile in QUANTILES]
    last = ["max error/scale", "max error/limit", "least SNR dB", "least cosine", "gain", "clear flips / flips"]
    return table([*by, "runs", *of_e0, *last], rows)


if __name__ == "__main__":
    main()
