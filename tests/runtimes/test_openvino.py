"""ONNX and TFLite artifacts in OpenVINO: equal to the eager model, in the arithmetic that they are told."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest

from albert_export._openvino import unreported
from albert_export.bundle import Bundle
from albert_export.checkpoints import open_checkpoint
from albert_export.errors import (
    AlbertExportError,
    BundleError,
    DeviceError,
    InputError,
    MissingDependencyError,
)
from albert_export.exporting import export
from albert_export.parity import check_parity
from albert_export.parity.oracle import Oracle
from albert_export.runtimes import load, openvino_runtime
from albert_export.runtimes.openvino_runtime import OpenVinoRuntime
from albert_export.tasks import TASKS, Task
from tests.runtimes.models import broken_model, echo_model

Exported = Callable[..., Path]

IDS = np.array([[2, 7, 9], [2, 8, 3]])
MASK = np.array([[1, 1, 1], [1, 1, 0]])
TYPES = np.array([[0, 1, 1], [0, 0, 0]])


@pytest.fixture(scope="module")
def bundle(exported: Exported) -> Bundle:
    return Bundle.open(exported("qa"))


@pytest.fixture(scope="module")
def lower(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Question answering in bf16, and in int8 with fixed ranges."""
    out = tmp_path_factory.mktemp("lower") / "qa"
    export("onnx", model="albert-seeded", task="qa", out=out, precision="bf16", parity=False)
    export("onnx", model="albert-seeded", task="qa", out=out, precision="int8", calibrate="builtin", parity=False)
    return Bundle.open(out)


@pytest.fixture
def runtime(tmp_path: Path, bundle: Bundle) -> OpenVinoRuntime:
    return open_file(echo_model(tmp_path / "model.onnx"), bundle)


@pytest.fixture
def computes_in_bf16(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Say whether the processor has bf16, whatever this one has."""

    def say(there: bool) -> None:
        monkeypatch.setattr(openvino_runtime, "_capabilities", lambda _core, _kind: ["FP32", *(["BF16"] * there)])

    return say


def open_file(path: Path, bundle: Bundle, **options: Any) -> OpenVinoRuntime:
    return OpenVinoRuntime.open_file(path, task=bundle.task, config=bundle.config, **options)


def inputs_of(task: Task, config: Any, batch: int, sequence: int) -> dict[str, Any]:
    """Random ids of two segments; the last row ends in padding."""
    shape = task.inputs[0].shape(config, {"batch": batch, "sequence": sequence, "choices": 3})
    ids = np.random.default_rng(0).integers(5, 100, shape)
    mask, types = np.ones(shape, np.int64), np.zeros(shape, np.int64)
    mask[-1, ..., sequence - 3 :] = 0
    types[..., sequence // 2 :] = 1
    return {"input_ids": ids, "attention_mask": mask, "token_type_ids": types}


def furthest(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> float:
    """The largest difference in rows without padding, as a share of the largest number there."""
    assert list(mine) == list(theirs)
    return max(
        float(np.abs(mine[name][:-1] - theirs[name][:-1]).max() / np.abs(theirs[name][:-1]).max()) for name in mine
    )


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_head_computes_what_the_eager_model_computes(exported: Exported, task: Task) -> None:
    oracle = Oracle(open_checkpoint("albert-seeded", task=task), task, allow_random_head=True)
    with load(exported(task.name), runtime="openvino", device="cpu") as runtime:
        assert isinstance(runtime, OpenVinoRuntime)
        assert (runtime.target, runtime.device, runtime.computes_in) == ("onnx", "cpu", "fp32")
        for batch, sequence in ((2, 4), (3, 9)):
            inputs = inputs_of(task, runtime.config, batch, sequence)
            outputs = runtime.run(**inputs)
            assert all(outputs[spec.name].dtype == np.float32 for spec in task.outputs)
            assert furthest(outputs, oracle.run(inputs).exact) < 2e-5
            unmasked = {**inputs, "attention_mask": np.roll(inputs["attention_mask"], 1, axis=0)}
            assert furthest(outputs, oracle.run(unmasked).exact) > 1e-4, "the mask is ignored"


def test_a_tflite_file_computes_what_litert_computes(exported: Exported) -> None:
    with load(exported("qa", "tflite"), runtime="openvino") as runtime, load(exported("qa", "tflite")) as own:
        assert (runtime.target, runtime.describe()["target"]) == ("tflite", "tflite")
        inputs = inputs_of(runtime.task, runtime.config, 2, 9)
        assert furthest(runtime.run(**inputs), own.run(**inputs)) < 2e-5


def test_a_bf16_file_passes_parity_in_the_arithmetic_that_it_gets(lower: Bundle) -> None:
    """bf16, where the processor has it."""
    report = check_parity(lower, runtime="openvino", data="none")
    result = next(each for each in report.artifacts if each.precision == "bf16")
    assert result.ok
    assert list(result.runtime["versions"]) == ["openvino"]


def test_a_calibrated_file_computes_what_onnxruntime_computes(bundle: Bundle, lower: Bundle) -> None:
    """Up to a fraction of what int8 costs: sums of float32 in another order fall to the other side of some steps."""
    inputs = inputs_of(bundle.task, bundle.config, 9, 16)
    with (
        load(bundle) as exact,
        load(lower, precision="int8") as own,
        load(lower, precision="int8", runtime="openvino") as runtime,
    ):
        cost = furthest(own.run(**inputs), exact.run(**inputs))
        assert furthest(runtime.run(**inputs), own.run(**inputs)) < 0.35 * cost


@pytest.mark.parametrize("calibrate", [None, "builtin"], ids=["each-token", "calibrated"])
def test_the_last_turn_of_a_quantised_loop_computes_what_it_does_in_onnxruntime(
    exported: Exported, calibrate: str | None, tmp_path: Path
) -> None:
    """Of a head that reads the first token alone, which is all that this turn computes."""
    options = {"task": "text-classification", "precision": "int8", "calibrate": calibrate, "parity": False}
    lower = export("onnx", model="albert-seeded", out=tmp_path / "lower", **options)
    with (
        load(exported("text-classification")) as exact,
        load(lower) as own,
        load(lower, runtime="openvino") as runtime,
    ):
        inputs = inputs_of(own.task, own.config, 9, 16)
        cost = furthest(own.run(**inputs), exact.run(**inputs))
        assert furthest(runtime.run(**inputs), own.run(**inputs)) < 0.35 * cost


@pytest.mark.parametrize(
    ("name", "file", "there", "told"),
    [
        # Left to itself, OpenVINO takes bf16 for every file where the processor has it.
        ("openvino", "onnx/model.onnx", True, "fp32"),
        ("openvino:fp32", "onnx/model.onnx", True, "fp32"),
        ("openvino:bf16", "onnx/model.onnx", True, "bf16"),
        ("openvino", "onnx/model_bf16.onnx", True, "bf16"),
        ("openvino:fp32", "onnx/model_bf16.onnx", True, "fp32"),
        ("openvino", "onnx/model_bf16.onnx", False, "fp32"),
    ],
)
def test_the_arithmetic_follows_the_artifact_unless_it_is_named(
    bundle: Bundle,
    lower: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    computes_in_bf16: Callable[[bool], None],
    name: str,
    file: str,
    there: bool,
    told: str,
) -> None:
    with unreported():
        import openvino

    computes_in_bf16(there)
    given: list[dict[str, Any]] = []

    class Spy(openvino.Core):  # type: ignore[misc]  # untyped
        def compile_model(self, model: Any, device: str, options: dict[str, Any]) -> Any:
            given.append(options)
            return super().compile_model(model, device, options)

    monkeypatch.setattr(openvino, "Core", Spy)
    with load(lower if "bf16" in file else bundle, file=file, runtime=name, threads=2) as runtime:
        assert runtime.describe()["computes_in"] == told
    hint = {"fp32": "f32", "bf16": "bf16"}[told]
    assert given == [{"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": 2}]


def test_bf16_that_the_processor_lacks_is_refused(bundle: Bundle, computes_in_bf16: Callable[[bool], None]) -> None:
    computes_in_bf16(False)
    with pytest.raises(DeviceError, match="openvino:bf16 needs a device that computes in bfloat16"):
        load(bundle, runtime="openvino:bf16")


def test_outputs_by_name_in_the_order_of_the_task(runtime: OpenVinoRuntime) -> None:
    outputs = runtime.run(token_type_ids=TYPES, attention_mask=MASK, input_ids=IDS)
    assert list(outputs) == ["start_logits", "end_logits"]
    np.testing.assert_array_equal(outputs["start_logits"], IDS * MASK)
    np.testing.assert_array_equal(outputs["end_logits"], TYPES + 2 * MASK)
    assert outputs["start_logits"].dtype == np.float32


def test_outputs_belong_to_the_caller(runtime: OpenVinoRuntime) -> None:
    first = runtime.run(input_ids=IDS)["start_logits"]
    second = runtime.run(input_ids=IDS + 1)["start_logits"]
    np.testing.assert_array_equal(first, IDS)
    np.testing.assert_array_equal(second, IDS + 1)


def test_many_threads_get_each_its_own_answer(runtime: OpenVinoRuntime) -> None:
    batches = [np.random.default_rng(seed).integers(0, 50, (1 + seed % 3, 1 + seed % 8)) for seed in range(32)]
    with ThreadPoolExecutor(4) as pool:
        for ids, outputs in zip(batches, pool.map(lambda ids: runtime.run(input_ids=ids), batches), strict=True):
            np.testing.assert_array_equal(outputs["start_logits"], ids)
    assert 1 <= len(runtime._idle) <= 4, "requests are used again"


def test_closing(runtime: OpenVinoRuntime) -> None:
    with runtime:
        runtime.run(input_ids=IDS)
    assert runtime.closed
    with pytest.raises(AlbertExportError, match="must be open"):
        runtime.run(input_ids=IDS)


def test_closing_beside_runs_in_other_threads_fails_cleanly(runtime: OpenVinoRuntime) -> None:
    def run(_: int) -> str:
        try:
            np.testing.assert_array_equal(runtime.run(input_ids=IDS)["start_logits"], IDS)
        except AlbertExportError as error:
            return str(error)
        return "ran"

    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(run, index) for index in range(40)]
        runtime.close()
    closed = "a runtime must be open to run; received one that was closed; fix"
    assert {answer.result().partition(":")[0] for answer in answers} <= {"ran", closed}
    assert runtime._idle == []


def test_fixed_sizes_come_from_the_file(tmp_path: Path, bundle: Bundle) -> None:
    with open_file(echo_model(tmp_path / "model.onnx", axes=(2, "sequence")), bundle) as fixed:
        assert fixed.sizes == {"batch": 2, "sequence": None}
        with pytest.raises(InputError, match="batch must be 2"):
            fixed.run(input_ids=IDS[:1])


def test_describe_is_json_and_says_where(runtime: OpenVinoRuntime) -> None:
    told = json.loads(json.dumps(runtime.describe()))
    assert (told["device"], told["computes_in"], told["file"]) == ("cpu", "fp32", "model.onnx")
    assert told["versions"]["openvino"].count(".") == 2


@pytest.mark.parametrize("name", ["model.onnx", "model.tflite"])
@pytest.mark.parametrize("content", [b"", b"no model", b"\x1c\x00\x00\x00TFL3" + b"\xff" * 64])
def test_a_file_that_is_no_model(tmp_path: Path, bundle: Bundle, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BundleError, match=f"{name} must be a model that OpenVINO 20") as caught:
        open_file(path, bundle)
    assert "\n" not in str(caught.value)
    assert "src/" not in str(caught.value)


def test_a_file_of_another_format(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(BundleError, match=r"in ONNX or TFLite; received a file that ends in \.pb"):
        open_file(tmp_path / "saved_model.pb", bundle)


def test_a_model_of_another_task(tmp_path: Path, bundle: Bundle) -> None:
    path = echo_model(tmp_path / "model.onnx", outputs=("logits", "more"))
    with pytest.raises(BundleError, match="outputs logits, more where the task has start_logits, end_logits"):
        open_file(path, bundle)


def test_a_run_that_fails_for_the_graph(tmp_path: Path, bundle: Bundle) -> None:
    with open_file(broken_model(tmp_path / "model.onnx"), bundle) as broken:
        assert broken.run(input_ids=[[1, 2, 3, 4]])["start_logits"].shape == (1, 4)
        with pytest.raises(BundleError, match=r"model\.onnx must compute a run of 1x5 ids") as caught:
            broken.run(input_ids=[[1, 2, 3, 4, 5]])
        assert "\n" not in str(caught.value)
        assert broken.run(input_ids=[[1, 2, 3, 4]])["start_logits"].shape == (1, 4)


@pytest.mark.parametrize("failure", [MemoryError("std::bad_alloc"), RuntimeError("src/x.cpp:1\nout of memory")])
def test_a_run_that_fails_for_memory(
    runtime: OpenVinoRuntime, monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    class Greedy:
        def infer(self, inputs: Any) -> None:
            raise failure

    with monkeypatch.context() as patch:
        patch.setattr(runtime, "_take", lambda: (runtime._compiled, Greedy()))
        with pytest.raises(DeviceError, match="cpu must have the memory for a run of 2x3 ids"):
            runtime.run(input_ids=IDS)
    np.testing.assert_array_equal(runtime.run(input_ids=IDS)["start_logits"], IDS)


def test_what_took_the_place_of_the_file_is_not_compiled_after_a_failure(tmp_path: Path, bundle: Bundle) -> None:
    with open_file(broken_model(tmp_path / "model.onnx"), bundle) as broken:
        with pytest.raises(BundleError, match="must compute"):
            broken.run(input_ids=[[1, 2]])
        (tmp_path / "model.onnx").unlink()
        echo_model(tmp_path / "model.onnx")
        with pytest.raises(BundleError, match="must stay as it was"):
            broken.run(input_ids=[[1, 2]])


def test_external_data_in_the_place_of_the_first_are_not_compiled_either(tmp_path: Path) -> None:
    values = onnx.numpy_helper.from_array(np.arange(64, dtype=np.float32), "values")
    graph = onnx.helper.make_graph([], "none", [], [], [values])
    path, beside = tmp_path / "model.onnx", tmp_path / "model.onnx_data"
    external: dict[str, Any] = {"save_as_external_data": True, "location": beside.name, "size_threshold": 0}
    onnx.save_model(onnx.helper.make_model(graph), path, **external)
    core = SimpleNamespace(read_model=str, compile_model=lambda model, *_: f"compiled {model}")
    compile_model = openvino_runtime._compiler(core, path, "CPU", {}, "1")
    for _ in range(3):
        assert compile_model() == f"compiled {path}"
    beside.unlink()
    beside.write_bytes(bytes(256))
    with pytest.raises(BundleError, match=r"model\.onnx must stay as it was.*received another file"):
        compile_model()


@pytest.mark.parametrize(
    ("device", "error", "part"),
    [
        ("gpu:7", DeviceError, "device gpu:7 needs a device that OpenVINO reaches"),
        ("cuda", DeviceError, "OpenVINO runs on cpu, gpu or npu"),
        ("CPU", InputError, "device must be"),
        (None, InputError, "device must be"),
    ],
)
def test_a_device_that_is_not_there(
    tmp_path: Path, bundle: Bundle, device: Any, error: type[Exception], part: str
) -> None:
    with pytest.raises(error, match=part):
        open_file(echo_model(tmp_path / "model.onnx"), bundle, device=device)


def test_threads_that_are_none(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(InputError, match="threads must be"):
        open_file(echo_model(tmp_path / "model.onnx"), bundle, threads=0)


def test_without_openvino_the_extra_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(MissingDependencyError, match=r"albert-export\[openvino\]"):
        load(bundle, runtime="openvino")


IMPORTED = """
import os, sys
os.register_at_fork(before=lambda: print("forked", flush=True))
{before}
from albert_export._openvino import unreported
with unreported():
    import openvino
    openvino.Core().available_devices
print(sys.modules.get("openvino_telemetry", "absent") is not None)
"""


@pytest.mark.parametrize("before", ["", "import openvino_telemetry"])
def test_an_import_reports_nothing_and_forks_nothing(before: str) -> None:
    command = [sys.executable, "-c", IMPORTED.format(before=before)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines() == ["True"]


def test_what_was_imported_before_stays() -> None:
    with unreported():
        import openvino
    with unreported():
        assert sys.modules["openvino"] is openvino
        assert sys.modules.get("openvino_telemetry", openvino) is not None
