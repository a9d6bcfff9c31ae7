"""Running StableHLO artifacts with JAX, on the CPU, NVIDIA GPUs and TPUs; flax and torch are not needed for it."""

from __future__ import annotations

import logging
import os
import struct
import threading
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export._jax import import_jax, look_for_devices
from albert_export.errors import BundleError, DeviceError, InputError, install_command
from albert_export.runtimes.buckets import Buckets, bucket_lengths, cut, pad
from albert_export.runtimes.cuda_failures import lacks_memory, read_failure
from albert_export.runtimes.device_memory import checked_device_memory
from albert_export.runtimes.devices import parse_device
from albert_export.runtimes.input_checks import IntArray
from albert_export.runtimes.jax_memory import check_memory, settle_memory
from albert_export.runtimes.jax_programs import keep_programs, without_broken_programs
from albert_export.runtimes.protocol import Array, Runtime, checked_threads
from albert_export.runtimes.run_failures import cannot_compute, too_large, went_down
from albert_export.runtimes.shared_loads import Lease
from albert_export.runtimes.signatures import Declared, declared_specs, fixed_sizes, not_loadable
from albert_export.runtimes.stablehlo_weights import lease_weights
from albert_export.targets import get_target
from albert_export.tasks import Task

if TYPE_CHECKING:
    from albert_export.bundle import Artifact, Bundle
    from albert_export.config import AlbertConfig

_log = logging.getLogger("albert_export.runtimes")

_NEEDED_FOR = "running StableHLO artifacts"

#: What a file that is no serialised export makes the reader of the format stumble over.
_MALFORMED = (struct.error, ValueError, TypeError, IndexError, KeyError, AttributeError, MemoryError)


class StableHloRuntime(Runtime):
    """A StableHLO artifact, compiled by JAX for each shape that it is run with.

    A program is compiled at the first run of its shape, and kept on the disk for later starts; see
    :func:`albert_export.runtimes.jax_programs.keep_programs`. With ``buckets`` there are few shapes.

    Attributes:
        buckets: Sequence lengths that runs are padded to, the model's maximum last; None where every shape is its own.
        cache: Directory that compiled programs are kept in, or None.
    """

    target = "stablehlo"

    def __init__(
        self,
        exported: Any,
        weights: Lease[dict[str, Any]],
        jax: Any,
        *,
        task: Task,
        config: AlbertConfig,
        file: str,
        place: Any,
        device: str,
        reason: str,
        buckets: Buckets | None,
        cache: str | None,
    ) -> None:
        (inputs, _), _ = jax.tree_util.tree_unflatten(exported.in_tree, exported.in_avals)
        outputs = jax.tree_util.tree_unflatten(exported.out_tree, exported.out_avals)
        specs = declared_specs(task.inputs, _declared(inputs), "input", file)
        sizes = fixed_sizes(task, _declared(inputs), file)
        super().__init__(
            task=task,
            config=config,
            inputs=specs,
            outputs=declared_specs(task.outputs, _declared(outputs), "output", file),
            sizes=sizes,
            device=device,
            reason=reason,
            file=file,
        )
        longest = config.max_position_embeddings
        self.buckets = (
            None if buckets is None else bucket_lengths(buckets, longest=longest, fixed=sizes.get("sequence"))
        )
        self.cache = cache
        self._jax = jax
        self._place = place
        self._exported: Any = exported
        self._weights: Any = weights.value
        self._lease = weights
        self._programs: dict[tuple[int, ...], Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        artifact: Artifact,
        *,
        device: str = "auto",
        threads: int | None = None,
        buckets: Buckets | None = None,
        device_memory: int | str | None = None,
    ) -> StableHloRuntime:
        """Load a StableHLO artifact; see :meth:`Runtime.open`.

        ``device="auto"`` takes the first TPU that JAX sees, else the first GPU, else the CPU.

        Args:
            bundle: The bundle.
            artifact: One of its artifacts.
            device: Where to run.
            threads: None: JAX takes no number of threads.
            buckets: Sequence lengths that shorter runs are padded to, or ``powers``; None compiles every new shape.
            device_memory: See :meth:`open_file`.
        """
        path = bundle.file(artifact)
        name = artifact.facts.get("weights")
        if name is not None and name not in [PurePosixPath(record.path).name for record in artifact.files]:
            raise BundleError(
                f"the weights that manifest.json names for {path.name} must be one of its files",
                received=repr(name),
                fix="copy the whole bundle again, or export it again",
            )
        return cls.open_file(
            path,
            weights=None if name is None else path.with_name(str(name)),
            task=bundle.task,
            config=bundle.config,
            device=device,
            threads=threads,
            buckets=buckets,
            device_memory=device_memory,
            shared_as=next(
                (record.sha256 for record in artifact.files if PurePosixPath(record.path).name == name), None
            ),
        )

    @classmethod
    def open_file(
        cls,
        path: Path,
        *,
        weights: Path | None,
        task: Task,
        config: AlbertConfig,
        device: str = "auto",
        threads: int | None = None,
        buckets: Buckets | None = None,
        device_memory: int | str | None = None,
        shared_as: str | None = None,
    ) -> StableHloRuntime:
        """Load an artifact that is not, or not yet, part of a bundle.

        Args:
            path: The ``.jax`` file.
            weights: The safetensors file with its weights; None where they lie inside it.
            task: The head that it computes.
            config: Its configuration.
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``tpu`` or ``tpu:N``.
            threads: See :meth:`open`.
            buckets: See :meth:`open`.
            device_memory: The most bytes of a GPU that JAX takes in this process, or a number with K, M or G after it;
                it must then not have been used before, but with the same limit. None lets it take what it needs. It is
                no matter on other devices.
            shared_as: Hash of the weights' file: they are shared with all that have the same on the device; None for
                weights of its own.

        Raises:
            DeviceError: The device is not there, or has not the memory.
            MissingDependencyError: jax is not installed.
            BundleError: This jax cannot load the file, it is no model of this task, or it was not lowered for the
                device; or the weights are not those it takes.
            InputError: ``device``, ``threads``, ``buckets`` or ``device_memory`` is no value of its kind.
        """
        kind, index = parse_device(device, get_target(cls.target).own_runtime.devices)
        if checked_threads(threads) is not None:
            raise InputError(
                "JAX takes no number of threads: it uses the processors of its process",
                received=f"threads={threads}",
                fix="leave threads out, or hold the process to some processors with taskset",
            )
        limit = checked_device_memory(device_memory)
        jax = import_jax(needed_for=_NEEDED_FOR)
        # jax.export reads with it, and jax does not bring it.
        require("flatbuffers", needed_for=_NEEDED_FOR, extra="jax")
        exported = _load(jax, path)
        settle_memory(jax, os.environ, limit, kind, index)
        look_for_devices(jax)
        place, name, reason = _device(jax, kind, index, exported.platforms, path.name)
        if name.startswith("cuda"):
            check_memory(limit)
        cache = keep_programs(jax)
        tensors = lease_weights(jax, exported, weights, file=path.name, place=place, shared_as=shared_as)
        try:
            runtime = cls(
                exported,
                tensors,
                jax,
                task=task,
                config=config,
                file=path.name,
                place=place,
                device=name,
                reason=reason,
                buckets=buckets,
                cache=cache,
            )
        except BaseException:
            tensors.release()
            raise
        _log.info("%s runs on %s: %s", path.name, name, reason)
        return runtime

    @property
    def weights(self) -> Mapping[str, Any]:
        """The weights by canonical name, where they run; empty where they lie inside the artifact."""
        self._check_open()
        weights: Mapping[str, Any] = self._weights
        return weights

    def _execute(self, inputs: dict[str, IntArray]) -> dict[str, Array]:
        sequence = inputs["input_ids"].shape[-1]
        padded = inputs if self.buckets is None else pad(inputs, self.buckets)
        shape = padded["input_ids"].shape
        try:
            program, weights = self._program(shape)
            found = program(padded, weights)
            # Copies: what JAX hands out belongs to it, and cannot be written to.
            return {spec.name: np.array(cut(np.asarray(found[spec.name]), spec, sequence)) for spec in self.outputs}
        except self._jax.errors.JaxRuntimeError as error:
            raise self._failed(error, shape) from error

    def _program(self, shape: tuple[int, ...]) -> tuple[Any, Any]:
        """Return the program for a shape, compiled once however many threads ask for it, and the weights."""
        with self._lock:
            exported, weights = self._exported, self._weights
            if exported is None:
                self._check_open()
            if shape not in self._programs:
                jax = self._jax
                sharding = jax.sharding.SingleDeviceSharding(self._place)
                arrays = {
                    spec.name: jax.ShapeDtypeStruct(shape, np.dtype(spec.dtype), sharding=sharding)
                    for spec in self.inputs
                }
                try:
                    lowered = jax.jit(exported.call).lower(arrays, weights)
                    with without_broken_programs(self.cache):
                        self._programs[shape] = lowered.compile()
                except (ValueError, NotImplementedError) as error:  # the second: what JAX cannot lower for this device
                    raise not_loadable(self.file, _told(error), by=f"that jax {jax.__version__} compiles") from error
            return self._programs[shape], weights

    def _failed(self, error: Exception, shape: tuple[int, ...]) -> DeviceError | BundleError:
        detail = _told(error)
        if lacks_memory(detail):
            return too_large(self.device, shape, detail)
        failure = None if self.device == "cpu" else read_failure(str(error))
        if failure is not None:
            return went_down(self.device, shape, detail, fix=failure.fix)
        return cannot_compute(self.file, shape, detail)

    def _release(self) -> None:
        with self._lock:
            self._exported = self._weights = None
            self._programs.clear()
        self._lease.release()

    def _own_facts(self) -> dict[str, Any]:
        from importlib.metadata import version

        return {
            "processor": str(self._place.device_kind),
            "threads": None,
            "buckets": None if self.buckets is None else list(self.buckets),
            "cache": self.cache,
            "versions": {"jax": str(self._jax.__version__), "jaxlib": version("jaxlib")},
        }


def _load(jax: Any, path: Path) -> Any:
    """Read the export and hold its versions to what this jax reads."""
    from jax import export
    from jaxlib.mlir.dialects import stablehlo

    from albert_export.runtimes.jax_versions import check_versions

    by = f"that jax {jax.__version__} loads"
    try:
        exported = export.deserialize(bytearray(path.read_bytes()))
        module: bytes = exported.mlir_module_serialized
        count = len(exported.in_avals)
    except OSError as error:
        raise not_loadable(path.name, str(error), by=by, fix="copy the bundle again") from error
    except _MALFORMED as error:
        raise not_loadable(path.name, _told(error), by=by) from error
    check_versions(
        path.name,
        jax_version=jax.__version__,
        calling_convention=exported.calling_convention_version,
        supported=(
            export.minimum_supported_calling_convention_version,
            export.maximum_supported_calling_convention_version,
        ),
        module=module,
        current=stablehlo.get_current_version(),
    )
    arguments, named = jax.tree_util.tree_unflatten(exported.in_tree, range(count))
    outputs = jax.tree_util.tree_unflatten(exported.out_tree, range(len(exported.out_avals)))
    if named or len(arguments) != 2 or not all(isinstance(each, dict) for each in (*arguments, outputs)):
        raise not_loadable(path.name, "a function of other arguments than inputs and weights by name")
    return exported


def _device(jax: Any, kind: str, index: int, lowered: tuple[str, ...], file: str) -> tuple[Any, str, str]:
    """Return JAX's device, our name of it, and why it was chosen."""
    if kind != "auto" and kind not in lowered:
        raise BundleError(
            f"{file} must be lowered for the device it runs on",
            received=f"{kind}, where it was lowered for {', '.join(lowered)}",
            fix="choose one of these devices, or export it again",
        )
    for candidate in ("tpu", "cuda", "cpu") if kind == "auto" else (kind,):
        if candidate not in lowered:
            continue
        try:
            found = jax.devices(candidate)
        except RuntimeError as error:
            if kind == "auto":
                continue
            raise DeviceError(
                f"device {kind} needs {_TITLES[kind]} that JAX sees",
                received=_told(error),
                fix=_fix(kind, str(error)),
            ) from error
        if index >= len(found):
            raise DeviceError(
                f"device {kind}:{index} needs {_TITLES[kind]} that JAX sees",
                received=f"{len(found)} of them",
                fix=f"choose {kind}:0" if len(found) == 1 else f"choose one up to {kind}:{len(found) - 1}",
            )
        name = candidate if index == 0 else f"{candidate}:{index}"
        why = "asked for" if kind != "auto" else "JAX sees no TPU and no GPU" if candidate == "cpu" else "JAX sees it"
        return found[index], name, why
    raise BundleError(
        f"{file} must be lowered for a device that is here", received=", ".join(lowered), fix="export it again"
    )


_TITLES = {"cpu": "a CPU", "cuda": "an NVIDIA GPU", "tpu": "a TPU"}
_FIXES = {
    "cuda": "check nvidia-smi; pip install 'jax[cuda13]' brings the libraries",
    "tpu": f"{install_command('tpu')} on a machine with a TPU",
}


def _fix(kind: str, said: str) -> str:
    """Return what brings a device that JAX does not see."""
    failure = read_failure(said) if kind == "cuda" else None
    return _FIXES.get(kind, "leave device out") if failure is None else failure.fix


def _declared(avals: Mapping[str, Any]) -> dict[str, Declared]:
    return {
        name: Declared(np.dtype(aval.dtype).name, [size if isinstance(size, int) else None for size in aval.shape])
        for name, aval in avals.items()
    }


def _told(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:500] if lines else type(error).__name__
