"""Running ONNX artifacts with ONNX Runtime, on the CPU or an NVIDIA GPU."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.errors import BundleError, DeviceError
from albert_export.runtimes.devices import parse_device
from albert_export.runtimes.input_checks import IntArray
from albert_export.runtimes.onnxruntime_devices import (
    CUDA,
    cuda_failed,
    cuda_missing,
    preload_cuda,
    providers_for,
)
from albert_export.runtimes.processors import restricted_processors
from albert_export.runtimes.protocol import Array, Runtime, checked_threads
from albert_export.runtimes.signatures import Declared, declared_specs, fixed_sizes, not_loadable
from albert_export.tasks import Task

if TYPE_CHECKING:
    from albert_export.bundle import Artifact, Bundle
    from albert_export.config import AlbertConfig

_log = logging.getLogger("albert_export.runtimes")

#: ONNX Runtime's name of an element type -> numpy's.
_DTYPES = {
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
}


class OnnxRuntime(Runtime):
    """An ONNX artifact in an ONNX Runtime session.

    Attributes:
        threads: Threads of one run, or None where ONNX Runtime chose (one for each physical core).
        provider: Execution provider that runs the graph.
    """

    target = "onnx"

    def __init__(
        self,
        session: Any,
        ort: Any,
        *,
        task: Task,
        config: AlbertConfig,
        file: str,
        device: str,
        reason: str,
        threads: int | None,
    ) -> None:
        inputs, outputs = _declared(session.get_inputs()), _declared(session.get_outputs())
        super().__init__(
            task=task,
            config=config,
            inputs=declared_specs(task.inputs, inputs, "input", file),
            outputs=declared_specs(task.outputs, outputs, "output", file),
            sizes=fixed_sizes(task, inputs, file),
            device=device,
            reason=reason,
        )
        self.threads = threads
        self.provider: str = session.get_providers()[0]
        self._file = file
        self._version = str(ort.__version__)
        self._session: Any = session
        self._errors = _errors_of(ort)

    @classmethod
    def open(
        cls, bundle: Bundle, artifact: Artifact, *, device: str = "auto", threads: int | None = None
    ) -> OnnxRuntime:
        """Load an ONNX artifact; see :meth:`Runtime.open`.

        ``device="auto"`` takes CUDA when its provider is in this build and a session could really be made on it, and
        else the CPU; :attr:`device` and :attr:`reason` say which and why.
        """
        return cls.open_file(
            bundle.file(artifact), task=bundle.task_of(artifact), config=bundle.config, device=device, threads=threads
        )

    @classmethod
    def open_file(
        cls, path: Path, *, task: Task, config: AlbertConfig, device: str = "auto", threads: int | None = None
    ) -> OnnxRuntime:
        """Load a model file that is not, or not yet, part of a bundle.

        Args:
            path: The ``.onnx`` file; external data lies beside it.
            task: The head that it computes.
            config: Its configuration.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            threads: See :meth:`Runtime.open`.

        Raises:
            DeviceError: The device is not there.
            MissingDependencyError: onnxruntime is not installed.
            BundleError: ONNX Runtime cannot load the file, or it is no model of this task.
            InputError: ``device`` or ``threads`` is no value of its kind.
        """
        kind, index = parse_device(device)
        threads = checked_threads(threads) or restricted_processors()
        ort = require("onnxruntime", needed_for="running ONNX artifacts", extra="onnxruntime")
        session, device, reason = _open_session(ort, path, kind, index, threads)
        _log.info("%s runs on %s: %s", path.name, device, reason)
        return cls(
            session,
            ort,
            task=task,
            config=config,
            file=path.name,
            device=device,
            reason=reason,
            threads=threads,
        )

    def _execute(self, inputs: dict[str, IntArray]) -> dict[str, Array]:
        session = self._session  # close() in another thread takes the attribute away, and not this reference
        if session is None:
            self._check_open()
        names = [spec.name for spec in self.outputs]
        try:
            outputs = session.run(names, inputs)
        except self._errors as error:
            raise self._failed(error, inputs["input_ids"].shape) from error
        return dict(zip(names, outputs, strict=True))

    def _failed(self, error: Exception, shape: tuple[int, ...]) -> DeviceError | BundleError:
        """Tell a device that failed from an artifact that cannot compute what its inputs allow."""
        detail, run = _detail(error), f"a run of {'x'.join(map(str, shape))} ids"
        if re.search(r"alloc|memory", detail, re.IGNORECASE):
            fix = "run fewer or shorter rows at a time"
            return DeviceError(f"{self.device} must have the memory for {run}", received=detail, fix=fix)
        if self.provider == CUDA and "CUDA" in detail:
            return DeviceError(f"{self.device} must stay up during {run}", received=detail, fix="check nvidia-smi")
        return BundleError(f"{self._file} must compute {run}", received=detail, fix="export it again")

    def _release(self) -> None:
        self._session = None

    def describe(self) -> dict[str, Any]:
        """Say in JSON values what runs where."""
        return {
            "target": self.target,
            "task": self.task.name,
            "file": self._file,
            "device": self.device,
            "reason": self.reason,
            "provider": self.provider,
            "threads": self.threads,
            "versions": {"onnxruntime": self._version},
        }


def _open_session(ort: Any, path: Path, kind: str, index: int, threads: int | None) -> tuple[Any, str, str]:
    """Make a session; return it with the device it runs on and the reason."""
    if kind == "cpu":
        return _session(ort, path, "cpu", 0, threads), "cpu", "asked for"
    missing = cuda_missing(ort)
    if missing is not None:
        if kind == "cuda":
            raise missing
        return _session(ort, path, "cpu", 0, threads), "cpu", "this onnxruntime has no CUDA provider"
    said = preload_cuda(ort)
    device = f"cuda:{index}" if index else "cuda"
    try:
        session = _session(ort, path, "cuda", index, threads)
        if session.get_providers()[0] == CUDA:
            return session, device, "asked for" if kind == "cuda" else "the CUDA provider works"
        failure = cuda_failed(index, said)
    except DeviceError as error:
        failure = cuda_failed(index, error.received if isinstance(error.received, str) else said)
    if kind == "cuda":
        raise failure
    _log.warning("running on the CPU, since the CUDA provider of this onnxruntime does not work: %s", failure.received)
    return _session(ort, path, "cpu", 0, threads), "cpu", f"the CUDA provider does not work: {failure.received}"


def _session(ort: Any, path: Path, kind: str, index: int, threads: int | None) -> Any:
    try:
        # The fallback of the Python class prints to stdout and hides which device runs; ours says so.
        return ort.InferenceSession(
            str(path), session_options(ort, threads), providers=providers_for(kind, index), enable_fallback=0
        )
    except _errors_of(ort) as error:
        detail = _detail(error)
        if kind == "cuda" and re.search(r"cuda|cudnn|cublas|ExecutionProvider", detail, re.IGNORECASE):
            raise DeviceError("the CUDA provider must start", received=detail) from error
        raise _not_loaded(path.name, detail, str(ort.__version__)) from error


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


def _declared(nodes: Iterable[Any]) -> dict[str, Declared]:
    return {
        node.name: Declared(
            _DTYPES.get(node.type, node.type), [size if isinstance(size, int) else None for size in node.shape]
        )
        for node in nodes
    }


def _not_loaded(file: str, detail: str, version: str) -> BundleError:
    newer = re.search(r"opset|IR version", detail)
    fix = "upgrade onnxruntime, or export again with a lower --opset" if newer else "export it again"
    return not_loadable(file, detail, by=f"that onnxruntime {version} loads", fix=fix)


def _errors_of(ort: Any) -> tuple[type[Exception], ...]:
    """Return all that ONNX Runtime raises: its classes have no common base below Exception."""
    state = ort.capi.onnxruntime_pybind11_state
    own = [value for value in vars(state).values() if isinstance(value, type) and issubclass(value, Exception)]
    return (*own, RuntimeError, ValueError)


def _detail(error: Exception) -> str:
    """Return the last, telling part of ONNX Runtime's message, without its source lines and this machine's paths."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error))
    text = re.sub(r"Load model from .*? failed:", "", text)
    text = re.sub(r"/onnxruntime_src/\S+:\d+ .*?\) (?=[A-Z])", "", text)
    return " ".join(text.split())[:300].strip() or type(error).__name__
