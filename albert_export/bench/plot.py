"""The picture: latency against length, and error against speed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from albert_export._imports import require
from albert_export.bench.report import BenchReport
from albert_export.errors import InputError

_FORMS = (".png", ".svg", ".pdf")
#: An error of 0 has no place on a logarithmic axis; it is drawn here.
_LEAST_ERROR = 1e-9


def check_plot(path: Path) -> None:
    """Check, before anything is measured, that a picture can be drawn.

    Raises:
        InputError: The name does not end in the name of a form.
        MissingDependencyError: matplotlib is not installed.
    """
    if path.suffix.lower() not in _FORMS:
        raise InputError(f"a picture must be one of {', '.join(_FORMS)}", received=str(path), fix="name it bench.png")
    require("matplotlib", needed_for="drawing a picture", extra="plot")


def draw(report: BenchReport, path: Path) -> None:
    """Write the picture of a report; its form is that of the name.

    Left, the median against the sequence length: a line for each artifact and batch, dashed where rows are padded.
    Right, the largest error against the speed, both of all shapes.
    """
    # Not pyplot, which would keep the figure and might look for a screen.
    figure_module = require("matplotlib.figure", needed_for="drawing a picture", extra="plot")
    figure = figure_module.Figure(figsize=(12, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = {each.name: f"C{index % 10}" for index, each in enumerate(report.measured)}
    _draw_latencies(report, left, colours)
    _draw_errors(report, right, colours)
    figure.savefig(path, dpi=120)


def _draw_latencies(report: BenchReport, axes: Any, colours: dict[str, str]) -> None:
    lines = dict.fromkeys((shape.batch, shape.padded) for shape in report.shapes)
    batches = list(dict.fromkeys(batch for batch, _ in lines))
    for each in report.measured:
        for batch, padded in lines:
            points = sorted(
                (shape.sequence, 1e3 * each.times[shape.name].median)
                for shape in report.shapes
                if (shape.batch, shape.padded) == (batch, padded) and shape.name in each.times
            )
            if points:
                axes.plot(
                    *zip(*points, strict=True),
                    color=colours[each.name],
                    linestyle="--" if padded else "-",
                    marker="osD^v<>ph*"[batches.index(batch) % 10],
                    label=f"{each.name}, {batch} row{'s' if batch > 1 else ''}{', padded' if padded else ''}",
                )
    lengths = sorted({shape.sequence for shape in report.shapes})
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.set_yscale("log")
    axes.set(title="latency", xlabel="tokens of a row", ylabel="median, ms")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small")


def _draw_errors(report: BenchReport, axes: Any, colours: dict[str, str]) -> None:
    axes.set(title="error against speed", xlabel=f"speed, {report.baseline} = 1", ylabel="largest error")
    drawn = 0
    for each in report.measured:
        speed = report.speed(each.name)
        if each.errors is not None and speed is not None:
            error = max(_LEAST_ERROR, *each.errors.largest.values())
            if math.isfinite(error):
                axes.plot(speed, error, "o", color=colours[each.name], label=each.name)
            else:  # it has no place on the axis, and stands in the legend
                axes.plot([], [], "x", color=colours[each.name], label=f"{each.name}: infinite")
            drawn += 1
    if not drawn:
        axes.text(0.5, 0.5, "nothing to compare", ha="center", va="center", transform=axes.transAxes)
        return
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small")
