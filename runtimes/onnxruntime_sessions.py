"""Making a session of ONNX Runtime: its options, the device it is on, and what is said where none can be made."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albert_export._native_noise import caught_stderr
from albert_export.errors import BundleError, DeviceError
from albert_export.runtimes.cuda_failures import lacks_memory, missing_library, read_failure
from albert_export.runtimes.onnxruntime_devices import (
    CPU,
    CUDA,
    Provider,
    cuda_failed,
    cuda_missing,
    preload_cuda,
    providers_for,
)
from albert_export.runtimes.run_failures import cannot_compute, too_large, went_down
from albert_export.runtimes.signatures import not_loadable

_log = logging.getLogger("albert_export.runtimes")


@dataclass(frozen=True)
class Opened:
    """A session.

    Attributes:
        session: ONNX Runtime's.
        kind: ``cpu`` or ``cuda``, where it runs.
        index: Number of the device.
        captured: Whether its runs are captured as a CUDA graph.
    """

    session: Any
    kind: str
    index: int
    captured: bool = False

    @property
    def device(self) -> str:
        """Our name of the device."""
        return f"{self.kind}:{self.index}" if self.index else self.kind


def open_on_cpu(ort: Any, path: Path, *, threads: int | None) -> Opened:
    """Make a session on the CPU.

    Args:
        ort: The module ``onnxruntime``.
        path: The ``.onnx`` file.
        threads: See :func:`session_options`.

    Raises:
        BundleError: ONNX Runtime cannot load the file.
    """
    return Opened(make_session(ort, path, providers_for("cpu", 0), threads), "cpu", 0)


def open_on_gpu(
    ort: Any,
    path: Path,
    *,
    index: int,
    threads: int | None,
    device_memory: int | None = None,
    captures: bool = False,
) -> Opened:
    """Make a session with the CUDA provider.

    Args:
        ort: The module ``onnxruntime``.
        path: The ``.onnx`` file.
        index: Number of the GPU.
        threads: See :func:`session_options`.
        device_memory: See :func:`albert_export.runtimes.onnxruntime_devices.providers_for`.
        captures: Whether its runs are to be captured as a CUDA graph.

    Raises:
        DeviceError: This build has no such provider, it does not start, or the GPU has not the memory.
        BundleError: ONNX Runtime cannot load the file, or cannot capture its runs: for a node that only the CPU
            computes, say, which depends on the release.
    """
    missing = cuda_missing(ort)
    if missing is not None:
        raise missing
    said = preload_cuda(ort)
    providers = providers_for("cuda", index, device_memory=device_memory, captures=captures)
    try:
        return Opened(make_session(ort, path, providers, threads), "cuda", index, captures)
    except DeviceError as error:
        detail = error.received if isinstance(error.received, str) and error.received else said
        raise (error if lacks_memory(detail) else cuda_failed(index, detail)) from error


def make_session(ort: Any, path: Path, providers: Sequence[Provider], threads: int | None) -> Any:
    """Make a session with the first of the providers, or raise; what ONNX Runtime prints meanwhile is caught.

    Raises:
        DeviceError: The first provider does not start, or the device has not the memory; ``received`` says why.
        BundleError: The file cannot be loaded.
    """
    first = providers[0][0]
    if first == CPU:
        try:
            return _session(ort, path, providers, threads)
        except errors_of(ort) as error:
            raise _not_loaded(path.name, detail_of(error), str(ort.__version__)) from error
    session, failure = None, None
    with caught_stderr() as caught:
        try:
            session = _session(ort, path, providers, threads)
        except errors_of(ort) as error:
            failure = error
    if session is not None and session.get_providers()[0] == first:
        return session
    # Where it raises nothing, it fell back to the CPU; in both cases it printed why.
    detail = "" if failure is None else detail_of(failure)
    if lacks_memory(detail):
        raise DeviceError(
            f"the GPU must have the memory for {path.name}",
            received=detail,
            fix="allow more device_memory, free memory of other processes, or export in a lower precision",
        ) from failure
    if "graph capture" in detail:
        raise not_loadable(path.name, detail, by="whose runs can be captured") from failure
    if failure is None or re.search(r"cuda|cudnn|cublas|tensorrt|ExecutionProvider", detail, re.IGNORECASE):
        said = f"{caught.text}\n{detail}" if missing_library(caught.text) else detail or caught.text
        raise DeviceError(f"the {_title(first)} provider must start", received=said.strip()) from failure
    raise _not_loaded(path.name, detail, str(ort.__version__)) from failure


def _session(ort: Any, path: Path, providers: Sequence[Provider], threads: int | None) -> Any:
    # The fallback of the Python class prints to stdout and hides which device runs; ours says so.
    return ort.InferenceSession(str(path), session_options(ort, threads), providers=list(providers), enable_fallback=0)


def session_options(ort: Any, threads: int | None) -> Any:
    """Return the session options that every artifact is run, measured and proven with.

    Most are ONNX Runtime's defaults, because they won when tried on a base-size head, rolled and unrolled (albert-base,
    one thread): prepacking the weights halves the time of 16 tokens and saves a tenth at 128, and packs each shared
    weight once; the arena saves a tenth at 384 tokens; memory patterns and the optimisation levels above basic change
    nothing that can be measured, at opset 18 or 20.

    Args:
        ort: The module ``onnxruntime``.
        threads: Threads of one run; None leaves the choice to ONNX Runtime.
    """
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4  # its warnings are about graphs; its errors are raised, and told in one line
    if threads is not None:
        options.intra_op_num_threads = threads
    return options


def failed_open(detail: str, *, device: str, file: str) -> DeviceError:
    """Return the error for a session on a GPU whose inputs and outputs find no place there."""
    failure = read_failure(detail)
    if failure is not None and not lacks_memory(detail):
        return failure.error(detail)
    fix = "allow more device_memory, or free memory of other processes"
    return DeviceError(f"{device} must have the memory for inputs and outputs of {file}", received=detail, fix=fix)


def failed_run(
    detail: str, *, device: str, shape: Sequence[int], file: str, device_memory: int | None = None
) -> DeviceError | BundleError:
    """Return the error for a run that failed: of the device, or of an artifact that cannot compute what it is given.

    Args:
        detail: What ONNX Runtime said.
        device: Where it ran, by our name.
        shape: Of the ids.
        file: Name of the artifact's file.
        device_memory: Limit on the memory of the device, or None.
    """
    failure = None if device == "cpu" else read_failure(detail)
    # What is known is not guessed at: an illegal access of memory is no want of it.
    if lacks_memory(detail) or (failure is None and re.search(r"alloc|memory", detail, re.IGNORECASE)):
        more = "" if device_memory is None else ", or allow more device_memory"
        return too_large(device, shape, detail, or_else=more)
    if device != "cpu" and (failure is not None or re.search(r"cuda|cudnn|cublas", detail, re.IGNORECASE)):
        fix = "check nvidia-smi" if failure is None else failure.fix
        return went_down(device, shape, detail, fix=fix)
    return cannot_compute(file, shape, detail)


def _title(provider: str) -> str:
    return "CUDA" if provider == CUDA else "TensorRT"


def _not_loaded(file: str, detail: str, version: str) -> BundleError:
    newer = re.search(r"opset|IR version", detail)
    fix = "upgrade onnxruntime, or export again with a lower --opset" if newer else "export it again"
    return not_loadable(file, detail, by=f"that onnxruntime {version} loads", fix=fix)


def errors_of(ort: Any) -> tuple[type[Exception], ...]:
    """Return all that ONNX Runtime raises: its classes have no common base below Exception."""
    state = ort.capi.onnxruntime_pybind11_state
    own = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*own, RuntimeError, ValueError, MemoryError)  # the last is C++'s bad_alloc


def detail_of(error: Exception) -> str:
    """Return the last, telling part of ONNX Runtime's message, without its source lines and this machine's paths."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error))
    text = re.sub(r"Load model from .*? failed:", "", text)
    text = re.sub(r"/onnxruntime_src/\S+:\d+ .*?\) (?=[A-Z])", "", text)
    return " ".join(text.split())[:300].strip() or type(error).__name__
