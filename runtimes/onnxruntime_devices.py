"""Which execution provider of ONNX Runtime serves a device, and why one is not there."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
from typing import Any

from albert_export.errors import DeviceError, install_command

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"

Provider = tuple[str, dict[str, str]]


def providers_for(kind: str, index: int) -> list[Provider]:
    """Return the execution providers for one kind of device, the preferred first, with their options."""
    if kind == "cpu":
        return [(CPU, {})]
    # TF32 keeps 10 bits of each factor: an fp32 artifact would then not compute what the eager fp32 model computes.
    return [(CUDA, {"device_id": str(index), "use_tf32": "0"}), (CPU, {})]


def cuda_missing(ort: Any) -> DeviceError | None:
    """Return the error to raise for ``device="cuda"`` when this build of ONNX Runtime has no CUDA provider."""
    if CUDA in ort.get_available_providers():
        return None
    builds = installed_builds()
    if len(builds) > 1:
        # They install into the same folder: whichever came last overwrote the other's library.
        return DeviceError(
            "device cuda needs a build of ONNX Runtime with CUDA, and one build only",
            received=f"{' and '.join(builds)} installed over each other",
            fix=f"pip uninstall --yes {' '.join(builds)} && {install_command('gpu')}",
        )
    build = f"{builds[0]} {ort.__version__}" if builds else f"onnxruntime {ort.__version__}"
    remove = f"pip uninstall --yes {builds[0]} && " if builds and builds[0] != "onnxruntime-gpu" else ""
    return DeviceError(
        "device cuda needs a build of ONNX Runtime with the CUDA execution provider",
        received=f"{build} with {', '.join(ort.get_available_providers())}",
        fix=f"{remove}{install_command('gpu')}",
    )


def cuda_failed(index: int, detail: str) -> DeviceError:
    """Return the error for a CUDA provider that is listed but on which no session could be made."""
    return DeviceError(
        f"device cuda:{index} needs an NVIDIA GPU with a driver, and the CUDA and cuDNN libraries",
        received=detail or "ONNX Runtime fell back to the CPU",
        fix="check nvidia-smi; pip install 'onnxruntime-gpu[cuda,cudnn]' brings the libraries",
    )


def installed_builds() -> list[str]:
    """Return the names of all installed distributions that provide the module ``onnxruntime``."""
    return sorted(set(importlib.metadata.packages_distributions().get("onnxruntime", [])))


def preload_cuda(ort: Any) -> str:
    """Load the CUDA libraries that pip installed, where this version of ONNX Runtime can; return what it said.

    It speaks through ``print``, which would end up in the middle of an application's own output.
    """
    said = io.StringIO()
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(said):
            ort.preload_dlls()
    return "; ".join(line.strip() for line in said.getvalue().splitlines() if line.strip())
