"""From a traced ATen graph to ONNX operators.

Why not torch's own exporter: it stores every linear layer as ``Transpose`` + ``MatMul``, spells each shape out of
``Shape``, ``Gather`` and ``Concat`` nodes, and takes as long as the rest of the export together. The set of ATen
operators an ALBERT is made of is small; each has one function here, in the table :data:`LOWERINGS`.
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

#: Axis, start, end and step of a slice that takes everything, as torch writes them.
_OPEN_SLICE = (0, 0, 2**63 - 1, 1)


class GraphLowering:
    """Lowers one fx graph: the outer one, or the body of a loop, whose outer values are captured.

    Args:
        store: Weights of the model, shared by all graphs of one export.
        dims: ONNX value and axis that hold each symbolic size, by the symbol's name.
        prefix: Begins the names of this graph's nodes; names are unique across the graphs of a model.
    """

    def __init__(self, store: WeightStore, dims: Mapping[str, tuple[Any, int]], prefix: str = "") -> None:
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
            ExportError: An operator has no entry in :data:`LOWERINGS`.
        """
        outputs: list[Any] = []
        for node in graph.nodes:
            if node.op == "output":
                outputs = [self.value(item) for item in node.args[0]]
            elif node.op == "call_function" and node not in self.values and _is_tensor_valued(node):
                name = str(node.target)
                if name not in LOWERINGS:
                    raise ExportError(
                        "every operator of the traced model must have a lowering to ONNX",
                        received=name,
                        fix="add it to LOWERINGS in graphs/lowering.py",
                    )
                self.values[node] = LOWERINGS[name](self, node)
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
        return self.constant(np.array(number, dtype=_numpy_dtype(_fake(node).dtype)))

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
            if isinstance(dim, int):
                spelled.append(dim)
            elif index < len(before) and str(before[index]) == str(dim):
                spelled.append(0)
            else:
                spelled.append(-1)
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


def _fake(node: Any) -> Any:
    return node.meta["val"]


def _is_tensor_valued(node: Any) -> bool:
    val = node.meta.get("val")
    if isinstance(val, list | tuple):
        return any(isinstance(item, torch.Tensor) for item in val)
    return isinstance(val, torch.Tensor)


def _numpy_dtype(dtype: Any) -> Any:
    return np.dtype(str(dtype).removeprefix("torch."))


def _onnx_dtype(dtype: Any) -> Any:
    return ir.DataType.from_numpy(_numpy_dtype(dtype))


def _axis(node: Any, axis: int) -> int:
    rank = len(_fake(node).shape)
    return axis + rank if axis < 0 else axis


def _identity(low: GraphLowering, node: Any) -> Any:
    return low.value(node.args[0])


def _hidden(low: GraphLowering, node: Any) -> Any:
    return low.name_hidden(low.value(node.args[0]))


def _binary(op_type: str) -> Callable[[GraphLowering, Any], Any]:
    def lower(low: GraphLowering, node: Any) -> Any:
        if node.kwargs.get("alpha", 1) != 1:
            raise ExportError(f"{node.target} must have alpha=1", received=node.kwargs["alpha"])
        return low.emit(op_type, [low.operand(item, node) for item in node.args[:2]], node)

    return lower


def _unary(op_type: str) -> Callable[[GraphLowering, Any], Any]:
    return lambda low, node: low.emit(op_type, [low.value(node.args[0])], node)


def _rsub(low: GraphLowering, node: Any) -> Any:
    return low.emit("Sub", [low.operand(node.args[1], node), low.value(node.args[0])], node)


def _linear(low: GraphLowering, node: Any) -> Any:
    hidden, weight, *bias = node.args
    if low.store.only_linear(weight):
        # Stored as [in, out], so that the runtime multiplies by it as it is.
        product = low.emit("MatMul", [low.value(hidden), low.weight(weight, transposed=True)], node)
        return low.emit("Add", [product, low.weight(bias[0])], node) if bias and bias[0] is not None else product
    # A weight that is also an embedding (the tied decoder) is stored once, as [out, in]; Gemm reads it transposed.
    before = list(_fake(hidden).shape)
    flat = low.emit("Reshape", [low.value(hidden), low.constant(np.array([-1, before[-1]], dtype=np.int64))], node)
    inputs = [flat, low.weight(weight)] + ([low.weight(bias[0])] if bias and bias[0] is not None else [])
    product = low.emit("Gemm", inputs, node, transB=1)
    after = list(_fake(node).shape)
    if len(after) == 2:
        return product
    parts = [low.size(dim) for dim in after]
    return low.emit("Reshape", [product, low.emit("Concat", parts, node, axis=0)], node)


def _embedding(low: GraphLowering, node: Any) -> Any:
    weight, ids = node.args[:2]
    return low.emit("Gather", [low.weight(weight), low.value(ids)], node, axis=0)


def _layer_norm(low: GraphLowering, node: Any) -> Any:
    hidden, shape, scale, bias, *rest = node.args
    epsilon = float(rest[0]) if rest else 1e-5
    inputs = [low.value(hidden), low.weight(scale), low.weight(bias)]
    return low.emit("LayerNormalization", inputs, node, axis=-len(shape), epsilon=epsilon)


def _view(low: GraphLowering, node: Any) -> Any:
    source = node.args[0]
    return low.reshape(low.value(source), list(_fake(source).shape), list(_fake(node).shape), node)


def _unsqueeze(low: GraphLowering, node: Any) -> Any:
    axis = low.constant(np.array([_axis(node, node.args[1])], dtype=np.int64))
    return low.emit("Unsqueeze", [low.value(node.args[0]), axis], node)


def _squeeze(low: GraphLowering, node: Any) -> Any:
    axis = low.constant(np.array([_axis(node.args[0], node.args[1])], dtype=np.int64))
    return low.emit("Squeeze", [low.value(node.args[0]), axis], node)


def _transpose(low: GraphLowering, node: Any) -> Any:
    source, first, second = node.args
    order = list(range(len(_fake(source).shape)))
    first, second = _axis(source, first), _axis(source, second)
    order[first], order[second] = order[second], order[first]
    return low.emit("Transpose", [low.value(source)], node, perm=order)


def _permute(low: GraphLowering, node: Any) -> Any:
    order = [_axis(node, axis) for axis in node.args[1]]
    return low.emit("Transpose", [low.value(node.args[0])], node, perm=order)


def _softmax(low: GraphLowering, node: Any) -> Any:
    return low.emit("Softmax", [low.value(node.args[0])], node, axis=_axis(node, node.args[1]))


def _cast(low: GraphLowering, node: Any) -> Any:
    source = node.args[0]
    if _fake(source).dtype == _fake(node).dtype:
        return low.value(source)
    return low.emit("Cast", [low.value(source)], node, to=_onnx_dtype(_fake(node).dtype).value)


def _slice(low: GraphLowering, node: Any) -> Any:
    source, *given = node.args
    axis, start, end, step = (given[place] if place < len(given) else open_ for place, open_ in enumerate(_OPEN_SLICE))
    if (start, end, step) == _OPEN_SLICE[1:]:
        return low.value(source)
    bounds = [low.size(_fake(bound) if isinstance(bound, torch.fx.Node) else bound) for bound in (start, end)]
    axes, steps = (low.constant(np.array([number], dtype=np.int64)) for number in (_axis(source, axis), step))
    return low.emit("Slice", [low.value(source), *bounds, axes, steps], node)


def _select(low: GraphLowering, node: Any) -> Any:
    source, axis, index = node.args
    return low.emit(
        "Gather", [low.value(source), low.constant(np.array(index, dtype=np.int64))], node, axis=_axis(source, axis)
    )


def _split(low: GraphLowering, node: Any) -> Any:
    parts = _fake(node)
    axis = _axis(node.args[0], node.args[2] if len(node.args) > 2 else 0)
    sizes = low.constant(np.array([part.shape[axis] for part in parts], dtype=np.int64))
    made = low.emit("Split", [low.value(node.args[0]), sizes], node, outputs=len(parts), axis=axis)
    return made if len(parts) > 1 else (made,)


def _unbind(low: GraphLowering, node: Any) -> Any:
    source, *axis = node.args
    indices = (low.constant(np.array(index, dtype=np.int64)) for index in range(len(_fake(node))))
    axis = _axis(source, axis[0] if axis else 0)
    return tuple(low.emit("Gather", [low.value(source), index], node, axis=axis) for index in indices)


def _getitem(low: GraphLowering, node: Any) -> Any:
    return low.value(node.args[0])[node.args[1]]


def _expand(low: GraphLowering, node: Any) -> Any:
    sizes = [low.size(dim) for dim in _fake(node).shape]
    return low.emit("Expand", [low.value(node.args[0]), low.emit("Concat", sizes, node, axis=0)], node)


def _arange(low: GraphLowering, node: Any) -> Any:
    bounds = node.args[:2] if len(node.args) > 1 else (0, *node.args)
    start, end = (
        low.emit("Squeeze", [low.size(_fake(bound))], node)
        if isinstance(bound, torch.fx.Node)
        else low.constant(np.array(bound, dtype=np.int64))
        for bound in bounds
    )
    return low.emit("Range", [start, end, low.constant(np.array(1, dtype=np.int64))], node)


def _filled(low: GraphLowering, node: Any) -> Any:
    number = 0 if "zeros" in str(node.target) else 1
    sizes = [low.size(dim) for dim in _fake(node).shape]
    if not sizes:
        return low.scalar_like(number, node)
    shape = low.emit("Concat", sizes, node, axis=0)
    filler = ir.tensor(np.array([number], dtype=_numpy_dtype(_fake(node).dtype)))
    return low.emit("ConstantOfShape", [shape], node, value=filler)


def _einsum(low: GraphLowering, node: Any) -> Any:
    equation, operands = node.args[:2]
    return low.emit("Einsum", [low.value(item) for item in operands], node, equation=equation)


def _gelu(low: GraphLowering, node: Any) -> Any:
    approximate = node.kwargs.get("approximate", "none")
    return low.emit("Gelu", [low.value(node.args[0])], node, approximate=approximate)


def _silu(low: GraphLowering, node: Any) -> Any:
    hidden = low.value(node.args[0])
    return low.emit("Mul", [hidden, low.emit("Sigmoid", [hidden], node)], node)


def _while_loop(low: GraphLowering, node: Any) -> Any:
    """Lower the tracer's counting loop to ``Loop`` with a trip count.

    The two subgraphs are held to the form that the tracer writes, ``step < n`` and ``step + 1``: only then is a trip
    count the same as the condition.
    """
    condition, body, carried, captured = node.args
    root = node.graph.owning_module
    condition_graph = getattr(root, condition.target).graph
    body_graph = getattr(root, body.target).graph
    repeats = _trip_count(condition_graph, body_graph)
    placeholders = [item for item in body_graph.nodes if item.op == "placeholder"]
    step, hidden = placeholders[:2]

    group = len([made for made in low.nodes if made.op_type == "Loop"])
    inner = GraphLowering(low.store, low.dims, prefix=f"group_{group}_")
    iteration = ir.val(f"group_{group}_iteration", dtype=ir.DataType.INT64, shape=ir.Shape([]))
    keep_going = ir.val(f"group_{group}_keep_going", dtype=ir.DataType.BOOL, shape=ir.Shape([]))
    entering = ir.Value(name=f"group_{group}_hidden_in", type=ir.TensorType(_onnx_dtype(_fake(hidden).dtype)))
    inner.values[hidden] = entering
    for placeholder, outer in zip(placeholders[2:], captured, strict=True):
        if outer in low.store.names:
            low.store.names[placeholder] = low.store.names[outer]
        else:
            inner.values[placeholder] = low.value(outer)
    # The counter is the Loop's own; nothing but `step + 1` reads it, which _trip_count has checked.
    inner.values[step] = iteration
    increment = _outputs(body_graph)[0]
    inner.values[increment] = iteration
    leaving = inner.run(body_graph)[1]
    keep_going_out = inner.emit("Identity", [keep_going])
    keep_going_out.type = ir.TensorType(ir.DataType.BOOL)
    leaving.type = ir.TensorType(_onnx_dtype(_fake(hidden).dtype))
    subgraph = ir.Graph(
        [iteration, keep_going, entering], [keep_going_out, leaving], nodes=inner.nodes, name=f"group_{group}_layer"
    )
    return (None, low.loop(group, repeats, low.value(carried[1]), subgraph))


def _outputs(graph: Any) -> Sequence[Any]:
    found: Sequence[Any] = next(item for item in graph.nodes if item.op == "output").args[0]
    return found


def _trip_count(condition: Any, body: Any) -> int:
    step_tested = next(item for item in condition.nodes if item.op == "placeholder")
    step = next(item for item in body.nodes if item.op == "placeholder")
    outputs: Any = _outputs(condition)
    test = outputs[0] if isinstance(outputs, list | tuple) else outputs
    increment = _outputs(body)[0]
    counts = (
        str(test.target) == "aten.lt.Scalar"
        and test.args[0] is step_tested
        and str(increment.target) == "aten.add.Tensor"
        and increment.args == (step, 1)
        and set(step.users) == {increment}
    )
    if not counts:
        raise ExportError("a traced loop must count its steps up to a constant", received=f"{test.format_node()}")
    return int(test.args[1])


#: ATen operator -> the function that lowers it.
LOWERINGS: dict[str, Callable[[GraphLowering, Any], Any]] = {
    "<built-in function getitem>": _getitem,
    "aten._assert_tensor_metadata.default": lambda _low, _node: None,
    "aten.add.Tensor": _binary("Add"),
    "aten.alias.default": _hidden,
    "aten.arange.default": _arange,
    "aten.arange.start": _arange,
    "aten.clone.default": _identity,
    "aten.contiguous.default": _identity,
    "aten.detach_.default": _identity,
    "aten.div.Tensor": _binary("Div"),
    "aten.dropout.default": _identity,
    "aten.einsum.default": _einsum,
    "aten.embedding.default": _embedding,
    "aten.expand.default": _expand,
    "aten.flatten.using_ints": _view,
    "aten.gelu.default": _gelu,
    "aten.layer_norm.default": _layer_norm,
    "aten.lift_fresh_copy.default": _identity,
    "aten.linear.default": _linear,
    "aten.matmul.default": _binary("MatMul"),
    "aten.mul.Tensor": _binary("Mul"),
    "aten.ones.default": _filled,
    "aten.permute.default": _permute,
    "aten.relu.default": _unary("Relu"),
    "aten.reshape.default": _view,
    "aten.rsub.Scalar": _rsub,
    "aten.select.int": _select,
    "aten.silu.default": _silu,
    "aten.slice.Tensor": _slice,
    "aten.softmax.int": _softmax,
    "aten.split.Tensor": _split,
    "aten.squeeze.dim": _squeeze,
    "aten.sub.Tensor": _binary("Sub"),
    "aten.tanh.default": _unary("Tanh"),
    "aten.to.dtype": _cast,
    "aten.transpose.int": _transpose,
    "aten.unbind.int": _unbind,
    "aten.unflatten.int": _view,
    "aten.unsqueeze.default": _unsqueeze,
    "aten.view.default": _view,
    "aten.zeros.default": _filled,
    "while_loop": _while_loop,
}
