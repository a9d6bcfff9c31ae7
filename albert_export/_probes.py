"""What a package says about itself and about the devices it reaches. Run by the doctor, in a process of its own."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import io
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from albert_export._openvino import unreported

#: ``y = Identity(x)``, one float, opset 13: the smallest model with which a session can be opened on a device.
IDENTITY_MODEL = bytes.fromhex(
    "08073a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801"
    "620f0a0179120a0a08080112040a02080142040a00100d"
)


def facts(module: str) -> dict[str, Any]:
    """Import ``module`` and return what is worth knowing of it, as JSON values."""
    with unreported():
        imported = importlib.import_module(module)
    describe = _DESCRIBERS.get(module)
    return {} if describe is None else describe(imported)


#: Provider of ONNX Runtime -> the library in its folder that holds it.
_PROVIDER_LIBRARIES = {
    "CUDAExecutionProvider": "libonnxruntime_providers_cuda.so",
    "TensorrtExecutionProvider": "libonnxruntime_providers_tensorrt.so",
}


def _onnxruntime(ort: Any) -> dict[str, Any]:
    providers = list(ort.get_available_providers())
    found: dict[str, Any] = {"providers": providers, "devices": ["cpu"]}
    if "CUDAExecutionProvider" not in providers:
        return found
    if hasattr(ort, "preload_dlls"):
        with contextlib.redirect_stdout(io.StringIO()):
            ort.preload_dlls()
    refused = _refused_on_cuda(ort)
    if refused is None:
        found["devices"].append("cuda")
    elif refused:
        found["refused"] = refused
    with contextlib.suppress(ImportError, OSError):  # in an environment of pip it holds the libraries of TensorRT
        importlib.import_module("tensorrt")
    folder = Path(ort.__file__).parent / "capi"
    lacking = [
        missing
        for provider, library in _PROVIDER_LIBRARIES.items()
        if provider in providers and (missing := lacking_library(folder / library)) is not None
    ]
    built_for = getattr(ort, "cuda_version", None)
    return {
        **found,
        **({"cuda": str(built_for)} if built_for else {}),
        **({"lacks": sorted(set(lacking))} if lacking else {}),
    }


def _refused_on_cuda(ort: Any) -> str | None:
    """Return why no session opens on a GPU, in one line; empty where it is not said, None where one opens.

    A build that lists the provider falls back to the CPU, without an error, where a library of CUDA's is missing.
    """
    providers = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    try:
        # The fallback of the Python class prints, and hides what was raised.
        session = ort.InferenceSession(IDENTITY_MODEL, providers=providers, enable_fallback=0)
    except Exception as error:  # noqa: BLE001  its classes have no common base, and the package works without a GPU
        return " ".join(str(error).split())[:600] or type(error).__name__
    return None if "CUDAExecutionProvider" in session.get_providers() else ""


def lacking_library(path: Path) -> str | None:
    """Return the library that the system does not find when it loads the one at ``path``, or None."""
    if not path.is_file():
        return None
    try:
        ctypes.CDLL(str(path))
    except OSError as error:
        found = re.match(r"(lib\S+): cannot open shared object file", str(error))
        return None if found is None else found[1]
    return None


def _torch(torch: Any) -> dict[str, Any]:
    devices = ["cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
    return {"devices": devices, **({"cuda": str(torch.version.cuda)} if torch.version.cuda else {})}


def _jax(jax: Any) -> dict[str, Any]:
    # Looking for a GPU takes three quarters of its memory otherwise, if for seconds only.
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    names = {"gpu": "cuda"}
    return {"devices": sorted({names.get(device.platform, device.platform) for device in jax.devices()} | {"cpu"})}


def _tensorrt(trt: Any) -> dict[str, Any]:
    return {"version": str(trt.__version__)}


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
    "jax": _jax,
    "onnxruntime": _onnxruntime,
    "openvino": _openvino,
    "tensorflow": _tensorflow,
    "tensorrt": _tensorrt,
    "torch": _torch,
}
