"""Building an engine with TensorRT, through Polygraphy's loaders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albert_export._tensorrt import load_polygraphy, load_tensorrt, these_places
from albert_export._tensorrt_log import Heard, read_trouble
from albert_export.engines.facts import Place
from albert_export.engines.options import HARDWARE_LEVELS, EngineOptions, workspace_bytes
from albert_export.engines.profiles import Profile
from albert_export.engines.support import Release
from albert_export.errors import DeviceError, ExportError

_NEEDED_FOR = "building TensorRT engines"


@dataclass(frozen=True)
class Builder:
    """What builds engines on this machine.

    Attributes:
        trt: The module ``tensorrt``.
        loaders: Polygraphy's ``backend.trt``.
        release: Row of the table of operators.
        place: This machine, with the first GPU that CUDA shows to this process.
        versions: Version of each package that has a part in an engine.
    """

    trt: Any
    loaders: Any
    release: Release
    place: Place
    versions: dict[str, str]


def open_builder() -> Builder:
    """Look for all that building takes: nothing is built.

    Raises:
        MissingDependencyError: Polygraphy or tensorrt is not installed.
        DeviceError: TensorRT's libraries or a GPU are not there, or TensorRT is of a version without a row.
    """
    loaders = load_polygraphy("polygraphy.backend.trt", _NEEDED_FOR)
    trt, release = load_tensorrt(_NEEDED_FOR)
    version = str(trt.__version__)
    polygraphy = load_polygraphy("polygraphy", _NEEDED_FOR)
    versions = {"tensorrt": version, "polygraphy": str(polygraphy.__version__)}
    place = these_places(version, needed_for=_NEEDED_FOR)[0]
    return Builder(trt, loaders, release, place, versions)


def check_buildable(builder: Builder, precision: str, options: EngineOptions) -> None:
    """Refuse what this GPU and this TensorRT cannot build, before anything takes time.

    Args:
        builder: From :func:`open_builder`.
        precision: Of the network.
        options: How the engine is built.

    Raises:
        DeviceError: The GPU is too old, or TensorRT does not have the level of compatibility.
    """
    place = builder.place
    ampere = tuple(map(int, place.compute_capability.split("."))) >= (8, 0)
    for asked, name in ((precision == "bf16", "bf16"), (options.hardware_compatible == "ampere+", "ampere+")):
        if asked and not ampere:
            raise DeviceError(
                f"{name} needs a GPU of compute capability 8.0 or more",
                received=f"{place.gpu}, {place.compute_capability}",
                fix="choose fp16" if name == "bf16" else "build it on a newer GPU, or leave hardware_compatible out",
            )
    level = options.hardware_compatible
    if level is not None and not hasattr(builder.trt.HardwareCompatibilityLevel, HARDWARE_LEVELS[level]):
        raise DeviceError(
            f"hardware_compatible={level} needs TensorRT 10.9 or later",
            received=f"TensorRT {place.tensorrt}",
            fix="upgrade TensorRT, or leave it out",
        )


def build_engine(
    builder: Builder,
    network: Path,
    *,
    inputs: Sequence[str],
    profiles: Sequence[Profile],
    options: EngineOptions,
    dynamic: bool,
) -> bytes:
    """Build an engine and return it serialised.

    Args:
        builder: From :func:`open_builder`.
        network: ONNX file, typed.
        inputs: Names of its inputs, all of one shape.
        profiles: Shapes that the engine takes.
        options: How it is built.
        dynamic: Whether any axis of the inputs is.

    Raises:
        ExportError: TensorRT does not read the network, or finds no kernels for it.
        DeviceError: The GPU has not the memory.
    """
    loaders, trt = builder.loaders, builder.trt
    # From 11 on every network is typed strongly, and asking for it is deprecated.
    typed = {"strongly_typed": True} if builder.release.typed_flag else {}
    pools = {}
    if options.workspace is not None:
        pools = {"memory_pool_limits": {trt.MemoryPoolType.WORKSPACE: workspace_bytes(options.workspace)}}
    level = {}
    if options.hardware_compatible is not None:
        levels = trt.HardwareCompatibilityLevel
        level = {"hardware_compatibility_level": getattr(levels, HARDWARE_LEVELS[options.hardware_compatible])}
    cache = None if options.timing_cache is None else str(Path(options.timing_cache))
    config = loaders.CreateConfig(
        tf32=False,  # it keeps 10 bits of each factor: fp32 would not be what it says
        profiles=[_polygraphy_profile(loaders, profile, inputs) for profile in profiles] if dynamic else None,
        load_timing_cache=cache if cache is not None and Path(cache).exists() else None,
        version_compatible=options.version_compatible or None,
        **pools,
        **level,
    )
    load = loaders.NetworkFromOnnxPath(str(network), **typed)
    build = loaders.EngineBytesFromNetwork(load, config=config, save_timing_cache=cache)
    with Heard() as heard:
        try:
            return bytes(build())
        except Exception as error:  # Polygraphy's own, and what TensorRT's bindings raise, have no common base
            detail = heard.told(error)
            trouble = read_trouble(detail)
            if trouble is not None and trouble.kind == "memory":
                raise DeviceError(
                    f"{builder.place.gpu} must have the memory to build the engine",
                    received=detail,
                    fix="end the profile with a smaller shape, or give --workspace less than what is free",
                ) from error
            if trouble is not None:
                raise DeviceError(
                    f"{builder.place.gpu} must build the engine", received=detail, fix=trouble.fix
                ) from error
            raise ExportError(
                f"TensorRT {builder.place.tensorrt} must build the network",
                received=detail,
                fix="see what it reads: albert-export tensorrt --plan",
            ) from error


def _polygraphy_profile(loaders: Any, profile: Profile, inputs: Sequence[str]) -> Any:
    made = loaders.Profile()
    for name in inputs:
        made.add(name, min=profile.smallest, opt=profile.tuned, max=profile.largest)
    return made
