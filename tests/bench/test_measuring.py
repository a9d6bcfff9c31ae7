"""Who runs when, on a clock that only the contenders move."""

from __future__ import annotations

import pytest

from albert_export.bench.measuring import Times, take_turns
from albert_export.bench.shapes import Shape
from tests.bench.fakes import Clock, FakeContender

A, B = Shape(1, 16), Shape(8, 128, True)


def test_contenders_take_turns_and_each_round_begins_with_another() -> None:
    clock = Clock()
    contenders = [FakeContender(name, clock, lambda _: 1.0) for name in "xyz"]
    take_turns(contenders, [A], 4)
    firsts, turns = clock.log[:3], [name for name, _ in clock.log[3:]]
    assert firsts == [("x", "1x16"), ("y", "1x16"), ("z", "1x16")]
    assert "".join(turns) == "xyzyzxzxyxyz"


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
