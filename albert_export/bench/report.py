"""What was measured, as JSON values and as tables."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import Any

from albert_export._machine import describe_machine
from albert_export._text import table
from albert_export._version import __version__
from albert_export.bench.measuring import Times
from albert_export.bench.shapes import Shape
from albert_export.errors import InputError, UnknownNameError

_NOTHING = "-"


@dataclass(frozen=True)
class Errors:
    """How far a model lies from the float64 oracle at real tokens, over all shapes that it takes.

    Attributes:
        largest: Output name -> max |model - oracle|; infinite where the model gave a number that is not finite.
        snr_db: Output name -> signal-to-noise ratio in dB; None where the inputs change nothing: no signal.
        eager: Output name -> max |PyTorch in float32 - oracle| on the same inputs.
    """

    largest: Mapping[str, float]
    snr_db: Mapping[str, float | None]
    eager: Mapping[str, float]


@dataclass(frozen=True)
class Measured:
    """One contender's figures.

    Attributes:
        name: What it is called.
        facts: What it is, as JSON values: target, precision, device, versions …
        file_bytes: Size of its files.
        loads: Seconds to load it, one for each fresh process.
        idle_bytes: Resident memory before it was loaded, its runtime imported.
        resident_bytes: Resident memory after.
        peak_bytes: The most that the process ever held, all runs included.
        times: Name of the shape -> times; shapes that it does not take are absent.
        errors: Its distance from the oracle, or None where that was not measured.
    """

    name: str
    facts: Mapping[str, Any]
    file_bytes: int
    loads: tuple[float, ...]
    idle_bytes: int
    resident_bytes: int
    peak_bytes: int
    times: Mapping[str, Times]
    errors: Errors | None = None


@dataclass(frozen=True)
class BenchReport:
    """All figures of one run.

    Attributes:
        shapes: What was timed.
        measured: The contenders, in the order in which they were named.
        baseline: Name of the one that ratios are to.
        options: What the run was told, as JSON values.
        notes: What a reader has to know, in words.
    """

    shapes: tuple[Shape, ...]
    measured: tuple[Measured, ...]
    baseline: str
    options: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=lambda: describe_environment())

    def ratio(self, name: str, shape: str) -> float | None:
        """Return a contender's median over the baseline's: below 1 is faster; None where either was not timed."""
        ours, theirs = self._of(name).times.get(shape), self._of(self.baseline).times.get(shape)
        return None if ours is None or theirs is None else ours.median / theirs.median

    def speed(self, name: str) -> float | None:
        """Return how many times as fast as the baseline a contender is: the geometric mean over the shapes of both."""
        ratios = [ratio for shape in self.shapes if (ratio := self.ratio(name, shape.name)) is not None]
        return math.exp(-math.fsum(map(math.log, ratios)) / len(ratios)) if ratios else None

    def _of(self, name: str) -> Measured:
        return next(each for each in self.measured if each.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values; times in seconds, memory and sizes in bytes."""
        return {
            "environment": dict(self.environment),
            "options": dict(self.options),
            "shapes": [{"name": shape.name, **asdict(shape)} for shape in self.shapes],
            "baseline": self.baseline,
            "notes": list(self.notes),
            "artifacts": [self._fields(each) for each in self.measured],
        }

    def _fields(self, each: Measured) -> dict[str, Any]:
        return {
            "name": each.name,
            **each.facts,
            "file_bytes": each.file_bytes,
            "load_seconds": list(each.loads),
            "memory": {
                "idle_bytes": each.idle_bytes,
                "resident_bytes": each.resident_bytes,
                "peak_bytes": each.peak_bytes,
            },
            "latency": {
                shape: {
                    "first_seconds": times.first,
                    "least_seconds": times.least,
                    "median_seconds": times.median,
                    "ratio": self.ratio(each.name, shape),
                    "runs_seconds": list(times.runs),
                }
                for shape, times in each.times.items()
            },
            "speed": self.speed(each.name),
            "error": None if each.errors is None else asdict(each.errors),
        }

    def render(self) -> str:
        """Return the tables for a person, and the notes."""
        lines = [table(map(self._costs, self.measured), header=_COSTS), "", table(self._latencies(), header=_LATENCIES)]
        lines += ["", *(f"note: {note}" for note in self.notes)] if self.notes else []
        return "\n".join(lines)

    def _costs(self, each: Measured) -> list[str]:
        speed = self.speed(each.name)
        ratios = [] if each.errors is None else [ratio for ratio in each.errors.snr_db.values() if ratio is not None]
        return [
            each.name,
            f"{each.file_bytes / 1e6:.1f}",
            f"{min(each.loads):.3f}",
            *(f"{size / 1e6:.0f}" for size in (each.idle_bytes, each.resident_bytes, each.peak_bytes)),
            _NOTHING if each.errors is None else f"{max(each.errors.largest.values()):.1e}",
            f"{min(ratios):.0f}" if ratios else _NOTHING,
            _NOTHING if speed is None else f"{speed:.2f}",
        ]

    def _latencies(self) -> list[list[str]]:
        rows = []
        for shape in self.shapes:
            for each in self.measured:
                times = each.times.get(shape.name)
                if times is None:
                    rows.append([shape.name, each.name, *[_NOTHING] * 3])
                    continue
                ratio = self.ratio(each.name, shape.name)
                told = _NOTHING if ratio is None else f"{ratio:.2f}"
                rows.append([shape.name, each.name, f"{1e3 * times.least:.2f}", f"{1e3 * times.median:.2f}", told])
        return rows


_COSTS = ("", "file MB", "load s", "idle MB", "resident MB", "peak MB", "error", "SNR dB", "speed")
_LATENCIES = ("shape", "", "least ms", "median ms", "ratio")


def check_baseline(baseline: str | None, names: Sequence[str], timed: Sequence[str]) -> str:
    """Return the baseline, by default the first that is timed.

    Args:
        baseline: The name that was given, or None.
        names: Of all contenders.
        timed: Those of them that take one of the shapes, at least one.

    Raises:
        UnknownNameError: It is none of the names.
        InputError: It is not timed.
    """
    if baseline is None:
        return timed[0]
    chosen = PurePath(baseline).as_posix()  # as in the table: without ./, backslashes, doubled strokes
    if chosen not in names:
        raise UnknownNameError("baseline", baseline, names)
    if chosen not in timed:
        raise InputError(
            "a baseline must take one of the shapes", received=chosen, fix=f"name {' or '.join(timed)}, or add a shape"
        )
    return chosen


def describe_environment() -> dict[str, Any]:
    """Say what the figures were measured on and with, as JSON values."""
    machine = asdict(describe_machine())
    return {"albert-export": __version__, "python": platform.python_version(), "machine": machine}
