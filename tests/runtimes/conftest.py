"""A machine with CUDA, played by stand-ins for what of onnxruntime touches a GPU."""

from __future__ import annotations

import os
import weakref
from typing import Any

import onnxruntime
import pytest

_GPU = ("CUDAExecutionProvider", "TensorrtExecutionProvider")


class PretendSession:
    """A session on the CPU that calls itself one on a GPU."""

    def __init__(self, real: Any, providers: list[str]) -> None:
        self._real, self._providers = real, providers

    def get_providers(self) -> list[str]:
        return self._providers

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Play a build with the CUDA and TensorRT providers.

    ``starts`` is what happens when a session is made on them, ``asked`` the providers of each, ``alive`` how many
    sessions on the GPU there were before it.
    """
    state: dict[str, Any] = {"starts": "yes", "asked": [], "alive": [], "preloads": 0}
    real_session = onnxruntime.InferenceSession
    there: weakref.WeakSet[PretendSession] = weakref.WeakSet()

    def session(path: str, options: Any, *, providers: Any, enable_fallback: int) -> Any:
        assert enable_fallback == 0
        state["asked"].append(providers)
        state["alive"].append(len(there))
        real = real_session(path, options, providers=["CPUExecutionProvider"])
        if providers[0][0] not in _GPU:
            return real
        if state.get("refuses graphs") and "enable_cuda_graph" in providers[0][1]:
            raise RuntimeError("This session cannot use the graph capture feature: CUDAExecutionProvider lacks nodes")
        os.write(2, state.get("prints", "").encode())
        if state["starts"] == "raises":
            raise RuntimeError("CUDA failure 100: no CUDA-capable device is detected ; GPU=0")
        names = ["CPUExecutionProvider"] if state["starts"] == "falls back" else [name for name, _ in providers]
        made = PretendSession(real, names)
        there.add(made)
        return made

    def preload() -> None:
        state["preloads"] += 1
        print("Failed to load libcublasLt.so.12")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*_GPU, "CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(onnxruntime, "preload_dlls", preload, raising=False)
    return state
