"""Importing OpenVINO without what it reports: an app that embeds a runtime has not agreed to that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

_REPORTS = "openvino_telemetry"


@contextmanager
def unreported() -> Iterator[None]:
    """Let ``import openvino`` inside find no package to report its use with; OpenVINO has a stub for that case.

    Otherwise each first import in a process asks Google Analytics to count it, unless the user has opted out, and forks
    the process for that, which one with the threads of JAX or of an app may not survive. Where somebody has imported
    either package before, nothing is changed.
    """
    if "openvino" in sys.modules or _REPORTS in sys.modules:
        yield
        return
    sys.modules[_REPORTS] = None  # type: ignore[assignment]  # as Python has it: an import of it is an ImportError
    try:
        yield
    finally:
        del sys.modules[_REPORTS]
