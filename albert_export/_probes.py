"""What a package says about itself and about the devices it reaches. Run by the doctor, in a process of its own."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable
from typing import Any

#: ``y = Identity(x)``, one float, opset 13: the smallest model with which a session can be opened on a device.
IDENTITY_MODEL = bytes.fromhex(
    "08073a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801"
    "620f0a0179120a0a08080112040a02080142040a00100d"
)


def facts(module: str) -> dict[str, Any]:
    """Import ``module`` and return what is worth knowing of it, as JSON values."""
    imported = importlib.import_module(module)
    describe = _DESCRIBERS.get(module)
    return {} if describe is None else describe(imported)


def _onnxruntime(ort: Any) -> dict[str, Any]:
    providers = list(ort.get_available_providers())
    devices = ["cpu"]
    if "CUDAExecutionProvider" in providers and _opens_on_cuda(ort):
        devices.append("cuda")
    return {"providers": providers, "devices": devices}


def _opens_on_cuda(ort: Any) -> bool:
    """A build that lists the provider still falls back to the CPU where the driver or a CUDA library is missing."""
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):
            ort.preload_dlls()
    session = ort.InferenceSession(IDENTITY_MODEL, providers=["CUDAExecutionProvider", "CPUExecutionProvider"])
    return "CUDAExecutionProvider" in session.get_providers()


def _torch(torch: Any) -> dict[str, Any]:
    return {"devices": ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]}


def _tensorflow(tf: Any) -> dict[str, Any]:
    return {"devices": ["cpu", *(f"cuda:{index}" for index in range(len(tf.config.list_physical_devices("GPU"))))]}


def _openvino(openvino: Any) -> dict[str, Any]:
    core = openvino.Core()
    bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return {
        "devices": [name.lower().replace(".", ":") for name in core.available_devices],
        "computes_in": ["fp32", *(["bf16"] if bf16 else [])],
    }


_DESCRIBERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "tensorflow": _tensorflow,
    "torch": _torch,
}
