"""TensorRT and Polygraphy, imported on demand, and the machine that they find."""

from __future__ import annotations

import importlib
import os
import platform
from typing import Any

from albert_export._cuda import visible_gpus
from albert_export._imports import require
from albert_export._nvidia import find_gpus
from albert_export._tensorrt_log import listen
from albert_export.engines.facts import Place
from albert_export.engines.support import RELEASES, Release, release_of
from albert_export.errors import DeviceError, InputError, MissingDependencyError
from albert_export.runtime_table import TENSORRT_INSTALL

_ARCHIVE = "put the lib folder of NVIDIA's archive on LD_LIBRARY_PATH, and install the wheel in it"

#: Extras that bring all else.
EXTRAS = "onnx,tensorrt"


def load_tensorrt(needed_for: str) -> tuple[Any, Release]:
    """Import TensorRT and return the module and the row of its release.

    Args:
        needed_for: What the user asked for; begins the error's sentence.

    Raises:
        MissingDependencyError: The package is not installed.
        DeviceError: Its libraries are not there, or its version is none that the table of operators has.
    """
    try:
        trt = importlib.import_module("tensorrt")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("tensorrt", "tensorrt_bindings"):
            raise
        raise MissingDependencyError(
            "tensorrt", needed_for=needed_for, extra=EXTRAS, otherwise=_ARCHIVE, install=TENSORRT_INSTALL
        ) from error
    except (ImportError, OSError) as error:  # the bindings are there, and what they are bound to is not
        raise DeviceError(
            f"{needed_for} needs TensorRT's libraries beside its Python bindings",
            received=" ".join(str(error).split())[:200],
            fix=f"{TENSORRT_INSTALL}, or {_ARCHIVE}",
        ) from error
    try:
        release = release_of(str(trt.__version__))
    except InputError as error:
        known = " or ".join(f"{row.major}.x" for row in RELEASES)
        raise DeviceError(
            f"{needed_for} needs TensorRT {known}",
            received=f"tensorrt {trt.__version__}",
            fix=f"{TENSORRT_INSTALL}=={RELEASES[-1].major}.*",
        ) from error
    return trt, release


def load_polygraphy(module: str, needed_for: str) -> Any:
    """Import a module of Polygraphy, which prints nothing: :class:`albert_export._tensorrt_log.Heard` hears its errors.

    Raises:
        MissingDependencyError: It is not installed.
    """
    listen(require("polygraphy.logger", needed_for=needed_for, extra=EXTRAS).G_LOGGER)
    return require(module, needed_for=needed_for, extra=EXTRAS)


def these_places(version: str, *, needed_for: str) -> tuple[Place, ...]:
    """Return this machine as places of engines, one for each GPU that CUDA shows to this process, in its order.

    Args:
        version: Of TensorRT.
        needed_for: What the user asked for; begins the error's sentence.

    Raises:
        DeviceError: There is no GPU.
    """
    visible = visible_gpus()
    if not visible.gpus:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        there = ", ".join(gpu.name for gpu in find_gpus())
        if there and hidden is not None:
            received, fix = f"CUDA_VISIBLE_DEVICES={hidden!r} and {there}", "name the number of one of them in it"
        else:
            received = f"none: {visible.problem}"
            fix = "run it on a machine with one; --plan tells without one what would be built"
        raise DeviceError(f"{needed_for} needs an NVIDIA GPU with a driver", received=received, fix=fix)
    # One driver serves all GPUs of a machine; a container can be without the program that tells its version.
    drivers = [gpu.driver for gpu in find_gpus()]
    system = f"{platform.system()} {platform.machine()}"
    return tuple(
        Place(gpu.name, gpu.compute_capability, drivers[0] if drivers else "unknown", version, system)
        for gpu in visible.gpus
    )


def place_at(places: tuple[Place, ...], index: int, *, needed_for: str) -> Place:
    """Return the place with the GPU of a number.

    Raises:
        DeviceError: There is no such GPU.
    """
    if index >= len(places):
        raise DeviceError(
            f"{needed_for} needs GPU {index}",
            received=", ".join(place.gpu for place in places),
            fix=f"name cuda:0{f' to cuda:{len(places) - 1}' if len(places) > 1 else ''}",
        )
    return places[index]
