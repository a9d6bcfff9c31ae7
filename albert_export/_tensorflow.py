"""Importing TensorFlow without what it prints: lines about CPU features and registered factories help no user."""

from __future__ import annotations

import os
import sys
from typing import Any

from albert_export._imports import require
from albert_export._native_noise import caught_stderr

_LEVEL = "TF_CPP_MIN_LOG_LEVEL"

#: Of its levels the one at which nothing is told but what ends the process.
_SILENT = "3"


def import_tensorflow(*, needed_for: str) -> Any:
    """Import ``tensorflow`` and return it; every import of it in the package comes through here.

    Where the user has not chosen another level in ``TF_CPP_MIN_LOG_LEVEL``, its C++ code is kept silent: what goes
    wrong in an operation is an exception as well.

    Args:
        needed_for: What the user asked for, e.g. ``"exporting to TFLite"``; begins the error's sentence.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
    """
    if "tensorflow" in sys.modules or os.environ.setdefault(_LEVEL, _SILENT) != _SILENT:
        return require("tensorflow", needed_for=needed_for, extra="tensorflow")
    # The first lines are written before TensorFlow reads its level.
    with caught_stderr():
        return require("tensorflow", needed_for=needed_for, extra="tensorflow")
