"""Importing JAX without what it prints, and 64-bit numbers where they are wanted and nowhere else."""

from __future__ import annotations

import importlib.util
import logging
import os
import sys
from contextlib import AbstractContextManager
from typing import Any

from albert_export._imports import require
from albert_export._native_noise import caught_stderr

#: Where XLA's C++ code reads what it may print, as TensorFlow's does.
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
#: Of its levels the one at which nothing is told but what ends the process.
_SILENT = "3"
#: Tells which accelerators were looked for and not found.
_LOGGER = "jax._src.xla_bridge"


def import_jax(*, needed_for: str) -> Any:
    """Import ``jax`` and return it.

    What JAX warns of when it finds no accelerator is kept silent, except where the user chose what is logged, or
    imported JAX before.

    Args:
        needed_for: What the user asked for, e.g. ``"exporting to StableHLO"``; begins the error's sentence.

    Raises:
        MissingDependencyError: JAX is not installed.
    """
    if "jax" not in sys.modules:
        os.environ.setdefault(_LEVEL, _SILENT)
        logger = logging.getLogger(_LOGGER)
        if logger.level == logging.NOTSET and "JAX_LOGGING_LEVEL" not in os.environ:
            logger.setLevel(logging.ERROR)
    return require("jax", needed_for=needed_for, extra="jax")


def look_for_devices(jax: Any) -> None:
    """Have JAX look for its devices, and keep silent what libtpu prints where it is installed and there is no TPU.

    Args:
        jax: The package.
    """
    if importlib.util.find_spec("libtpu") is None or os.environ.get(_LEVEL, _SILENT) != _SILENT:
        return
    with caught_stderr():
        jax.devices()


def wide_numbers(dtype: Any) -> AbstractContextManager[Any]:
    """Return a context in which JAX has numbers of 64 bits if ``dtype`` is float64, and has what it had before if not.

    Args:
        dtype: Anything that names a dtype.
    """
    jax: Any = require("jax", needed_for="numbers of 64 bits", extra="jax")
    wide = jax.numpy.dtype(dtype).name == "float64" or bool(jax.config.jax_enable_x64)
    # in releases before 0.8 the switch is found under another name
    switch = jax.enable_x64 if hasattr(jax, "enable_x64") else jax.experimental.enable_x64
    context: AbstractContextManager[Any] = switch(wide)
    return context
