"""The check of memory, on runtimes that are right and on ones that are wrong in one way each."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from albert_export.errors import DeviceError
from tools.gpu.memory_check import LARGE, check_memory
from tools.gpu.plan import get_way
from tools.gpu.running import hold_to

MIB = 2**20
WEIGHTS, LIMIT = 100 * MIB, 1024 * MIB


class Gpu:
    """A GPU, and runtimes that take of it."""

    def __init__(self, wrong: str | None) -> None:
        self.wrong = wrong
        self.context = 300 * MIB
        self.open: list[PretendRuntime] = []
        self.kept = 0

    def load(self) -> PretendRuntime:
        self.open.append(PretendRuntime(self))
        return self.open[-1]

    def used(self) -> int:
        copies = len(self.open) if self.wrong == "not shared" else min(len(self.open), 1)
        return self.context + copies * WEIGHTS + self.kept


class PretendRuntime:
    config = SimpleNamespace(vocab_size=50)

    def __init__(self, gpu: Gpu) -> None:
        self.gpu = gpu
        self.dead = False

    def run(self, input_ids: Any, **_: Any) -> None:
        gpu = self.gpu
        if self.dead:
            raise DeviceError("cuda must stay up", received="x", fix="start the process again")
        if input_ids.shape == (LARGE.batch, LARGE.sequence):
            if gpu.wrong == "not bounded":
                return
            if gpu.wrong == "takes more":
                gpu.kept = 2 * LIMIT
            for each in gpu.open:
                each.dead = gpu.wrong == "dies"
            fix = "export it again" if gpu.wrong == "told wrong" else "run fewer or shorter rows at a time"
            raise DeviceError("cuda must have the memory", received="Available memory", fix=fix)

    def close(self) -> None:
        self.gpu.open.remove(self)
        if self.gpu.wrong == "not freed":
            self.gpu.kept = WEIGHTS

    def __enter__(self) -> PretendRuntime:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.gpu.kept = 0


def test_a_runtime_that_is_right() -> None:
    gpu = Gpu(None)
    found = check_memory(gpu.load, gpu.used, weights=WEIGHTS, limit=LIMIT)
    assert found == "100 MiB for one and 100 MiB for two, of 1024 MiB; 0 MiB left"


@pytest.mark.parametrize(
    ("wrong", "kind", "says"),
    [
        ("not shared", ValueError, "takes 100 MiB more: it is not shared"),
        ("not bounded", ValueError, "a run of 256x512 went through with a limit of 1024 MiB"),
        ("takes more", ValueError, "2048 MiB are taken|2148 MiB are taken"),
        ("told wrong", ValueError, "is told as: cuda must have the memory"),
        ("dies", DeviceError, "start the process again"),
        ("not freed", ValueError, "closed, and 100 MiB are taken still"),
    ],
)
def test_what_is_wrong_is_seen(wrong: str, kind: type[Exception], says: str) -> None:
    gpu = Gpu(wrong)
    with pytest.raises(kind, match=says):
        check_memory(gpu.load, gpu.used, weights=WEIGHTS, limit=LIMIT)


def test_a_way_is_what_it_is_called_after() -> None:
    for name in ("onnxruntime", "onnxruntime captured"):
        hold_to(get_way(name), SimpleNamespace(cuda_graph=True))
    hold_to(get_way("onnxruntime"), SimpleNamespace(cuda_graph=False))
    with pytest.raises(ValueError, match="not captured as a CUDA graph"):
        hold_to(get_way("onnxruntime captured"), SimpleNamespace(cuda_graph=False))
