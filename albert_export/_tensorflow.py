"""Importing TensorFlow without what it prints: lines about CPU features and registered factories help no user."""

from __future__ import annotations

import os
import sys
from typing import Any

from albert_export._imports import require
from albert_export._native_noise import caught_stderr

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"

#: Its levels: everything is told, and nothing but what ends the process.
_EVERYTHING, _SILENT = "0", "3"


def import_tensorflow(*, needed_for: str) -> Any:
    """Import ``tensorflow`` and return it; every import of it in the package comes through here.

    Where ``TF_CPP_MIN_LOG_LEVEL`` is not set, it is set to 3 for the whole process and those that it starts, so that
    TensorFlow's C++ code is silent for the caller's own use of it too: what goes wrong in an operation is an exception
    as well. Who sets the variable before keeps their choice. What it prints while it is imported is let through only at
    level 0: those lines are written before it reads its level, and JAX sets 1 where the user has set nothing.

    Args:
        needed_for: What the user asked for, e.g. ``"exporting to TFLite"``; begins the error's sentence.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
    """
    if "tensorflow" in sys.modules or os.environ.setdefault(_LEVEL, _SILENT) == _EVERYTHING:
        return require("tensorflow", needed_for=needed_for, extra="tensorflow")
    with caught_stderr():
        return require("tensorflow", needed_for=needed_for, extra="tensorflow")
