"""Bound and fixed inputs and outputs, really run: on the CPU, by the same calls that serve a GPU."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from albert_export.runtimes import onnxruntime_runtime
from albert_export.runtimes.onnxruntime_binding import BoundRuns, CapturedRuns, DirectRuns, Runs
from albert_export.runtimes.onnxruntime_runtime import get_ready
from albert_export.runtimes.onnxruntime_sessions import Opened
from tests.runtimes.models import echo_model
from tests.runtimes.test_onnxruntime import CONFIG, QA, open_file

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
    found = get_ready(Opened(session, kind, 0, "", captured), onnxruntime, QA, CONFIG, "model.onnx")
    assert type(found.runs) is way
    assert found.sizes == {"batch": 2, "sequence": 3}


def test_two_runtimes_of_one_content_have_one_session_until_the_last_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As a build for GPUs that finds none: the session is made on the CPU, and shared as one on a GPU is.
    monkeypatch.setattr(onnxruntime_runtime, "cuda_missing", lambda _: None)
    model = echo_model(tmp_path / "model.onnx")
    first, second = (open_file(model, shared_as=("a",)) for _ in range(2))
    other = open_file(model, shared_as=("b",))
    assert first._session is second._session is not other._session
    first.close()
    ids = np.array([[1, 2]])
    np.testing.assert_array_equal(second.run(input_ids=ids)["start_logits"], ids)
    second.close()
    other.close()
    assert len(onnxruntime_runtime._sessions) == 0
    with open_file(model, device="cpu", shared_as=("a",)) as alone:
        assert len(onnxruntime_runtime._sessions) == 0 and alone.device == "cpu"
