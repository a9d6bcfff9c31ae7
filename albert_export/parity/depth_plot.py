"""Error against depth: as bars of text, and as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from albert_export._imports import require
from albert_export.errors import InputError
from albert_export.parity.report import ArtifactResult, DepthPoint, ParityReport

_FORMS = (".png", ".svg", ".pdf")
#: Characters of the longest bar.
_BAR = 40
#: An error of 0 has no place on a logarithmic axis; it is drawn here.
_LEAST = 1e-12


def check_plot(path: Path) -> None:
    """Check, before anything is run, that a picture can be drawn.

    Raises:
        InputError: The name does not end in the name of a form.
        MissingDependencyError: matplotlib is not installed.
    """
    if path.suffix.lower() not in _FORMS:
        raise InputError(f"a picture must be one of {', '.join(_FORMS)}", received=str(path), fix="name it depth.svg")
    require("matplotlib", needed_for="drawing a picture", extra="plot")


def bars(depth: Sequence[DepthPoint]) -> list[str]:
    """Return a line for each layer: RMS of the error and of the noise, and how far the one is above the other."""
    ratios = [math.log10(max(point.error, _LEAST) / max(point.noise, _LEAST)) for point in depth]
    longest = max([1.0, *(ratio for ratio in ratios if math.isfinite(ratio))])
    lines = []
    for point, ratio in zip(depth, ratios, strict=True):
        name = f"layer {point.layer}" if point.layer else "embeddings"
        length = _BAR if not math.isfinite(ratio) else max(0, round(_BAR * ratio / longest))
        lines.append(f"{name:<10}  error {point.error:.1e}  noise {point.noise:.1e}  {'#' * length}".rstrip())
    return lines


def draw(report: ParityReport, path: Path) -> bool:
    """Write the picture of all artifacts that were explained; its form is that of the name.

    Returns:
        Whether there was anything to draw; nothing is written where no artifact missed.
    """
    explained = [artifact for artifact in report.artifacts if artifact.depth]
    if not explained:
        return False
    # Not pyplot, which would keep the figure and might look for a screen.
    figure_module = require("matplotlib.figure", needed_for="drawing a picture", extra="plot")
    figure = figure_module.Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for number, artifact in enumerate(explained):
        layers, errors, noises = _columns(artifact)
        axes.plot(layers, errors, "o-", color=f"C{number % 10}", label=artifact.file)
        axes.plot(layers, noises, "--", color=f"C{number % 10}", label=f"{artifact.file}: float32 noise")
    axes.set_yscale("log")
    axes.set(title="error against depth", xlabel="layers applied", ylabel="RMS of the error of the hidden state")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small")
    figure.savefig(path, dpi=120)
    return True


def _columns(artifact: ArtifactResult) -> tuple[list[int], list[float], list[float]]:
    shown = [point for point in artifact.depth if math.isfinite(point.error)]
    return (
        [point.layer for point in shown],
        [max(point.error, _LEAST) for point in shown],
        [max(point.noise, _LEAST) for point in shown],
    )
