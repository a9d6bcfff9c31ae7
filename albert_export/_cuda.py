"""The GPUs that CUDA hands out to this process, as its driver numbers them.

``nvidia-smi`` numbers all GPUs of the machine by their place on the bus. CUDA numbers those that CUDA_VISIBLE_DEVICES
names, in its order, and the fastest first where nothing is named: GPU 0 of the one need not be GPU 0 of the other.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from typing import Any

_NAME_BYTES = 256

#: Numbers of ``CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR`` and ``…_MINOR``.
_MAJOR, _MINOR = 75, 76


@dataclass(frozen=True)
class CudaGpu:
    """A GPU that this process sees.

    Attributes:
        name: E.g. ``NVIDIA H200``.
        compute_capability: E.g. ``9.0``.
    """

    name: str
    compute_capability: str


@dataclass(frozen=True)
class Visible:
    """What CUDA's driver said.

    Attributes:
        gpus: In the order of CUDA's numbers.
        problem: Why there are none; None where there are.
    """

    gpus: tuple[CudaGpu, ...] = ()
    problem: str | None = None


def visible_gpus(driver: Any | None = None) -> Visible:
    """Ask CUDA's driver for the GPUs of this process.

    Args:
        driver: The driver's library; the system's by default.
    """
    if driver is None:
        try:
            driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        except OSError as error:
            return Visible(problem=" ".join(str(error).split())[:200])
    status = driver.cuInit(0)
    if status:
        return Visible(problem=f"CUDA's driver does not start: error {status}")
    count = ctypes.c_int()
    status = driver.cuDeviceGetCount(ctypes.byref(count))
    if status:
        return Visible(problem=f"CUDA's driver does not count its GPUs: error {status}")
    gpus = tuple(_gpu(driver, index) for index in range(count.value))
    return Visible(gpus, None if gpus else "CUDA shows no GPU to this process")


def _gpu(driver: Any, index: int) -> CudaGpu:
    device, major, minor = ctypes.c_int(), ctypes.c_int(), ctypes.c_int()
    name = ctypes.create_string_buffer(_NAME_BYTES)
    driver.cuDeviceGet(ctypes.byref(device), index)
    driver.cuDeviceGetName(name, _NAME_BYTES, device)
    driver.cuDeviceGetAttribute(ctypes.byref(major), _MAJOR, device)
    driver.cuDeviceGetAttribute(ctypes.byref(minor), _MINOR, device)
    return CudaGpu(name.value.decode(errors="replace"), f"{major.value}.{minor.value}")
