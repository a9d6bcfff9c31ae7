"""A stand-in for TensorRT, Polygraphy, CUDA and GPUs: an "engine" is the network's own ONNX file, run by ONNX Runtime.

What this project does around TensorRT (what it asks for, refuses, writes down and hands on) is run by it in whole, and
what the network computes in the types that it has. What TensorRT makes of the network is not.

It fails as Polygraphy 0.53.6 does: the reason is logged, and what is raised says no more than that there was one.
"""

from __future__ import annotations

import importlib.machinery
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from albert_export import _tensorrt
from albert_export._cuda import CudaGpu, Visible
from albert_export._nvidia import Gpu

H200 = Gpu("NVIDIA H200", "9.0", "580.95.05", 143771)
L4 = Gpu("NVIDIA L4", "8.9", "580.95.05", 23034)

#: What Polygraphy says of a build, a load and a run that failed, whatever the reason.
NO_ENGINE = "Invalid Engine. Please ensure the engine was built correctly"
NOT_LOADED = "Could not deserialize engine. See log for details."
NOT_RUN = "`execute_async_v3()` failed. Please see the logging output above for details."

#: As TensorRT logs them.
OUT_OF_MEMORY = (
    "[virtualMemoryBuffer.cpp::resizePhysical::140] Error Code 2: OutOfMemory (Requested size was 9126805504 bytes.)"
)
ILLEGAL = "IExecutionContext::enqueueV3: Error Code 1: Cuda Runtime (an illegal memory access was encountered)"


class PolygraphyError(Exception):
    """As Polygraphy's own: of no base that we know."""


class FakeTensorRt:
    """What was asked of it.

    Attributes:
        config: Arguments of ``CreateConfig``.
        network: Those of ``NetworkFromOnnxPath``.
        runner: Those of ``TrtRunner``, the engine aside.
        profiles: Each input's shapes, one mapping a profile.
        saved_cache: Where the timing cache was written to.
        chosen: Profiles that runs were told to take.
        fed: Shapes of the ids that runs were given.
        fails: What the next build, load or run raises; None for nothing.
        says: What it logs before.
        context_bytes: Memory of an execution context for each profile.
        current: The thread's current GPU.
        active: Runners that were not deactivated.
        held: Output buffers that were not freed.
    """

    def __init__(self, version: str) -> None:
        self.config: dict[str, Any] = {}
        self.network: dict[str, Any] = {}
        self.runner: dict[str, Any] = {}
        self.profiles: list[dict[str, tuple[tuple[int, ...], ...]]] = []
        self.saved_cache: str | None = None
        self.chosen: list[int] = []
        self.fed: list[tuple[int, ...]] = []
        self.fails: Exception | None = None
        self.says: tuple[str, ...] = ()
        self.context_bytes: Callable[[int], int] = lambda _: 1 << 20
        self.active = self.held = 0
        self.current = threading.local()
        self.logger = SimpleNamespace(
            ERROR=40, CRITICAL=50, module_severity=20, use_python_logging_system=False, error=self._log
        )
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
            EngineFromBytes=lambda data: lambda: self._engine(data),
            Profile=_Profile,
            TrtRunner=lambda engine, **options: _Runner(self, engine, options),
        )
        handle = SimpleNamespace(cudaGetDevice=self._get_device, cudaSetDevice=self._set_device)
        self.cuda = self._module(
            "polygraphy.cuda", wrapper=lambda: SimpleNamespace(handle=handle, check=self._check_status)
        )
        self.modules = {
            "tensorrt": self.trt,
            "polygraphy": self._module("polygraphy", __version__="0.53.6"),
            "polygraphy.logger": self._module("polygraphy.logger", G_LOGGER=self.logger),
            "polygraphy.backend.trt": self.loaders,
            "polygraphy.cuda": self.cuda,
        }

    @staticmethod
    def _module(name: str, **attributes: Any) -> ModuleType:
        module = ModuleType(name)
        module.__spec__ = importlib.machinery.ModuleSpec(name, None)
        vars(module).update(attributes)
        return module

    def fail(self, raised: str, *says: str) -> None:
        """Have the next build, load or run fail."""
        self.fails, self.says = PolygraphyError(raised), says

    def check(self) -> None:
        """Fail, if it is to."""
        error, says = self.fails, self.says
        self.fails, self.says = None, ()
        if error is not None:
            for line in says:
                self.logger.error(line)
            raise error

    def _log(self, line: str) -> None:
        if self.logger.module_severity <= self.logger.ERROR:
            if self.logger.use_python_logging_system:
                logging.getLogger("Polygraphy").error("[E] %s", line)
            else:
                print(f"[E] {line}")

    def _get_device(self, found: Any) -> int:
        found._obj.value = getattr(self.current, "index", 0)
        return 0

    def _set_device(self, index: Any) -> int:
        self.current.index = index.value
        return 0

    @staticmethod
    def _check_status(status: int) -> None:
        assert status == 0

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
            self.check()
            return network.read_bytes()

        return build

    def _engine(self, data: bytes) -> SimpleNamespace:
        self.check()
        return SimpleNamespace(data=data, get_device_memory_size_for_profile_v2=lambda index: self.context_bytes(index))


class _Profile:
    def __init__(self) -> None:
        self.shapes: dict[str, tuple[tuple[int, ...], ...]] = {}

    def add(self, name: str, *, min: tuple[int, ...], opt: tuple[int, ...], max: tuple[int, ...]) -> None:
        self.shapes[name] = (min, opt, max)


class _Runner:
    def __init__(self, fake: FakeTensorRt, engine: Any, options: dict[str, Any]) -> None:
        self._fake, self._engine = fake, engine
        self._profile = options.get("optimization_profile", 0)
        fake.runner = options

    def activate(self) -> None:
        self._fake.check()
        self._session = _session(self._engine.data)
        self._device = getattr(self._fake.current, "index", 0)
        self.output_allocator = SimpleNamespace(buffers={})
        self._fake.active += 1

    def set_profile(self, index: int) -> None:
        self._fake.chosen.append(index)
        self._profile = index

    def infer(self, feed: dict[str, np.ndarray], *, copy_outputs_to_host: bool) -> dict[str, np.ndarray]:
        assert copy_outputs_to_host
        assert getattr(self._fake.current, "index", 0) == self._device, "another GPU is current in this thread"
        self._fake.check()
        self._fake.fed.append(feed["input_ids"].shape)
        if self._fake.profiles:
            for name, array in feed.items():
                low, _, high = self._fake.profiles[self._profile][name]
                if not all(a <= b <= c for a, b, c in zip(low, array.shape, high, strict=True)):
                    raise PolygraphyError(f"{name} {array.shape} is not in profile {self._profile}")
        names = [output.name for output in self._session.get_outputs()]
        for name in names:
            if name not in self.output_allocator.buffers:
                self.output_allocator.buffers[name] = SimpleNamespace(free=self._freed)
                self._fake.held += 1
        return dict(zip(names, self._session.run(names, feed), strict=True))

    def _freed(self) -> None:
        self._fake.held -= 1

    def deactivate(self) -> None:
        self._fake.check()
        self._fake.active -= 1
        del self._session, self.output_allocator


def _session(engine: bytes) -> Any:
    """Open the network so that every value has the type that the network gives it."""
    import onnx
    import onnx_ir
    import onnxruntime

    from tests.graphs.emulation import emulate

    model = onnx.load_from_string(engine)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    if any(item.data_type in (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16) for item in model.graph.initializer):
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        engine = onnx_ir.to_proto(emulate(onnx_ir.from_proto(model))).SerializeToString()
    return onnxruntime.InferenceSession(engine, options, providers=["CPUExecutionProvider"])


def install(
    monkeypatch: pytest.MonkeyPatch, version: str = "11.4.0.106", gpus: tuple[Gpu, ...] = (H200,)
) -> FakeTensorRt:
    """Let this process find TensorRT of a version, Polygraphy, and these GPUs."""
    fake = FakeTensorRt(version)
    for name, module in fake.modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(_tensorrt, "find_gpus", lambda: gpus)
    visible = tuple(CudaGpu(gpu.name, gpu.compute_capability) for gpu in gpus)
    problem = None if gpus else "libcuda.so.1: cannot open shared object file: No such file or directory"
    monkeypatch.setattr(_tensorrt, "visible_gpus", lambda: Visible(visible, problem))
    return fake
