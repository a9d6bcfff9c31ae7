"""This machine: processor, memory, GPUs. Read from the system, without importing a framework."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from albert_export._nvidia import find_gpus

#: CPU flag as the kernel names it -> the arithmetic it speeds up.
CPU_FEATURES = {
    "avx2": "fp32",
    "fma": "fp32",
    "f16c": "fp16 conversion",
    "avx512f": "fp32",
    "avx512_vnni": "int8",
    "avx_vnni": "int8",
    "amx_int8": "int8",
    "avx512_bf16": "bf16",
    "amx_bf16": "bf16",
    "asimd": "fp32",
    "asimdhp": "fp16",
    "asimddp": "int8",
    "i8mm": "int8",
    "bf16": "bf16",
    "sve": "fp32",
}


@dataclass(frozen=True)
class Machine:
    """What a benchmark or a bug report has to say about the machine.

    Attributes:
        system: Operating system and architecture.
        cpu: Model name of the processor.
        threads: Hardware threads that this process may use.
        features: Feature of the processor -> the arithmetic it speeds up.
        memory_bytes: Physical memory, or None where the system does not say.
        gpus: One line for each NVIDIA GPU: name, memory, compute capability, driver.
    """

    system: str
    cpu: str
    threads: int
    features: Mapping[str, str]
    memory_bytes: int | None
    gpus: tuple[str, ...]


def describe_machine() -> Machine:
    """Look at the machine this process runs on."""
    model, flags = _cpu_model_and_flags()
    return Machine(
        system=platform.platform(),
        cpu=model or platform.processor() or platform.machine(),
        threads=len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1,
        features=_features(flags),
        memory_bytes=_memory(),
        gpus=tuple(map(str, find_gpus())),
    )


def cpu_features() -> dict[str, str]:
    """Return the features of this processor alone, as in :class:`Machine`: no other program is asked, but on macOS."""
    return _features(_cpu_model_and_flags()[1])


def _features(flags: set[str]) -> dict[str, str]:
    return {flag: what for flag, what in CPU_FEATURES.items() if flag in flags}


def _cpu_model_and_flags() -> tuple[str | None, set[str]]:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = (line.partition(":") for line in info.read_text(encoding="utf-8", errors="replace").splitlines())
        fields = {name.strip(): value.strip() for name, _, value in lines}
        return fields.get("model name"), set((fields.get("flags") or fields.get("Features") or "").split())
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string"), _darwin_flags()
    return None, set()


def _darwin_flags() -> set[str]:
    arm = {"FEAT_DotProd": "asimddp", "FEAT_FP16": "asimdhp", "FEAT_BF16": "bf16", "FEAT_I8MM": "i8mm"}
    flags = {flag for name, flag in arm.items() if _sysctl(f"hw.optional.arm.{name}") == "1"}
    if platform.machine() == "arm64":
        flags.add("asimd")
    intel = {"avx2_0": "avx2", "fma": "fma", "f16c": "f16c", "avx512f": "avx512f"}
    return flags | {flag for name, flag in intel.items() if _sysctl(f"hw.optional.{name}") == "1"}


def _sysctl(name: str) -> str | None:
    done = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _memory() -> int | None:
    """Physical memory in bytes, where the system says."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
