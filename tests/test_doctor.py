"""What the doctor says of machines that lack something, or have too much of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from albert_export import doctor
from albert_export._machine import Machine, describe_machine
from albert_export._nvidia import Driver, Gpu
from albert_export._probes import IDENTITY_MODEL, lacking_library
from albert_export._probes import facts as facts_of
from albert_export.doctor import Diagnosis, Package, examine, installed_version, probe
from albert_export.doctor_text import render

HERE = {
    "torch": "2.13.0",
    "onnx": "1.20.0",
    "onnx-ir": "1.0",
    "onnxruntime": "1.30.0",
    "tensorflow": "2.21.0",
    "ai-edge-litert": "2.3.0",
    "jax": "0.10.2",
    "flax": "0.12.8",
    "flatbuffers": "25.12.19",
}


def diagnose(
    monkeypatch: pytest.MonkeyPatch, installed: dict[str, str], broken: dict[str, str] | None = None
) -> Diagnosis:
    """Examine a machine with these distributions, none of which is really imported."""
    monkeypatch.setattr(doctor, "probe", lambda module: ({}, (broken or {}).get(module)))
    return examine(installed.get)


def abilities(diagnosis: Diagnosis, target: str = "onnx") -> dict[str, bool]:
    own = [each for each in diagnosis.abilities if each.target == target and each.runtime is None]
    return {ability.verb: ability.able for ability in own}


def test_a_machine_with_everything_can_do_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosis = diagnose(monkeypatch, HERE)
    assert abilities(diagnosis) == {"export": True, "run": True, "prove": True}
    assert diagnosis.healthy


def test_an_app_without_torch_runs_and_learns_what_export_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosis = diagnose(monkeypatch, {"onnxruntime": "1.30.0"})
    assert abilities(diagnosis) == {"export": False, "run": True, "prove": False}
    export = next(ability for ability in diagnosis.abilities if ability.verb == "export")
    assert export.needs == ("onnx-ir", "onnx", "torch")
    assert export.fix == "pip install 'albert-export[onnx]'"
    assert diagnosis.healthy  # what is only absent is no problem


def test_a_package_below_the_range_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosis = diagnose(monkeypatch, {**HERE, "torch": "2.10.9+cpu"})
    assert abilities(diagnosis) == {"export": False, "run": True, "prove": False}
    export = next(ability for ability in diagnosis.abilities if ability.verb == "export")
    assert export.fix == "pip install --upgrade 'albert-export[onnx]'"
    assert "torch 2.10.9+cpu (too old; torch>=2.11 is asked for)" in render(diagnosis)


def test_the_gpu_build_of_onnxruntime_serves_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {**HERE, "onnxruntime-gpu": "1.30.0"}
    del installed["onnxruntime"]
    diagnosis = diagnose(monkeypatch, installed)
    assert abilities(diagnosis)["run"]
    assert "onnxruntime-gpu 1.30.0" in render(diagnosis)


@pytest.mark.parametrize(
    ("lacks", "fix"),
    [
        ({"torch": None}, "pip install 'albert-export[onnx]'"),
        ({"onnxruntime-gpu": "1.1.0"}, "pip install --upgrade 'albert-export[gpu]'"),
    ],
)
def test_no_fix_installs_the_cpu_build_over_the_gpu_build(
    monkeypatch: pytest.MonkeyPatch, lacks: dict[str, str | None], fix: str
) -> None:
    found = {**HERE, "onnxruntime": None, "onnxruntime-gpu": "1.30.0", **lacks}
    diagnosis = diagnose(monkeypatch, {name: version for name, version in found.items() if version is not None})
    prove = next(ability for ability in diagnosis.abilities if ability.verb == "prove")
    assert prove.fix == fix


def test_the_cpu_build_of_tensorflow_serves_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {**HERE, "tensorflow-cpu": "2.21.0"}
    del installed["tensorflow"]
    diagnosis = diagnose(monkeypatch, installed)
    assert abilities(diagnosis, "savedmodel") == {"export": True, "run": True, "prove": True}
    assert diagnosis.healthy


def test_a_phone_app_s_machine_runs_tflite_and_learns_what_a_proof_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosis = diagnose(monkeypatch, {"ai-edge-litert": "2.3.0"})
    assert abilities(diagnosis, "tflite") == {"export": False, "run": True, "prove": False}
    prove = next(each for each in diagnosis.abilities if (each.target, each.verb) == ("tflite", "prove"))
    assert prove.fix == "pip install 'albert-export[tensorflow,onnx]'"


def test_openvino_is_told_where_it_is_missing_and_where_it_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(installed: dict[str, str], *features: str) -> str:
        machine = Machine("Linux", "a processor", 2, dict.fromkeys(features, "bf16"), None, ())
        monkeypatch.setattr(doctor, "describe_machine", lambda: machine)
        return render(diagnose(monkeypatch, installed))

    fix = "; fix: pip install 'albert-export[openvino]'\n"
    without = told(HERE, "avx512_bf16")
    assert f"run onnx with openvino: no: needs openvino{fix}" in without
    faster = "best for onnx bf16: openvino; it computes in bf16, with avx512_bf16: 25 ms to 111 of onnxruntime"
    (line,) = [line for line in without.splitlines() if line.startswith(faster)]
    assert f"{line}\n".endswith(fix)
    there = told({**HERE, "openvino": "2026.4.1"}, "avx512_bf16")
    assert "run onnx with openvino: yes\n" in there and "run tflite with openvino: yes\n" in there
    assert faster in there and fix not in there
    assert "best for onnx bf16: onnxruntime; this processor has none of amx_bf16, avx512_bf16" in told(HERE)
    assert "best for onnx fp32: onnxruntime; openvino is about as fast" in there
    assert "best for onnx int8" not in there, "nothing was measured without AMX"
    amx = told({**HERE, "openvino": "2026.4.1"}, "amx_int8")
    assert "best for onnx int8: openvino; with amx_int8, 25 ms to 33 of onnxruntime" in amx
    assert "best for onnx int8 calibrated: openvino; with amx_int8, 22 ms to 28 of onnxruntime" in amx
    assert "best for tflite" not in there, "what was not compared is not judged"
    assert "measured at 128 tokens of base size on 2 cores of an Intel Xeon with AMX" in there


def test_compiling_for_a_tpu_takes_the_extra_that_brings_libtpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor.sys, "platform", "linux")
    without = diagnose(monkeypatch, HERE)
    assert abilities(without, "stablehlo") == {"export": True, "run": True, "prove": True, "compile": False}
    assert without.healthy
    told = "compile stablehlo for tpu:v4, tpu:v5e, tpu:v5p, tpu:v6e: "
    assert f"{told}no: needs libtpu; fix: pip install 'albert-export[tpu]'\n" in render(without)
    assert f"{told}yes\n" in render(diagnose(monkeypatch, {**HERE, "libtpu": "0.0.42.1"}))
    assert "compile" not in abilities(without, "onnx")
    monkeypatch.setattr(doctor.sys, "platform", "darwin")
    assert "fix: on Linux, pip install 'albert-export[tpu]'\n" in render(diagnose(monkeypatch, HERE))


def test_two_builds_of_tensorflow_are_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    (problem,) = diagnose(monkeypatch, {**HERE, "tensorflow-cpu": "2.21.0"}).problems
    assert problem.what.startswith("tensorflow and tensorflow-cpu are installed side by side")


def test_two_builds_of_onnxruntime_are_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosis = diagnose(monkeypatch, {**HERE, "onnxruntime-gpu": "1.30.0"})
    (problem,) = diagnosis.problems
    assert problem.what == "onnxruntime and onnxruntime-gpu are installed side by side and overwrite each other's files"
    assert problem.fix == ("pip uninstall --yes onnxruntime onnxruntime-gpu && pip install onnxruntime-gpu")
    assert not diagnosis.healthy
    assert f"problem: {problem.what}" in render(diagnosis)


def test_a_package_that_cannot_be_imported_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    diagnosis = diagnose(monkeypatch, HERE, broken={"torch": "ImportError: libgomp.so.1: cannot open"})
    assert abilities(diagnosis) == {"export": False, "run": True, "prove": False}
    (problem,) = diagnosis.problems
    assert problem.what.endswith("cannot be imported: ImportError: libgomp.so.1: cannot open")
    assert problem.fix == "pip install --force-reinstall torch"


def test_a_gpu_beside_a_cpu_build_is_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine("Linux", "CPU", 2, {}, 1 << 30, ("NVIDIA H200, 143771 MiB, 580.1",))
    monkeypatch.setattr(doctor, "describe_machine", lambda: machine)
    monkeypatch.setattr(
        doctor,
        "probe",
        lambda module: ({"providers": ["CPUExecutionProvider"]} if module == "onnxruntime" else {}, None),
    )
    diagnosis = examine(HERE.get)
    (hint,) = diagnosis.hints
    assert hint.what.startswith("NVIDIA H200")
    assert "albert-export[gpu]" in hint.fix
    assert diagnosis.healthy


def test_what_nvidia_s_parts_lack_is_told_line_by_line(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Driver((Gpu("NVIDIA H200", "9.0", "580.159.03", 143771),), "13.0")
    monkeypatch.setattr(doctor, "ask_driver", lambda: driver)
    probed: list[str] = []

    def probe_one(module: str) -> tuple[dict[str, list[str]], str | None]:
        probed.append(module)
        return {}, "ImportError: libnvinfer.so.11: cannot open" if module == "tensorrt" else None

    monkeypatch.setattr(doctor, "probe", probe_one)
    lines = render(examine({**HERE, "tensorrt-cu13": "11.4.0", "polygraphy": "0.53.6"}.get)).splitlines()
    assert "GPU: NVIDIA H200, 143771 MiB, compute capability 9.0, driver 580.159.03" in lines
    assert [line for line in lines if line.startswith("TensorRT: no: tensorrt-cu13 11.4.0 does not load: ImportError")]
    assert [line for line in lines if line.startswith("JAX on CUDA: no: jax 0.10.2 without its CUDA plugin; fix: ")]
    assert {"tensorrt", "polygraphy", "jax", "onnxruntime"} <= set(probed)


def test_a_build_with_cuda_that_reaches_no_gpu_is_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine("Linux", "CPU", 2, {}, 1 << 30, ("NVIDIA H200",))
    monkeypatch.setattr(doctor, "describe_machine", lambda: machine)
    facts: dict[str, dict[str, Any]] = {
        "onnxruntime": {"providers": ["CUDAExecutionProvider", "CPUExecutionProvider"], "devices": ["cpu"]}
    }
    monkeypatch.setattr(doctor, "probe", lambda module: (facts.get(module, {}), None))
    installed = {**HERE, "onnxruntime-gpu": "1.30.0"}
    del installed["onnxruntime"]
    (hint,) = examine(installed.get).hints
    assert hint.what.endswith("onnxruntime-gpu 1.30.0 cannot open a session on it")
    facts["onnxruntime"]["refused"] = "CUDA failure 803: system has unsupported display driver ; GPU=0"
    (refused,) = examine(installed.get).hints
    assert refused.fix.startswith("restart the machine")
    facts["onnxruntime"]["devices"].append("cuda")
    assert examine(installed.get).hints == ()


@pytest.mark.parametrize(
    ("does", "found"),
    [
        ("opens", {"devices": ["cpu", "cuda"]}),
        ("falls back", {"devices": ["cpu"]}),
        ("raises", {"devices": ["cpu"], "refused": "CUDA failure 35: the driver is insufficient"}),
    ],
)
def test_why_no_session_opens_is_a_fact_and_no_broken_package(
    monkeypatch: pytest.MonkeyPatch, does: str, found: dict[str, Any]
) -> None:
    import onnxruntime

    class FailError(Exception):
        """As ONNX Runtime's own are: of no base below Exception."""

    def session(model: bytes, *, providers: list[str], enable_fallback: int) -> Any:
        assert enable_fallback == 0 and model == IDENTITY_MODEL
        if does == "raises":
            raise FailError("CUDA failure 35:\n the driver is insufficient")
        return SimpleNamespace(get_providers=lambda: providers if does == "opens" else providers[1:])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: None, raising=False)
    said = facts_of("onnxruntime")
    assert {key: said[key] for key in ("devices", "refused") if key in said} == found


def test_the_model_of_the_probe_opens_in_onnxruntime() -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(IDENTITY_MODEL, providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": np.array([2.5], np.float32)})[0].tolist() == [2.5]


def test_the_packages_of_this_environment_are_really_imported() -> None:
    diagnosis = examine()
    packages = {package.name: package for package in diagnosis.packages}
    assert packages["onnxruntime"].state == "ok"
    assert "CPUExecutionProvider" in packages["onnxruntime"].facts["providers"]
    assert "cpu" in packages["onnxruntime"].facts["devices"]
    assert packages["torch"].installed == installed_version("torch")
    assert all(isinstance(package, Package) for package in diagnosis.packages)


def test_a_library_that_the_loader_does_not_find_is_named(tmp_path: Path) -> None:
    assert lacking_library(tmp_path / "libnone.so") is None
    (tmp_path / "libtext.so").write_text("no library")
    assert lacking_library(tmp_path / "libtext.so") is None, "it is there, and no library"


def test_a_probe_tells_the_error_of_a_failed_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torn_package.py").write_text("raise RuntimeError('half of it was removed')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert probe("torn_package") == ({}, "RuntimeError: half of it was removed")


def test_a_probe_survives_a_library_that_kills_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deadly_package.py").write_text("import os\nos._exit(9)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    facts, error = probe("deadly_package")
    assert facts == {}
    assert error == "importing deadly_package ended the process with status 9"


def test_a_module_that_prints_while_it_is_imported_does_not_disturb_the_probe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "noisy_package.py").write_text("print('hello', end='')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert probe("noisy_package") == ({}, None)


def test_the_machine_is_described() -> None:
    machine = describe_machine()
    assert machine.threads >= 1
    assert machine.cpu
    if sys.platform == "linux":
        assert machine.memory_bytes is not None
        total = subprocess.run(["grep", "MemTotal", "/proc/meminfo"], capture_output=True, text=True, check=True).stdout
        assert machine.memory_bytes == pytest.approx(int(total.split()[1]) * 1024, rel=0.01)


def test_what_no_extra_brings_has_a_command_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {**HERE, "polygraphy": "0.53.6"}
    diagnosis = diagnose(monkeypatch, installed)
    run = next(each for each in diagnosis.abilities if (each.target, each.verb) == ("tensorrt", "run"))
    assert run.needs == ("tensorrt",)
    assert run.fix == "pip install tensorrt"
    for name in ("tensorrt", "tensorrt-cu13", "tensorrt-cu12"):  # the first asks for one of the others
        assert abilities(diagnose(monkeypatch, {**installed, name: "11.4.0"}), "tensorrt") == {
            "export": True,
            "run": True,
            "prove": True,
        }
