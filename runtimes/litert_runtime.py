"""Running TFLite artifacts with LiteRT, on the CPU through XNNPACK; TensorFlow is not needed for it."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export._native_noise import caught_stderr
from albert_export.errors import BundleError, DeviceError, InputError
from albert_export.runtimes.input_checks import IntArray
from albert_export.runtimes.processors import restricted_processors
from albert_export.runtimes.protocol import Array, Runtime, checked_threads
from albert_export.runtimes.run_failures import cannot_compute, too_large
from albert_export.runtimes.signatures import Declared, declared_specs, fixed_sizes, not_loadable
from albert_export.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Mapping

    from albert_export.bundle import Artifact, Bundle
    from albert_export.config import AlbertConfig

_log = logging.getLogger("albert_export.runtimes")

_DEVICES = ("auto", "cpu")


class LiteRtRuntime(Runtime):
    """A TFLite artifact in a LiteRT interpreter.

    An interpreter holds one shape at a time: where an axis is dynamic, a run of another shape than the one before
    lays its memory out anew. Runs of several threads follow each other.

    Attributes:
        threads: Threads of one run.
    """

    target = "tflite"

    def __init__(
        self,
        interpreter: Any,
        version: str,
        *,
        task: Task,
        config: AlbertConfig,
        file: str,
        reason: str,
        threads: int,
    ) -> None:
        runner = _signature(interpreter, file)
        inputs, outputs = runner.get_input_details(), runner.get_output_details()
        super().__init__(
            task=task,
            config=config,
            inputs=declared_specs(task.inputs, _declared(inputs), "input", file),
            outputs=declared_specs(task.outputs, _declared(outputs), "output", file),
            sizes=fixed_sizes(task, _declared(inputs), file),
            device="cpu",
            reason=reason,
            file=file,
        )
        self.threads = threads
        self._version = version
        self._places = {name: int(details["index"]) for name, details in {**inputs, **outputs}.items()}
        self._interpreter: Any = interpreter
        self._shape: tuple[int, ...] | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls, bundle: Bundle, artifact: Artifact, *, device: str = "auto", threads: int | None = None
    ) -> LiteRtRuntime:
        """Load a TFLite artifact; see :meth:`Runtime.open`. LiteRT runs on the CPU here."""
        return cls.open_file(
            bundle.file(artifact),
            task=bundle.task,
            config=bundle.config,
            device=device,
            threads=threads,
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
    ) -> LiteRtRuntime:
        """Load a model file that is not, or not yet, part of a bundle.

        Args:
            path: The ``.tflite`` file.
            task: The head that it computes.
            config: Its configuration.
            device: ``auto`` or ``cpu``.
            threads: See :meth:`Runtime.open`; None for one on each processor that this process may use.

        Raises:
            DeviceError: Another device.
            MissingDependencyError: ai-edge-litert is not installed.
            BundleError: LiteRT cannot load the file, or it is no model of this task.
            InputError: ``device`` or ``threads`` is no value of its kind.
        """
        if device not in _DEVICES:
            raise _not_there(device)
        # LiteRT takes one thread unless it is told otherwise.
        threads = checked_threads(threads) or restricted_processors() or os.cpu_count() or 1
        litert = require("ai_edge_litert.interpreter", needed_for="running TFLite artifacts", extra="tflite")
        failure: Exception | None = None
        # It tells of its delegate once, when memory is first laid out; no run touches the process's stderr.
        with caught_stderr() as said:
            try:
                interpreter = litert.Interpreter(model_path=os.fspath(path), num_threads=threads)
                interpreter.allocate_tensors()
            except (ValueError, RuntimeError) as error:
                failure = error
        if failure is not None:
            if _lacks_memory(failure):
                raise DeviceError(
                    f"cpu must have the memory for {path.name}",
                    received=_told(failure),
                    fix="export it with a smaller batch or sequence",
                ) from failure
            raise not_loadable(path.name, _told(failure), by="that LiteRT loads") from failure
        if said.text:
            _log.debug("LiteRT said of %s: %s", path.name, said.text.strip())
        reason = "asked for" if device == "cpu" else "LiteRT runs on the CPU"
        _log.info("%s runs on cpu: %s", path.name, reason)
        return cls(
            interpreter,
            _version(),
            task=task,
            config=config,
            file=path.name,
            reason=reason,
            threads=threads,
        )

    def _execute(self, inputs: dict[str, IntArray]) -> dict[str, Array]:
        with self._lock:
            interpreter = self._interpreter  # under the lock: close() waits for a run that is under way
            if interpreter is None:
                self._check_open()
            shape = inputs["input_ids"].shape
            try:
                if shape != self._shape:
                    self._lay_out(interpreter, shape)
                for name, values in inputs.items():
                    interpreter.set_tensor(self._places[name], values)
                interpreter.invoke()
                return {spec.name: interpreter.get_tensor(self._places[spec.name]) for spec in self.outputs}
            except (ValueError, RuntimeError) as error:
                self._shape = None  # its memory may be half laid out
                raise self._failed(error, shape) from error

    def _lay_out(self, interpreter: Any, shape: tuple[int, ...]) -> None:
        self._shape = None
        for spec in self.inputs:
            interpreter.resize_tensor_input(self._places[spec.name], shape)
        interpreter.allocate_tensors()
        self._shape = shape

    def _failed(self, error: Exception, shape: tuple[int, ...]) -> DeviceError | BundleError:
        """Tell a machine without the memory from an artifact that cannot compute what its inputs allow."""
        if _lacks_memory(error):
            return too_large(self.device, shape, _told(error))
        return cannot_compute(self.file, shape, _told(error))

    def _release(self) -> None:
        with self._lock:
            self._interpreter = None

    def _own_facts(self) -> dict[str, Any]:
        return {
            "delegate": "XNNPACK",
            "threads": self.threads,
            "versions": {"ai-edge-litert": self._version},
        }


def _signature(interpreter: Any, file: str) -> Any:
    keys = list(interpreter.get_signature_list())
    if len(keys) != 1:
        raise not_loadable(file, f"{len(keys)} signatures in place of one")
    return interpreter.get_signature_runner(keys[0])


def _declared(details: Mapping[str, Mapping[str, Any]]) -> dict[str, Declared]:
    return {
        name: Declared(np.dtype(each["dtype"]).name, [None if size < 0 else int(size) for size in _shape(each)])
        for name, each in details.items()
    }


def _shape(details: Mapping[str, Any]) -> Any:
    """Return the declared shape; a file whose axes are all fixed may leave the signature's out."""
    signature = details["shape_signature"]
    return signature if len(signature) else details["shape"]


def _lacks_memory(error: Exception) -> bool:
    told = _told(error).lower()
    return "allocat" in told and "memory" in told


def _told(error: Exception) -> str:
    """Return the first line of what LiteRT says: the rest repeats it for each node above."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _version() -> str:
    from importlib.metadata import version

    return version("ai-edge-litert")


def _not_there(device: object) -> DeviceError | InputError:
    if isinstance(device, str) and device.startswith(("cuda", "tpu")):
        return DeviceError("TFLite artifacts run on the CPU", received=device, fix="choose cpu, or another target")
    return InputError("device must be auto or cpu for TFLite artifacts", received=device, fix="leave device out")
