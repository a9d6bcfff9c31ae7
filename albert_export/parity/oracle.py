"""What an artifact is compared with: the eager models, built from the checkpoint and from nothing else.

torch in float64 says what is true. An artifact is also held to the eager model of the framework that it was traced
from, whose float32 rounding is the noise that its own is measured by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albert_export._imports import require, resolve
from albert_export.errors import CheckpointError
from albert_export.parity.eager_runtime import EagerRuntime
from albert_export.parity.layer_parts import Part, recorded
from albert_export.parity.rounding import round_matrices
from albert_export.positions import POSITIONS, gathered, without_positions
from albert_export.targets import FRAMEWORKS
from albert_export.tasks import Task

if TYPE_CHECKING:
    from albert_export.checkpoints import Checkpoint

Array = npt.NDArray[Any]

#: The framework whose float64 answers are taken for true.
TRUTH = "torch"


@dataclass(frozen=True)
class Reference:
    """The eager models' answers to one batch.

    Attributes:
        exact: Output name -> float64 array, computed by torch.
        single: Framework -> output name -> float32 array of the same shape; its distance from ``exact`` is the
            framework's noise.
    """

    exact: Mapping[str, Array]
    single: Mapping[str, Mapping[str, Array]]


class Oracle:
    """The eager models, all in memory: torch in float64, and each framework in float32.

    Args:
        checkpoint: Where the weights come from; never an artifact.
        task: The head.
        frameworks: Keys of :data:`albert_export.targets.FRAMEWORKS` whose float32 models are wanted; torch's always is.
        allow_random_head: Whether a head that the checkpoint lacks is filled as the export filled it.
        rounded: Parts whose matrices become what int4 stores of them; torch's models alone can.

    Raises:
        WeightsMismatchError: The checkpoint does not hold this head.
        MissingDependencyError: A framework is not installed.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        task: Task,
        *,
        frameworks: Iterable[str] = (),
        allow_random_head: bool = False,
        rounded: Sequence[str] = (),
    ) -> None:
        require("torch", needed_for="the eager model that parity compares with", extra="onnx")
        self.task = task
        self._config = checkpoint.config
        self.frameworks = tuple(dict.fromkeys((TRUTH, *frameworks)))
        options = {"allow_random_head": allow_random_head}
        self._exact = _load(TRUTH, checkpoint, task, dtype="float64", **options)
        self._single = {name: _load(name, checkpoint, task, dtype="float32", **options) for name in self.frameworks}
        if rounded:
            assert self.frameworks == (TRUTH,), "what is rounded is traced from torch"
            for model in (self._exact, self._single[TRUTH]):
                round_matrices(model, rounded)

    def run(self, inputs: Mapping[str, Array]) -> Reference:
        """Return the task's outputs of every model; at ``positions`` only, where they are among the inputs.

        Raises:
            CheckpointError: A model itself gives numbers that are not finite, so that nothing can equal it.
        """
        exact = self._outputs(TRUTH, self._exact, inputs, "float64")
        single = {name: self._outputs(name, model, inputs, "float32") for name, model in self._single.items()}
        return Reference(exact, single)

    def runtime(self) -> EagerRuntime:
        """Return torch's float32 model behind the protocol of runtimes, for pipelines to run on."""
        model = self._single[TRUTH]
        return EagerRuntime(lambda inputs: _run(TRUTH, model, inputs), task=self.task, config=self._config)

    def hidden_states(self, inputs: Mapping[str, Array], framework: str = TRUTH) -> tuple[list[Array], list[Array]]:
        """Return the L+1 hidden states in float64 and in float32: the mapped embeddings, then each layer's output.

        Rows of multiple choice come flattened, ``[B*N,S,D]``.

        Args:
            inputs: One batch.
            framework: Whose float32 states are wanted.
        """
        exact, single = (
            list(_run(name, model, inputs, hidden_states=True)["hidden_states"])
            for name, model in ((TRUTH, self._exact), (framework, self._single[framework]))
        )
        return exact, single

    def layer_parts(self, inputs: Mapping[str, Array], layer: int) -> tuple[Mapping[Part, Array], Mapping[Part, Array]]:
        """Return what torch computes on the way through a layer, in float64 and in float32.

        Args:
            inputs: One batch.
            layer: Counted from 1; 0 for the embeddings.
        """
        found = []
        for model in (self._exact, self._single[TRUTH]):
            with recorded(model, layer) as parts:
                _run(TRUTH, model, inputs)
            found.append(parts)
        return found[0], found[1]

    def _outputs(self, framework: str, model: Any, inputs: Mapping[str, Array], dtype: str) -> dict[str, Array]:
        found = _run(framework, model, inputs)
        outputs: dict[str, Array] = {spec.name: found[spec.name] for spec in self.task.outputs}
        if POSITIONS in inputs:
            outputs = {name: gathered(value, inputs[POSITIONS]) for name, value in outputs.items()}
        for name, value in outputs.items():
            if not np.isfinite(value).all():
                raise CheckpointError(
                    "the eager model must give finite numbers for an artifact to be compared with it",
                    received=f"NaN or infinity in {name}, computed by {FRAMEWORKS[framework].title} in {dtype}",
                    fix="check the checkpoint's weights",
                )
        return outputs


def _load(framework: str, checkpoint: Checkpoint, task: Task, **options: Any) -> Any:
    return resolve(f"{FRAMEWORKS[framework].module}:load_eager")(checkpoint, task, **options)[0]


def _run(framework: str, model: Any, inputs: Mapping[str, Array], *, hidden_states: bool = False) -> Mapping[str, Any]:
    found: Mapping[str, Any] = resolve(f"{FRAMEWORKS[framework].module}:run_eager")(
        model, without_positions(inputs), hidden_states=hidden_states
    )
    return found
