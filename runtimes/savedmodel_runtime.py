"""Running SavedModel artifacts with TensorFlow, on the CPU or an NVIDIA GPU."""

from __future__ import annotations

import logging
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._tensorflow import import_tensorflow
from albert_export.errors import DeviceError, InputError
from albert_export.runtimes.devices import parse_device
from albert_export.runtimes.input_checks import IntArray
from albert_export.runtimes.processors import restricted_processors
from albert_export.runtimes.protocol import Array, Runtime, checked_threads
from albert_export.runtimes.run_failures import cannot_compute, too_large
from albert_export.runtimes.signatures import Declared, declared_specs, fixed_sizes, not_loadable
from albert_export.tasks import Task

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from albert_export.bundle import Artifact, Bundle
    from albert_export.config import AlbertConfig

_log = logging.getLogger("albert_export.runtimes")

#: The signature that is called; the bundle's other one takes int64.
_SIGNATURE = "serving_default"


class SavedModelRuntime(Runtime):
    """A SavedModel artifact, loaded into TensorFlow.

    Attributes:
        threads: Threads of one operation, which TensorFlow takes for the whole process when it starts; None where it
            chose (one for each processor).
    """

    target = "savedmodel"

    def __init__(
        self,
        loaded: Any,
        tf: Any,
        *,
        task: Task,
        config: AlbertConfig,
        file: str,
        device: str,
        reason: str,
        threads: int | None,
    ) -> None:
        if _SIGNATURE not in loaded.signatures:
            raise not_loadable(file, f"signatures {', '.join(loaded.signatures) or 'none'}")
        function = loaded.signatures[_SIGNATURE]
        inputs, outputs = _declared(function.structured_input_signature[1]), _declared(function.structured_outputs)
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
        self.threads = threads
        self._tf = tf
        self._loaded: Any = loaded  # its variables live as long as it does
        self._function: Any = function

    @classmethod
    def open(
        cls, bundle: Bundle, artifact: Artifact, *, device: str = "auto", threads: int | None = None
    ) -> SavedModelRuntime:
        """Load a SavedModel artifact; see :meth:`Runtime.open`.

        ``device="auto"`` takes the first GPU that TensorFlow sees, and else the CPU. On a GPU, TF32 is switched off for
        the whole process, other models in it included: TensorFlow has no switch of a model's own.
        """
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
    ) -> SavedModelRuntime:
        """Load a SavedModel that is not, or not yet, part of a bundle.

        Args:
            path: Its ``saved_model.pb``; the variables lie beside it.
            task: The head that it computes.
            config: Its configuration.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; a GPU switches TF32 off for the whole process.
            threads: See :meth:`Runtime.open`.

        Raises:
            DeviceError: The device is not there.
            MissingDependencyError: tensorflow is not installed.
            BundleError: TensorFlow cannot load the directory, or it is no model of this task.
            InputError: ``device`` or ``threads`` is no value of its kind, or TensorFlow already runs with others.
        """
        kind, index = parse_device(device)
        asked, threads = checked_threads(threads), None
        tf = import_tensorflow(needed_for="running SavedModel artifacts")
        place, device, reason = _place(tf, kind, index)
        threads = _use_threads(tf, asked)
        try:
            with tf.device(place):
                loaded = tf.saved_model.load(str(path.parent))
        except (OSError, ValueError, RuntimeError, TypeError, tf.errors.OpError) as error:
            raise not_loadable(path.name, _told(error), by=f"that TensorFlow {tf.__version__} loads") from error
        _log.info("%s runs on %s: %s", path.name, device, reason)
        return cls(
            loaded,
            tf,
            task=task,
            config=config,
            file=path.name,
            device=device,
            reason=reason,
            threads=threads,
        )

    def _execute(self, inputs: dict[str, IntArray]) -> dict[str, Array]:
        function = self._function  # close() in another thread takes the attribute away, and not this reference
        if function is None:
            self._check_open()
        return self._call(function, inputs)

    def other_signatures(self) -> Mapping[str, Callable[[Mapping[str, Array]], dict[str, Array]]]:
        """Return the signature for int64, which other programs call."""
        self._check_open()
        others = {name: function for name, function in self._loaded.signatures.items() if name != _SIGNATURE}
        return {name: partial(self._call_cast, function) for name, function in others.items()}

    def _call_cast(self, function: Any, inputs: Mapping[str, Array]) -> dict[str, Array]:
        dtypes = {name: declared.dtype for name, declared in _declared(function.structured_input_signature[1]).items()}
        return self._call(function, {name: values.astype(dtypes[name]) for name, values in inputs.items()})

    def _call(self, function: Any, inputs: dict[str, Array]) -> dict[str, Array]:
        tf = self._tf
        kind, index = parse_device(self.device)
        try:
            with tf.device(_DEVICE_NAMES[kind].format(index)):
                outputs = function(**{name: tf.constant(values) for name, values in inputs.items()})
            return {spec.name: outputs[spec.name].numpy() for spec in self.outputs}
        except tf.errors.ResourceExhaustedError as error:
            raise too_large(self.device, inputs["input_ids"].shape, _told(error)) from error
        except tf.errors.OpError as error:
            raise cannot_compute(self.file, inputs["input_ids"].shape, _told(error)) from error

    def _release(self) -> None:
        self._function = None
        self._loaded = None

    def _own_facts(self) -> dict[str, Any]:
        return {
            "signature": _SIGNATURE,
            "threads": self.threads,
            "versions": {"tensorflow": str(self._tf.__version__)},
        }


_DEVICE_NAMES = {"cpu": "/CPU:0", "cuda": "/GPU:{}"}


def _place(tf: Any, kind: str, index: int) -> tuple[str, str, str]:
    """Return TensorFlow's name of the device, ours, and why it was chosen."""
    gpus = tf.config.list_physical_devices("GPU")
    if kind == "cuda" and index >= len(gpus):
        raise DeviceError(
            f"device cuda:{index} needs an NVIDIA GPU that TensorFlow sees",
            received=f"TensorFlow {tf.__version__} with {len(gpus)} GPUs",
            fix="check nvidia-smi; pip install 'tensorflow[and-cuda]' brings the libraries",
        )
    if kind == "cpu" or (kind == "auto" and not gpus):
        return "/CPU:0", "cpu", "asked for" if kind == "cpu" else "TensorFlow sees no GPU"
    for gpu in gpus:
        try:
            tf.config.experimental.set_memory_growth(gpu, True)  # else it takes all of the memory at once
        except (RuntimeError, ValueError) as error:  # in use before, or split into virtual devices
            _log.info("%s takes its memory as it was set up: %s", gpu.name, error)
    # TF32 keeps 10 bits of each factor: an fp32 artifact would then not compute what the eager fp32 model computes.
    tf.config.experimental.enable_tensor_float_32_execution(False)
    name = "cuda" if index == 0 else f"cuda:{index}"
    return f"/GPU:{index}", name, "asked for" if kind == "cuda" else "TensorFlow sees a GPU"


def _use_threads(tf: Any, asked: int | None) -> int | None:
    """Set the threads of the process, where they are not those already; return how many it has, None for its choice."""
    wanted = asked or restricted_processors()
    now = int(tf.config.threading.get_intra_op_parallelism_threads()) or None
    if wanted is None or wanted == now:
        return now
    try:
        tf.config.threading.set_intra_op_parallelism_threads(wanted)
    except RuntimeError as error:
        if asked is None:
            return now
        raise InputError(
            "TensorFlow takes its threads once, for the whole process",
            received=f"threads={asked} after it started with {now or 'its own choice'}",
            fix="give threads when the first model is loaded, or leave it out",
        ) from error
    return wanted


def _declared(specs: Mapping[str, Any]) -> dict[str, Declared]:
    return {
        name: Declared(spec.dtype.name, [] if spec.shape.rank is None else spec.shape.as_list())
        for name, spec in specs.items()
    }


def _told(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
