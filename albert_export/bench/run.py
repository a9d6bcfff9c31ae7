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

Say = Callable[[str], None]
#: Compares contenders that are still open with what is true; by name.
Compare = Callable[[Sequence[ProcessContender]], Mapping[str, Errors]]


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
    compare: Compare | None = None,
    say: Say = lambda _: None,
) -> tuple[Measured, ...]:
    """Measure contenders, each in processes of its own.

    Each is loaded in ``loads`` fresh processes, in turn; those of the last round go on together, one run at a time.

    Args:
        starts: The contenders, in the order of the tables.
        shapes: What is timed.
        repeats: Warm runs of each shape.
        loads: Fresh processes for each.
        compare: Measures errors after everything else, so that they are in no figure of memory.
        say: Gets lines of progress.

    Returns:
        Their figures, in the same order.
    """
    seconds: list[list[float]] = [[] for _ in starts]
    for number in range(1, loads):
        say(f"bench: load {number} of {loads}")
        for index, start in enumerate(starts):
            with start.start() as contender:
                seconds[index].append(float(contender.load()["seconds"]))
    with ExitStack() as stack:
        say(f"bench: load {loads} of {loads}")
        contenders, loaded = [], []
        for index, start in enumerate(starts):
            contenders.append(stack.enter_context(start.start()))
            loaded.append(contenders[-1].load())
            seconds[index].append(float(loaded[-1]["seconds"]))
        times = take_turns(contenders, shapes, repeats, say)
        memory = [contender.memory() for contender in contenders]
        errors = {} if compare is None else compare(contenders)
    return tuple(
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
