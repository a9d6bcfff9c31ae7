"""What of this machine the plan depends on, as the doctor finds it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from importlib.util import find_spec
from shutil import which

from albert_export.doctor import Diagnosis
from albert_export.nvidia_parts import Part
from albert_export.targets import TARGETS
from tools.gpu.plan import Here

#: What a way needs -> the part that the doctor tells of it on a GPU.
_PARTS = {
    "jax": "JAX on CUDA",
    "onnxruntime": "ONNX Runtime on CUDA",
    "onnxruntime tensorrt": "ONNX Runtime with TensorRT",
    "tensorrt": "TensorRT",
}

#: What a way needs -> the packages that it takes on any device. What exports and proves may be a build for the CPU.
_PACKAGES = {
    "torch": ("torch",),
    "onnx export": ("torch", "onnx", "onnx-ir"),
    "stablehlo export": ("torch", "jax", "flax", "flatbuffers"),
    "jax": ("jax", "flatbuffers"),
    "onnxruntime": ("onnxruntime",),
    "tensorrt": ("tensorrt",),
}


def look(diagnosis: Diagnosis, device: str) -> Here:
    """Return what the ways may count on.

    Args:
        diagnosis: What the doctor found.
        device: ``cuda``, or ``cpu`` to run all of it without a GPU.
    """
    parts = {part.name: part for part in diagnosis.nvidia}
    states = {package.requirement.partition(">")[0]: package for package in diagnosis.packages}
    lacks: dict[str, str | None] = {}
    for need, names in _PACKAGES.items():
        lacks[need] = next(
            (f"{name} is {states[name].state}" for name in names if name in states and states[name].state != "ok"), None
        )
    lacks["compiler"] = _no_compiler(device)
    if device == "cuda":
        lacks |= {need: lacks.get(need) or _told(parts[name]) for need, name in _PARTS.items()}
        devices = states["torch"].facts.get("devices", ()) if "torch" in states else ()
        if lacks["torch"] is None and not any(name.startswith("cuda") for name in devices):
            lacks["torch"] = _told(parts["CUDA"]) or _told(parts["GPU"]) or "torch sees no GPU"
    else:
        lacks |= dict.fromkeys(("tensorrt", "onnxruntime tensorrt"), "it runs on GPUs alone")
    return Here(device, lacks, tuple(target.name for target in TARGETS))


def _told(part: Part) -> str | None:
    return None if part.ready else f"{part.found}; fix: {part.fix}"


def _no_compiler(device: str) -> str | None:
    """Return what torch.compile lacks besides torch, or None."""
    if device == "cuda":
        if find_spec("triton") is None:
            return "torch.compile takes triton on a GPU, which is not installed"
        # Triton compiles a launcher in C for each kernel.
        there = "CC" in os.environ or any(which(name) for name in ("cc", "gcc", "clang"))
        return None if there else "torch.compile takes a C compiler on a GPU"
    there = any(which(name) for name in ("c++", "g++", "clang++"))
    return None if there else "torch.compile takes a C++ compiler on the CPU"


def machine_facts(diagnosis: Diagnosis) -> Mapping[str, object]:
    """Return what a report says of the machine: no path, no name of it."""
    return {
        "gpus": list(diagnosis.machine.gpus),
        "cpu": diagnosis.machine.cpu,
        "threads": diagnosis.machine.threads,
        "system": diagnosis.machine.system,
        "python": diagnosis.python,
        "packages": {
            package.name: package.installed for package in diagnosis.packages if package.installed is not None
        },
        "nvidia": [str(part) for part in diagnosis.nvidia],
    }
