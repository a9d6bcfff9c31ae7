"""One run: what is asked of whom, and what a failure at its end costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from albert_export.bench import bundles
from albert_export.bench.contenders import ProcessContender
from albert_export.bench.report import Errors
from albert_export.bench.run import Comparison, Start, run
from albert_export.bench.shapes import Shape
from albert_export.errors import CheckpointError, InputError
from albert_export.targets import get_target
from tests.bench.fakes import Clock, FakeContender

A = Shape(1, 16)


class Loading(FakeContender):
    """A contender that loads as well."""

    def load(self) -> dict[str, Any]:
        return {"seconds": 0.5, "idle_bytes": 1, "resident_bytes": 2, "facts": {"device": f"{self.name}'s"}}

    def memory(self) -> dict[str, Any]:
        return {"resident_bytes": 2, "peak_bytes": 3}

    def __enter__(self) -> Loading:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def starts() -> list[Start]:
    clock = Clock()
    made = [Loading(name, clock, lambda _: 1.0) for name in "xy"]
    return [Start(lambda each=each: each, {"file": each.name}, 10) for each in made]  # type: ignore[misc]


def test_what_fails_at_the_end_costs_nothing_else() -> None:
    def found(contenders: Sequence[ProcessContender]) -> Mapping[str, Errors]:
        return {"y": Errors({"logits": 1e-6}, {"logits": 40.0}, {"logits": 1e-7})}

    def without_memory(contenders: Sequence[ProcessContender]) -> Mapping[str, Errors]:
        raise MemoryError

    def of_the_user(contenders: Sequence[ProcessContender]) -> Mapping[str, Errors]:
        raise CheckpointError("a checkpoint must be whole", received="a\nhalf")

    tried = [Comparison("one", without_memory), Comparison("two", found), Comparison("three", of_the_user)]
    measured, notes = run(starts(), [A], repeats=2, loads=2, comparisons=tried)
    assert notes == (
        "no error of one: MemoryError",
        "no error of three: a checkpoint must be whole; received a half",
    )
    assert [(each.name, len(each.loads), each.errors is None) for each in measured] == [("x", 2, True), ("y", 2, False)]
    assert measured[0].facts == {"file": "x", "device": "x's"}


def test_what_a_process_tells_of_itself_can_end_the_run() -> None:
    told: list[Mapping[str, Any]] = []

    def refuse(facts: Mapping[str, Any]) -> None:
        told.append(facts)
        raise InputError("enough")

    with pytest.raises(InputError, match="enough"):
        run(starts(), [A], repeats=1, loads=1, loaded_with=refuse)
    assert told == [{"device": "x's"}]


@pytest.mark.parametrize("device", ["tpu", "tpu:1"])
def test_a_tpu_is_not_shared(device: str) -> None:
    def entry(name: str, target: str) -> Any:
        return SimpleNamespace(name=name, runtime_row=get_target(target).own_runtime)

    one, other = entry("stablehlo/model.jax", "stablehlo"), entry("stablehlo/model_bf16.jax", "stablehlo")
    bundles._check_tpu([one, entry("onnx/model.onnx", "onnx")], device)
    bundles._check_tpu([one, other], "cuda")
    with pytest.raises(
        InputError, match=r"on a TPU.*received stablehlo/model.jax, stablehlo/model_bf16.jax; fix: name"
    ):
        bundles._check_tpu([one, other], device)
