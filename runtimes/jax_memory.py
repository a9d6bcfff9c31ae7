"""How much of a GPU's memory JAX takes: told before its first use, since it then takes it for the whole process.

Left to itself, JAX takes three quarters of the memory at once, whatever it needs. A program that opens one artifact
beside others must not, so unless the user chose otherwise it is told to take memory when it needs it, or, with a limit,
that share of the GPU at once.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, MutableMapping
from typing import Any

from albert_export.errors import DeviceError, InputError
from albert_export.runtimes.device_memory import shown_bytes

#: Environment variables by which a user chooses; with any of them set, none is touched.
CHOSEN_BY = (
    "XLA_PYTHON_CLIENT_PREALLOCATE",
    "XLA_PYTHON_CLIENT_MEM_FRACTION",
    "XLA_CLIENT_MEM_FRACTION",
    "XLA_PYTHON_CLIENT_ALLOCATOR",
)


def allocator_settings(
    environment: Mapping[str, str], *, limit: int | None, total: int | None, started: bool
) -> dict[str, str]:
    """Return the environment variables to set before JAX looks for a GPU.

    Args:
        environment: Those there are.
        limit: The most bytes to take, or None without a limit.
        total: Bytes of the GPU, or None where nobody says.
        started: Whether JAX has looked for its devices: it reads them then, and never again.

    Raises:
        InputError: There is a limit that cannot be set any more, or the user set one by a variable.
        DeviceError: The GPU has less memory than the limit, or nobody says how much it has.
    """
    chosen = [name for name in CHOSEN_BY if name in environment]
    if limit is None:
        return {} if started or chosen else {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    if chosen:
        raise InputError(
            "JAX has one limit on device memory",
            received=f"device_memory, and {chosen[0]}={environment[chosen[0]]}",
            fix=f"leave device_memory out, or unset {chosen[0]}",
        )
    if started:
        raise InputError(
            "JAX takes a limit on device memory when a process first uses it, and not later",
            received="device_memory in a process in which it is at work",
            fix="open this artifact first, or set XLA_PYTHON_CLIENT_MEM_FRACTION before the process starts",
        )
    if total is None:
        raise DeviceError(
            "JAX takes a limit as a share of the GPU, whose size must be known",
            received="no answer of nvidia-smi",
            fix="check nvidia-smi, or set XLA_PYTHON_CLIENT_MEM_FRACTION",
        )
    if limit > total:
        raise DeviceError(
            "device_memory must be at most what the GPU has",
            received=f"{shown_bytes(limit)} of {shown_bytes(total)}",
            fix="give less, or leave it out",
        )
    return {"XLA_PYTHON_CLIENT_MEM_FRACTION": f"{limit / total:.4f}"}


def settle_memory(jax: Any, environment: MutableMapping[str, str], limit: int | None, index: int) -> None:
    """Set what :func:`allocator_settings` returns.

    Args:
        jax: The package.
        environment: ``os.environ``.
        limit: The most bytes to take, or None.
        index: Number of the GPU.

    Raises:
        InputError: See :func:`allocator_settings`.
        DeviceError: Likewise.
    """
    total = None if limit is None else _total_bytes(index)
    environment.update(allocator_settings(environment, limit=limit, total=total, started=has_started(jax)))


def has_started(jax: Any) -> bool:
    """Whether JAX has looked for its devices in this process."""
    try:
        return bool(jax._src.xla_bridge.backends_are_initialized())
    except AttributeError:  # a release that hides it: then what is set may come too late, and does no harm
        return False


def _total_bytes(index: int) -> int | None:
    command = ["nvidia-smi", f"--id={index}", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    mebibytes = done.stdout.strip()
    return int(mebibytes) * 2**20 if done.returncode == 0 and mebibytes.isdigit() else None
