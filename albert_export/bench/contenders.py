"""A model in a process of its own, as a contender."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from albert_export.bench.child import Child
from albert_export.bench.shapes import IntArray, Shape


class ProcessContender:
    """A process that loads one model and runs it when its turn comes; a context manager that ends it.

    Args:
        name: What it is called in every table.
        request: What its process needs to load it, as JSON values.
        takes: Whether it can run a shape.
        inputs: The inputs of a shape.
        command: The process; by default that of one artifact of a bundle.
    """

    def __init__(
        self,
        name: str,
        *,
        request: Mapping[str, Any],
        takes: Callable[[Shape], bool],
        inputs: Callable[[Shape], Mapping[str, IntArray]],
        command: Sequence[str] | None = None,
    ) -> None:
        self.name = name
        self.takes = takes
        self._request = dict(request)
        self._make_inputs = inputs
        self._child = Child(name, command)

    def load(self) -> dict[str, Any]:
        """Load the model; see ``load`` in :mod:`albert_export.bench.serving`."""
        return self._child.ask("load", **self._request)

    def first(self, shape: Shape) -> float:
        """See :class:`albert_export.bench.measuring.Contender`."""
        return float(self._child.ask("first", inputs=self._inputs(shape))["seconds"])

    def turn(self) -> float:
        """See :class:`albert_export.bench.measuring.Contender`."""
        return float(self._child.ask("turn")["seconds"])

    def memory(self) -> dict[str, Any]:
        """Return ``resident_bytes`` and ``peak_bytes`` of the process now."""
        return self._child.ask("memory")

    def save_outputs(self, shape: Shape, path: Path) -> None:
        """Run a shape and write its outputs as an ``.npz`` file."""
        self._child.ask("outputs", inputs=self._inputs(shape), save=str(path))

    def _inputs(self, shape: Shape) -> dict[str, Any]:
        return {name: array.tolist() for name, array in self._make_inputs(shape).items()}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._child.__exit__(kind, error, trace)
