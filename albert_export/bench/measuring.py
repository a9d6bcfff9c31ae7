"""Who runs when: contenders take turns, so that what else the machine does meets all of them alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from albert_export.bench.shapes import Shape


class Contender(Protocol):
    """What takes turns."""

    @property
    def name(self) -> str:
        """What it is called in every table."""

    def takes(self, shape: Shape) -> bool:
        """Whether it can run the shape."""

    def first(self, shape: Shape) -> float:
        """Run the shape for the first time; return seconds."""

    def turn(self) -> float:
        """Run the last shape again, warm; return seconds of one run."""


@dataclass(frozen=True)
class Times:
    """What one contender took for one shape.

    Attributes:
        first: Seconds of the first run, which may allocate and compile.
        runs: Seconds of each of the warm runs.
    """

    first: float
    runs: tuple[float, ...]

    @property
    def least(self) -> float:
        """The least of the warm runs, in seconds: what other programs add is never negative."""
        return min(self.runs)

    @property
    def median(self) -> float:
        """The median of the warm runs, in seconds: what ratios are made of."""
        return statistics.median(self.runs)


def take_turns(
    contenders: Sequence[Contender],
    shapes: Sequence[Shape],
    repeats: int,
    say: Callable[[str], None] = lambda _: None,
    *,
    seed: int = 0,
) -> dict[str, dict[str, Times]]:
    """Time every contender at every shape that it takes, one run of each in turn.

    Each round has an order of its own, drawn by chance: what one leaves behind, in caches or as heat, meets all alike.

    Args:
        contenders: Of different names.
        shapes: In this order.
        repeats: Rounds of each shape, at least 1.
        say: Gets a line of progress for each shape.
        seed: Of the orders.

    Returns:
        Name of the contender -> name of the shape -> times; shapes that it does not take are absent.
    """
    times: dict[str, dict[str, Times]] = {contender.name: {} for contender in contenders}
    generator = np.random.default_rng(seed)
    for shape in shapes:
        running = [contender for contender in contenders if contender.takes(shape)]
        say(f"bench: {shape.name}, {repeats} rounds of {len(running)}")
        firsts = [contender.first(shape) for contender in running]
        runs: list[list[float]] = [[] for _ in running]
        for _ in range(repeats):
            for place in generator.permutation(len(running)):
                runs[place].append(running[place].turn())
        for contender, first, each in zip(running, firsts, runs, strict=True):
            times[contender.name][shape.name] = Times(first, tuple(each))
    return times
