"""Running TensorRT engines on the kind of GPU that they were built on, through Polygraphy's runner."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._tensorrt import load_polygraphy, load_tensorrt, place_at, these_places
from albert_export._tensorrt_log import Heard, read_trouble
from albert_export.engines.facts import EngineFacts, Place, check_runs_here, read_facts, rebuild_command, why_not
from albert_export.engines.profiles import Profile, choose_profile, longest_row, most_of, read_profiles
from albert_export.errors import AlbertExportError, BundleError, DeviceError, InputError
from albert_export.runtimes.device_memory import checked_device_memory
from albert_export.runtimes.devices import parse_device
from albert_export.runtimes.input_checks import FILLED_IN, IntArray
from albert_export.runtimes.protocol import Array, Runtime, checked_threads
from albert_export.runtimes.tensorrt_device import Device, memory_of, within
from albert_export.tasks import TensorSpec

if TYPE_CHECKING:
    from albert_export.bundle import Artifact, Bundle

_NEEDED_FOR = "running TensorRT engines"


@dataclass(frozen=True)
class _Loaded:
    """An engine with its context.

    Attributes:
        runner: Polygraphy's, active.
        device: The GPU.
        place: What that is.
        usable: Index in the engine -> profile, of those that may be taken.
        memory: Bytes of device memory, of the largest of them.
        limit: What the caller set, or None.
    """

    runner: Any
    device: Device
    place: Place
    usable: Mapping[int, Profile]
    memory: int
    limit: int | None


class TensorRtRuntime(Runtime):
    """An engine in an execution context of its own; runs of several threads follow each other.

    Attributes:
        profiles: Shapes that the engine takes; of several, those that a limit on memory leaves.
    """

    target = "tensorrt"

    def __init__(self, loaded: _Loaded, bundle: Bundle, artifact: Artifact) -> None:
        super().__init__(
            task=bundle.task,
            config=bundle.config,
            inputs=bundle.task.inputs,
            outputs=bundle.task.outputs,
            sizes=artifact.shapes,
            device=f"cuda:{loaded.device.index}" if loaded.device.index else "cuda",
            reason=f"the engine runs on {loaded.place.gpu}",
            file=artifact.file,
        )
        self.profiles = tuple(loaded.usable.values())
        self._indices = tuple(loaded.usable)
        self._loaded = loaded
        self._profile = self._indices[0]
        self._lock = threading.Lock()
        # Also where it is not closed: Polygraphy would print so, and what it took on the GPU would stay taken.
        self._end = weakref.finalize(self, _end, loaded.runner, loaded.device)

    @classmethod
    def open(
        cls,
        bundle: Bundle,
        artifact: Artifact,
        *,
        device: str = "auto",
        threads: int | None = None,
        device_memory: int | str | None = None,
    ) -> TensorRtRuntime:
        """Load an engine; see :meth:`Runtime.open`.

        Args:
            bundle: An opened, verified bundle.
            artifact: One of its engines.
            device: ``cuda:N`` for a GPU by CUDA's number, ``cuda`` for the first; ``auto`` for the first that the
                engine was built for.
            threads: None: it computes on the GPU.
            device_memory: Most bytes of device memory that file, activations, inputs and outputs may take together, or
                a number with K, M or G after it. Profiles that take more are left out. None for all that is free.

        Raises:
            DeviceError: There is no GPU, TensorRT's libraries are not there, the engine was built for another GPU or
                another TensorRT (the fix is then the command that builds it here), or it does not fit.
            MissingDependencyError: Polygraphy or tensorrt is not installed.
            BundleError: TensorRT does not load the file, or the manifest does not tell of it.
            InputError: ``device``, ``threads`` or ``device_memory`` is no value of its kind.
        """
        if checked_threads(threads) is not None:
            raise InputError(
                "TensorRT takes no number of threads: it computes on the GPU",
                received=f"threads={threads}",
                fix="leave threads out",
            )
        limit = checked_device_memory(device_memory)
        kind, index = parse_device(device, ("cuda",))
        facts = read_facts(artifact.facts, artifact.file)
        profiles = read_profiles(artifact.facts.get("profiles", ()))
        if not profiles:
            raise BundleError(
                f"the manifest must tell the profiles of the engine {artifact.file}",
                received="none",
                fix=rebuild_command(bundle, artifact),
            )
        loaders = load_polygraphy("polygraphy.backend.trt", _NEEDED_FOR)
        trt, _ = load_tensorrt(_NEEDED_FOR)
        places = these_places(str(trt.__version__), needed_for=_NEEDED_FOR)
        if kind == "auto":
            index = _first_that_runs(facts, places)
        place = place_at(places, index, needed_for=_NEEDED_FOR)
        rebuild = rebuild_command(bundle, artifact)
        check_runs_here(facts, place, file=artifact.file, rebuild=rebuild)
        with Heard() as heard:
            try:
                gpu = Device(load_polygraphy("polygraphy.cuda", _NEEDED_FOR).wrapper(), index)
                with gpu.current():
                    data = bundle.file(artifact).read_bytes()
                    engine = loaders.EngineFromBytes(data)()
                    outer = (*bundle.task.inputs, *bundle.task.outputs)
                    memory = memory_of(engine, profiles, outer, bundle.config, len(data))
                    fitting: Sequence[int] = range(len(profiles))
                    if limit is not None:
                        fitting = within(limit, memory, profiles, artifact.file, rebuild)
                    # By itself a context takes what the largest profile needs, at once and for good.
                    options: dict[str, Any] = {} if limit is None else {"allocation_strategy": "profile"}
                    if fitting[0]:
                        options["optimization_profile"] = fitting[0]
                    runner = loaders.TrtRunner(engine, **options)
                    runner.activate()
            except AlbertExportError:
                raise
            except Exception as error:  # Polygraphy's own, and what TensorRT's bindings raise, have no common base
                detail = heard.told(error)
                trouble = read_trouble(detail)
                if trouble is not None:
                    raise DeviceError(
                        f"{place.gpu} must load {artifact.file}", received=detail, fix=trouble.fix
                    ) from error
                raise BundleError(
                    f"{artifact.file} must be an engine that TensorRT {place.tensorrt} loads",
                    received=detail,
                    fix=rebuild,
                ) from error
        usable = {index: profiles[index] for index in fitting}
        return cls(
            _Loaded(runner, gpu, place, usable, max(memory[index] for index in fitting), limit), bundle, artifact
        )

    @property
    def longest(self) -> int:
        """Most tokens of one row, in the profile that takes the longest."""
        return min(self.config.max_position_embeddings, longest_row(self.profiles))

    @property
    def most_rows(self) -> int | None:
        """Most rows of one run, of rows of any length that the engine takes."""
        return most_of(self.profiles, "batch")

    def _execute(self, inputs: dict[str, IntArray]) -> dict[str, Array]:
        shape = inputs["input_ids"].shape
        axes = [str(axis) for axis in self.inputs[0].axes]
        # What falls below a profile is padded, as a longer batch would pad it; what exceeds every one is refused.
        chosen, padded = choose_profile(self.profiles, shape)
        index = self._indices[chosen]
        feed = inputs if padded == shape else _padded(inputs, padded)
        runner = self._loaded.runner
        with self._lock, Heard() as heard:
            # Checked by the thread that has the lock: another one may have closed it meanwhile.
            self._check_open()
            try:
                with self._loaded.device.current():
                    if index != self._profile:
                        runner.set_profile(index)
                        self._profile = index
                    results = runner.infer(feed, copy_outputs_to_host=True)
                    outputs = {spec.name: np.array(results[spec.name]) for spec in self.outputs}
            except Exception as error:  # as above
                detail = heard.told(error)
                trouble = read_trouble(detail)
                raise DeviceError(
                    f"{self.device} must finish a run of {'x'.join(map(str, shape))} ids",
                    received=detail,
                    fix="check nvidia-smi" if trouble is None else trouble.fix,
                ) from error
        cut = dict(zip(axes, shape, strict=True))
        return {spec.name: np.ascontiguousarray(outputs[spec.name][_region(spec, cut)]) for spec in self.outputs}

    def _release(self) -> None:
        with self._lock:
            self._end()

    def _own_facts(self) -> dict[str, Any]:
        return {
            "threads": None,
            "profiles": [str(profile) for profile in self.profiles],
            "device_memory": self._loaded.limit,
            "takes_device_memory": self._loaded.memory,
            "versions": {"tensorrt": self._loaded.place.tensorrt},
        }


def _first_that_runs(facts: EngineFacts, places: Sequence[Place]) -> int:
    """Return the number of the first GPU on which the engine runs; 0, which tells why not, where there is none."""
    return next((index for index, place in enumerate(places) if why_not(facts, place) is None), 0)


def _end(runner: Any, device: Device) -> None:
    """Free what a runner holds. After a failure that ended CUDA's context there is nothing that could be freed."""
    with contextlib.suppress(Exception), device.current():
        # Polygraphy frees the buffers of inputs, and forgets those of outputs.
        for buffer in getattr(runner.output_allocator, "buffers", {}).values():
            with contextlib.suppress(Exception):
                buffer.free()
    with contextlib.suppress(Exception), device.current():
        runner.deactivate()


def _padded(inputs: Mapping[str, IntArray], shape: tuple[int, ...]) -> dict[str, IntArray]:
    """Fill up to a shape with padding, which the mask hides."""
    made = {}
    for name, array in inputs.items():
        filler = 0 if name in FILLED_IN else int(array.flat[0])
        widths = [(0, size - given) for size, given in zip(shape, array.shape, strict=True)]
        made[name] = np.pad(array, widths, constant_values=filler)
    return made


def _region(spec: TensorSpec, sizes: Mapping[str, int]) -> tuple[slice, ...]:
    return tuple(slice(sizes.get(str(axis))) for axis in spec.axes)
