"""An eager model behind the protocol of runtimes, so that pipelines run on it as they run on an artifact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from albert_export.errors import BundleError
from albert_export.runtimes.input_checks import IntArray
from albert_export.runtimes.protocol import Array, Runtime
from albert_export.tasks import Task

if TYPE_CHECKING:
    from albert_export.bundle import Artifact, Bundle
    from albert_export.config import AlbertConfig

#: Name of an input -> array, to output name -> array.
Compute = Callable[[Mapping[str, Array]], Mapping[str, Array]]


class EagerRuntime(Runtime):
    """An eager model of any shape of input.

    Args:
        compute: Runs the model; its outputs belong to the caller.
        task: The head.
        config: Configuration of the checkpoint.
    """

    target = "eager"

    def __init__(self, compute: Compute, *, task: Task, config: AlbertConfig) -> None:
        super().__init__(
            task=task,
            config=config,
            inputs=task.inputs,
            outputs=task.outputs,
            sizes=dict.fromkeys(task.dynamic_axes),
            device="cpu",
            reason="where the eager model was built",
        )
        self._compute = compute

    @classmethod
    def open(cls, bundle: Bundle, artifact: Artifact, *, device: str = "auto", threads: int | None = None) -> Runtime:  # noqa: ARG003  the protocol's signature
        """Refuse: there is no eager model in a bundle.

        Raises:
            BundleError: Always.
        """
        raise BundleError(
            "an eager model is built from a checkpoint", received=artifact.file, fix="load the artifact itself"
        )

    def _execute(self, inputs: dict[str, IntArray]) -> dict[str, Array]:
        outputs = self._compute(inputs)
        return {spec.name: outputs[spec.name] for spec in self.outputs}

    def _release(self) -> None:
        del self._compute
