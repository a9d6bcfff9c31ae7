"""Running ONNX and TFLite artifacts with OpenVINO, on the CPU, and on Intel's GPUs and NPUs by name.

OpenVINO computes in bfloat16 by itself wherever the processor has it, fp32 files included. That is no longer what the
eager model computes, so each artifact is told its own arithmetic here: float32, but for bf16 artifacts bfloat16.
``openvino:bf16`` and ``openvino:fp32`` say otherwise.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export._openvino import unreported
from albert_export.bundle.external_data import external_locations
from albert_export.errors import BundleError, DeviceError, InputError
from albert_export.runtimes.input_checks import IntArray
from albert_export.runtimes.processors import restricted_processors
from albert_export.runtimes.protocol import Array, Runtime, checked_threads
from albert_export.runtimes.run_failures import cannot_compute, too_large
from albert_export.runtimes.signatures import Declared, declared_specs, fixed_sizes, not_loadable
from albert_export.tasks import Task

if TYPE_CHECKING:
    from albert_export.bundle import Artifact, Bundle
    from albert_export.config import AlbertConfig

_log = logging.getLogger("albert_export.runtimes")

#: Suffix of a file -> the target whose artifacts have it.
_TARGETS = {".onnx": "onnx", ".tflite": "tflite"}

#: Precision of the arithmetic -> OpenVINO's name of it.
_HINTS = {"fp32": "f32", "bf16": "bf16"}

#: Name, device, inode, size and time of each file.
_Identity = tuple[tuple[str, int, int, int, int], ...]

_FAILURES = (RuntimeError, ValueError, MemoryError)

#: OpenVINO's name of a type of numbers -> numpy's, where they differ.
_DTYPES = {"i32": "int32", "i64": "int64", "f32": "float32", "f16": "float16", "f64": "float64"}


class OpenVinoRuntime(Runtime):
    """An ONNX or TFLite artifact, compiled by OpenVINO.

    Runs take idle requests, of which as many are made as runs ever meet. A run that fails leaves shapes of its own in
    the compiled model, on which the next one fails as well: it is compiled anew then.

    Attributes:
        threads: Threads of one run, or None where OpenVINO chose (one for each physical core).
        computes_in: Precision of the arithmetic, ``fp32`` or ``bf16``; integer products are integer in both.
    """

    def __init__(
        self,
        compile_model: Callable[[], Any],
        version: str,
        *,
        target: str,
        task: Task,
        config: AlbertConfig,
        file: str,
        device: str,
        reason: str,
        threads: int | None,
        computes_in: str,
    ) -> None:
        compiled = compile_model()
        inputs, outputs = _declared(compiled.inputs), _declared(compiled.outputs)
        super().__init__(
            task=task,
            config=config,
            inputs=declared_specs(task.inputs, inputs, "input", file),
            outputs=declared_specs(task.outputs, outputs, "output", file),
            sizes=fixed_sizes(task, inputs, file),
            device=device,
            reason=reason,
            file=file,
        )
        self.target = target
        self.threads = threads
        self.computes_in = computes_in
        self._version = version
        self._compile = compile_model
        self._compiled: Any = compiled
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        artifact: Artifact,
        *,
        device: str = "auto",
        threads: int | None = None,
        computes_in: str | None = None,
    ) -> OpenVinoRuntime:
        """Load an ONNX or TFLite artifact; see :meth:`Runtime.open`. ``auto`` is the CPU.

        Args:
            bundle: An opened, verified bundle.
            artifact: One of its artifacts.
            device: See :meth:`open_file`.
            threads: See :meth:`Runtime.open`.
            computes_in: Precision of the arithmetic; None for bf16 where the artifact is bf16 and the device has it,
                and else fp32.
        """
        return cls.open_file(
            bundle.file(artifact),
            task=bundle.task_of(artifact),
            config=bundle.config,
            device=device,
            threads=threads,
            computes_in=computes_in,
            prefers="bf16" if artifact.precision == "bf16" else "fp32",
        )

    @classmethod
    def open_file(
        cls,
        path: Path,
        *,
        task: Task,
        config: AlbertConfig,
        device: str = "auto",
        threads: int | None = None,
        computes_in: str | None = None,
        prefers: str = "fp32",
    ) -> OpenVinoRuntime:
        """Load a model file that is not, or not yet, part of a bundle.

        Args:
            path: The ``.onnx`` or ``.tflite`` file; external data lies beside it.
            task: The head that it computes.
            config: Its configuration.
            device: ``auto``, ``cpu``, ``gpu``, ``gpu:N`` or ``npu``; ``auto`` is the CPU.
            threads: See :meth:`Runtime.open`.
            computes_in: ``fp32`` or ``bf16``, which the device must have; None for what is preferred.
            prefers: ``bf16`` for bf16 where the device has it; else fp32.

        Raises:
            DeviceError: The device is not there, or has no bf16.
            MissingDependencyError: openvino is not installed.
            BundleError: OpenVINO cannot load the file, or it is no model of this task.
            InputError: ``device``, ``threads`` or ``computes_in`` is no value of its kind.
        """
        kind = _kind(device)
        threads = checked_threads(threads) or restricted_processors()
        if computes_in not in (None, *_HINTS):
            raise InputError("OpenVINO is told to compute in fp32 or bf16", received=computes_in, fix="leave it out")
        if path.suffix not in _TARGETS:
            raise not_loadable(path.name, f"a file that ends in {path.suffix or path.name}", by="in ONNX or TFLite")
        with unreported():
            openvino = require("openvino", needed_for="running artifacts with OpenVINO", extra="openvino")
        core = openvino.Core()
        if kind not in core.available_devices and f"{kind}.0" not in core.available_devices:
            raise DeviceError(
                f"device {device} needs a device that OpenVINO reaches",
                received=f"{', '.join(core.available_devices).lower()}",
                fix="choose cpu, or install the driver of the device",
            )
        chosen = _arithmetic(core, kind, device, computes_in, prefers)
        # For latency: a run takes all threads, and runs that meet follow each other.
        options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": _HINTS[chosen], "PERFORMANCE_HINT": "LATENCY"}
        if kind == "CPU" and threads is not None:
            options["INFERENCE_NUM_THREADS"] = threads
        version = _short(openvino.__version__)
        where = kind.lower().replace(".", ":")
        reason = "OpenVINO runs on the CPU unless told otherwise" if device == "auto" else "asked for"
        _log.info("%s runs in OpenVINO on %s, in %s: %s", path.name, where, chosen, reason)
        return cls(
            _compiler(core, path, kind, options, version),
            version,
            target=_TARGETS[path.suffix],
            task=task,
            config=config,
            file=path.name,
            device=where,
            reason=reason,
            threads=threads if kind == "CPU" else None,
            computes_in=chosen,
        )

    def _execute(self, inputs: dict[str, IntArray]) -> dict[str, Array]:
        compiled, request = self._take()
        try:
            request.infer(inputs)
            # Copies: the request keeps its tensors, and the next run writes into them.
            outputs = {spec.name: request.get_tensor(spec.name).data.copy() for spec in self.outputs}
        except _FAILURES as error:
            with self._lock:
                if self._compiled is compiled:
                    self._forget()
            raise self._failed(error, inputs["input_ids"].shape) from error
        with self._lock:
            if self._compiled is compiled:
                self._idle.append(request)
        return outputs

    def _take(self) -> tuple[Any, Any]:
        """Return the compiled model with an idle request of it, or a new one."""
        with self._lock:
            self._check_open()
            if self._compiled is None:
                self._compiled = self._compile()
            return self._compiled, self._idle.pop() if self._idle else self._compiled.create_infer_request()

    def _forget(self) -> None:
        self._compiled = None
        self._idle.clear()

    def _failed(self, error: Exception, shape: tuple[int, ...]) -> DeviceError | BundleError:
        """Tell a device without the memory from an artifact that cannot compute what its inputs allow."""
        if _lacks_memory(error):
            return too_large(self.device, shape, _told(error))
        return cannot_compute(self.file, shape, _told(error))

    def _release(self) -> None:
        with self._lock:
            self._forget()

    def _own_facts(self) -> dict[str, Any]:
        return {
            "computes_in": self.computes_in,
            "threads": self.threads,
            "versions": {"openvino": self._version},
        }


def _compiler(core: Any, path: Path, kind: str, options: Mapping[str, Any], version: str) -> Callable[[], Any]:
    """Return what reads the file and compiles it; a second time only if it, and its external data, are still the same.

    Raises:
        BundleError: OpenVINO cannot load the file, or another one has taken its place, or that of its external data.
        DeviceError: The device has not the memory.
    """
    first: _Identity | None = None

    def compile_model() -> Any:
        nonlocal first
        try:
            now = _identity(path)
            first = first or now
            if now != first:
                raise BundleError(
                    f"{path.name} must stay as it was to be compiled again after a run that failed",
                    received="another file",
                    fix="load the bundle again",
                )
            return core.compile_model(core.read_model(os.fspath(path)), kind, dict(options))
        except (OSError, *_FAILURES) as error:
            if _lacks_memory(error):
                raise DeviceError(
                    f"{kind.lower()} must have the memory for {path.name}",
                    received=_told(error),
                    fix="export it in a lower precision",
                ) from error
            raise not_loadable(
                path.name,
                _told(error),
                by=f"that OpenVINO {version} loads",
                fix="export it again, or run it with the target's own runtime",
            ) from error

    return compile_model


def _identity(path: Path) -> _Identity:
    """Return what tells a model file, and the external data of an ONNX file, from others in their places."""
    beside: list[Path] = []
    if path.suffix == ".onnx":
        with suppress(ValueError):  # what is no ONNX file OpenVINO tells
            beside = [path.parent / location for location in sorted(external_locations(path))]
    found = [(file, file.stat()) for file in (path, *beside)]
    return tuple((file.name, one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) for file, one in found)


def _kind(device: object) -> str:
    """``gpu:1`` -> ``GPU.1``, OpenVINO's name of the device.

    Raises:
        InputError: It is the name of no device.
        DeviceError: OpenVINO has no such devices.
    """
    match = re.fullmatch(r"(auto|cpu|npu)|(gpu)(?::(\d+))?", device) if isinstance(device, str) else None
    if match is not None:
        if match[1] is not None:
            return "CPU" if match[1] == "auto" else match[1].upper()
        return "GPU" if match[3] is None else f"GPU.{match[3]}"
    if isinstance(device, str) and re.fullmatch(r"(cuda|tpu)(:\d+)?", device):
        raise DeviceError("OpenVINO runs on cpu, gpu or npu", received=device, fix="choose another runtime")
    raise InputError(
        "device must be auto, cpu, gpu, gpu:N or npu for OpenVINO", received=device, fix="leave device out"
    )


def _arithmetic(core: Any, kind: str, device: str, asked: str | None, prefers: str) -> str:
    """Return the precision of the arithmetic, which the device must have where it was asked for."""
    wanted = asked or prefers
    # A GPU has no bfloat16 of its own; and without the hint being true, a processor would compute in float32 unsaid.
    if wanted == "bf16" and "BF16" not in _capabilities(core, kind):
        if asked is not None:
            raise DeviceError(
                "openvino:bf16 needs a device that computes in bfloat16",
                received=f"{device}, which does not",
                fix="name openvino alone",
            )
        return "fp32"
    return wanted


def _capabilities(core: Any, kind: str) -> list[str]:
    return list(core.get_property(kind, "OPTIMIZATION_CAPABILITIES"))


def _declared(ports: Iterable[Any]) -> dict[str, Declared]:
    return {
        port.get_any_name(): Declared(
            _DTYPES.get(port.get_element_type().get_type_name(), port.get_element_type().get_type_name()),
            [None if size.is_dynamic else size.get_length() for size in port.get_partial_shape()],
        )
        for port in ports
    }


def _lacks_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):  # what std::bad_alloc becomes
        return True
    return (
        re.search(r"bad_alloc|out of memory|allocat\w* .*memory|memory .*allocat", str(error), re.IGNORECASE)
        is not None
    )


def _told(error: Exception) -> str:
    """Return the telling part of OpenVINO's message: without the source files that it passed through."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not re.match(r"Exception from src|Check '.*' failed at", line)]
    return " ".join(told or lines)[:300].strip() or type(error).__name__


def _short(version: str) -> str:
    """``2026.4.1-22982-…`` -> ``2026.4.1``."""
    return version.partition("-")[0]
