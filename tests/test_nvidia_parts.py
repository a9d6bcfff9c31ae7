"""What the doctor says of each part of NVIDIA's, on machines that have all, some or nothing of it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from albert_export._nvidia import Driver, Gpu
from albert_export.nvidia_parts import Found, Part, nvidia_parts

H200 = Driver((Gpu("NVIDIA H200", "9.0", "580.159.03", 143771),), "13.0")
BOTH = ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]
ALL: dict[str, Any] = {
    "torch": Found("torch", "2.11.0+cu130", {"cuda": "13.0", "devices": ["cpu", "cuda:0"]}),
    "onnxruntime": Found("onnxruntime-gpu", "1.31.1", {"providers": BOTH, "devices": ["cpu", "cuda"], "cuda": "13.0"}),
    "tensorrt": Found("tensorrt", "11.4.0.106", {}),
    "polygraphy": Found("polygraphy", "0.53.6"),
    "jax": Found("jax", "0.11.2", {"devices": ["cpu", "cuda"]}),
    "jaxlib": Found("jaxlib", "0.11.2"),
    "plugins": [Found("jax-cuda13-plugin", "0.11.2"), Found("jax-cuda12-plugin")],
}
NAMES = (
    "NVIDIA driver",
    "GPU",
    "CUDA",
    "TensorRT",
    "ONNX Runtime on CUDA",
    "ONNX Runtime with TensorRT",
    "JAX on CUDA",
)


def parts(driver: Driver = H200, **changed: Any) -> dict[str, Part]:
    return {part.name: part for part in nvidia_parts(driver, **{**ALL, **changed})}


def facts(name: str, **changed: Any) -> Found:
    found: Found = ALL[name]
    return dataclasses.replace(found, facts={**found.facts, **changed})


def test_a_machine_with_everything() -> None:
    found = parts()
    assert tuple(found) == NAMES
    assert all(part.ready and part.fix is None for part in found.values())
    assert str(found["NVIDIA driver"]) == "NVIDIA driver: 580.159.03, runs CUDA up to 13.0"
    built = "torch 2.11.0+cu130 is built for 13.0, onnxruntime-gpu 1.31.1 is built for 13.0"
    assert str(found["CUDA"]) == f"CUDA: {built}; the driver runs up to 13.0"


def test_a_machine_with_nothing_says_so_in_one_line_each() -> None:
    nothing = {name: Found(name) for name in ALL if name != "plugins"}
    found = parts(Driver(problem="there is no nvidia-smi"), plugins=[], **nothing)
    for part in found.values():
        assert not part.ready
        assert str(part).startswith(f"{part.name}: no: ") and "; fix: " in str(part) and "\n" not in str(part)
    assert str(found["NVIDIA driver"]).startswith("NVIDIA driver: no: there is no nvidia-smi; fix: install NVIDIA's")
    assert "jax[cuda13]" in str(found["JAX on CUDA"])


def test_all_packages_without_a_gpu_lack_the_gpu_alone() -> None:
    found = parts(
        Driver(problem="there is no nvidia-smi"),
        onnxruntime=facts("onnxruntime", devices=["cpu"]),
        jax=facts("jax", devices=["cpu"]),
    )
    for name in ("GPU", "TensorRT", "ONNX Runtime on CUDA", "JAX on CUDA"):
        assert "no GPU" in found[name].found or "no NVIDIA GPU" in found[name].found
        assert found[name].fix is not None and "pip" not in found[name].fix, "nothing has to be installed"


@pytest.mark.parametrize(
    ("name", "driver", "changed", "says", "fix"),
    [
        (
            "CUDA",
            dataclasses.replace(H200, cuda="12.8"),
            {},
            "the driver runs up to 12.8",
            "upgrade the driver, or install torch and onnxruntime-gpu in the build for CUDA 12",
        ),
        (
            "CUDA",
            H200,
            {"torch": Found("torch", "2.11.0+cpu"), "onnxruntime": Found("onnxruntime")},
            "torch 2.11.0+cpu is built without",
            "gpu",
        ),
        (
            "CUDA",
            dataclasses.replace(H200, cuda=None),
            {},
            "the driver names none that it runs; torch 2.11.0+cu130 is built for 13.0",
            "NVIDIA_DRIVER_CAPABILITIES=compute,utility",
        ),
        ("NVIDIA driver", Driver(), {}, "finds no GPU", "--gpus all"),
        ("TensorRT", H200, {"tensorrt": Found("tensorrt")}, "not installed", "pip install tensorrt"),
        (
            "TensorRT",
            H200,
            {"tensorrt": Found("tensorrt", "11.4", {}, "ImportError: libnvinfer.so.11: cannot open")},
            "tensorrt 11.4 does not load: ImportError: libnvinfer.so.11",
            "pip install tensorrt",
        ),
        ("TensorRT", H200, {"polygraphy": Found("polygraphy")}, "without polygraphy", "tensorrt]"),
        (
            "ONNX Runtime on CUDA",
            H200,
            {"onnxruntime": Found("onnxruntime", "1.32.0", {"providers": ["CPUExecutionProvider"]})},
            "onnxruntime 1.32.0 runs on the CPU alone",
            "pip uninstall --yes onnxruntime && pip install",
        ),
        (
            "ONNX Runtime on CUDA",
            H200,
            {"onnxruntime": facts("onnxruntime", devices=["cpu"], lacks=["libcublasLt.so.13", "libnvinfer.so.11"])},
            "cannot open a session and lacks libcublasLt.so.13",
            "onnxruntime-gpu[cuda,cudnn]",
        ),
        (
            "ONNX Runtime on CUDA",
            H200,
            {
                "onnxruntime": facts(
                    "onnxruntime",
                    devices=["cpu"],
                    refused="CUDA failure 35: CUDA driver version is insufficient ; G=0",
                )
            },
            "cannot open a session: CUDA failure 35: CUDA driver version is insufficient",
            "upgrade the driver",
        ),
        (
            "ONNX Runtime with TensorRT",
            H200,
            {"onnxruntime": facts("onnxruntime", lacks=["libnvinfer.so.11"])},
            "lacks libnvinfer.so.11",
            "tensorrt==11.*",
        ),
        (
            "ONNX Runtime with TensorRT",
            H200,
            {"onnxruntime": facts("onnxruntime", devices=["cpu"])},
            "what CUDA takes",
            "see ONNX Runtime on CUDA",
        ),
        ("JAX on CUDA", H200, {"plugins": []}, "jax 0.11.2 without its CUDA plugin", "pip install 'jax[cuda13]'"),
        (
            "JAX on CUDA",
            dataclasses.replace(H200, cuda="12.4"),
            {"plugins": []},
            "without its CUDA plugin",
            "pip install 'jax[cuda12]'",
        ),
        (
            "JAX on CUDA",
            H200,
            {"plugins": [Found("jax-cuda13-plugin", "0.10.2")]},
            "jax-cuda13-plugin 0.10.2 beside jaxlib 0.11.2, which must be of one version",
            "--upgrade",
        ),
        (
            "JAX on CUDA",
            H200,
            {"plugins": [Found("jax-cuda13-plugin", "0.11.2"), Found("jax-cuda12-plugin", "0.11.2")]},
            "stand side by side",
            "pip uninstall --yes jax-cuda13-plugin jax-cuda12-plugin && pip install 'jax[cuda13]'",
        ),
        ("JAX on CUDA", H200, {"jax": facts("jax", devices=["cpu"])}, "does not see the GPU", "check nvidia-smi"),
    ],
)
def test_what_one_part_lacks(name: str, driver: Driver, changed: dict[str, Any], says: str, fix: str) -> None:
    part = parts(driver, **changed)[name]
    assert not part.ready
    assert says in part.found
    assert part.fix is not None and fix in part.fix


def test_a_plugin_of_a_patch_release_fits() -> None:
    found = parts(plugins=[Found("jax-cuda13-plugin", "0.11.2.1")])
    assert found["JAX on CUDA"].ready
