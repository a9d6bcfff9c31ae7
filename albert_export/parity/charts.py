"""Charts of a report as SVG: errors by size, and error against depth. Colours are the page's, by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from albert_export.parity.report import DepthPoint, OutputResult

_WIDTH, _HEIGHT = 360, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 10, 22, 26
#: Most labels on an axis of decades.
_LABELS = 6


def error_histogram(output: OutputResult) -> str:
    """Return how many errors of an output are how large, beside the framework's noise and the limit."""
    errors = output.histogram
    ends = [2.0**errors.first, 2.0 ** (errors.first + len(errors.counts))]
    marks = [value for value in (output.e0, output.limit) if 0 < value < math.inf]
    across = _Scale(min(*ends, *marks), max(*ends, *marks), _LEFT, _WIDTH - _RIGHT)
    most = max(errors.counts)
    up = (_HEIGHT - _BOTTOM - _TOP) / most
    bars = []
    for place, count in enumerate(errors.counts):
        least = 2.0 ** (errors.first + place)
        left, right = across.at(least), across.at(2 * least)
        height = count * up
        told = f"{count:,} errors from {least:.1e} to {2 * least:.1e}"
        bars.append(
            f'<rect x="{left:.1f}" y="{_HEIGHT - _BOTTOM - height:.1f}" width="{max(1.0, right - left - 1):.1f}" '
            f'height="{height:.1f}"><title>{told}</title></rect>'
        )
    lines = [
        _vertical(across.at(value), name, word)
        for value, name, word in ((output.e0, "noise", "e0"), (output.limit, "limit", "limit"))
        if value in marks
    ]
    told = (
        f"Errors of {output.output}: {sum(errors.counts):,} from {ends[0]:.1e} to {ends[1]:.1e}, "
        f"{errors.zeros:,} zeros; noise e0 {output.e0:.1e}, limit {output.limit:.1e}"
    )
    body = f'<g class="bars">{"".join(bars)}</g>{"".join(lines)}{across.decades()}{_count_axis(most)}'
    return _svg(told, body)


def error_by_depth(layers: Sequence[DepthPoint]) -> str:
    """Return the error of the hidden states after each layer, and the framework's noise."""
    last = max(1, max(layer.layer for layer in layers))
    values = [value for layer in layers for value in (layer.error, layer.noise) if 0 < value < math.inf]
    if not values:
        return _svg("No error at any layer", f'<text x="{_LEFT}" y="{_HEIGHT / 2}">no error at any layer</text>')
    upwards = _Scale(min(values) / 1.5, max(values) * 1.5, _HEIGHT - _BOTTOM, _TOP)

    def x(layer: DepthPoint) -> float:
        return _LEFT + (_WIDTH - _RIGHT - _LEFT) * layer.layer / last

    def line(name: str) -> str:
        points = [(x(layer), getattr(layer, name)) for layer in layers]
        return " ".join(f"{left:.1f},{upwards.at(value):.1f}" for left, value in points if 0 < value < math.inf)

    dots = "".join(
        f'<circle cx="{x(layer):.1f}" cy="{upwards.at(layer.error):.1f}" r="3">'
        f"<title>{_place(layer)}: RMS error {layer.error:.2e}, noise {layer.noise:.2e}</title></circle>"
        for layer in layers
        if 0 < layer.error < math.inf
    )
    step = max(1, -(-last // 6))
    ticks = "".join(
        f'<text x="{_LEFT + (_WIDTH - _RIGHT - _LEFT) * layer / last:.1f}" y="{_HEIGHT - 8}" '
        f'text-anchor="middle">{layer}</text>'
        for layer in range(0, last + 1, step)
    )
    body = (
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_HEIGHT - _BOTTOM}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<polyline class="noise" points="{line("noise")}"/><polyline class="error" points="{line("error")}"/>'
        f"{dots}{ticks}{upwards.decades(vertical=True)}"
        f'<text class="error-name" x="{_LEFT}" y="12">RMS of the error</text>'
        f'<text class="noise-name" x="{_LEFT + 110}" y="12">of the noise</text>'
    )
    told = "; ".join(f"{_place(layer)}: error {layer.error:.1e}, noise {layer.noise:.1e}" for layer in layers)
    return _svg(f"Error against depth. {told}", body)


class _Scale:
    """A logarithmic axis from the lowest value to the highest, between two places."""

    def __init__(self, least: float, most: float, start: float, end: float) -> None:
        self._least = math.log10(least)
        self._span = max(math.log10(most) - self._least, 1e-9)
        self._start, self._end = start, end

    def at(self, value: float) -> float:
        """Return the place of a value."""
        return self._start + (self._end - self._start) * (math.log10(value) - self._least) / self._span

    def decades(self, *, vertical: bool = False) -> str:
        """Return labels at powers of ten; at both ends where there is none between them."""
        first, last = math.ceil(self._least), math.floor(self._least + self._span)
        powers = list(range(first, last + 1, max(1, -(-(last - first) // (_LABELS - 1)))))
        drawn = []
        for power in powers:
            place = self.at(10.0**power)
            if vertical:
                drawn.append(f'<text x="{_LEFT - 6}" y="{place + 4:.1f}" text-anchor="end">1e{power}</text>')
            else:
                drawn.append(f'<text x="{place:.1f}" y="{_HEIGHT - 8}" text-anchor="middle">1e{power}</text>')
        return "".join(drawn)


def _place(layer: DepthPoint) -> str:
    return f"after layer {layer.layer}" if layer.layer else "embeddings"


def _vertical(x: float, name: str, word: str) -> str:
    anchor, shift = ("end", -4) if x > _WIDTH - 60 else ("start", 4)
    top = 10 if name == "limit" else 20
    return (
        f'<line class="{name}" x1="{x:.1f}" x2="{x:.1f}" y1="{top - 6}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text class="{name}-name" x="{x + shift:.1f}" y="{top}" text-anchor="{anchor}">{word}</text>'
    )


def _count_axis(most: int) -> str:
    return (
        f'<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{_HEIGHT - _BOTTOM}" y2="{_HEIGHT - _BOTTOM}"/>'
        f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{_short(most)}</text>'
        f'<text x="{_LEFT - 6}" y="{_HEIGHT - _BOTTOM}" text-anchor="end">0</text>'
    )


def _short(count: int) -> str:
    """``12345`` -> ``12k``."""
    for unit, name in ((10**6, "M"), (10**3, "k")):
        if count >= unit:
            return f"{count / unit:.0f}{name}"
    return str(count)


def _svg(told: str, body: str) -> str:
    label = escape(told, quote=True)
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{label}">{body}</svg>'
