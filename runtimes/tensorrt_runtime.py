"""Running TensorRT engines on the kind of GPU that they were built on, through Polygraphy's runner."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._tensorrt import load_polygraphy, load_tensorrt, this_place
from albert_export.engines.facts import check_runs_here, read_facts, rebuild_command
from albert_export.engines.profiles import Profile, choose_profile, longest_row, read_profiles
from albert_export.errors import BundleError, DeviceError, InputError
from albert_export.runtimes.devices import parse_device
from albert_export.runtimes.input_checks import FILLED_IN, IntArray
from albert_export.runtimes.protocol import Array, Runtime, checked_threads
from albert_export.tasks import TensorSpec

if TYPE_CHECKING:
    from albert_export.bundle import Artifact, Bundle

_NEEDED_FOR = "running TensorRT engines"


class TensorRtRuntime(Runtime):
    """An engine in an execution context of its own; runs of several threads follow each other.

    Attributes:
        profiles: Shapes that the engine takes.
    """

    target = "tensorrt"

    def __init__(
        self, runner: Any, bundle: Bundle, artifact: Artifact, profiles: tuple[Profile, ...], version: str, gpu: str
    ) -> None:
        super().__init__(
            task=bundle.task,
            config=bundle.config,
            inputs=bundle.task.inputs,
            outputs=bundle.task.outputs,
            sizes=artifact.shapes,
            device="cuda",
            reason=f"the engine was built for {gpu}",
        )
        self.profiles = profiles
        self._file = artifact.file
        self._version = version
        self._runner: Any = runner
        self._profile = 0
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls, bundle: Bundle, artifact: Artifact, *, device: str = "auto", threads: int | None = None
    ) -> TensorRtRuntime:
        """Load an engine; see :meth:`Runtime.open`.

        Raises:
            DeviceError: There is no GPU, TensorRT's libraries are not there, or the engine was built for another GPU or
                another TensorRT; the fix is then the command that builds it here.
            MissingDependencyError: Polygraphy or tensorrt is not installed.
            BundleError: TensorRT does not load the file.
            InputError: ``device`` or ``threads`` is no value of its kind.
        """
        if checked_threads(threads) is not None:
            raise InputError(
                "TensorRT takes no number of threads: it computes on the GPU",
                received=f"threads={threads}",
                fix="leave threads out",
            )
        _, index = parse_device(device, ("cuda",))
        if index:
            raise DeviceError(
                "engines run on the first GPU that the process sees",
                received=device,
                fix=f"set CUDA_VISIBLE_DEVICES={index} and name cuda",
            )
        facts = read_facts(artifact.facts, artifact.file)
        profiles = read_profiles(artifact.facts.get("profiles", ()))
        loaders = load_polygraphy("polygraphy.backend.trt", _NEEDED_FOR)
        trt, _ = load_tensorrt(_NEEDED_FOR)
        version = str(trt.__version__)
        here = this_place(version, 0, needed_for=_NEEDED_FOR)
        check_runs_here(facts, here, file=artifact.file, rebuild=rebuild_command(bundle, artifact))
        try:
            runner = loaders.TrtRunner(loaders.EngineFromBytes(bundle.file(artifact).read_bytes()))
            runner.activate()
        except Exception as error:  # Polygraphy's own, and what TensorRT's bindings raise, have no common base
            detail = _detail(error)
            if "memory" in detail.lower():
                raise DeviceError(f"{here.gpu} must have the memory for {artifact.file}", received=detail) from error
            raise BundleError(
                f"{artifact.file} must be an engine that TensorRT {version} loads",
                received=detail,
                fix=rebuild_command(bundle, artifact),
            ) from error
        return cls(runner, bundle, artifact, profiles, version, here.gpu)

    @property
    def longest(self) -> int:
        """Most tokens of one row, in the profile that takes the longest."""
        return min(self.config.max_position_embeddings, longest_row(self.profiles))

    @property
    def most_rows(self) -> int:
        """Most rows of one run, of rows of any length that the engine takes."""
        return min(profile.largest[0] for profile in self.profiles)

    def _execute(self, inputs: dict[str, IntArray]) -> dict[str, Array]:
        shape = inputs["input_ids"].shape
        axes = [str(axis) for axis in self.inputs[0].axes]
        # What falls below a profile is padded, as a longer batch would pad it; what exceeds every one is refused.
        low = [min(profile.smallest[index] for profile in self.profiles) for index in range(len(axes))]
        padded = tuple(max(size, least) for size, least in zip(shape, low, strict=True))
        index = choose_profile(self.profiles, padded)
        feed = inputs if padded == shape else _padded(inputs, padded)
        with self._lock:
            runner = self._runner
            if runner is None:
                self._check_open()
            try:
                if index != self._profile:
                    runner.set_profile(index)
                    self._profile = index
                results = runner.infer(feed, copy_outputs_to_host=True)
                outputs = {spec.name: np.array(results[spec.name]) for spec in self.outputs}
            except Exception as error:  # as above
                detail = _detail(error)
                fix = "run fewer or shorter rows at a time" if "memory" in detail.lower() else "check nvidia-smi"
                raise DeviceError(
                    f"{self.device} must finish a run of {'x'.join(map(str, shape))} ids", received=detail, fix=fix
                ) from error
        cut = dict(zip(axes, shape, strict=True))
        return {spec.name: np.ascontiguousarray(outputs[spec.name][_region(spec, cut)]) for spec in self.outputs}

    def _release(self) -> None:
        with self._lock:
            runner, self._runner = self._runner, None
        if runner is not None:
            runner.deactivate()

    def describe(self) -> dict[str, Any]:
        """Say in JSON values what runs where."""
        return {
            "target": self.target,
            "task": self.task.name,
            "file": self._file,
            "device": self.device,
            "reason": self.reason,
            "threads": None,
            "profiles": [str(profile) for profile in self.profiles],
            "versions": {"tensorrt": self._version},
        }


def _detail(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__


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
