"""Importing OpenVINO without what it reports: an app that embeds a runtime has not agreed to that."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_REPORTS = "openvino_telemetry"

#: One import at a time: what one puts in the way, another would take out.
_lock = threading.RLock()


@contextmanager
def unreported() -> Iterator[None]:
    """Let ``import openvino`` inside find no package to report its use with; OpenVINO has a stub for that case.

    Otherwise each first import in a process asks Google Analytics to count it, unless the user has opted out, and forks
    the process for that, which one with the threads of JAX or of an app may not survive. Where OpenVINO has been
    imported before, nothing is changed.
    """
    with _lock:
        if "openvino" in sys.modules:
            yield
            return
        had, before = _REPORTS in sys.modules, sys.modules.get(_REPORTS)
        sys.modules[_REPORTS] = None  # type: ignore[assignment]  # as Python has it: an import of it is an ImportError
        try:
            yield
        finally:
            del sys.modules[_REPORTS]
            if had:
                sys.modules[_REPORTS] = before  # type: ignore[assignment]
