"""How much of a GPU's memory JAX takes: told before its first use, since it then settles it for the whole process.

Left to itself, JAX takes three quarters of the memory at once, whatever it needs, on every GPU that it sees. A program
that opens one artifact beside others must not, so unless the user chose otherwise it is told to take memory when it
needs it, and, with a limit, at most that share of a GPU.
"""

from __future__ import annotations

import math
import subprocess
import threading
from collections.abc import Mapping, MutableMapping
from typing import Any

from albert_export.errors import DeviceError, InputError
from albert_export.runtimes.device_memory import shown_bytes

_PREALLOCATE = "XLA_PYTHON_CLIENT_PREALLOCATE"
#: Deprecated, and read by every release; the new name is not.
_FRACTION = "XLA_PYTHON_CLIENT_MEM_FRACTION"

#: Environment variables by which a user chooses a limit, or an allocator that may know none.
LIMITED_BY = (_FRACTION, "XLA_CLIENT_MEM_FRACTION", "XLA_PYTHON_CLIENT_ALLOCATOR")

#: Environment variables by which a user chooses; with any of them set, and no limit asked for, none is touched.
CHOSEN_BY = (_PREALLOCATE, *LIMITED_BY)


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
    if limit is None:
        return {} if started or any(name in environment for name in CHOSEN_BY) else {_PREALLOCATE: "false"}
    chosen = [name for name in LIMITED_BY if name in environment]
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
            fix=f"open this artifact first, or set {_FRACTION} before the process starts",
        )
    if total is None:
        raise _size_unknown()
    if limit > total:
        raise DeviceError(
            "device_memory must be at most what the GPU has",
            received=f"{shown_bytes(limit)} of {shown_bytes(total)}",
            fix="give less, or leave it out",
        )
    # Rounded down: a limit is not exceeded. JAX keeps to it whether or not it takes all of it at once.
    settings = {_FRACTION: f"{math.floor(limit / total * 1e6) / 1e6:.6f}"}
    return settings if _PREALLOCATE in environment else {**settings, _PREALLOCATE: "false"}


class MemoryLimit:
    """The limit that this package gave to JAX in this process; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._limit: int | None = None

    def settle(
        self, environment: MutableMapping[str, str], *, limit: int | None, kind: str, total: int | None, started: bool
    ) -> None:
        """Set what :func:`allocator_settings` returns; a limit that is in force may be asked for again.

        Args:
            environment: ``os.environ``.
            limit: The most bytes to take of a GPU, or None.
            kind: Kind of the device that was asked for: no other than a GPU knows a limit, and ``auto`` may find none.
            total: See :func:`allocator_settings`.
            started: Likewise.

        Raises:
            InputError: See :func:`allocator_settings`; or another limit is in force.
            DeviceError: See :func:`allocator_settings`.
        """
        with self._lock:
            if kind not in ("auto", "cuda") or (kind == "auto" and total is None):
                limit = None
            if limit is not None and self._limit is not None:
                if limit == self._limit:
                    return
                raise InputError(
                    "JAX has one limit on device memory in a process",
                    received=f"{shown_bytes(limit)}, where {shown_bytes(self._limit)} is in force",
                    fix="give the same to all that JAX runs, or leave it out",
                )
            environment.update(allocator_settings(environment, limit=limit, total=total, started=started))
            self._limit = self._limit if limit is None else limit

    def check(self, limit: int | None) -> None:
        """Raise where ``auto`` found a GPU after all, whose size nobody told.

        Raises:
            DeviceError: The limit is not in force.
        """
        if limit is not None and limit != self._limit:
            raise _size_unknown()


_limit = MemoryLimit()


def settle_memory(jax: Any, environment: MutableMapping[str, str], limit: int | None, kind: str, index: int) -> None:
    """Have JAX take memory of GPUs when it needs it, and no more than a limit; see :meth:`MemoryLimit.settle`.

    Args:
        jax: The package.
        environment: ``os.environ``.
        limit: The most bytes to take, or None.
        kind: Kind of the device that was asked for.
        index: Number of the GPU.
    """
    total = None if limit is None else _total_bytes(gpu_id(environment, index))
    _limit.settle(environment, limit=limit, kind=kind, total=total, started=has_started(jax))


def check_memory(limit: int | None) -> None:
    """Raise where a GPU was found on which the limit is not in force; see :meth:`MemoryLimit.check`."""
    _limit.check(limit)


def gpu_id(environment: Mapping[str, str], index: int) -> str:
    """Return what nvidia-smi, which does not know ``CUDA_VISIBLE_DEVICES``, calls a GPU.

    Args:
        environment: ``os.environ``.
        index: Number of the GPU among those that the process sees.
    """
    visible = [name.strip() for name in environment.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return visible[index] if index < len(visible) else str(index)


def _size_unknown() -> DeviceError:
    return DeviceError(
        "JAX takes a limit as a share of the GPU, whose size must be known",
        received="no answer of nvidia-smi",
        fix=f"check nvidia-smi, or set {_FRACTION}",
    )


def has_started(jax: Any) -> bool:
    """Whether JAX has looked for its devices in this process."""
    try:
        return bool(jax._src.xla_bridge.backends_are_initialized())
    except AttributeError:  # a release that hides it: then what is set may come too late, and does no harm
        return False


def _total_bytes(gpu: str) -> int | None:
    command = ["nvidia-smi", f"--id={gpu}", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    mebibytes = done.stdout.strip()
    return int(mebibytes) * 2**20 if done.returncode == 0 and mebibytes.isdigit() else None
