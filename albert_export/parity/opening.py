"""Opening an artifact for a parity run, where it may be given other inputs than the eager model, to test the tester."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from albert_export.errors import BundleError
from albert_export.runtimes.choosing import choose_runtime
from albert_export.runtimes.input_checks import IntArray
from albert_export.runtimes.protocol import Array, Runtime

if TYPE_CHECKING:
    from albert_export.bundle import Artifact, Bundle

#: What an artifact gets in place of checked inputs.
ChangeInputs = Callable[[Mapping[str, Array]], Mapping[str, Array]]


def open_artifact(
    bundle: Bundle,
    artifact: Artifact,
    *,
    change_inputs: ChangeInputs | None = None,
    runtime: str | None = None,
    **options: Any,
) -> Runtime:
    """Open an artifact.

    Args:
        bundle: Holds it.
        artifact: Its entry in the manifest.
        change_inputs: What it gets in place of the inputs; None for the inputs themselves.
        runtime: Which runtime reads it, as for :func:`albert_export.load`.
        **options: As of the runtime's ``open``.
    """
    opened = choose_runtime(artifact, runtime).open(bundle, artifact, **options)
    return opened if change_inputs is None else _OtherInputs(opened, change_inputs)


class _OtherInputs(Runtime):
    """A runtime that is given other inputs than its caller gave.

    Args:
        inner: The runtime.
        change: Returns what it gets.
    """

    target = "changed inputs"

    def __init__(self, inner: Runtime, change: ChangeInputs) -> None:
        super().__init__(
            task=inner.task,
            config=inner.config,
            inputs=inner.inputs,
            outputs=inner.outputs,
            sizes=inner.sizes,
            device=inner.device,
            reason=inner.reason,
            file=inner.file,
        )
        self._inner = inner
        self._change = change

    @classmethod
    def open(cls, bundle: Bundle, artifact: Artifact, *, device: str = "auto", threads: int | None = None) -> Runtime:  # noqa: ARG003  the protocol's signature
        """Refuse: it is put around a runtime that is open.

        Raises:
            BundleError: Always.
        """
        raise BundleError("inputs are changed on the way to an open runtime", received=artifact.file)

    @property
    def longest(self) -> int:
        """As of the inner runtime."""
        return self._inner.longest

    @property
    def most_rows(self) -> int | None:
        """As of the inner runtime."""
        return self._inner.most_rows

    def _execute(self, inputs: dict[str, IntArray]) -> dict[str, Array]:
        return self._inner.run(**self._change(inputs))

    def _release(self) -> None:
        self._inner.close()

    def describe(self) -> dict[str, Any]:
        """Return what the inner runtime says, and that its inputs are changed."""
        return {**self._inner.describe(), "inputs": "changed"}
