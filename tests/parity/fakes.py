"""A runtime whose faults are chosen: it runs the eager model, and a test spoils what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch

from albert_export.bundle import Artifact, Bundle
from albert_export.checkpoints import Checkpoint
from albert_export.models.torch_loading import load_eager
from albert_export.parity import ParityReport, check_parity
from albert_export.runtimes import Runtime, onnxruntime_runtime

Arrays = dict[str, np.ndarray]
#: Gets the checked inputs and the right outputs, which it may change; returns what the runtime gives.
Spoil = Callable[[Arrays, Arrays], Arrays]


class EagerRuntime(Runtime):
    """The eager float32 model behind the protocol, its outputs spoiled."""

    target = "onnx"

    def __init__(self, bundle: Bundle, model: Any, spoil: Spoil, sizes: Mapping[str, int | None]) -> None:
        super().__init__(
            task=bundle.task,
            config=bundle.config,
            inputs=bundle.task.inputs,
            outputs=bundle.task.outputs,
            sizes=sizes,
            device="cpu",
            reason="a test",
        )
        self._model = model
        self._spoil = spoil

    @classmethod
    def open(
        cls, bundle: Bundle, artifact: Artifact, *, device: str = "auto", threads: int | None = None
    ) -> EagerRuntime:
        raise AssertionError("a spoiled runtime is made by check_spoiled")

    def _execute(self, inputs: Any) -> Arrays:
        with torch.inference_mode():
            outputs = self._model(**{name: torch.from_numpy(value) for name, value in inputs.items()})
        return self._spoil(inputs, {spec.name: outputs[spec.name].numpy().copy() for spec in self.task.outputs})

    def _release(self) -> None:
        self._model = None


def check_spoiled(
    monkeypatch: pytest.MonkeyPatch,
    bundle: Bundle,
    checkpoint: Checkpoint,
    spoil: Spoil,
    *,
    sizes: Mapping[str, int | None] | None = None,
    **options: Any,
) -> ParityReport:
    """Check a bundle whose artifact is in truth the spoiled eager model."""
    model = load_eager(checkpoint, bundle.task)[0]

    class Spoiled(EagerRuntime):
        @classmethod
        def open(cls, bundle: Bundle, artifact: Artifact, **_: Any) -> EagerRuntime:
            return cls(bundle, model, spoil, {**artifact.shapes, **(sizes or {})})

    monkeypatch.setattr(onnxruntime_runtime, "OnnxRuntime", Spoiled)
    return check_parity(bundle, model=checkpoint, **options)
