"""One run of the benchmark: load, take turns, look at memory, compare with the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from albert_export.bench.contenders import ProcessContender
from albert_export.bench.measuring import take_turns
from albert_export.bench.report import Errors, Measured
from albert_export.bench.shapes import Shape
from albert_export.errors import AlbertExportError

Say = Callable[[str], None]


@dataclass(frozen=True)
class Comparison:
    """What is left to do when all else is measured.

    Attributes:
        of: Whose errors it gives, for the note that stands in their place where it fails.
        measure: Compares contenders that are still open with what is true; by name.
    """

    of: str
    measure: Callable[[Sequence[ProcessContender]], Mapping[str, Errors]]


@dataclass(frozen=True)
class Start:
    """How a contender begins.

    Attributes:
        start: Starts its process.
        facts: What it is, as JSON values; what its process tells is added.
        file_bytes: Size of its files.
    """

    start: Callable[[], ProcessContender]
    facts: Mapping[str, Any]
    file_bytes: int


def run(
    starts: Sequence[Start],
    shapes: Sequence[Shape],
    *,
    repeats: int,
    loads: int,
    seed: int = 0,
    comparisons: Sequence[Comparison] = (),
    loaded_with: Callable[[Mapping[str, Any]], None] = lambda _: None,
    say: Say = lambda _: None,
) -> tuple[tuple[Measured, ...], tuple[str, ...]]:
    """Measure contenders, each in processes of its own.

    Each is loaded in ``loads`` fresh processes, in turn; those of the last round go on together, one run at a time.

    Args:
        starts: The contenders, in the order of the tables.
        shapes: What is timed.
        repeats: Warm runs of each shape.
        loads: Fresh processes for each.
        seed: Of the orders in which they take turns.
        comparisons: Measure errors after everything else, so that they are in no figure of memory.
        loaded_with: Gets what a process tells of itself once it has loaded; what it raises ends the run.
        say: Gets lines of progress.

    Returns:
        Their figures, in the same order, and a note for each comparison that failed: it costs no other figure.
    """
    seconds: list[list[float]] = [[] for _ in starts]
    for number in range(1, loads):
        say(f"bench: load {number} of {loads}")
        for index, start in enumerate(starts):
            with start.start() as contender:
                told = contender.load()
                loaded_with(told["facts"])
                seconds[index].append(float(told["seconds"]))
    with ExitStack() as stack:
        say(f"bench: load {loads} of {loads}")
        contenders, loaded = [], []
        for index, start in enumerate(starts):
            contenders.append(stack.enter_context(start.start()))
            loaded.append(contenders[-1].load())
            loaded_with(loaded[-1]["facts"])
            seconds[index].append(float(loaded[-1]["seconds"]))
        times = take_turns(contenders, shapes, repeats, say, seed=seed)
        memory = [contender.memory() for contender in contenders]
        errors, notes = _compare(comparisons, contenders)
    measured = tuple(
        Measured(
            name=contender.name,
            facts={**start.facts, **told["facts"]},
            file_bytes=start.file_bytes,
            loads=tuple(each),
            idle_bytes=told["idle_bytes"],
            resident_bytes=told["resident_bytes"],
            peak_bytes=held["peak_bytes"],
            times=times[contender.name],
            errors=errors.get(contender.name),
        )
        for start, contender, told, held, each in zip(starts, contenders, loaded, memory, seconds, strict=True)
    )
    return measured, tuple(notes)


def _compare(
    comparisons: Sequence[Comparison], contenders: Sequence[ProcessContender]
) -> tuple[dict[str, Errors], list[str]]:
    errors: dict[str, Errors] = {}
    notes: list[str] = []
    for comparison in comparisons:
        try:
            errors |= comparison.measure(contenders)
        except Exception as error:  # noqa: BLE001  whatever it is, it must not cost the minutes before it
            kind = "" if isinstance(error, AlbertExportError) else f"{type(error).__name__}: "
            notes.append(f"no error of {comparison.of}: {kind}{' '.join(str(error).split())}".rstrip(": "))
    return errors, notes
