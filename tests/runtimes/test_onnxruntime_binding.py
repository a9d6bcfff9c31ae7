"""Bound and fixed inputs and outputs, really run: on the CPU, by the same calls that serve a GPU."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from albert_export.runtimes.onnxruntime_binding import BoundRuns, CapturedRuns, DirectRuns, Runs
from albert_export.runtimes.onnxruntime_runtime import get_ready
from albert_export.runtimes.onnxruntime_sessions import Opened
from tests.runtimes.models import echo_model
from tests.runtimes.test_onnxruntime import CONFIG, QA

SIZES = (2, 3)


def ready(path: Path, kind: str) -> Runs:
    """Run the echo model of one shape in one of the ways."""
    model = echo_model(path / "model.onnx", axes=SIZES)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    names = [spec.name for spec in QA.outputs]
    if kind == "direct":
        return DirectRuns(session, names)
    if kind == "bound":
        return BoundRuns(session, names, "cpu", 0)
    shapes = {spec.name: SIZES for spec in (*QA.inputs, *QA.outputs)}
    return CapturedRuns(session, onnxruntime, QA.inputs, QA.outputs, shapes, "cpu", 0)


def feed(seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {spec.name: generator.integers(0, 2, SIZES) for spec in QA.inputs}


@pytest.mark.parametrize("kind", ["direct", "bound", "captured"])
def test_every_way_gives_the_outputs_in_order(tmp_path: Path, kind: str) -> None:
    runs = ready(tmp_path, kind)
    first_inputs, second_inputs = feed(1), feed(2)
    first = runs(first_inputs)
    kept = [array.copy() for array in first]
    second = runs(second_inputs)
    for inputs, outputs in ((first_inputs, first), (second_inputs, second)):
        np.testing.assert_array_equal(outputs[0], inputs["input_ids"] * inputs["attention_mask"])
        np.testing.assert_array_equal(outputs[1], inputs["token_type_ids"] + 2 * inputs["attention_mask"])
    for before, after in zip(kept, first, strict=True):
        np.testing.assert_array_equal(before, after, "a later run must not write into what a caller has")
    first[0] += 1


@pytest.mark.parametrize("kind", ["bound", "captured"])
def test_threads_do_not_mix_their_runs(tmp_path: Path, kind: str) -> None:
    runs = ready(tmp_path, kind)

    def work(seed: int) -> bool:
        inputs = feed(seed)
        expected = inputs["input_ids"] * inputs["attention_mask"]
        return all(np.array_equal(runs(inputs)[0], expected) for _ in range(50))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))


@pytest.mark.parametrize(
    ("kind", "captured", "way"), [("cpu", False, DirectRuns), ("cuda", False, BoundRuns), ("cpu", True, CapturedRuns)]
)
def test_the_way_follows_from_where_it_runs(tmp_path: Path, kind: str, captured: bool, way: type[Runs]) -> None:
    model = echo_model(tmp_path / "model.onnx", axes=SIZES)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    found = get_ready(Opened(session, kind, 0, captured), onnxruntime, QA, CONFIG, "model.onnx")
    assert type(found.runs) is way
    assert found.sizes == {"batch": 2, "sequence": 3}


class Watched:
    """A session that notes which threads run it, and may fail."""

    def __init__(self, real: Any, fails: bool = False) -> None:
        self._real, self._fails = real, fails
        self.threads: list[int] = []

    def run_with_iobinding(self, binding: Any) -> None:
        self.threads.append(threading.get_ident())
        if self._fails:
            raise RuntimeError("CUDA failure 900: operation not permitted when stream is capturing")
        self._real.run_with_iobinding(binding)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def watched(path: Path, *, fails: bool = False) -> tuple[Watched, Callable[[], CapturedRuns]]:
    model = echo_model(path / "model.onnx", axes=SIZES)
    session = Watched(onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"]), fails)
    shapes = {spec.name: SIZES for spec in (*QA.inputs, *QA.outputs)}
    return session, lambda: CapturedRuns(session, onnxruntime, QA.inputs, QA.outputs, shapes, "cpu", 0)


def test_captured_runs_are_those_of_one_thread_from_the_capture_on(tmp_path: Path) -> None:
    # ONNX Runtime captures a graph of its own for each thread that runs a session.
    session, make = watched(tmp_path)
    runs = make()
    assert len(session.threads) == 1, "the capture is at opening"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda seed: runs(feed(seed)), range(16)))
    assert len(session.threads) == 17 and len(set(session.threads)) == 1
    assert session.threads[0] != threading.get_ident()


def test_a_capture_that_fails_is_told_at_opening(tmp_path: Path) -> None:
    _, make = watched(tmp_path, fails=True)
    with pytest.raises(RuntimeError, match="stream is capturing"):
        make()


def test_captured_runs_that_nobody_has_hold_no_session_and_no_thread(tmp_path: Path) -> None:
    session, make = watched(tmp_path)
    runs = make()
    runs(feed(1))
    (thread,) = runs._thread._threads
    gone = weakref.ref(session)
    del session, make, runs
    thread.join(10)
    assert not thread.is_alive() and gone() is None
