"""TensorRT and Polygraphy, imported on demand, and the machine that they find."""

from __future__ import annotations

import importlib
import platform
from typing import Any

from albert_export._imports import require
from albert_export._nvidia import find_gpus
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
    """Import a module of Polygraphy, quiet: what it has to say is in the errors that it raises.

    Raises:
        MissingDependencyError: It is not installed.
    """
    logger = require("polygraphy.logger", needed_for=needed_for, extra=EXTRAS).G_LOGGER
    # Its critical messages are exceptions as well, which are told in one line.
    logger.module_severity = logger.CRITICAL + 1
    return require(module, needed_for=needed_for, extra=EXTRAS)


def this_place(version: str, index: int, *, needed_for: str) -> Place:
    """Return this machine as a place of engines.

    Args:
        version: Of TensorRT.
        index: Number of the GPU.
        needed_for: What the user asked for; begins the error's sentence.

    Raises:
        DeviceError: There is no such GPU.
    """
    gpus = find_gpus()
    if index >= len(gpus):
        there = ", ".join(gpu.name for gpu in gpus) or "none that nvidia-smi finds"
        raise DeviceError(
            f"{needed_for} needs {'an NVIDIA GPU with a driver' if not gpus else f'GPU {index}'}",
            received=there,
            fix="run it on a machine with one; --plan tells without one what would be built"
            if not gpus
            else f"name cuda:0{f' to cuda:{len(gpus) - 1}' if len(gpus) > 1 else ''}",
        )
    gpu = gpus[index]
    return Place(gpu.name, gpu.compute_capability, gpu.driver, version, f"{platform.system()} {platform.machine()}")
