"""Measure how far correct artifacts lie from the eager model, in units of the eager model's own noise.

The criterion of parity is ``max |artifact - float64| <= noise_factor * e0 + scale_factor * scale``, and in a lower
precision a least signal-to-noise ratio, a cosine and a gain besides. For every head, seed and width of the weights a
model is made, exported in both forms of the layers, and compared on the usual cases. Printed are quantiles of
``error / e0`` for each output and kind of places, and the largest ``error / limit``; the same for the largest
difference between a row alone and in a batch; in a lower precision the least signal-to-noise ratio and cosine, the gains, and the
decisions that flipped. The last row is over all.

Usage: ``python -m benchmarks.parity_noise [--target onnx] [--precision fp32] [--calibrate builtin] [--size tiny]
[--seeds 20] [--tasks qa …] [--sequence 16 …] [--save FILE]``
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from albert_export.targets import PRECISIONS, TARGETS
from albert_export.tasks import DYNAMIC_AXES, TASKS, Task, get_task
from benchmarks.measuring import save, table
from benchmarks.seeded_checkpoint import SIZES

#: Standard deviations of the weights: that of a model before training, and one at which attention is peaked and
#: rounding errors grow from layer to layer.
WIDTHS = (0.02, 0.1)
QUANTILES = (0.5, 0.9, 0.99, 1.0)


def main() -> None:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=[target.name for target in TARGETS], default="onnx")
    parser.add_argument("--precision", choices=list(PRECISIONS), default="fp32")
    parser.add_argument("--calibrate", help="texts of a calibrated int8 artifact")
    parser.add_argument("--layers", nargs="+", choices=["rolled", "unrolled"], default=["rolled", "unrolled"])
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="+", default=[task.name for task in TASKS])
    parser.add_argument("--widths", nargs="+", type=float, default=list(WIDTHS))
    for axis in DYNAMIC_AXES:
        parser.add_argument(f"--{axis}", type=int, help=f"fix the artifacts' {axis}")
    parser.add_argument("--save", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    started = time.perf_counter()
    figures: list[dict[str, Any]] = []
    sizes = {axis: getattr(arguments, axis) for axis in DYNAMIC_AXES}
    for task in [get_task(name) for name in arguments.tasks]:
        for width in arguments.widths:
            for seed in range(arguments.first_seed, arguments.first_seed + arguments.seeds):
                figures += _measure(task, arguments, width, seed, sizes)
    print(_render(figures))
    print(f"\n{time.perf_counter() - started:.0f} s")
    save(arguments.save, "parity_noise", arguments, {"figures": figures})


def _measure(
    task: Task, arguments: argparse.Namespace, width: float, seed: int, sizes: dict[str, int | None]
) -> list[dict[str, Any]]:
    from albert_export.exporting import export
    from albert_export.parity import check_parity

    with tempfile.TemporaryDirectory() as scratch:
        checkpoint, out = Path(scratch, "checkpoint"), Path(scratch, "out")
        _write_checkpoint(task, arguments.size, width, seed, checkpoint)
        for layers in arguments.layers:
            options: dict[str, Any] = {axis: sizes[axis] for axis in task.dynamic_axes}
            options |= {"precision": arguments.precision, "calibrate": arguments.calibrate}
            export(arguments.target, model=checkpoint, task=task.name, out=out, layers=layers, parity=False, **options)
        report = check_parity(out, model=checkpoint, seed=seed)
    figures = []
    for artifact in report.artifacts:
        limits = {output.output: output for output in artifact.outputs if output.places == "real"}
        found = [(output.output, output.places, output, output.error) for output in artifact.outputs if output.count]
        for check in artifact.checks:
            if check.name == "row alone":
                found += [(name, check.name, limits[name], apart) for name, apart in check.differences.items()]
        figures += [
            {
                "task": task.name,
                "output": name,
                "at": at,
                "width": width,
                "seed": seed,
                "layers": artifact.layers,
                "e0": judged.e0,
                "scale": judged.scale,
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
            for name, at, judged, error in found
        ]
    return figures


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


def _render(figures: list[dict[str, Any]]) -> str:
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for figure in figures:
        groups.setdefault(tuple(figure[key] for key in ("task", "output", "at", "width")), []).append(figure)
    groups[("all", "", "", "")] = figures
    rows = [
        (
            *key,
            len(group),
            *(f"{value:.2f}" for value in np.quantile([figure["of_e0"] for figure in group], QUANTILES)),
            f"{max(figure['of_scale'] for figure in group):.1e}",
            f"{max(figure['of_limit'] for figure in group):.2f}",
            f"{min(figure['snr_db'] for figure in group):.1f}",
            f"{min(figure['cosine'] for figure in group):.5f}",
            "{:.3f} to {:.3f}".format(*(best(figure["gain"] for figure in group) for best in (min, max))),
            "{} / {} of {}".format(
                *(sum(figure[key] for figure in group) for key in ("clear_flips", "flips", "decisions"))
            ),
        )
        for key, group in groups.items()
    ]
    of_e0 = [f"error/e0 {quantile:.0%}" for quantile in QUANTILES]
    last = ["max error/scale", "max error/limit", "least SNR dB", "least cosine", "gain", "clear flips / flips"]
    return table(["task", "output", "at", "width", "runs", *of_e0, *last], rows)


if __name__ == "__main__":
    main()
