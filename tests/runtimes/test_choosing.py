"""Which runtime reads an artifact, and what is said of others."""

from __future__ import annotations

import dataclasses

import pytest

from albert_export.bundle import Bundle
from albert_export.errors import DeviceError, InputError, UnknownNameError
from albert_export.runtime_table import RUNTIMES, parse_runtime, runtime_names
from albert_export.runtimes import choosing, load
from albert_export.runtimes.advice import advise
from albert_export.runtimes.choosing import choose_runtime
from albert_export.targets import TARGETS, get_target
from tests.conftest import Exported


@pytest.fixture(scope="module")
def bundle(exported: Exported) -> Bundle:
    return Bundle.open(exported("qa"))


def machine(monkeypatch: pytest.MonkeyPatch, *features: str, installed: bool = True) -> None:
    """A processor of these features, with openvino or without."""
    monkeypatch.setattr(choosing, "cpu_features", lambda: dict.fromkeys(features, ""))
    monkeypatch.setattr(choosing, "is_installed", lambda _: installed)


def test_the_tables_name_each_other() -> None:
    assert {name for target in TARGETS for name in target.runtimes} == {row.name for row in RUNTIMES}
    own = ["onnxruntime", "onnxruntime:tensorrt", "tensorflow", "litert", "jax", "tensorrt"]
    assert runtime_names() == [*own, "openvino", "openvino:fp32", "openvino:bf16"]


@pytest.mark.parametrize(
    ("name", "error", "part"),
    [
        ("openvin", UnknownNameError, "openvino"),
        ("openvino:int8", InputError, "openvino or openvino:fp32 or openvino:bf16; received openvino:int8"),
        (
            "onnxruntime:bf16",
            InputError,
            "named onnxruntime or onnxruntime:tensorrt; received onnxruntime:bf16",
        ),
        ("litert", InputError, "ONNX artifacts are run by onnxruntime or openvino; received litert"),
    ],
)
def test_a_runtime_that_does_not_read_it(bundle: Bundle, name: str, error: type[Exception], part: str) -> None:
    with pytest.raises(error, match=part):
        load(bundle, runtime=name)


def test_a_precision_is_split_off() -> None:
    row, precision = parse_runtime("openvino:bf16")
    assert (row.name, precision) == ("openvino", "bf16")
    assert parse_runtime("openvino") == (row, None)


def test_without_a_name_the_target_has_its_own(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    for features in ((), ("amx_bf16",)):
        machine(monkeypatch, *features)
        for precision in get_target("onnx").precisions:
            artifact = dataclasses.replace(bundle.select(), precision=precision)
            assert choose_runtime(artifact).row.name == "onnxruntime"


@pytest.mark.parametrize(
    ("precision", "features", "installed", "name"),
    [
        ("bf16", ("avx512_bf16",), True, "openvino"),
        ("bf16", ("amx_bf16", "amx_int8"), True, "openvino"),
        ("bf16", ("avx512_bf16",), False, "onnxruntime"),
        ("bf16", ("avx512_vnni",), True, "onnxruntime"),
        ("fp32", ("avx512_bf16",), True, "onnxruntime"),
        ("int8", ("avx512_vnni", "avx512_bf16"), True, "onnxruntime"),
        ("int8", ("amx_int8",), True, "openvino"),
    ],
)
def test_auto_takes_what_was_measured_to_be_faster(
    bundle: Bundle,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    features: tuple[str, ...],
    installed: bool,
    name: str,
) -> None:
    machine(monkeypatch, *features, installed=installed)
    assert choose_runtime(dataclasses.replace(bundle.select(), precision=precision), "auto").row.name == name


def test_auto_says_why(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch)
    with load(bundle, runtime="auto") as runtime:
        assert "onnxruntime reads it: openvino is about as fast" in runtime.describe()["reason"]
    with load(bundle, runtime="auto", device="cpu") as runtime:
        assert runtime.reason == "asked for"


def test_the_own_runtime_tells_of_a_faster_one(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    bf16 = dataclasses.replace(bundle.select(), precision="bf16")
    machine(monkeypatch, "amx_bf16")
    with choose_runtime(bf16).open(bundle, bf16) as runtime:
        assert "runtime=openvino would be faster: it computes in bf16, with amx_bf16" in runtime.reason
    machine(monkeypatch)
    with choose_runtime(bf16).open(bundle, bf16) as runtime:
        assert "openvino" not in runtime.reason


def test_every_artifact_has_advice() -> None:
    for target in TARGETS:
        for precision in target.precisions:
            for calibrated in (False, True):
                for features in ((), ("amx_bf16", "avx512_bf16")):
                    advice = advise(target, precision, calibrated=calibrated, features=features)
                    assert advice.runtime in target.runtimes
                    assert advice.why


def test_what_a_runtime_runs_through_is_told_by_name(exported: Exported) -> None:
    assert parse_runtime("onnxruntime:tensorrt")[1] == "tensorrt"
    with pytest.raises(InputError, match="named onnxruntime or onnxruntime:tensorrt; received onnxruntime:bf16"):
        parse_runtime("onnxruntime:bf16")
    with pytest.raises(DeviceError, match=r"with the TensorRT execution provider; received onnxruntime.*\[gpu\]"):
        load(exported("qa"), runtime="onnxruntime:tensorrt")
    with pytest.raises(DeviceError, match="NVIDIA GPUs alone; received device=cpu"):
        load(exported("qa"), runtime="onnxruntime:tensorrt", device="cpu")


@pytest.mark.parametrize(("target", "takes"), [("onnx", True), ("tflite", False)])
def test_a_limit_on_device_memory_is_for_runtimes_that_keep_it(exported: Exported, target: str, takes: bool) -> None:
    if takes:
        with load(exported("qa", target), device="cpu", device_memory="1G") as runtime:
            assert runtime.run(input_ids=[[1, 2]])["start_logits"].shape == (1, 2)
        return
    with pytest.raises(InputError, match=r"LiteRT cannot be told how much memory.*leave device_memory out"):
        load(exported("qa", target), device="cpu", device_memory="1G")
