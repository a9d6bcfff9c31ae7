"""How a session's inputs and outputs travel: bound, so that each is copied once, or at fixed places, to be replayed."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

import numpy as np

from albert_export.runtimes.input_checks import IntArray
from albert_export.runtimes.protocol import Array
from albert_export.tasks import TensorSpec


class Runs(Protocol):
    """Runs a session."""

    def __call__(self, inputs: Mapping[str, IntArray]) -> list[Array]:
        """Return the outputs in the order that was asked for; each belongs to the caller."""
        ...


class DirectRuns:
    """Runs in host memory, where nothing has to be copied.

    Args:
        session: ONNX Runtime's session.
        names: Of the outputs, in the order in which they are returned.
    """

    def __init__(self, session: Any, names: Sequence[str]) -> None:
        self._session = session
        self._names = list(names)

    def __call__(self, inputs: Mapping[str, IntArray]) -> list[Array]:
        """See :class:`Runs`."""
        outputs: list[Array] = self._session.run(self._names, dict(inputs))
        return outputs


class BoundRuns:
    """Runs whose outputs stay on the device until each is copied once, into the array that the caller gets.

    Without a binding ONNX Runtime copies every output to memory of its own first. A binding belongs to one run, so that
    several threads run at once.

    Args:
        session: ONNX Runtime's session.
        names: Of the outputs.
        kind: ONNX Runtime's name of the device: ``cuda`` or ``cpu``.
        index: Its number.
    """

    def __init__(self, session: Any, names: Sequence[str], kind: str, index: int) -> None:
        self._session = session
        self._names = list(names)
        self._place = (kind, index)

    def __call__(self, inputs: Mapping[str, IntArray]) -> list[Array]:
        """See :class:`Runs`."""
        binding = self._session.io_binding()
        for name, array in inputs.items():
            binding.bind_cpu_input(name, array)
        for name in self._names:
            binding.bind_output(name, *self._place)
        self._session.run_with_iobinding(binding)
        outputs: list[Array] = binding.copy_outputs_to_cpu()
        return outputs


class CapturedRuns:
    """Runs of one shape that CUDA replays as a graph: inputs and outputs lie at fixed places on the device.

    The graph is captured here, by a first run on zeros: what a graph cannot hold shows when an artifact is opened, and
    not in the middle of a service. All runs are those of one thread, one at a time: the places are the same for all,
    and ONNX Runtime captures a graph of its own for each thread that runs a session.

    Args:
        session: ONNX Runtime's session.
        ort: The module ``onnxruntime``.
        inputs: With dtypes, in any order.
        outputs: With dtypes, in the order in which they are returned.
        shapes: Name -> shape, of every input and output.
        kind: ONNX Runtime's name of the device: ``cuda`` or ``cpu``.
        index: Its number.
    """

    def __init__(
        self,
        session: Any,
        ort: Any,
        inputs: Sequence[TensorSpec],
        outputs: Sequence[TensorSpec],
        shapes: Mapping[str, Sequence[int]],
        kind: str,
        index: int,
    ) -> None:
        def place(spec: TensorSpec) -> Any:
            zeros = np.zeros(shapes[spec.name], spec.dtype)
            with _placing:
                return ort.OrtValue.ortvalue_from_numpy(zeros, kind, index)

        self._session = session
        self._inputs = {spec.name: place(spec) for spec in inputs}
        self._outputs = [place(spec) for spec in outputs]
        self._copies = kind == "cpu"  # there the array that ONNX Runtime gives is the place itself
        self._binding = session.io_binding()
        for name, value in self._inputs.items():
            self._binding.bind_ortvalue_input(name, value)
        for spec, value in zip(outputs, self._outputs, strict=True):
            self._binding.bind_ortvalue_output(spec.name, value)
        # Its thread ends when this object is gone; it holds nothing of it between two runs.
        self._thread = ThreadPoolExecutor(1, "albert-export-captured")
        self({})

    def __call__(self, inputs: Mapping[str, IntArray]) -> list[Array]:
        """See :class:`Runs`."""
        return self._thread.submit(self._replay, inputs).result()

    def _replay(self, inputs: Mapping[str, IntArray]) -> list[Array]:
        for name, array in inputs.items():
            self._inputs[name].update_inplace(array)
        self._session.run_with_iobinding(self._binding)
        arrays = [value.numpy() for value in self._outputs]
        return [array.copy() for array in arrays] if self._copies else arrays


#: ONNX Runtime's allocator for such places is one for all sessions of a process, and made by the first to ask without a
#: lock of its own.
_placing = threading.Lock()
