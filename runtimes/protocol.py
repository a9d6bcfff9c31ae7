"""The one protocol of all runtimes: open, run, close."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from albert_export.errors import AlbertExportError, InputError
from albert_export.runtimes.input_checks import IntArray, check_inputs
from albert_export.tasks import Task, TensorSpec

if TYPE_CHECKING:
    from albert_export.bundle import Artifact, Bundle
    from albert_export.config import AlbertConfig

__all__ = ["Array", "Runtime", "check_inputs"]

Array = npt.NDArray[Any]

#: More threads than processors help no run.
_MOST_THREADS = 256


class Runtime(ABC):
    """One artifact, loaded and ready to run. A context manager; safe to call from several threads.

    Attributes:
        target: Name of the target, e.g. ``onnx``.
        device: Where it really runs: ``cpu``, ``cuda`` (device 0), ``cuda:N`` …; never ``auto``.
        reason: Why that device, in a few words; for logs and for ``describe``.
        task: The head that the artifact computes.
        config: Configuration of the checkpoint it was exported from.
        inputs: What :meth:`run` takes, with the dtypes that the artifact declares.
        outputs: What :meth:`run` returns, in this order.
        sizes: Dynamic axis -> size that the artifact fixes it to, or None where any size will do.
        file: Name of the artifact's file; empty where there is none.
    """

    target: str

    def __init__(
        self,
        *,
        task: Task,
        config: AlbertConfig,
        inputs: tuple[TensorSpec, ...],
        outputs: tuple[TensorSpec, ...],
        sizes: Mapping[str, int | None],
        device: str,
        reason: str,
        file: str = "",
    ) -> None:
        self.task = task
        self.config = config
        self.inputs = inputs
        self.outputs = outputs
        self.sizes = dict(sizes)
        self.device = device
        self.reason = reason
        self.file = file
        self._closed = False

    @classmethod
    @abstractmethod
    def open(cls, bundle: Bundle, artifact: Artifact, *, device: str = "auto", threads: int | None = None) -> Runtime:
        """Load one artifact of a bundle.

        Args:
            bundle: An opened, verified bundle.
            artifact: One of its artifacts.
            device: ``auto`` for the best that is really there, or a device of the target's row.
            threads: Threads that one run may use; None leaves it to the runtime and the processors this process has.

        Raises:
            DeviceError: The device is not there.
            MissingDependencyError: The package that runs this target is not installed.
            BundleError: The file is not an artifact that this runtime can load.
            InputError: ``device`` or ``threads`` is no value of its kind.
        """

    def run(self, **inputs: Any) -> dict[str, Array]:
        """Compute the outputs.

        Args:
            **inputs: ``input_ids`` ``[B,S]`` (``[B,N,S]`` for multiple choice), and optionally ``attention_mask``
                (1 for tokens, 0 for padding; default all 1) and ``token_type_ids`` (default all 0) of the same
                shape; arrays or nested lists of whole numbers. An artifact that was exported with positions takes
                them too: ``positions`` ``[B,P]``, of each row those whose logits are wanted, in any order, counted from
                0; default all. A row with fewer than others repeats one.

        Returns:
            Output name -> a fresh array that belongs to the caller, in the order of the task's outputs.

        Raises:
            InputError: See :func:`albert_export.runtimes.input_checks.check_inputs`.
            DeviceError: The device failed, e.g. for want of memory.
            AlbertExportError: The runtime is closed.
        """
        self._check_open()
        return self._execute(check_inputs(inputs, self.inputs, self.sizes, self.config))

    @abstractmethod
    def _execute(self, inputs: dict[str, IntArray]) -> dict[str, Array]:
        """Run checked inputs; several threads may be in here at once, one of which may close the runtime."""

    def other_signatures(self) -> Mapping[str, Callable[[Mapping[str, Array]], dict[str, Array]]]:
        """Return by what else the artifact can be called, where its file declares inputs of other dtypes beside those.

        Returns:
            Name -> what takes checked inputs and returns the outputs, like :meth:`run`; nothing for most artifacts.
        """
        return {}

    @abstractmethod
    def _release(self) -> None:
        """Free what :meth:`open` took; called once."""

    def describe(self) -> dict[str, Any]:
        """Say in JSON values what runs where: target, task, file, device and why, and what else this kind knows."""
        return {
            "target": self.target,
            "task": self.task.name,
            **({"file": self.file} if self.file else {}),
            "device": self.device,
            "reason": self.reason,
            **self._own_facts(),
        }

    def _own_facts(self) -> dict[str, Any]:
        """Return what :meth:`describe` tells of this kind of runtime beside what all tell, such as versions."""
        return {}

    @property
    def longest(self) -> int:
        """Most tokens of one row."""
        return self.config.max_position_embeddings

    @property
    def most_rows(self) -> int | None:
        """Most rows of one run, or None where memory alone says."""
        return None

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed

    def close(self) -> None:
        """Free the artifact. Runs that are under way in other threads finish; closing twice does nothing."""
        if not self._closed:
            self._closed = True
            self._release()

    def _check_open(self) -> None:
        if self._closed:
            raise AlbertExportError(
                "a runtime must be open to run", received="one that was closed", fix="load the bundle again"
            )

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else f"on {self.device}"
        return f"<{type(self).__name__} {self.task.name} {state}>"


def checked_threads(threads: int | None) -> int | None:
    """Return ``threads`` if it is None or a whole number from 1 to 256, or to the machine's processors if it has more.

    A native runtime starts as many threads as it is told to; thousands of them hang the process.

    Raises:
        InputError: It is neither.
    """
    if threads is None:
        return None
    most = max(_MOST_THREADS, os.cpu_count() or 1)
    if isinstance(threads, bool) or not isinstance(threads, int | np.integer) or not 1 <= threads <= most:
        raise InputError(f"threads must be a whole number from 1 to {most}", received=threads, fix="leave threads out")
    return int(threads)
