"""Running ONNX artifacts with ONNX Runtime, on the CPU or an NVIDIA GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.errors import BundleError, DeviceError
from albert_export.runtimes.cuda_failures import is_deadly
from albert_export.runtimes.device_memory import checked_device_memory
from albert_export.runtimes.devices import parse_device
from albert_export.runtimes.input_checks import IntArray
from albert_export.runtimes.onnxruntime_binding import BoundRuns, CapturedRuns, DirectRuns, Runs
from albert_export.runtimes.onnxruntime_devices import captures_runs, cuda_missing
from albert_export.runtimes.onnxruntime_sessions import (
    Opened,
    detail_of,
    errors_of,
    failed_open,
    failed_run,
    open_on_cpu,
    open_on_gpu,
)
from albert_export.runtimes.onnxruntime_tensorrt import open_with_tensorrt
from albert_export.runtimes.processors import restricted_processors
from albert_export.runtimes.protocol import Array, Runtime, checked_threads
from albert_export.runtimes.shared_loads import Lease, SharedLoads
from albert_export.runtimes.signatures import Declared, declared_specs, fixed_sizes
from albert_export.tasks import Task, TensorSpec

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


@dataclass(frozen=True)
class _Ready:
    """A session with all that depends on it alone, which several runtimes may share.

    Attributes:
        opened: The session.
        inputs: With the dtypes that the file declares.
        outputs: Likewise.
        sizes: Dynamic axis -> the size that the file fixes it to, or None.
        runs: Runs it.
    """

    opened: Opened
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    sizes: dict[str, int | None]
    runs: Runs


#: Sessions on GPUs, by artifact, device and options: who opens an artifact again gets the one that is there.
_sessions: SharedLoads[_Ready] = SharedLoads()


class OnnxRuntime(Runtime):
    """An ONNX artifact in an ONNX Runtime session.

    On a GPU, runtimes that are opened on the same artifact share their session: its weights are on the device once,
    however many are open in the process, and are freed when the last one is closed.

    Attributes:
        threads: Threads of one run, or None where ONNX Runtime chose (one for each physical core).
        provider: Execution provider that runs the graph.
        device_memory: Most bytes that the arena on the GPU may hold; None without a limit.
        cuda_graph: Whether runs are captured as a CUDA graph and replayed.
    """

    target = "onnx"

    def __init__(
        self,
        lease: Lease[_Ready],
        ort: Any,
        *,
        task: Task,
        config: AlbertConfig,
        file: str,
        reason: str,
        threads: int | None,
        device_memory: int | None,
    ) -> None:
        ready = lease.value
        super().__init__(
            task=task,
            config=config,
            inputs=ready.inputs,
            outputs=ready.outputs,
            sizes=ready.sizes,
            device=ready.opened.device,
            reason=reason,
            file=file,
        )
        self.threads = threads
        self.provider: str = ready.opened.session.get_providers()[0]
        self.device_memory = None if ready.opened.kind == "cpu" else device_memory
        self.cuda_graph = ready.opened.captured
        self._version = str(ort.__version__)
        self._session: Any = ready.opened.session
        self._runs: Runs | None = ready.runs
        self._lease = lease
        self._errors = errors_of(ort)

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        artifact: Artifact,
        *,
        device: str = "auto",
        threads: int | None = None,
        device_memory: int | str | None = None,
        through: str | None = None,
    ) -> OnnxRuntime:
        """Load an ONNX artifact; see :meth:`Runtime.open`.

        ``device="auto"`` takes CUDA when its provider is in this build and a session could really be made on it, and
        else the CPU; :attr:`device` and :attr:`reason` say which and why. On a GPU, runs of unrolled artifacts of fixed
        sizes are captured as a CUDA graph.

        Args:
            bundle: An opened, verified bundle.
            artifact: One of its artifacts.
            device: See :meth:`open_file`.
            threads: See :meth:`Runtime.open`.
            device_memory: See :meth:`open_file`.
            through: See :meth:`open_file`.
        """
        task = bundle.task_of(artifact)
        shapes = {**dict.fromkeys(task.dynamic_axes), **artifact.shapes}
        return cls.open_file(
            bundle.file(artifact),
            task=task,
            config=bundle.config,
            device=device,
            threads=threads,
            device_memory=device_memory,
            through=through,
            precision=artifact.precision,
            captures=captures_runs(artifact.layers, shapes, str(artifact.facts.get("tokens", "padded"))),
            shared_as=tuple(record.sha256 for record in artifact.files),
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
        device_memory: int | str | None = None,
        through: str | None = None,
        precision: str = "fp32",
        captures: bool = False,
        shared_as: tuple[str, ...] | None = None,
    ) -> OnnxRuntime:
        """Load a model file that is not, or not yet, part of a bundle.

        Args:
            path: The ``.onnx`` file; external data lies beside it.
            task: The head that it computes.
            config: Its configuration.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
            threads: See :meth:`Runtime.open`.
            device_memory: Most bytes that ONNX Runtime's arena may hold on the GPU, weights included, or a number with
                K, M or G after it; None for all that is free. The libraries' own workspaces come on top. It is no
                matter on the CPU.
            through: ``tensorrt`` for an engine that TensorRT builds of the file, on a GPU alone; None for the kernels
                of ONNX Runtime.
            precision: Of the artifact; TensorRT has to know it.
            captures: Whether runs may be captured as a CUDA graph, on a GPU.
            shared_as: Hashes of the file's content: on a GPU, its session is shared with all that are loaded from the
                same; None for a session of its own.

        Raises:
            DeviceError: The device is not there, or has not the memory.
            MissingDependencyError: onnxruntime is not installed.
            BundleError: ONNX Runtime cannot load the file, or it is no model of this task.
            InputError: ``device``, ``threads`` or ``device_memory`` is no value of its kind.
        """
        kind, index = parse_device(device)
        if through is not None and kind == "cpu":
            raise DeviceError(
                "TensorRT runs on NVIDIA GPUs alone",
                received="device=cpu",
                fix="name onnxruntime alone, or leave device out",
            )
        threads = checked_threads(threads) or restricted_processors()
        limit = checked_device_memory(device_memory)
        ort = require("onnxruntime", needed_for="running ONNX artifacts", extra="onnxruntime")

        def ready(opened: Opened) -> _Ready:
            return get_ready(opened, ort, task, config, path.name)

        def on_cpu() -> Lease[_Ready]:
            # Of its own: on a CPU each runtime has threads of its own.
            return Lease(ready(open_on_cpu(ort, path, threads=threads)), lambda: None)

        def on_gpu(captured: bool) -> Opened:
            given: dict[str, Any] = {"index": index, "threads": threads, "device_memory": limit}
            if through is None:
                return open_on_gpu(ort, path, **given, captures=captured)
            return open_with_tensorrt(ort, path, **given, precision=precision, content=shared_as)

        captures = captures and through is None
        reason = "asked for"
        if kind == "cpu":
            lease = on_cpu()
        else:
            try:
                # Whether the GPU was asked for or found makes no other session of it.
                lease = lease_session(
                    (task.name, precision, index, threads, limit, through, captures),
                    shared_as,
                    lambda: open_ready(on_gpu, ready, captures=captures, errors=errors_of(ort), file=path.name),
                )
                if through is not None:
                    reason = "asked for, through TensorRT"
                elif kind == "auto":
                    reason = "the CUDA provider works"
            except DeviceError as error:
                if kind == "cuda" or through is not None:
                    raise
                reason = "this onnxruntime has no CUDA provider"
                if cuda_missing(ort) is None:
                    reason = f"the CUDA provider does not work: {error.received}"
                    _log.warning("running on the CPU: %s", reason)
                lease = on_cpu()
        runtime = cls(
            lease,
            ort,
            task=task,
            config=config,
            file=path.name,
            reason=reason,
            threads=threads,
            device_memory=limit,
        )
        _log.info("%s runs on %s: %s", path.name, runtime.device, reason)
        return runtime

    def _execute(self, inputs: dict[str, IntArray]) -> dict[str, Array]:
        runs = self._runs  # close() in another thread takes the attribute away, and not this reference
        if runs is None:
            self._check_open()
        assert runs is not None, "_check_open raises where it is closed"
        try:
            outputs = runs(inputs)
        except self._errors as error:
            shape = inputs["input_ids"].shape
            detail = detail_of(error)
            raise failed_run(
                detail, device=self.device, shape=shape, file=self.file, device_memory=self.device_memory
            ) from error
        return dict(zip([spec.name for spec in self.outputs], outputs, strict=True))

    def _release(self) -> None:
        self._session = self._runs = None
        self._lease.release()

    def _own_facts(self) -> dict[str, Any]:
        return {
            "provider": self.provider,
            "threads": self.threads,
            "device_memory": self.device_memory,
            "cuda_graph": self.cuda_graph,
            "versions": {"onnxruntime": self._version},
        }


def lease_session(
    options: tuple[Any, ...], shared_as: tuple[str, ...] | None, load: Callable[[], _Ready]
) -> Lease[_Ready]:
    """Return a share in a session, or one that is nobody else's.

    Args:
        options: All that makes sessions of the same content differ.
        shared_as: The content; None for a session that is nobody else's.
        load: Makes it.
    """
    if shared_as is None:
        return Lease(load(), lambda: None)
    return _sessions.acquire((options, shared_as), load)


def open_ready(
    open_one: Callable[[bool], Opened],
    ready: Callable[[Opened], _Ready],
    *,
    captures: bool,
    errors: tuple[type[Exception], ...],
    file: str,
) -> _Ready:
    """Open a session on a GPU and make it ready; where its runs cannot be captured, one that runs without.

    Args:
        open_one: Makes a session; told whether its runs are to be captured as a CUDA graph.
        ready: :func:`get_ready` of it.
        captures: Whether a graph is to be captured.
        errors: What ONNX Runtime raises.
        file: Name of the artifact's file.

    Raises:
        DeviceError: The device is not there, has not the memory, or is gone.
        BundleError: The file cannot be loaded, or is no model of the task.
    """
    if captures:
        refusals: tuple[type[Exception], ...] = (BundleError, *errors)
        try:
            return ready(open_one(True))
        except refusals as error:
            detail = str(error.received) if isinstance(error, BundleError) else detail_of(error)
            if is_deadly(detail):
                raise failed_open(detail, device="cuda", file=file) from error
            _log.info("%s runs without a CUDA graph: %s", file, detail)
        # Here nothing refers to the session that failed: its memory is free for the other.
    opened = open_one(False)
    try:
        return ready(opened)
    except errors as error:
        raise failed_open(detail_of(error), device=opened.device, file=file) from error


def get_ready(opened: Opened, ort: Any, task: Task, config: AlbertConfig, file: str) -> _Ready:
    """Hold a session to the task, and return it with the way in which it is run.

    Raises:
        BundleError: It is no model of this task.
    """
    session = opened.session
    declared = _declared(session.get_inputs())
    inputs = declared_specs(task.inputs, declared, "input", file)
    outputs = declared_specs(task.outputs, _declared(session.get_outputs()), "output", file)
    sizes = fixed_sizes(task, declared, file)
    names = [spec.name for spec in outputs]
    runs: Runs
    if opened.captured:
        fixed = {axis: size for axis, size in sizes.items() if size is not None}
        shapes = {spec.name: spec.shape(config, fixed) for spec in (*inputs, *outputs)}
        runs = CapturedRuns(session, ort, inputs, outputs, shapes, opened.kind, opened.index)
    elif opened.kind == "cpu":
        runs = DirectRuns(session, names)
    else:
        runs = BoundRuns(session, names, opened.kind, opened.index)
    return _Ready(opened, inputs, outputs, sizes, runs)


def _declared(nodes: Iterable[Any]) -> dict[str, Declared]:
    return {
        node.name: Declared(
            _DTYPES.get(node.type, node.type), [size if isinstance(size, int) else None for size in node.shape]
        )
        for node in nodes
    }
