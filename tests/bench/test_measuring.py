"""Who runs when, on a clock that only the contenders move."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from albert_export.bench.measuring import Times, take_turns
from albert_export.bench.shapes import Shape
from tests.bench.fakes import Clock, FakeContender

A, B = Shape(1, 16), Shape(8, 128, True)


def order_of(names: str, rounds: int, seed: int = 0) -> list[str]:
    """The rounds, each as the names in their order."""
    clock = Clock()
    take_turns([FakeContender(name, clock, lambda _: 1.0) for name in names], [A], rounds, seed=seed)
    assert clock.log[: len(names)] == [(name, "1x16") for name in names]
    turns = "".join(name for name, _ in clock.log[len(names) :])
    return [turns[start : start + len(names)] for start in range(0, len(turns), len(names))]


def test_every_round_has_each_contender_once_in_an_order_of_its_own() -> None:
    rounds = order_of("wxyz", 50)
    assert len(rounds) == 50 and {"".join(sorted(each)) for each in rounds} == {"wxyz"}
    assert len(set(rounds)) > 15, "of 24 orders"
    assert rounds == order_of("wxyz", 50)
    assert rounds != order_of("wxyz", 50, seed=1)


def test_no_contender_follows_another_one_more_often_than_the_others() -> None:
    """In a fixed circle, whoever stands behind the one that empties the caches would look slow."""
    rounds = 600
    turns = "".join(order_of("wxyz", rounds))
    followed = Counter(pairwise(turns))
    for one in "wxyz":
        for other in set("wxyz") - {one}:
            # Three of the twelve pairs are neighbours in a round, and one of sixteen at the border of two.
            assert followed[other, one] == pytest.approx(rounds * (1 / 4 + 1 / 16), rel=0.2)
        assert followed[one, one] < rounds / 8


def test_a_shape_is_done_before_the_next_begins() -> None:
    clock = Clock()
    contenders = [FakeContender(name, clock, lambda _: 1.0) for name in "xy"]
    times = take_turns(contenders, [A, B], 2)
    assert [shape for _, shape in clock.log] == ["1x16"] * 2 + [None] * 4 + ["8x128p"] * 2 + [None] * 4
    assert list(times["x"]) == ["1x16", "8x128p"]


def test_what_slows_the_machine_meets_all_alike() -> None:
    """A machine that slows down while it runs: one after the other, the second would look half as fast."""
    clock = Clock()
    contenders = [FakeContender(name, clock, lambda now: 1.0 + now / 1000) for name in "xy"]
    times = take_turns(contenders, [A], 100)
    ratio = times["y"]["1x16"].median / times["x"]["1x16"].median
    assert ratio == pytest.approx(1.0, abs=0.02)


def test_figures_are_of_the_warm_runs_alone() -> None:
    clock = Clock()
    slow, fast = FakeContender("slow", clock, lambda _: 3.0), FakeContender("fast", clock, lambda _: 1.0)
    times = take_turns([slow, fast], [A], 3)
    assert times["slow"]["1x16"] == Times(30.0, (3.0, 3.0, 3.0))
    assert (times["fast"]["1x16"].least, times["fast"]["1x16"].median) == (1.0, 1.0)


def test_a_shape_that_a_contender_does_not_take_is_left_out() -> None:
    clock = Clock()
    fixed = FakeContender("fixed", clock, lambda _: 1.0, takes=lambda shape: shape == A)
    free = FakeContender("free", clock, lambda _: 1.0)
    said: list[str] = []
    times = take_turns([fixed, free], [A, B], 1, said.append)
    assert list(times["fixed"]) == ["1x16"]
    assert list(times["free"]) == ["1x16", "8x128p"]
    assert said == ["bench: 1x16, 1 rounds of 2", "bench: 8x128p, 1 rounds of 1"]
