"""ONNX artifacts on ONNX Runtime: outputs, dtypes, lifecycle, threads, devices, and what bad files and devices get."""

from __future__ import annotations

import logging
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto

from albert_export.config import AlbertConfig
from albert_export.errors import AlbertExportError, BundleError, DeviceError, InputError, MissingDependencyError
from albert_export.runtimes import onnxruntime_devices, onnxruntime_runtime
from albert_export.runtimes.onnxruntime_runtime import OnnxRuntime
from albert_export.tasks import get_task
from tests.runtimes.models import broken_model, echo_model, repeat_model

CONFIG = AlbertConfig(
    vocab_size=50, hidden_size=16, num_attention_heads=2, intermediate_size=16, max_position_embeddings=8
)
QA = get_task("question-answering")
IDS = np.array([[2, 7, 9], [2, 8, 3]])
MASK = np.array([[1, 1, 1], [1, 1, 0]])
TYPES = np.array([[0, 1, 1], [0, 0, 0]])


def open_file(path: Path, **options: Any) -> OnnxRuntime:
    return OnnxRuntime.open_file(path, task=QA, config=CONFIG, **options)


@pytest.fixture
def runtime(tmp_path: Path) -> OnnxRuntime:
    return open_file(echo_model(tmp_path / "model.onnx"), device="cpu")


def test_outputs_by_name_in_the_order_of_the_task(runtime: OnnxRuntime) -> None:
    outputs = runtime.run(token_type_ids=TYPES, attention_mask=MASK, input_ids=IDS)
    assert list(outputs) == ["start_logits", "end_logits"]
    np.testing.assert_array_equal(outputs["start_logits"], IDS * MASK)
    np.testing.assert_array_equal(outputs["end_logits"], TYPES + 2 * MASK)
    assert outputs["start_logits"].dtype == np.float32


def test_mask_and_types_are_filled_in(runtime: OnnxRuntime) -> None:
    outputs = runtime.run(input_ids=IDS)
    np.testing.assert_array_equal(outputs["start_logits"], IDS)
    np.testing.assert_array_equal(outputs["end_logits"], np.full((2, 3), 2))


@pytest.mark.parametrize("declared", [TensorProto.INT32, TensorProto.INT64])
@pytest.mark.parametrize("given", ["int32", "int64"])
def test_both_widths_run_on_either_model(tmp_path: Path, declared: int, given: str) -> None:
    with open_file(echo_model(tmp_path / "model.onnx", dtype=declared)) as runtime:
        outputs = runtime.run(input_ids=IDS.astype(given), attention_mask=MASK.astype(given))
    np.testing.assert_array_equal(outputs["start_logits"], IDS * MASK)


def test_outputs_belong_to_the_caller(runtime: OnnxRuntime) -> None:
    first = runtime.run(input_ids=IDS)["start_logits"]
    kept = first.copy()
    second = runtime.run(input_ids=IDS + 1)["start_logits"]
    np.testing.assert_array_equal(first, kept)
    assert not np.shares_memory(first, second)
    first += 1  # writable
    np.testing.assert_array_equal(second, IDS + 1)


def test_a_checked_input_never_reaches_the_session_wrong(runtime: OnnxRuntime) -> None:
    with pytest.raises(InputError, match="vocab_size"):
        runtime.run(input_ids=[[50]])
    with pytest.raises(InputError, match="did you mean input_ids"):
        runtime.run(inputs_ids=[[1]])


def test_fixed_sizes_come_from_the_model(tmp_path: Path) -> None:
    with open_file(echo_model(tmp_path / "model.onnx", axes=("batch", 4))) as runtime:
        assert runtime.sizes == {"batch": None, "sequence": 4}
        assert runtime.run(input_ids=np.ones((3, 4), int))["start_logits"].shape == (3, 4)
        with pytest.raises(InputError, match="sequence must be 4"):
            runtime.run(input_ids=np.ones((3, 3), int))


def test_closing(runtime: OnnxRuntime) -> None:
    session = weakref.ref(runtime._session)
    with runtime as opened:
        assert opened is runtime
        assert not runtime.closed
    assert runtime.closed
    assert session() is None, "what it held is free, though the runtime is still there"
    runtime.close()
    with pytest.raises(AlbertExportError, match="closed"):
        runtime.run(input_ids=IDS)
    with pytest.raises(AlbertExportError, match="closed"), runtime:
        pass
    assert "closed" in repr(runtime)


def test_many_threads_get_each_its_own_answer(runtime: OnnxRuntime) -> None:
    def work(seed: int) -> bool:
        generator = np.random.default_rng(seed)
        for _ in range(20):
            ids = generator.integers(0, 50, (int(generator.integers(1, 4)), int(generator.integers(1, 9))))
            if not np.array_equal(runtime.run(input_ids=ids)["start_logits"], ids):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))


def test_closing_beside_runs_in_other_threads_fails_cleanly(runtime: OnnxRuntime) -> None:
    def work(_: int) -> str:
        try:
            while True:
                np.testing.assert_array_equal(runtime.run(input_ids=IDS)["start_logits"], IDS)
        except AlbertExportError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(work, index) for index in range(4)]
        runtime.close()
        assert all("closed" in future.result(timeout=30) for future in running)


@pytest.mark.parametrize("threads", [1, 2, np.int64(2)])
def test_threads_reach_the_session(tmp_path: Path, threads: int) -> None:
    with open_file(echo_model(tmp_path / "model.onnx"), threads=threads) as runtime:
        assert runtime.threads == threads
        assert runtime._session.get_session_options().intra_op_num_threads == threads


def test_a_held_process_starts_no_more_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime_runtime, "restricted_processors", lambda: 3)
    with open_file(echo_model(tmp_path / "model.onnx")) as runtime:
        assert runtime.threads == 3
    with open_file(echo_model(tmp_path / "model.onnx"), threads=1) as runtime:
        assert runtime.threads == 1


@pytest.mark.parametrize("threads", [0, -1, True, 1.5, "2"])
def test_threads_must_be_a_count(tmp_path: Path, threads: Any) -> None:
    with pytest.raises(InputError, match="threads must be a whole number"):
        open_file(echo_model(tmp_path / "model.onnx"), threads=threads)


def test_describe_is_json_and_says_where(runtime: OnnxRuntime) -> None:
    described = runtime.describe()
    assert described["device"] == runtime.device == "cpu"
    assert described["provider"] == "CPUExecutionProvider"
    assert described["reason"] == "asked for"
    assert described["versions"] == {"onnxruntime": onnxruntime.__version__}


def test_auto_on_a_build_for_the_cpu_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    runtime = open_file(echo_model(tmp_path / "model.onnx"))
    assert (runtime.device, runtime.reason) == ("cpu", "this onnxruntime has no CUDA provider")


@pytest.mark.parametrize(
    ("content", "part"), [(b"", "No graph"), (b"garbage" * 9, ""), (b"version https://git-lfs", "")]
)
def test_a_corrupt_file(tmp_path: Path, content: bytes, part: str) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=f"must be a model.*{part}.*export it again") as caught:
        open_file(path)
    assert str(tmp_path) not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_truncated_file(tmp_path: Path) -> None:
    path = echo_model(tmp_path / "model.onnx")
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(BundleError, match=r"model\.onnx must be a model that onnxruntime"):
        open_file(path)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"model\.onnx"):
        open_file(tmp_path / "model.onnx")


@pytest.mark.parametrize("newer", [{"opset": 99}, {"ir_version": 99}])
def test_a_model_newer_than_the_runtime(tmp_path: Path, newer: dict[str, int]) -> None:
    with pytest.raises(BundleError, match="upgrade onnxruntime, or export again with a lower --opset"):
        open_file(echo_model(tmp_path / "model.onnx", **newer))


def test_a_model_of_another_task(tmp_path: Path) -> None:
    path = echo_model(tmp_path / "model.onnx")
    with pytest.raises(BundleError, match=r"outputs start_logits, end_logits where the task has logits"):
        OnnxRuntime.open_file(path, task=get_task("fill-mask"), config=CONFIG)


def test_a_model_with_other_inputs(tmp_path: Path) -> None:
    path = echo_model(tmp_path / "model.onnx", inputs=("ids", "attention_mask", "token_type_ids"))
    with pytest.raises(BundleError, match="inputs ids, attention_mask, token_type_ids where the task has"):
        open_file(path)


@pytest.mark.parametrize(("dtype", "part"), [(TensorProto.FLOAT, "float32"), (TensorProto.INT8, "int8")])
def test_a_model_with_inputs_of_a_strange_dtype(tmp_path: Path, dtype: int, part: str) -> None:
    with pytest.raises(BundleError, match=part):
        open_file(echo_model(tmp_path / "model.onnx", dtype=dtype))


def test_a_model_of_another_rank(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="input input_ids of shape"):
        open_file(echo_model(tmp_path / "model.onnx", axes=("batch", "choices", "sequence")))


def test_a_run_that_fails_for_memory(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        open_file(repeat_model(tmp_path / "model.onnx")) as runtime,
        pytest.raises(DeviceError, match=r"memory for a run of 2x3 ids.*fewer or shorter rows"),
    ):
        runtime.run(input_ids=IDS)
    assert capfd.readouterr() == ("", "")


def test_a_run_that_fails_for_the_graph(tmp_path: Path) -> None:
    with open_file(broken_model(tmp_path / "model.onnx"), device="cpu") as runtime:
        assert runtime.run(input_ids=[[1, 2, 3, 4]])["start_logits"].shape == (1, 4)
        with pytest.raises(BundleError, match=r"model.onnx must compute a run of 2x3 ids.*Reshape"):
            runtime.run(input_ids=IDS)


@pytest.mark.parametrize("device", ["gpu", "CUDA", "cuda:", "cuda:x", "", 0, None])
def test_an_unknown_device(tmp_path: Path, device: Any) -> None:
    with pytest.raises(InputError, match="device must be auto, cpu, cuda or cuda:N"):
        open_file(echo_model(tmp_path / "model.onnx"), device=device)


def test_missing_onnxruntime_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingDependencyError, match=r"albert-export\[onnxruntime\]"):
        open_file(tmp_path / "model.onnx")


# A machine with CUDA is played by the fixture `cuda`: what is tested is the choice of device.


def test_auto_takes_cuda_when_it_works(tmp_path: Path, cuda: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "albert_export"):
        runtime = open_file(echo_model(tmp_path / "model.onnx"))
    assert (runtime.device, runtime.provider) == ("cuda", "CUDAExecutionProvider")
    assert "runs on cuda" in caplog.text
    assert cuda["asked"] == [onnxruntime_devices.providers_for("cuda", 0)]


def test_a_limit_on_the_memory_reaches_the_provider(tmp_path: Path, cuda: dict[str, Any]) -> None:
    runtime = open_file(echo_model(tmp_path / "model.onnx"), device_memory="1G")
    assert runtime.describe()["device_memory"] == 2**30
    assert cuda["asked"][0][0][1]["gpu_mem_limit"] == str(2**30)
    on_cpu = open_file(echo_model(tmp_path / "model.onnx"), device="cpu", device_memory="1G")
    assert on_cpu.describe()["device_memory"] is None
    with pytest.raises(InputError, match="device_memory must be a number of bytes"):
        open_file(tmp_path / "model.onnx", device_memory="much")


@pytest.mark.parametrize("refuses", [False, True])
def test_where_no_graph_can_be_captured_another_session_runs_without(
    tmp_path: Path, cuda: dict[str, Any], refuses: bool, caplog: pytest.LogCaptureFixture
) -> None:
    # Either the session refuses, or its first run fails: here for want of a GPU to put its inputs on.
    cuda["refuses graphs"] = refuses
    model = echo_model(tmp_path / "model.onnx", axes=(2, 3))
    with caplog.at_level(logging.INFO, "albert_export"):
        runtime = open_file(model, device="cuda", captures=True)
    asked = [providers[0][1].get("enable_cuda_graph") for providers in cuda["asked"]]
    assert asked == ["1", None] and not runtime.cuda_graph
    assert cuda["alive"] == [0, 0], "the session that failed is gone before the other takes memory"
    assert "model.onnx runs without a CUDA graph: " in caplog.text


def test_a_gpu_that_is_gone_after_the_capture_is_told(
    tmp_path: Path, cuda: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("CUDA failure 700: an illegal memory access was encountered")

    monkeypatch.setattr(onnxruntime_runtime, "CapturedRuns", fail)
    with pytest.raises(DeviceError, match=r"a program on the GPU must not fail.*start the process again"):
        open_file(echo_model(tmp_path / "model.onnx", axes=(2, 3)), device="cuda", captures=True)
    assert len(cuda["asked"]) == 1


def test_found_or_asked_for_it_is_one_session_until_the_last_is_closed(tmp_path: Path, cuda: dict[str, Any]) -> None:
    model = echo_model(tmp_path / "model.onnx")
    found, asked = (open_file(model, device=device, shared_as=("a",)) for device in ("auto", "cuda"))
    other = open_file(model, device="cuda", shared_as=("b",))
    limited = open_file(model, device="cuda", shared_as=("a",), device_memory="1G")
    assert found._session is asked._session and len({id(each._session) for each in (asked, other, limited)}) == 3
    assert (found.reason, asked.reason) == ("the CUDA provider works", "asked for")
    session = weakref.ref(found._session)
    found.close()
    assert session() is asked._session
    for runtime in (asked, other, limited):
        runtime.close()
    assert session() is None, "closed, and its memory is free, though found and asked are still there"
    assert len(onnxruntime_runtime._sessions) == 0


def test_on_the_cpu_each_runtime_has_a_session_of_its_own(tmp_path: Path, cuda: dict[str, Any]) -> None:
    cuda["starts"] = "falls back"
    model = echo_model(tmp_path / "model.onnx")
    for device in ("auto", "cpu"):
        first, second = (open_file(model, device=device, shared_as=("a",)) for _ in range(2))
        assert (first.device, second.device) == ("cpu", "cpu")
        assert first._session is not second._session
        session = weakref.ref(first._session)
        first.close()
        assert session() is None
        np.testing.assert_array_equal(second.run(input_ids=IDS)["start_logits"], IDS)
    with pytest.raises(DeviceError):  # what auto fell back to is nothing for who asks for the GPU
        open_file(model, device="cuda", shared_as=("a",))


def test_the_libraries_are_loaded_once_however_many_threads_open(
    tmp_path: Path, cuda: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    model = echo_model(tmp_path / "model.onnx")
    stdout = sys.stdout
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: open_file(model), range(8)))
    assert cuda["preloads"] == 1 and sys.stdout is stdout
    assert capfd.readouterr().out == ""


def test_what_onnxruntime_prints_becomes_the_reason(
    tmp_path: Path, cuda: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    cuda["starts"] = "falls back"
    cuda["prints"] = "[E] Failed to load library x.so with error: libcudnn.so.9: cannot open shared object file"
    with pytest.raises(DeviceError, match=r"libcudnn\.so\.9: cannot open.*onnxruntime-gpu\[cuda,cudnn\]"):
        open_file(echo_model(tmp_path / "model.onnx"), device="cuda")
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("starts", ["raises", "falls back"])
def test_auto_falls_back_to_the_cpu_and_says_so(
    tmp_path: Path,
    cuda: dict[str, Any],
    starts: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    cuda["starts"] = starts
    runtime = open_file(echo_model(tmp_path / "model.onnx"))
    assert (runtime.device, runtime.provider) == ("cpu", "CPUExecutionProvider")
    np.testing.assert_array_equal(runtime.run(input_ids=IDS)["start_logits"], IDS)
    detail = "no CUDA-capable device" if starts == "raises" else "Failed to load libcublasLt"
    assert detail in runtime.reason
    assert "running on the CPU" in caplog.text
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("starts", ["raises", "falls back"])
def test_explicit_cuda_that_does_not_start_is_an_error(tmp_path: Path, cuda: dict[str, Any], starts: str) -> None:
    cuda["starts"] = starts
    with pytest.raises(DeviceError, match=r"device cuda:1 needs an NVIDIA GPU.*nvidia-smi"):
        open_file(echo_model(tmp_path / "model.onnx"), device="cuda:1")


def test_a_second_device_can_be_named(tmp_path: Path, cuda: dict[str, Any]) -> None:
    assert open_file(echo_model(tmp_path / "model.onnx"), device="cuda:1").device == "cuda:1"
    assert cuda["asked"][0][0][1]["device_id"] == "1"


def test_explicit_cpu_never_touches_cuda(tmp_path: Path, cuda: dict[str, Any]) -> None:
    runtime = open_file(echo_model(tmp_path / "model.onnx"), device="cpu")
    assert (runtime.device, runtime.reason, cuda["preloads"]) == ("cpu", "asked for", 0)
    assert cuda["asked"] == [[("CPUExecutionProvider", {})]]


def test_a_corrupt_file_is_not_blamed_on_the_device(tmp_path: Path, cuda: dict[str, Any]) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"garbage" * 9)
    for device in ("auto", "cuda"):
        with pytest.raises(BundleError, match="must be a model"):
            open_file(path, device=device)


def test_cuda_without_its_provider_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime_devices, "installed_builds", lambda: ["onnxruntime"])
    with pytest.raises(DeviceError, match=r"pip uninstall --yes onnxruntime && pip install 'albert-export\[gpu\]'"):
        open_file(echo_model(tmp_path / "model.onnx"), device="cuda")


def test_two_builds_over_each_other_are_detected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime_devices, "installed_builds", lambda: ["onnxruntime", "onnxruntime-gpu"])
    with pytest.raises(
        DeviceError,
        match=r"one build only.*onnxruntime and onnxruntime-gpu installed over each other"
        r".*pip uninstall --yes onnxruntime onnxruntime-gpu && pip install 'albert-export\[gpu\]'",
    ):
        open_file(echo_model(tmp_path / "model.onnx"), device="cuda")


def test_the_installed_build_is_found() -> None:
    builds = onnxruntime_devices.installed_builds()
    assert len(builds) == 1
    assert builds[0].startswith("onnxruntime")


def test_importing_the_package_imports_no_runtime() -> None:
    code = (
        "import sys, albert_export.runtimes, albert_export.runtimes.onnxruntime_runtime; "
        "print(sorted(set(sys.modules) & {'onnxruntime', 'torch', 'onnx', 'tokenizers', 'huggingface_hub'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("threads", [0, 100_000, True, 2.0])
def test_threads_that_no_machine_runs_are_refused(tmp_path: Path, threads: object) -> None:
    with pytest.raises(InputError, match=r"threads must be a whole number from 1 to \d+; received .*; fix: "):
        open_file(echo_model(tmp_path / "model.onnx"), threads=threads)
