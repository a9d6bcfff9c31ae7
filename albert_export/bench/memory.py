"""How much memory this process holds, and the most it ever held; asked of the system, without a package for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def resident_bytes() -> int:
    """Return the physical memory that this process holds now; mapped files count as far as they were touched."""
    if sys.platform == "win32":
        return _windows()[0]
    if _STATUS.is_file():
        return _from_status("VmRSS")
    done = subprocess.run(["/bin/ps", "-o", "rss=", "-p", str(os.getpid())], capture_output=True, text=True, check=True)
    return 1024 * int(done.stdout)


def peak_bytes() -> int:
    """Return the most physical memory that this process held since its program began."""
    if sys.platform == "win32":
        return _windows()[1]
    if _STATUS.is_file():
        # Not ru_maxrss, which begins with the peak of the process that started this one.
        return _from_status("VmHWM")
    import resource  # absent on Windows

    # macOS counts in bytes, the other systems in KiB.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _from_status(field: str) -> int:
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


if sys.platform == "win32":

    def _windows() -> tuple[int, int]:
        """Return the working set and its peak."""
        import ctypes
        from ctypes import wintypes

        class Counters(ctypes.Structure):
            _fields_ = [
                ("cb", wintypes.DWORD),
                ("PageFaultCount", wintypes.DWORD),
                ("PeakWorkingSetSize", ctypes.c_size_t),
                ("WorkingSetSize", ctypes.c_size_t),
                ("QuotaPeakPagedPoolUsage", ctypes.c_size_t),
                ("QuotaPagedPoolUsage", ctypes.c_size_t),
                ("QuotaPeakNonPagedPoolUsage", ctypes.c_size_t),
                ("QuotaNonPagedPoolUsage", ctypes.c_size_t),
                ("PagefileUsage", ctypes.c_size_t),
                ("PeakPagefileUsage", ctypes.c_size_t),
            ]

        counters = Counters(cb=ctypes.sizeof(Counters))
        process = ctypes.windll.kernel32.GetCurrentProcess
        process.restype = wintypes.HANDLE
        query = ctypes.windll.psapi.GetProcessMemoryInfo
        query.argtypes = [wintypes.HANDLE, ctypes.POINTER(Counters), wintypes.DWORD]
        if not query(process(), ctypes.byref(counters), counters.cb):
            raise ctypes.WinError()
        return counters.WorkingSetSize, counters.PeakWorkingSetSize
