"""NVIDIA GPUs of this machine, as their driver's own program tells them."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass

_SECONDS = 20


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        name: E.g. ``NVIDIA H200``.
        compute_capability: E.g. ``9.0``.
        driver: Version of its driver.
        memory_mib: Its memory in MiB.
    """

    name: str
    compute_capability: str
    driver: str
    memory_mib: int


def find_gpus() -> tuple[Gpu, ...]:
    """Return the GPUs in the order of their numbers; none where there is no driver, or it does not answer."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ()
    query = [program, "--query-gpu=name,compute_cap,driver_version,memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    found = []
    for line in done.stdout.splitlines() if done.returncode == 0 else ():
        cells = [cell.strip() for cell in line.split(",")]
        if len(cells) == 4 and cells[3].isdigit():
            found.append(Gpu(cells[0], cells[1], cells[2], int(cells[3])))
    return tuple(found)
