"""Which execution providers of ONNX Runtime serve a device, with which options, and why one is not there."""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import re
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any

from albert_export.errors import DeviceError, install_command
from albert_export.runtimes.cuda_failures import BRING_CUDA, read_failure

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
TENSORRT = "TensorrtExecutionProvider"

Provider = tuple[str, dict[str, str]]

#: Where cuBLAS, cuDNN and TensorRT read whether they may round float32 factors to TF32, for the whole process.
_TF32 = "NVIDIA_TF32_OVERRIDE"


def providers_for(kind: str, index: int, *, device_memory: int | None = None, captures: bool = False) -> list[Provider]:
    """Return the execution providers for one kind of device, the preferred first, with their options.

    Args:
        kind: ``cpu`` or ``cuda``.
        index: Number of the GPU.
        device_memory: Most bytes that the arena may hold on it; None for all that is free.
        captures: Whether runs are captured as a CUDA graph and replayed.
    """
    if kind == "cpu":
        return [(CPU, {})]
    options = {
        "device_id": str(index),
        # TF32 keeps 10 bits of each factor: an fp32 artifact would not compute what the eager fp32 model computes.
        "use_tf32": "0",
        # By default the arena doubles each time it grows, and half of the memory it takes is never used.
        "arena_extend_strategy": "kSameAsRequested",
    }
    if device_memory is not None:
        options["gpu_mem_limit"] = str(device_memory)
    if captures:
        options["enable_cuda_graph"] = "1"
    return [(CUDA, options), (CPU, {})]


def tensorrt_providers(
    index: int,
    *,
    precision: str,
    engines: str | None = None,
    timings: str | None = None,
    device_memory: int | None = None,
    typed_by_options: bool = False,
) -> list[Provider]:
    """Return the providers with which ONNX Runtime has TensorRT build an engine of the graph and run it.

    What TensorRT leaves is run by the CUDA provider, and what that leaves by the CPU.

    Args:
        index: Number of the GPU.
        precision: Of the artifact.
        engines: Directory that engines are kept in, since building takes minutes; None keeps none. It must be that of
            one content alone: ONNX Runtime finds an engine again by the names in a graph, which do not tell one model's
            weights or fixed shapes from another's.
        timings: Directory that measured kernels are kept in, of any models; None keeps none.
        device_memory: Most bytes of the builder's workspace, and of the CUDA provider's arena; None for all that is
            free.
        typed_by_options: Whether the build has a TensorRT before 11, which computes in float16 or bfloat16 only where
            it is told that it may; later ones read it off the graph, and have no such options.
    """
    options = {"device_id": str(index), "trt_context_memory_sharing_enable": "1"}
    if typed_by_options and precision in ("fp16", "bf16"):
        options[f"trt_{precision}_enable"] = "1"
    if engines is not None:
        options |= {"trt_engine_cache_enable": "1", "trt_engine_cache_path": engines}
    if timings is not None:
        options |= {"trt_timing_cache_enable": "1", "trt_timing_cache_path": timings}
    if device_memory is not None:
        options["trt_max_workspace_size"] = str(device_memory)
    return [(TENSORRT, options), *providers_for("cuda", index, device_memory=device_memory)]


def without_tf32(environment: MutableMapping[str, str]) -> bool:
    """Have NVIDIA's libraries compute float32 in float32, unless the user chose; return whether that is so now.

    TensorRT's provider has no option for it. The setting is the process's, and read when a library is first used.

    Args:
        environment: ``os.environ``.
    """
    return environment.setdefault(_TF32, "0") == "0"


def captures_runs(layers: str, shapes: Mapping[str, int | None], tokens: str) -> bool:
    """Whether runs of an artifact can be captured as a CUDA graph: the same kernels on the same addresses each time.

    Args:
        layers: ``unrolled`` or ``rolled``: a loop is control flow, which no graph holds.
        shapes: Dynamic axis -> the size that the artifact fixes it to, or None.
        tokens: ``padded`` or ``packed``: the number of packed tokens depends on the data.
    """
    fixed = bool(shapes) and all(size is not None for size in shapes.values())
    return layers == "unrolled" and tokens == "padded" and fixed


def cuda_missing(ort: Any, provider: str = CUDA) -> DeviceError | None:
    """Return the error to raise for ``device="cuda"`` when this build of ONNX Runtime lacks the provider."""
    if provider in ort.get_available_providers():
        return None
    builds = installed_builds()
    if len(builds) > 1:
        # They install into the same folder: whichever came last overwrote the other's library.
        return DeviceError(
            "device cuda needs a build of ONNX Runtime with CUDA, and one build only",
            received=f"{' and '.join(builds)} installed over each other",
            fix=f"pip uninstall --yes {' '.join(builds)} && {install_command('gpu')}",
        )
    name = "CUDA" if provider == CUDA else "TensorRT"
    build = f"{builds[0]} {ort.__version__}" if builds else f"onnxruntime {ort.__version__}"
    remove = f"pip uninstall --yes {builds[0]} && " if builds and builds[0] != "onnxruntime-gpu" else ""
    return DeviceError(
        f"device cuda needs a build of ONNX Runtime with the {name} execution provider",
        received=f"{build} with {', '.join(ort.get_available_providers())}",
        fix=f"{remove}{install_command('gpu')}",
    )


def cuda_failed(index: int, detail: str, needs: str = "the CUDA and cuDNN libraries") -> DeviceError:
    """Return the error for a provider that is listed but on which no session could be made.

    Args:
        index: Number of the GPU.
        detail: All that was said.
        needs: What it takes besides a GPU.
    """
    failure = read_failure(detail)
    return DeviceError(
        f"device cuda:{index} needs an NVIDIA GPU with a driver, and {needs}",
        received=told(detail) or "ONNX Runtime fell back to the CPU",
        fix=f"check nvidia-smi; {BRING_CUDA}" if failure is None else failure.fix,
    )


def told(said: str) -> str:
    """Return the telling line of what ONNX Runtime printed: without colours, times, source lines and folders."""
    lines = []
    for line in said.splitlines():
        text = re.sub(r"\x1b\[[0-9;]*m", "", line)
        text = re.sub(r"^\d{4}-\d\d-\d\d \S+ \[[A-Z]:onnxruntime:[^\]]*\] ?", "", text)
        text = re.sub(r"/onnxruntime_src/\S+ .*?\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
        text = re.sub(r"(?<![\w.])/(?:[^/\s]+/)+", "", text).strip()
        if text and text not in lines:
            lines.append(text)
    telling = [line for line in lines if read_failure(line) is not None]
    return "; ".join(telling[:1] or lines[:3])[:300]


def installed_builds() -> list[str]:
    """Return the names of all installed distributions that provide the module ``onnxruntime``."""
    return sorted(set(importlib.metadata.packages_distributions().get("onnxruntime", [])))


def preload_cuda(ort: Any) -> str:
    """Load the CUDA libraries that pip installed, where this version of ONNX Runtime can; return what it said.

    It speaks through ``print``, which would end up in the middle of an application's own output. Once in a process: to
    catch it, the process's stdout is exchanged, and two threads that did so crosswise would leave it exchanged.
    """
    preload = getattr(ort, "preload_dlls", None)
    if preload is None:
        return ""
    with _preloading:
        if preload not in _preloaded:
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                preload()
            _preloaded[preload] = "; ".join(line.strip() for line in said.getvalue().splitlines() if line.strip())
        return _preloaded[preload]


_preloading = threading.Lock()
#: Function that loads the libraries -> what it said.
_preloaded: dict[Any, str] = {}
