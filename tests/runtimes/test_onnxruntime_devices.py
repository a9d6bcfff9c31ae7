"""Which options ONNX Runtime's providers get, and which artifacts are captured: plain values in, plain values out."""

from __future__ import annotations

import pytest

from albert_export.errors import InputError
from albert_export.runtimes.device_memory import checked_device_memory, shown_bytes
from albert_export.runtimes.onnxruntime_devices import (
    captures_runs,
    providers_for,
    tensorrt_providers,
    without_tf32,
)


def test_cuda_computes_in_float32_and_takes_what_it_needs() -> None:
    assert providers_for("cpu", 0) == [("CPUExecutionProvider", {})]
    (cuda, options), last = providers_for("cuda", 1)
    assert cuda == "CUDAExecutionProvider" and last == ("CPUExecutionProvider", {})
    assert options == {"device_id": "1", "use_tf32": "0", "arena_extend_strategy": "kSameAsRequested"}


def test_a_limit_and_a_graph_are_asked_for_by_name() -> None:
    options = providers_for("cuda", 0, device_memory=2**30, captures=True)[0][1]
    assert options["gpu_mem_limit"] == "1073741824" and options["enable_cuda_graph"] == "1"


def test_tensorrt_leaves_the_rest_to_cuda_and_the_cpu() -> None:
    providers = tensorrt_providers(0, precision="fp16", engines="/e", timings="/t", device_memory=2**31)
    assert [name for name, _ in providers] == [
        "TensorrtExecutionProvider",
        "CUDAExecutionProvider",
        "CPUExecutionProvider",
    ]
    options = providers[0][1]
    assert (options["trt_engine_cache_enable"], options["trt_engine_cache_path"]) == ("1", "/e")
    assert (options["trt_timing_cache_enable"], options["trt_timing_cache_path"]) == ("1", "/t")
    assert options["trt_max_workspace_size"] == providers[1][1]["gpu_mem_limit"] == str(2**31)
    assert not [name for name in options if name.startswith("trt_fp16")], "TensorRT 11 has no such option"


@pytest.mark.parametrize(("precision", "option"), [("fp16", "trt_fp16_enable"), ("bf16", "trt_bf16_enable")])
def test_tensorrt_before_11_is_told_that_it_may_compute_in_halves(precision: str, option: str) -> None:
    told = tensorrt_providers(0, precision=precision, timings="/t", typed_by_options=True)[0][1]
    assert told[option] == "1" and "trt_engine_cache_enable" not in told
    assert "trt_fp16_enable" not in tensorrt_providers(0, precision="fp32", typed_by_options=True)[0][1]


@pytest.mark.parametrize(
    ("layers", "shapes", "tokens", "captured"),
    [
        ("unrolled", {"batch": 8, "sequence": 128}, "padded", True),
        ("unrolled", {"batch": 8, "choices": 2, "sequence": 128}, "padded", True),
        ("rolled", {"batch": 8, "sequence": 128}, "padded", False),
        ("unrolled", {"batch": None, "sequence": 128}, "padded", False),
        ("unrolled", {"batch": 8, "sequence": 128}, "packed", False),
        ("unrolled", {}, "padded", False),
    ],
)
def test_what_is_captured(layers: str, shapes: dict[str, int | None], tokens: str, captured: bool) -> None:
    assert captures_runs(layers, shapes, tokens) is captured


def test_tf32_is_switched_off_unless_the_user_chose() -> None:
    environment: dict[str, str] = {}
    assert without_tf32(environment) and environment == {"NVIDIA_TF32_OVERRIDE": "0"}
    chosen = {"NVIDIA_TF32_OVERRIDE": "1"}
    assert not without_tf32(chosen) and chosen == {"NVIDIA_TF32_OVERRIDE": "1"}


@pytest.mark.parametrize(
    ("text", "count"), [("4G", 4 * 2**30), ("1500 MiB", 1500 * 2**20), (2**20, 2**20), ("2097152", 2**21), (None, None)]
)
def test_a_limit_as_it_is_written(text: int | str | None, count: int | None) -> None:
    assert checked_device_memory(text) == count


@pytest.mark.parametrize("text", ["", "4T", "-1", "0", 1, "1023K", True, "4 5", 1.5])
def test_what_is_no_limit(text: object) -> None:
    with pytest.raises(InputError, match=r"device_memory must be a number of bytes.*fix: device_memory=\"4G\""):
        checked_device_memory(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(("count", "text"), [(1536 * 2**20, "1.5 GiB"), (10, "10 bytes"), (143771 * 2**20, "140 GiB")])
def test_sizes_as_they_are_told(count: int, text: str) -> None:
    assert shown_bytes(count) == text
