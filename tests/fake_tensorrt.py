"""A stand-in for TensorRT, Polygraphy and a GPU: an "engine" is the network's own ONNX file, which ONNX Runtime runs.

What this project does around TensorRT (what it asks for, refuses, writes down and hands on) is run by it in whole. What
TensorRT does is not.
"""

from __future__ import annotations

import importlib.machinery
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from albert_export import _tensorrt
from albert_export._nvidia import Gpu

H200 = Gpu("NVIDIA H200", "9.0", "580.95.05", 143771)


class PolygraphyError(Exception):
    """As Polygraphy's own: of no base that we know."""


class FakeTensorRt:
    """What was asked of it.

    Attributes:
        config: Arguments of ``CreateConfig``.
        network: Those of ``NetworkFromOnnxPath``.
        profiles: Each input's shapes, one mapping a profile.
        saved_cache: Where the timing cache was written to.
        chosen: Profiles that runs were told to take.
        fails: Raised by the next build, load or run.
    """

    def __init__(self, version: str) -> None:
        self.config: dict[str, Any] = {}
        self.network: dict[str, Any] = {}
        self.profiles: list[dict[str, tuple[tuple[int, ...], ...]]] = []
        self.saved_cache: str | None = None
        self.chosen: list[int] = []
        self.fails: Exception | None = None
        self.trt = self._module(
            "tensorrt",
            __version__=version,
            MemoryPoolType=SimpleNamespace(WORKSPACE="workspace"),
            HardwareCompatibilityLevel=SimpleNamespace(
                AMPERE_PLUS="AMPERE_PLUS", SAME_COMPUTE_CAPABILITY="SAME_COMPUTE_CAPABILITY"
            ),
        )
        self.loaders = self._module(
            "polygraphy.backend.trt",
            CreateConfig=self._create_config,
            NetworkFromOnnxPath=self._network,
            EngineBytesFromNetwork=self._build,
            EngineFromBytes=lambda data: data,
            Profile=_Profile,
            TrtRunner=lambda engine: _Runner(self, engine),
        )
        self.modules = {
            "tensorrt": self.trt,
            "polygraphy": self._module("polygraphy", __version__="0.53.6"),
            "polygraphy.logger": self._module("polygraphy.logger", G_LOGGER=SimpleNamespace(CRITICAL=50)),
            "polygraphy.backend.trt": self.loaders,
        }

    @staticmethod
    def _module(name: str, **attributes: Any) -> ModuleType:
        module = ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        vars(module).update(attributes)
        return module

    def fail(self) -> None:
        error, self.fails = self.fails, None
        if error is not None:
            raise error

    def _create_config(self, **options: Any) -> str:
        self.config = options
        self.profiles = [profile.shapes for profile in options["profiles"] or ()]
        return "config"

    def _network(self, path: str, **options: Any) -> Path:
        self.network = options
        return Path(path)

    def _build(self, network: Path, *, config: str, save_timing_cache: str | None) -> Any:
        assert config == "config"
        self.saved_cache = save_timing_cache

        def build() -> bytes:
            self.fail()
            return network.read_bytes()

        return build


class _Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def add(self, name: str, *, min: tuple[int, ...], opt: tuple[int, ...], max: tuple[int, ...]) -> None:
        self.shapes[name] = (min, opt, max)


class _Runner:
    def __init__(self, fake: FakeTensorRt, engine: bytes) -> None:
        self._fake, self._engine, self._profile = fake, engine, 0

    def activate(self) -> None:
        import onnxruntime

        self._fake.fail()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(self._engine, options, providers=["CPUExecutionProvider"])

    def set_profile(self, index: int) -> None:
        self._fake.chosen.append(index)
        self._profile = index

    def infer(self, feed: dict[str, np.ndarray], *, copy_outputs_to_host: bool) -> dict[str, np.ndarray]:
        assert copy_outputs_to_host
        self._fake.fail()
        if self._fake.profiles:
            for name, array in feed.items():
                low, _, high = self._fake.profiles[self._profile][name]
                if not all(a <= b <= c for a, b, c in zip(low, array.shape, high, strict=True)):
                    raise PolygraphyError(f"{name} {array.shape} is not in profile {self._profile}")
        names = [output.name for output in self._session.get_outputs()]
        return dict(zip(names, self._session.run(names, feed), strict=True))

    def deactivate(self) -> None:
        self._session = None


def install(
    monkeypatch: pytest.MonkeyPatch, version: str = "11.4.0.106", gpus: tuple[Gpu, ...] = (H200,)
) -> FakeTensorRt:
    """Let this process find TensorRT of a version, Polygraphy, and these GPUs."""
    fake = FakeTensorRt(version)
    for name, module in fake.modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(_tensorrt, "find_gpus", lambda: gpus)
    return fake
