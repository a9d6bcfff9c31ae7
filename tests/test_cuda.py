"""The GPUs that CUDA's driver hands out, asked of a stand-in for its library."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace
from typing import Any

import pytest

from albert_export._cuda import CudaGpu, Visible, visible_gpus


def driver(*gpus: tuple[str, int, int], start: int = 0, counted: int = 0) -> SimpleNamespace:
    """``libcuda.so.1`` of a machine with these GPUs, or with an error."""

    def count(found: Any) -> int:
        found._obj.value = len(gpus)
        return counted

    def get(found: Any, index: int) -> int:
        found._obj.value = 7 + index  # a handle, which is no number of ours
        return 0

    def name(text: Any, size: int, device: ctypes.c_int) -> int:
        assert size == len(text)
        text.value = gpus[device.value - 7][0].encode()
        return 0

    def attribute(found: Any, number: int, device: ctypes.c_int) -> int:
        found._obj.value = gpus[device.value - 7][{75: 1, 76: 2}[number]]
        return 0

    return SimpleNamespace(
        cuInit=lambda _: start,
        cuDeviceGetCount=count,
        cuDeviceGet=get,
        cuDeviceGetName=name,
        cuDeviceGetAttribute=attribute,
    )


def test_gpus_are_told_in_cudas_order() -> None:
    found = visible_gpus(driver(("NVIDIA L4", 8, 9), ("NVIDIA H200", 9, 0)))
    assert found == Visible((CudaGpu("NVIDIA L4", "8.9"), CudaGpu("NVIDIA H200", "9.0")))


@pytest.mark.parametrize(
    ("library", "told"),
    [
        (driver(start=100), "CUDA's driver does not start: error 100"),
        (driver(counted=3), "CUDA's driver does not count its GPUs: error 3"),
        (driver(), "CUDA shows no GPU to this process"),
    ],
)
def test_why_there_is_none(library: SimpleNamespace, told: str) -> None:
    assert visible_gpus(library) == Visible(problem=told)


def test_a_machine_without_the_driver_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file:\n No such file or directory")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    problem = visible_gpus().problem
    assert problem is not None
    assert "cannot open shared object file: No such file" in problem
