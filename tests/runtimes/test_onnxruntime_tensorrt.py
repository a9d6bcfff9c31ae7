"""ONNX Runtime through TensorRT: what is asked for, where engines are kept, and what is said where it fails."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from albert_export.errors import DeviceError
from albert_export.runtimes import onnxruntime_tensorrt
from albert_export.runtimes.onnxruntime_tensorrt import engines_name
from tests.runtimes.models import echo_model
from tests.runtimes.test_onnxruntime import open_file


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own, and no variable of NVIDIA's that was set before."""
    monkeypatch.setenv("ALBERT_EXPORT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "0")
    monkeypatch.setattr(onnxruntime_tensorrt, "tensorrt_version", lambda: "11.2.0")
    return tmp_path / "cache"


def asked(cuda: dict[str, Any]) -> dict[str, str]:
    name, options = cuda["asked"][-1][0]
    assert name == "TensorrtExecutionProvider"
    assert isinstance(options, dict)
    return options


def test_engines_of_other_weights_never_meet(tmp_path: Path, cuda: dict[str, Any], home: Path) -> None:
    # ONNX Runtime finds an engine again by names that stand in the graph: two models that were fine-tuned apart have
    # them all in common, and the second would answer with the weights of the first.
    model = echo_model(tmp_path / "model.onnx")
    paths = []
    for content in (("a",), ("b",), ("a", "b"), ("a",)):
        with open_file(model, device="cuda", through="tensorrt", shared_as=content) as runtime:
            assert runtime.reason == "asked for, through TensorRT"
        paths.append(asked(cuda)["trt_engine_cache_path"])
        assert Path(paths[-1]).is_dir() and home in Path(paths[-1]).parents
    assert paths[0] == paths[3] and len(set(paths)) == 3
    timings = {providers[0][1]["trt_timing_cache_path"] for providers in cuda["asked"]}
    assert len(timings) == 1, "what kernels took is true of any model"


def test_without_a_content_no_engine_is_kept(tmp_path: Path, cuda: dict[str, Any]) -> None:
    open_file(echo_model(tmp_path / "model.onnx"), device="cuda", through="tensorrt").close()
    assert "trt_engine_cache_enable" not in asked(cuda)


def test_engines_that_round_are_kept_apart(
    tmp_path: Path, cuda: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    model = echo_model(tmp_path / "model.onnx")
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", "1")
    open_file(model, device="cuda", through="tensorrt", shared_as=("a",)).close()
    assert Path(asked(cuda)["trt_engine_cache_path"]).name == engines_name(("a",), rounds=True)
    assert "NVIDIA_TF32_OVERRIDE lets TensorRT round" in caplog.text
    monkeypatch.delenv("NVIDIA_TF32_OVERRIDE")
    open_file(model, device="cuda", through="tensorrt", shared_as=("a",)).close()
    assert Path(asked(cuda)["trt_engine_cache_path"]).name == engines_name(("a",), rounds=False)
    assert os.environ["NVIDIA_TF32_OVERRIDE"] == "0"


def test_no_graph_is_captured_of_it(tmp_path: Path, cuda: dict[str, Any]) -> None:
    model = echo_model(tmp_path / "model.onnx", axes=(2, 3))
    runtime = open_file(model, device="cuda", through="tensorrt", captures=True)
    assert not runtime.cuda_graph and len(cuda["asked"]) == 1
    assert not [name for name in asked(cuda) if "cuda_graph" in name]


def test_what_it_lacks_is_told(tmp_path: Path, cuda: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    model = echo_model(tmp_path / "model.onnx")
    cuda["starts"] = "falls back"
    cuda["prints"] = "[E] Failed to load library x.so with error: libnvinfer.so.10: cannot open shared object file"
    for device in ("cuda", "auto"):  # it is a wish that no CPU fulfils
        with pytest.raises(DeviceError, match=r"libnvinfer\.so\.10: cannot open.*brings TensorRT"):
            open_file(model, device=device, through="tensorrt")
    with pytest.raises(DeviceError, match=r"NVIDIA GPUs alone; received device=cpu; fix: name onnxruntime alone"):
        open_file(model, device="cpu", through="tensorrt")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    with pytest.raises(DeviceError, match=r"with the TensorRT execution provider.*albert-export\[gpu\]"):
        open_file(model, device="cuda", through="tensorrt")
