"""Importing on demand: optional packages, with an error that names the extra; what the tables name; other processes."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from albert_export.errors import MissingDependencyError


def require(module: str, *, needed_for: str, extra: str) -> Any:
    """Import ``module`` and return it.

    Args:
        module: Dotted module name, e.g. ``"torch"``.
        needed_for: What the user asked for, e.g. ``"exporting to ONNX"``; begins the error's sentence.
        extra: The extra of this distribution that brings the package.

    Raises:
        MissingDependencyError: The package itself is absent. An import error from inside an installed package
            passes through unchanged: reinstalling the extra would not mend it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        top = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != top:
            raise
        raise MissingDependencyError(top, needed_for=needed_for, extra=extra) from error


def resolve(location: str) -> Any:
    """Import what a table names as ``module:attribute`` and return it."""
    module, _, name = location.partition(":")
    return getattr(importlib.import_module(module), name)


def import_path() -> str:
    """Return the ``PYTHONPATH`` with which another process of this interpreter imports what this one does.

    It is the whole search path in its order: that of this package alone, where it is installed, is site-packages, which
    would then come before the standard library. The current directory, which an empty entry stands for, is not in it.
    """
    return os.pathsep.join(dict.fromkeys([*filter(None, sys.path), str(Path(__file__).parents[1])]))
