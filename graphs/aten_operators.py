"""ATen operators as ONNX operators, one function each, in the table :data:`LOWERINGS`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.errors import ExportError
from albert_export.graphs.lowering import GraphLowering, Lowering, fake, onnx_dtype

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")

#: Start, end and step of a slice that takes everything, as torch writes them; those at the end may be left out.
_OPEN_SLICE = (0, 2**63 - 1, 1)

#: End of a slice that takes all tokens. OpenVINO goes over with the largest number of 64 or 32 bits, and takes none.
_ALL_TOKENS = 2**30


def _axis(node: Any, axis: int) -> int:
    rank = len(fake(node).shape)
    return axis + rank if axis < 0 else axis


def _identity(low: GraphLowering, node: Any) -> Any:
    return low.value(node.args[0])


def _hidden(low: GraphLowering, node: Any) -> Any:
    return low.name_hidden(low.value(node.args[0]))


def _binary(op_type: str) -> Lowering:
    def lower(low: GraphLowering, node: Any) -> Any:
        if node.kwargs.get("alpha", 1) != 1:
            raise ExportError(f"{node.target} must have alpha=1", received=node.kwargs["alpha"])
        return low.emit(op_type, [low.operand(item, node) for item in node.args[:2]], node)

    return lower


def _unary(op_type: str) -> Lowering:
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
    before = list(fake(hidden).shape)
    flat = low.emit("Reshape", [low.value(hidden), low.constant(np.array([-1, before[-1]], dtype=np.int64))], node)
    inputs = [flat, low.weight(weight)] + ([low.weight(bias[0])] if bias and bias[0] is not None else [])
    product = low.emit("Gemm", inputs, node, transB=1)
    after = list(fake(node).shape)
    return product if len(after) == 2 else low.reshape(product, [], after, node)


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
    return low.reshape(low.value(source), list(fake(source).shape), list(fake(node).shape), node)


def _unsqueeze(low: GraphLowering, node: Any) -> Any:
    axis = low.constant(np.array([_axis(node, node.args[1])], dtype=np.int64))
    return low.emit("Unsqueeze", [low.value(node.args[0]), axis], node)


def _transpose(low: GraphLowering, node: Any) -> Any:
    source, first, second = node.args
    order = list(range(len(fake(source).shape)))
    first, second = _axis(source, first), _axis(source, second)
    order[first], order[second] = order[second], order[first]
    return low.emit("Transpose", [low.value(source)], node, perm=order)


def _expand(low: GraphLowering, node: Any) -> Any:
    source = node.args[0]
    if any(str(user.target) != "aten.gather.default" for user in node.users) or fake(source).shape[-1] != 1:
        raise ExportError(
            "only indices of gather may be expanded in the traced model, along the last axis",
            received=node.format_node(),
        )
    return low.value(source)


def _gather(low: GraphLowering, node: Any) -> Any:
    source, axis, indices = node.args[:3]
    if (_axis(source, axis), len(fake(source).shape), str(indices.target)) != (1, 3, "aten.expand.default"):
        raise ExportError(
            "gather in the traced model must take whole vectors of [B,S,D] along S", received=node.format_node()
        )
    # The indices are [B,P,1]: of each row of the batch, P vectors.
    return low.emit("GatherND", [low.value(source), low.value(indices)], node, batch_dims=1)


def _softmax(low: GraphLowering, node: Any) -> Any:
    return low.emit("Softmax", [low.value(node.args[0])], node, axis=_axis(node, node.args[1]))


def _cast(low: GraphLowering, node: Any) -> Any:
    source = node.args[0]
    if fake(source).dtype == fake(node).dtype:
        return low.value(source)
    return low.emit("Cast", [low.value(source)], node, to=onnx_dtype(fake(node).dtype).value)


def _slice(low: GraphLowering, node: Any) -> Any:
    source, *given = node.args
    if tuple(given[1:]) != _OPEN_SLICE[: len(given[1:])]:
        raise ExportError("a slice in the traced model must take everything, as [:] does", received=node.format_node())
    return low.value(source)


def _select(low: GraphLowering, node: Any) -> Any:
    source, axis, index = node.args
    return low.emit(
        "Gather", [low.value(source), low.constant(np.array(index, dtype=np.int64))], node, axis=_axis(source, axis)
    )


def _unbind(low: GraphLowering, node: Any) -> Any:
    source, *axis = node.args
    indices = (low.constant(np.array(index, dtype=np.int64)) for index in range(len(fake(node))))
    axis = _axis(source, axis[0] if axis else 0)
    return tuple(low.emit("Gather", [low.value(source), index], node, axis=axis) for index in indices)


def _getitem(low: GraphLowering, node: Any) -> Any:
    return low.value(node.args[0])[node.args[1]]


def _arange(low: GraphLowering, node: Any) -> Any:
    (length,) = fake(node).shape
    zero, one = (low.constant(np.array(number, dtype=np.int64)) for number in (0, 1))
    if isinstance(length, int):
        return low.emit("Range", [zero, low.constant(np.array(length, dtype=np.int64)), one], node)
    return low.emit("Range", [zero, low.emit("Squeeze", [low.size(length)], node), one], node)


def _zeros(low: GraphLowering, node: Any) -> Any:
    if len(fake(node).shape):
        raise ExportError("zeros in the traced model must be a scalar, a loop's counter", received=node.format_node())
    return low.scalar_like(0, node)


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
    operators = {**low.operators, "aten.alias.default": _computed_in_last_turn(group, repeats)}
    inner = GraphLowering(operators, low.store, low.dims, prefix=f"group_{group}_")
    iteration = ir.val(f"group_{group}_iteration", dtype=ir.DataType.INT64, shape=ir.Shape([]))
    keep_going = ir.val(f"group_{group}_keep_going", dtype=ir.DataType.BOOL, shape=ir.Shape([]))
    entering = ir.Value(name=f"group_{group}_hidden_in", type=ir.TensorType(onnx_dtype(fake(hidden).dtype)))
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
    leaving.type = ir.TensorType(onnx_dtype(fake(hidden).dtype))
    subgraph = ir.Graph(
        [iteration, keep_going, entering], [keep_going_out, leaving], nodes=inner.nodes, name=f"group_{group}_layer"
    )
    return (None, low.loop(group, repeats, low.value(carried[1]), subgraph))


def _computed_in_last_turn(group: int, repeats: int) -> Lowering:
    """Lower the mark on the tokens that a layer computes: all of them in every turn but the last, there the first one.

    All turns have one graph. The last one written out beside the loop would read each weight a second time, and ONNX
    Runtime, which packs weights for the reader, would hold them twice.
    """

    def lower(low: GraphLowering, node: Any) -> Any:
        iteration = low.values[next(item for item in node.graph.nodes if item.op == "placeholder")]
        is_last = low.emit("Equal", [iteration, low.constant(np.array(repeats - 1, dtype=np.int64))], node)
        first, every = (low.constant(np.array([end], dtype=np.int64)) for end in (1, _ALL_TOKENS))
        end = low.emit("Where", [is_last, first, every], node)
        end.name = f"group_{group}_computed"  # by which parity has every turn compute all
        zero, axis = (low.constant(np.array([number], dtype=np.int64)) for number in (0, 1))
        return low.emit("Slice", [low.value(node.args[0]), zero, end, axis], node)

    return lower


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


#: What torch's tracer adds in some of its releases and not in others; none of it computes anything.
_ADDED_BY_TRACER: dict[str, Lowering] = {
    "aten._assert_tensor_metadata.default": lambda _low, _node: None,
    "aten.clone.default": _identity,
    "aten.detach_.default": _identity,
    "aten.lift_fresh_copy.default": _identity,
}

#: ATen operator -> the function that lowers it.
LOWERINGS: dict[str, Lowering] = {
    **_ADDED_BY_TRACER,
    "<built-in function getitem>": _getitem,
    "aten.add.Tensor": _binary("Add"),
    "aten.alias.default": _hidden,
    "aten.arange.default": _arange,
    "aten.contiguous.default": _identity,
    "aten.dropout.default": _identity,
    "aten.einsum.default": _einsum,
    "aten.embedding.default": _embedding,
    "aten.expand.default": _expand,
    "aten.flatten.using_ints": _view,
    "aten.gather.default": _gather,
    "aten.gelu.default": _gelu,
    "aten.layer_norm.default": _layer_norm,
    "aten.linear.default": _linear,
    "aten.matmul.default": _binary("MatMul"),
    "aten.mul.Tensor": _binary("Mul"),
    "aten.relu.default": _unary("Relu"),
    "aten.rsub.Scalar": _rsub,
    "aten.select.int": _select,
    "aten.silu.default": _silu,
    "aten.slice.Tensor": _slice,
    "aten.softmax.int": _softmax,
    "aten.sub.Tensor": _binary("Sub"),
    "aten.tanh.default": _unary("Tanh"),
    "aten.to.dtype": _cast,
    "aten.transpose.int": _transpose,
    "aten.unbind.int": _unbind,
    "aten.unflatten.int": _view,
    "aten.unsqueeze.default": _unsqueeze,
    "aten.view.default": _view,
    "aten.zeros.default": _zeros,
    "while_loop": _while_loop,
}
