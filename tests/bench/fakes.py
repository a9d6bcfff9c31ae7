"""Contenders without a model, on a clock that only they move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from albert_export.bench.measuring import Times
from albert_export.bench.report import BenchReport, Errors, Measured
from albert_export.bench.shapes import Shape


@dataclass
class Clock:
    """Seconds, and who ran when: (name, shape), the shape None for a turn."""

    now: float = 0.0
    log: list[tuple[str, str | None]] = field(default_factory=list)


@dataclass
class FakeContender:
    """Takes ``cost`` seconds for a turn, and ten times as long for the first run."""

    name: str
    clock: Clock
    cost: Callable[[float], float]
    takes: Callable[[Shape], bool] = lambda _: True

    def first(self, shape: Shape) -> float:
        return self._run(shape.name, 10)

    def turn(self) -> float:
        return self._run(None, 1)

    def _run(self, shape: str | None, factor: float) -> float:
        start = self.clock.now
        self.clock.log.append((self.name, shape))
        self.clock.now += factor * self.cost(start)
        return self.clock.now - start


def measured(
    name: str, times: dict[str, tuple[float, ...]], error: float | None = None, target: str = "onnx"
) -> Measured:
    """Figures of a contender of these warm runs."""
    return Measured(
        name=name,
        facts={"target": target},
        file_bytes=11_700_000,
        loads=(0.3, 0.2, 0.4),
        idle_bytes=50_000_000,
        resident_bytes=90_000_000,
        peak_bytes=120_000_000,
        times={shape: Times(1.0, runs) for shape, runs in times.items()},
        errors=None if error is None else Errors({"logits": error}, {"logits": 40.0}, {"logits": 1e-7}),
    )


def report(*each: Measured, shapes: tuple[Shape, ...], notes: tuple[str, ...] = ()) -> BenchReport:
    """A report whose baseline is the first."""
    return BenchReport(shapes, each, each[0].name, {"repeats": 3}, notes, {"python": "3.11"})
