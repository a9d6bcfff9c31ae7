"""From a traced ATen graph to ONNX: what all operators need. The operators are in ``aten_operators.py``.

Why not torch's own exporter: it stores every linear layer as ``Transpose`` + ``MatMul``, spells each shape out of
``Shape``, ``Gather`` and ``Concat`` nodes, and takes as long as the rest of the export together. The set of ATen
operators an ALBERT is made of is small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.errors import ExportError
from albert_export.graphs.weights import WeightStore

if TYPE_CHECKING:
    import onnx_ir as ir
    import torch
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")
    torch = require("torch", needed_for="exporting to ONNX", extra="onnx")

Lowering = Callable[["GraphLowering", Any], Any]


class GraphLowering:
    """Lowers one fx graph: the outer one, or the body of a loop, whose outer values are captured.

    Args:
        operators: ATen operator -> the function that lowers a node of it.
        store: Weights of the model, shared by all graphs of one export.
        dims: ONNX value and axis that hold each symbolic size, by the symbol's name.
        prefix: Begins the names of this graph's nodes; names are unique across the graphs of a model.
    """

    def __init__(
        self,
        operators: Mapping[str, Lowering],
        store: WeightStore,
        dims: Mapping[str, tuple[Any, int]],
        prefix: str = "",
    ) -> None:
        self.operators = operators
        self.store = store
        self.dims = dims
        self.prefix = prefix
        self.nodes: list[Any] = []
        self.values: dict[Any, Any] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], Any] = {}
        self._layers_done: int | None = None
        self._layers_pending = 0

    def run(self, graph: Any) -> list[Any]:
        """Lower every node of ``graph`` (its placeholders have values already) and return its outputs.

        Raises:
            ExportError: An operator has no entry in the table.
        """
        outputs: list[Any] = []
        for node in graph.nodes:
            if node.op == "output":
                outputs = [self.value(item) for item in node.args[0]]
            elif node.op == "call_function" and node not in self.values and _is_tensor_valued(node):
                name = str(node.target)
                if name not in self.operators:
                    raise ExportError(
                        "every operator of the traced model must have a lowering to ONNX",
                        received=name,
                        fix="add it to LOWERINGS in graphs/aten_operators.py",
                    )
                self.values[node] = self.operators[name](self, node)
        return outputs

    def value(self, item: Any) -> Any:
        """Return the ONNX value of an fx node."""
        return self.values[item]

    def emit(
        self, op_type: str, inputs: Sequence[Any], node: Any = None, *, outputs: int = 1, **attributes: Any
    ) -> Any:
        """Append an ONNX node, named after the fx node it comes from, and return its output (or outputs)."""
        made = ir.node(op_type, inputs, attributes, num_outputs=outputs)
        label = f"{self.prefix}{node.name if node is not None else op_type.lower()}"
        made.name = f"{label}_{len(self.nodes)}"
        for index, output in enumerate(made.outputs):
            output.name = made.name if outputs == 1 else f"{made.name}_{index}"
        self.nodes.append(made)
        return made.outputs[0] if outputs == 1 else made.outputs

    def constant(self, array: Any) -> Any:
        """Return a constant of this graph, each value made once."""
        # np.asarray, not ascontiguousarray: that turns a scalar into a vector.
        array = np.asarray(array)
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            self._constants[key] = self.emit("Constant", [], value=ir.tensor(array))
        return self._constants[key]

    def scalar_like(self, number: Any, node: Any) -> Any:
        """Return ``number`` as a scalar constant with the dtype of ``node``'s result."""
        return self.constant(np.array(number, dtype=numpy_dtype(fake(node).dtype)))

    def operand(self, item: Any, node: Any) -> Any:
        """Return the value of an operand that is a tensor or a Python number."""
        return self.value(item) if isinstance(item, torch.fx.Node) else self.scalar_like(item, node)

    def size(self, dim: Any) -> Any:
        """Return a 1-D int64 value of one element holding a size, symbolic or not."""
        if isinstance(dim, int):
            return self.constant(np.array([dim], dtype=np.int64))
        source, axis = self._source(str(dim.node.expr))
        return self.emit("Shape", [source], start=axis, end=axis + 1)

    def _source(self, symbol: str) -> tuple[Any, int]:
        if symbol not in self.dims:
            raise ExportError("a size in the graph must be one of the inputs' axes", received=symbol)
        return self.dims[symbol]

    def reshape(self, source: Any, before: Sequence[Any], after: Sequence[Any], node: Any) -> Any:
        """Reshape to ``after``, in the form that needs no arithmetic on shapes at run time where there is one.

        0 copies the size at the same position and -1 is what is left over: with one of them for each symbolic size
        the shape is a constant.
        """
        spelled: list[int] = []
        for index, dim in enumerate(after):
            if index < len(before) and str(before[index]) == str(dim):
                spelled.append(0)  # known ones too: in its last turn, a loop may compute fewer tokens than were traced
            else:
                spelled.append(dim if isinstance(dim, int) else -1)
        if spelled.count(-1) <= 1:
            return self.emit("Reshape", [source, self.constant(np.array(spelled, dtype=np.int64))], node)
        # A size that is no input axis, such as batch x choices, can only be the one that is left over.
        computed = [not isinstance(dim, int) and str(dim.node.expr) not in self.dims for dim in after]
        parts = [
            self.constant(np.array([-1], dtype=np.int64)) if left_over else self.size(dim)
            for left_over, dim in zip(computed, after, strict=True)
        ]
        return self.emit("Reshape", [source, self.emit("Concat", parts, node, axis=0)], node)

    def name_hidden(self, value: Any) -> Any:
        """Name the hidden state ``hidden_<number of layers applied>``, by which a parity miss is located."""
        self._layers_done = 0 if self._layers_done is None else self._layers_done + self._layers_pending
        self._layers_pending = 1
        value.name = f"hidden_{self._layers_done}"
        return value

    def loop(self, group: int, repeats: int, hidden: Any, body: Any) -> Any:
        """Append the loop of a layer group and return the hidden state that leaves it."""
        count = ir.node("Constant", [], {"value": ir.tensor(np.array(repeats, dtype=np.int64))})
        count.name = count.outputs[0].name = f"group_{group}_trip_count"
        made = ir.node("Loop", [count.outputs[0], None, hidden], {"body": body})
        made.name = f"group_{group}_layers"
        self.nodes += [count, made]
        self._layers_pending = repeats
        return made.outputs[0]

    def weight(self, item: Any, *, transposed: bool = False) -> Any:
        """Return the initializer of a weight placeholder."""
        return self.store.initializer(self.store.names[item], transposed=transposed)


def fake(node: Any) -> Any:
    """Return the tensor without data that the tracer left on a node: its shape and dtype."""
    return node.meta["val"]


def numpy_dtype(dtype: Any) -> Any:
    """Return numpy's counterpart of a torch dtype."""
    return np.dtype(str(dtype).removeprefix("torch."))


def onnx_dtype(dtype: Any) -> Any:
    """Return ONNX's counterpart of a torch dtype."""
    return ir.DataType.from_numpy(numpy_dtype(dtype))


def _is_tensor_valued(node: Any) -> bool:
    val = node.meta.get("val")
    if isinstance(val, list | tuple):
        return any(isinstance(item, torch.Tensor) for item in val)
    return isinstance(val, torch.Tensor)
