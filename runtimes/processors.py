"""How many processors this process may use, when that is fewer than the machine has."""

from __future__ import annotations

import os
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def restricted_processors(cgroups: Path = _CGROUPS, own_cgroup: Path = _OWN_CGROUP) -> int | None:
    """Return the number of processors this process is held to, or None where nothing holds it.

    A native runtime counts the machine's cores. In a container with a quota of 2 on a machine of 64 it would start
    64 threads that spin against each other, and pin them to processors it may not use.

    Args:
        cgroups: Where the kernel shows control groups (version 2, or the ``cpu`` controller of version 1).
        own_cgroup: File that says in which group this process is.
    """
    total = os.cpu_count() or 1
    # Not on macOS and Windows.
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else total
    quota = _quota(cgroups, own_cgroup)
    # Rounded down: a thread above the quota spins through the time of the others.
    allowed = min(affinity, total if quota is None else max(1, int(quota)))
    return allowed if allowed < total else None


def _quota(cgroups: Path, own_cgroup: Path) -> float | None:
    """Processors' worth of time a period, the tightest of this process's group and the groups around it."""
    groups = {cgroups, cgroups / "cpu"}
    for line in _read(own_cgroup).splitlines():
        _, controllers, path = line.split(":", 2)
        root = cgroups / "cpu" if "cpu" in controllers.split(",") else cgroups
        group = root / path.strip("/")
        groups |= {group, *(parent for parent in group.parents if parent.is_relative_to(root))}
    quotas = [quota for group in groups if (quota := _group_quota(group)) is not None]
    return min(quotas, default=None)


def _group_quota(group: Path) -> float | None:
    fields = _read(group / "cpu.max").split()
    if not fields:
        fields = [_read(group / "cpu.cfs_quota_us").strip(), _read(group / "cpu.cfs_period_us").strip()]
    if len(fields) != 2 or not all(field.isdigit() for field in fields):  # "max", "-1" or absent: no quota
        return None
    return int(fields[0]) / int(fields[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return ""  # no such controller here: no quota
