"""A TFLite model in memory: the flatbuffer's own objects, weights that are read when they are written.

``ModelT`` and its parts are the classes that the flatbuffer compiler makes of TFLite's schema. A tensor that holds a
weight points to a buffer whose content is a :class:`StoredWeight`: tensors of several subgraphs, such as the body of a
loop and what stands before it, share one buffer.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from albert_export._tensorflow import import_tensorflow

import_tensorflow(needed_for="exporting to TFLite")
# TensorFlow brings the package flatbuffers, which its schema imports.
flatbuffers: Any = importlib.import_module("flatbuffers")
schema: Any = importlib.import_module("tensorflow.lite.python.schema_py_generated")

Operators: Any = schema.BuiltinOperator
Types: Any = schema.TensorType

_OPERATOR_NAMES: dict[int, str] = {value: name for name, value in vars(Operators).items() if isinstance(value, int)}

NUMPY_TYPES: dict[int, np.dtype[Any]] = {
    Types.FLOAT32: np.dtype("float32"),
    Types.FLOAT16: np.dtype("float16"),
    Types.INT32: np.dtype("int32"),
    Types.INT64: np.dtype("int64"),
    Types.INT8: np.dtype("int8"),
    Types.BOOL: np.dtype("bool"),
}
_SCHEMA_TYPES = {dtype: number for number, dtype in NUMPY_TYPES.items()}


@dataclass(frozen=True)
class StoredWeight:
    """One parameter, as it will lie in the file.

    Attributes:
        name: The parameter's name in the model.
        read: Returns the parameter in float32, in the model's orientation.
        shape: Shape in the file.
        transposed: Whether the file has it as [out, in] where the model has [in, out].
        dtype: ``float32``, ``float16``, ``int8``, or ``int32`` for a bias of an int8 product.
        scales: For integers: one for each row of the file's orientation, or a single one.
    """

    name: str
    read: Callable[[], np.ndarray[Any, Any]] = field(repr=False)
    shape: tuple[int, ...]
    transposed: bool = False
    dtype: str = "float32"
    scales: np.ndarray[Any, Any] | None = field(default=None, repr=False, compare=False)

    @property
    def nbytes(self) -> int:
        """Bytes of the data in the file, without scales."""
        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    @property
    def scale_bytes(self) -> int:
        """Bytes that the file spends on scales: a float and a 64-bit zero point each."""
        return 0 if self.scales is None else self.scales.size * 12

    def turned(self) -> StoredWeight:
        """Return the weight in the other orientation."""
        return replace(self, shape=self.shape[::-1], transposed=not self.transposed)

    def quantized(self, *, per_row: bool, least: np.ndarray[Any, Any] | None = None) -> StoredWeight:
        """Return the weight in int8, symmetric in [-127, 127]: what is largest in a row, or in all, becomes 127.

        Args:
            per_row: Whether each row has a scale.
            least: For each row, what its scale is at least.
        """
        values = np.abs(self.oriented())
        largest = values.max(axis=tuple(range(1, values.ndim))) if per_row else values.max(keepdims=True).reshape(1)
        smallest = np.full(len(values), np.finfo(np.float32).tiny) if least is None else least
        scales = np.maximum(largest / 127.0, smallest if per_row else smallest.max()).astype(np.float32)
        return replace(self, dtype="int8", scales=scales)

    def oriented(self) -> np.ndarray[Any, Any]:
        """Return the weight in float32 as the file orients it."""
        values = np.asarray(self.read(), dtype=np.float32)
        return values.T if self.transposed else values

    def data(self) -> np.ndarray[Any, Any]:
        """Return the file's data."""
        values = self.oriented()
        if self.scales is None:
            return np.ascontiguousarray(values, dtype=self.dtype)
        # A bias has more digits than float32.
        scales = self.scales.reshape(-1, *[1] * (values.ndim - 1)).astype(
            "float64" if self.dtype == "int32" else "float32"
        )
        largest = np.iinfo(self.dtype).max
        return np.ascontiguousarray(np.clip(np.rint(values / scales), -largest, largest).astype(self.dtype))


class Subgraph:
    """One subgraph: the main one, or a loop's condition or body."""

    def __init__(self, graph: TFLiteGraph, raw: Any) -> None:
        self.graph = graph
        self.raw = raw
        raw.inputs, raw.outputs = _integers(raw.inputs), _integers(raw.outputs)
        raw.operators = list(raw.operators or ())
        for operator in raw.operators:
            operator.inputs, operator.outputs = _integers(operator.inputs), _integers(operator.outputs)

    @property
    def operators(self) -> list[Any]:
        """The operators, in the order in which they run."""
        operators: list[Any] = self.raw.operators
        return operators

    def tensor(self, index: int) -> Any:
        """Return the tensor of that number."""
        return self.raw.tensors[index]

    def shape(self, index: int) -> tuple[int, ...]:
        """Return a tensor's shape, -1 where it is dynamic."""
        tensor = self.tensor(index)
        shape = tensor.shapeSignature if tensor.shapeSignature is not None else tensor.shape
        return () if shape is None else tuple(int(size) for size in shape)

    def set_shape(self, index: int, shape: Sequence[int | str]) -> None:
        """Give a tensor a shape; what is no number is dynamic."""
        tensor = self.tensor(index)
        dynamic = [size if isinstance(size, int) else -1 for size in shape]
        tensor.hasRank = True
        # A dynamic axis has size 1 until the caller resizes the input.
        tensor.shape = np.array([1 if size < 0 else size for size in dynamic], dtype=np.int32)
        tensor.shapeSignature = np.array(dynamic, dtype=np.int32) if -1 in dynamic else None

    def weight(self, index: int) -> StoredWeight | None:
        """Return the weight that a tensor holds, if it does."""
        return None if index < 0 else self.graph.weights.get(self.tensor(index).buffer)

    def constant(self, index: int) -> np.ndarray[Any, Any] | None:
        """Return the value of a tensor that is a constant, but no weight."""
        tensor = self.tensor(index)
        data = self.graph.model.buffers[tensor.buffer].data
        if data is None or not len(data) or tensor.type not in NUMPY_TYPES:
            return None
        return np.frombuffer(bytes(data), NUMPY_TYPES[tensor.type]).reshape(self.shape(index))

    def producer(self, index: int) -> Any | None:
        """Return the operator that computes a tensor; None for inputs and constants."""
        return next((operator for operator in self.operators if index in operator.outputs), None)

    def readers(self, index: int) -> list[Any]:
        """Return the operators that read a tensor."""
        return [operator for operator in self.operators if index in operator.inputs]

    def redirect(self, old: int, new: int) -> None:
        """Let everything that reads tensor ``old`` read ``new``."""
        for operator in self.operators:
            operator.inputs = [new if index == old else index for index in operator.inputs]
        self.raw.outputs = [new if index == old else index for index in self.raw.outputs]

    def add_tensor(self, name: str, dtype: int, shape: tuple[int, ...], buffer: int = 0) -> int:
        """Add a tensor and return its number."""
        tensor = schema.TensorT()
        tensor.name, tensor.type, tensor.buffer = name, dtype, buffer
        self.raw.tensors.append(tensor)
        self.set_shape(len(self.raw.tensors) - 1, shape)
        return len(self.raw.tensors) - 1

    def add_constant(self, name: str, value: np.ndarray[Any, Any]) -> int:
        """Add a constant tensor and return its number."""
        return self.add_tensor(name, _SCHEMA_TYPES[value.dtype], value.shape, self.graph.add_buffer(value.tobytes()))

    def make(
        self,
        code: int,
        inputs: list[int],
        outputs: list[int],
        *,
        version: int = 1,
        options: Any = None,
    ) -> Any:
        """Make an operator, not yet placed."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self.graph.code_index(code, version)
        operator.inputs, operator.outputs = inputs, outputs
        set_options(operator, options)
        return operator

    def insert_before(self, reader: Any, *made: Any) -> None:
        """Place operators right before ``reader``."""
        place = self.place(reader)
        self.operators[place:place] = made

    def insert_after(self, writer: Any, *made: Any) -> None:
        """Place operators right after ``writer``."""
        place = self.place(writer) + 1
        self.operators[place:place] = made

    def place(self, operator: Any) -> int:
        """Return where an operator stands."""
        return next(place for place, one in enumerate(self.operators) if one is operator)

    def remove(self, operator: Any) -> None:
        """Take an operator out."""
        del self.operators[self.place(operator)]


class TFLiteGraph:
    """A whole model.

    Attributes:
        model: The flatbuffer's ``ModelT``.
        subgraphs: The main one first.
        weights: What the buffers of weights hold, by the buffer's number; its own data is empty.
    """

    def __init__(self, flatbuffer: bytes) -> None:
        self.model: Any = schema.ModelT.InitFromPackedBuf(flatbuffer)
        self.weights: dict[int, StoredWeight] = {}
        self.subgraphs = [Subgraph(self, raw) for raw in self.model.subgraphs]

    @property
    def main(self) -> Subgraph:
        """The subgraph that a caller runs."""
        return self.subgraphs[0]

    @cached_property
    def _codes(self) -> dict[tuple[int, int], int]:
        return {
            (builtin(code), int(code.version)): index
            for index, code in reversed([*enumerate(self.model.operatorCodes)])
        }

    def code(self, operator: Any) -> int:
        """Return the number of a builtin operator."""
        return builtin(self.model.operatorCodes[operator.opcodeIndex])

    def code_index(self, code: int, version: int) -> int:
        """Return the index of an operator code, adding it where it is missing."""
        if (code, version) not in self._codes:
            made = schema.OperatorCodeT()
            # Codes above 127 do not fit the field that old readers know; they see the one that says so.
            made.builtinCode, made.deprecatedBuiltinCode, made.version = code, min(code, 127), version
            self.model.operatorCodes.append(made)
            self._codes[code, version] = len(self.model.operatorCodes) - 1
        return self._codes[code, version]

    def add_buffer(self, data: bytes | None) -> int:
        """Add a buffer and return its number."""
        buffer = schema.BufferT()
        buffer.data = None if data is None else np.frombuffer(data, dtype=np.uint8)
        self.model.buffers.append(buffer)
        return len(self.model.buffers) - 1

    def walk(self, *codes: int) -> Iterator[tuple[Subgraph, Any]]:
        """Yield each operator of these kinds, with its subgraph; the graph may be changed meanwhile."""
        for subgraph in self.subgraphs:
            for operator in list(subgraph.operators):
                if not codes or self.code(operator) in codes:
                    yield subgraph, operator

    def operator_counts(self) -> dict[str, int]:
        """Count the operators of all subgraphs, by name."""
        counts: dict[str, int] = {}
        for _, operator in self.walk():
            name = operator_name(self.model.operatorCodes[operator.opcodeIndex])
            counts[name] = counts.get(name, 0) + 1
        return dict(sorted(counts.items()))

    def operator_versions(self) -> dict[str, int]:
        """Return the highest version of each operator, by name: what an interpreter must know."""
        versions: dict[str, int] = {}
        for code in self.model.operatorCodes:
            name = operator_name(code)
            versions[name] = max(versions.get(name, 0), int(code.version))
        return dict(sorted(versions.items()))


def builtin(code: Any) -> int:
    """Return the number of an operator code, which new files write in another field than old ones."""
    return max(int(code.builtinCode), int(code.deprecatedBuiltinCode))


def operator_name(code: Any) -> str:
    """Return an operator's name; a custom one's own."""
    number = builtin(code)
    if number == Operators.CUSTOM:
        custom = code.customCode
        return custom.decode() if isinstance(custom, bytes) else str(custom)
    return _OPERATOR_NAMES[number]


def set_options(operator: Any, options: Any) -> None:
    """Give an operator its options, an object of the schema; None for an operator without any."""
    operator.builtinOptions = options
    kind = "NONE" if options is None else type(options).__name__.removesuffix("T")
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)


def _integers(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]
