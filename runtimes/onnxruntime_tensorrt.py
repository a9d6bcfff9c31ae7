"""ONNX Runtime through TensorRT: it has an engine built of the graph when the session is made, or takes a kept one."""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
from pathlib import Path
from typing import Any

from albert_export.builtin.cache import cache_directory
from albert_export.errors import DeviceError
from albert_export.runtimes.cuda_failures import lacks_memory
from albert_export.runtimes.onnxruntime_devices import (
    TENSORRT,
    cuda_failed,
    cuda_missing,
    preload_cuda,
    tensorrt_providers,
    without_tf32,
)
from albert_export.runtimes.onnxruntime_sessions import Opened, make_session

_log = logging.getLogger("albert_export.runtimes")


def open_with_tensorrt(
    ort: Any,
    path: Path,
    *,
    index: int,
    threads: int | None,
    precision: str,
    content: tuple[str, ...] | None = None,
    device_memory: int | None = None,
) -> Opened:
    """Make a session with TensorRT's provider; what TensorRT leaves is run by the CUDA provider.

    An engine is built for each range of shapes that runs ask for, which takes minutes. Engines of one content are kept
    in a directory of their own.

    Args:
        ort: The module ``onnxruntime``.
        path: The ``.onnx`` file.
        index: Number of the GPU.
        threads: See :func:`albert_export.runtimes.onnxruntime_sessions.session_options`.
        precision: Of the artifact.
        content: Hashes of its files; without them no engine is kept.
        device_memory: See :func:`albert_export.runtimes.onnxruntime_devices.tensorrt_providers`.

    Raises:
        DeviceError: This build has no such provider, or it does not start; the fix says what it lacks.
        BundleError: ONNX Runtime cannot load the file.
    """
    missing = cuda_missing(ort, TENSORRT)
    if missing is not None:
        raise missing
    rounds = precision == "fp32" and not without_tf32(os.environ)
    if rounds:
        _log.warning("NVIDIA_TF32_OVERRIDE lets TensorRT round factors to TF32: fp32 is then no float32")
    preload_cuda(ort)
    version = tensorrt_version()
    providers = tensorrt_providers(
        index,
        precision=precision,
        engines=None if content is None else _kept_in("engines", engines_name(content, rounds=rounds)),
        timings=_kept_in("timings"),
        device_memory=device_memory,
        typed_by_options=version is not None and int(version.partition(".")[0]) < 11,
    )
    try:
        session = make_session(ort, path, providers, threads)
    except DeviceError as error:
        detail = str(error.received or "")
        if lacks_memory(detail):
            raise
        raise cuda_failed(index, detail, needs="the CUDA, cuDNN and TensorRT libraries") from error
    return Opened(session, "cuda", index)


def tensorrt_version() -> str | None:
    """Import TensorRT's bindings, which load its libraries where pip installed them, and return their version.

    None where there are none: the libraries may then be those of the system.
    """
    try:
        return str(importlib.import_module("tensorrt").__version__)
    except (ImportError, OSError, AttributeError):
        return None


def engines_name(content: tuple[str, ...], *, rounds: bool) -> str:
    """Return the name of the directory for the engines of one content.

    Args:
        content: Hashes of the artifact's files.
        rounds: Whether they are built to round float32 factors to TF32.
    """
    return hashlib.sha256("\n".join(content).encode()).hexdigest()[:32] + ("-tf32" if rounds else "")


def _kept_in(*names: str) -> str | None:
    """Return a directory in the package's cache, or None where nothing can be kept."""
    try:
        directory = cache_directory().joinpath("onnxruntime-tensorrt", *names)
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _log.info("engines are not kept: %s", error)
        return None
    return str(directory) if os.access(directory, os.W_OK) else None
