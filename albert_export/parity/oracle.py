"""What an artifact is compared with: the eager torch model, built from the checkpoint and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albert_export._imports import require
from albert_export.errors import CheckpointError
from albert_export.tasks import Task

if TYPE_CHECKING:
    from albert_export.checkpoints import Checkpoint

Array = npt.NDArray[Any]

#: The precision whose rounding cannot be seen beside that of any artifact, and the framework's everyday one.
DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Reference:
    """The eager model's answers to one batch.

    Attributes:
        exact: Output name -> float64 array.
        single: Output name -> float32 array of the same shape; its distance from ``exact`` is the framework's noise.
    """

    exact: Mapping[str, Array]
    single: Mapping[str, Array]


class Oracle:
    """The eager model in float64 and in float32, both in memory.

    Args:
        checkpoint: Where the weights come from; never an artifact.
        task: The head.
        allow_random_head: Whether a head that the checkpoint lacks is filled as the export filled it.

    Raises:
        WeightsMismatchError: The checkpoint does not hold this head.
        MissingDependencyError: torch is not installed.
    """

    def __init__(self, checkpoint: Checkpoint, task: Task, *, allow_random_head: bool = False) -> None:
        require("torch", needed_for="the eager model that parity compares with", extra="onnx")
        from albert_export.models.torch_loading import load_eager

        self.task = task
        self._models: dict[str, Any] = {
            dtype: load_eager(checkpoint, task, dtype=dtype, allow_random_head=allow_random_head)[0] for dtype in DTYPES
        }

    def run(self, inputs: Mapping[str, Array]) -> Reference:
        """Return the task's outputs in both precisions.

        Raises:
            CheckpointError: The model itself gives numbers that are not finite, so that nothing can equal it.
        """
        exact, single = (
            {spec.name: outputs[spec.name].numpy() for spec in self.task.outputs}
            for outputs in (self._call(dtype, inputs) for dtype in DTYPES)
        )
        for dtype, values in zip(DTYPES, (exact, single), strict=True):
            for name, value in values.items():
                if not np.isfinite(value).all():
                    raise CheckpointError(
                        "the eager model must give finite numbers for an artifact to be compared with it",
                        received=f"NaN or infinity in {name}, computed in {dtype}",
                        fix="check the checkpoint's weights",
                    )
        return Reference(exact, single)

    def hidden_states(self, inputs: Mapping[str, Array]) -> tuple[list[Array], list[Array]]:
        """Return the L+1 hidden states in float64 and in float32: the mapped embeddings, then each layer's output.

        Rows of multiple choice come flattened, ``[B*N,S,D]``.
        """
        exact, single = (
            [state.numpy() for state in self._call(dtype, inputs, output_hidden_states=True)["hidden_states"]]
            for dtype in DTYPES
        )
        return exact, single

    def _call(self, dtype: str, inputs: Mapping[str, Array], *, output_hidden_states: bool = False) -> Any:
        import torch

        # Said outright, because a checkpoint's configuration may ask for attentions or for tuples.
        options = {"output_attentions": False, "output_hidden_states": output_hidden_states, "return_dict": True}
        with torch.inference_mode():
            return self._models[dtype](**{name: torch.from_numpy(value) for name, value in inputs.items()}, **options)
