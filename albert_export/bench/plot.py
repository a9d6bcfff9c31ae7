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
    Right, the largest error against the speed, both of all shapes. A colour is an artifact in both.
    """
    # Not pyplot, which would keep the figure and might look for a screen.
    figure_module = require("matplotlib.figure", needed_for="drawing a picture", extra="plot")
    lines = require("matplotlib.lines", needed_for="drawing a picture", extra="plot")
    count = len(report.measured)
    figure = figure_module.Figure(figsize=(14, max(5, 1 + 0.2 * count)), layout="constrained")
    left, right = figure.subplots(1, 2)
    colours = dict(zip((each.name for each in report.measured), _colours(count), strict=True))
    _draw_latencies(report, left, colours, lines)
    infinite = _draw_errors(report, right, colours)
    handles = [
        lines.Line2D(
            [], [], color=colours[name], marker="o", label=f"{name} (infinite error)" if name in infinite else name
        )
        for name in colours
    ]
    # Beside the axes: they shrink to nothing under a legend of many artifacts.
    figure.legend(handles=handles, loc="outside right upper", fontsize="small")
    figure.savefig(path, dpi=120)


def _colours(count: int) -> list[Any]:
    """Return so many colours, no two alike up to twenty."""
    colormaps = require("matplotlib", needed_for="drawing a picture", extra="plot").colormaps
    return [
        colormaps["tab10" if count <= 10 else "tab20"](index % (10 if count <= 10 else 20)) for index in range(count)
    ]


def _draw_latencies(report: BenchReport, axes: Any, colours: dict[str, Any], lines: Any) -> None:
    kinds = dict.fromkeys((shape.batch, shape.padded) for shape in report.shapes)
    batches = list(dict.fromkeys(batch for batch, _ in kinds))
    styles = {
        (batch, padded): {
            "linestyle": "--" if padded else "-",
            "marker": "osD^v<>ph*"[batches.index(batch) % 10],
            "fillstyle": "none" if padded else "full",
        }
        for batch, padded in kinds
    }
    for each in report.measured:
        for kind, style in styles.items():
            points = sorted(
                (shape.sequence, 1e3 * each.times[shape.name].median)
                for shape in report.shapes
                if (shape.batch, shape.padded) == kind and shape.name in each.times
            )
            if points:
                axes.plot(*zip(*points, strict=True), color=colours[each.name], **style)
    lengths = sorted({shape.sequence for shape in report.shapes})
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [str(length) for length in lengths])
    axes.set_yscale("log")
    axes.set(title="latency", xlabel="tokens of a row", ylabel="median, ms")
    axes.grid(alpha=0.3)
    handles = [
        lines.Line2D(
            [],
            [],
            color="grey",
            label=f"{batch} row{'s' if batch > 1 else ''}{', half of them padding' if padded else ''}",
            **style,
        )
        for (batch, padded), style in styles.items()
    ]
    axes.legend(handles=handles, fontsize="small")


def _draw_errors(report: BenchReport, axes: Any, colours: dict[str, Any]) -> list[str]:
    """Draw a point for each artifact; return the names of those whose error is infinite and has no place."""
    axes.set(title="error against speed", xlabel=f"speed, {report.baseline} = 1", ylabel="largest error")
    drawn, infinite = 0, []
    for each in report.measured:
        speed = report.speed(each.name)
        if each.errors is not None and speed is not None:
            error = max(_LEAST_ERROR, *each.errors.largest.values())
            if math.isfinite(error):
                axes.plot(speed, error, "o", color=colours[each.name])
            else:
                infinite.append(each.name)
            drawn += 1
    if not drawn:
        axes.text(0.5, 0.5, "nothing to compare", ha="center", va="center", transform=axes.transAxes)
        return infinite
    axes.set_yscale("log")
    axes.grid(alpha=0.3)
    return infinite
