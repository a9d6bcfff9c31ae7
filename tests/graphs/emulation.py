"""What a strongly typed graph computes on a machine that has no arithmetic of its types.

Every operator is computed in float32 and its result rounded to the type that the graph gives it, by ONNX Runtime with
all optimisation off, so that no cast is lost. That is what a tensor core does, which multiplies narrow numbers and adds
up in float32. ``LayerNormalization`` and ``Gelu`` are written out first in the type that they have, as a compiler does
that knows nothing of ``stash_type``: what overflows inside shows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime

from albert_export.graphs.onnx_rewriting import Writer

_NARROW = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16)
_FLOATS = (ir.DataType.FLOAT, *_NARROW)
_INT64 = ir.DataType.INT64


def emulate(model: ir.Model) -> ir.Model:
    """Change a typed graph so that ONNX Runtime computes on a CPU what its types say; return it."""
    _emulate(model.graph, {})
    return model


def run(model: ir.Model, feed: dict[str, np.ndarray], *, every: bool = False) -> dict[str, np.ndarray]:
    """Run a graph without optimisation.

    Args:
        model: It.
        feed: Its inputs.
        every: Whether to return every value of float32 that it computes besides, those in bodies of loops aside.
    """
    names = [output.name for output in model.graph.outputs]
    if every:
        found = [node.outputs[0] for node in model.graph if node.op_type == "Cast" and _to(node) == ir.DataType.FLOAT]
        for value in found:
            if value.name not in names:
                value.type = ir.TensorType(ir.DataType.FLOAT)
                model.graph.outputs.append(value)
                names.append(value.name)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        ir.to_proto(model).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return dict(zip(names, session.run(names, feed), strict=True))


def _emulate(graph: ir.Graph, types: dict[ir.Value, ir.DataType]) -> None:
    for value in graph.inputs:
        types.setdefault(value, value.dtype)
    for value in graph.initializers.values():
        types[value] = value.dtype
    for node in list(graph):
        if node.op_type in ("LayerNormalization", "Gelu"):
            for made in _written_out(node, types):
                _round(made, types)
        else:
            _round(node, types)


def _round(node: ir.Node, types: dict[ir.Value, ir.DataType]) -> None:
    """Compute one node in float32 and round what it gives."""
    graph = node.graph
    if node.op_type == "Loop":
        body = node.attributes["body"].value
        types[body.inputs[0]], types[body.inputs[1]] = _INT64, ir.DataType.BOOL
        for inner, outer in zip(body.inputs[2:], node.inputs[2:], strict=True):
            types[inner] = types[outer]
        _emulate(body, types)
        for inner, outer in zip(body.outputs[1:], node.outputs, strict=True):
            types[outer] = types[inner]
        return
    result = _result(node, types)
    for output in node.outputs:
        types[output] = result
    if node.op_type in ("Cast", "Constant", "Shape"):
        return
    for index, value in enumerate(node.inputs):
        if value is not None and types[value] in _NARROW:
            wide = ir.node("Cast", [value], {"to": ir.DataType.FLOAT.value})
            wide.name = wide.outputs[0].name = f"{node.name}_read_{index}"
            types[wide.outputs[0]] = ir.DataType.FLOAT
            graph.insert_before(node, wide)
            node.replace_input_with(index, wide.outputs[0])
    if result in _NARROW:
        old = node.outputs[0]
        rounding = ir.node("Cast", [old], {"to": result.value})
        new = rounding.outputs[0]
        old.replace_all_uses_with(new, replace_graph_outputs=True)
        rounding.replace_input_with(0, old)
        graph.insert_after(node, rounding)
        new.name, old.name = old.name, f"{old.name}_unrounded"
        new.type, old.type = ir.TensorType(result), ir.TensorType(ir.DataType.FLOAT)
        rounding.name = f"{node.name}_rounding"
        types[new], types[old] = result, ir.DataType.FLOAT


def _to(node: ir.Node) -> ir.DataType:
    return ir.DataType(node.attributes["to"].value)


def _result(node: ir.Node, types: dict[ir.Value, ir.DataType]) -> ir.DataType:
    if node.op_type == "Cast":
        return _to(node)
    if node.op_type == "Constant":
        return node.attributes["value"].value.dtype
    if node.op_type == "Shape":
        return _INT64
    position = {"QuantizeLinear": 2, "DequantizeLinear": 1}.get(node.op_type, 0)
    return types[node.inputs[position]]


def _written_out(node: ir.Node, types: dict[ir.Value, ir.DataType]) -> list[ir.Node]:
    """Replace a node by primitives in the type of its input; return them in order."""
    writer = Writer(node, {})
    made: list[ir.Node] = []
    hidden = node.inputs[0]
    dtype = types[hidden]

    def emit(op_type: str, *inputs: Any, **attributes: Any) -> ir.Value:
        value = writer.emit(op_type, inputs, **attributes)
        made.append(value.producer())
        return value

    def number(value: float) -> ir.Value:
        constant = ir.node("Constant", [], {"value": ir.Tensor(np.array(value, dtype=dtype.numpy()), dtype=dtype)})
        constant.name = constant.outputs[0].name = f"{node.name}_number_{len(made)}"
        writer.graph.insert_before(node, constant)
        made.append(constant)
        return constant.outputs[0]

    if node.op_type == "LayerNormalization":
        axes = writer.constant(np.array([-1], dtype=np.int64))
        made.append(axes.producer())
        apart = emit("Sub", hidden, emit("ReduceMean", hidden, axes, keepdims=1))
        variance = emit("ReduceMean", emit("Mul", apart, apart), axes, keepdims=1)
        root = emit("Sqrt", emit("Add", variance, number(node.attributes.get_float("epsilon", 1e-5))))
        result = emit("Add", emit("Mul", emit("Div", apart, root), node.inputs[1]), node.inputs[2])
    else:
        if node.attributes.get_string("approximate", "none") == "tanh":
            cube = emit("Mul", emit("Mul", hidden, hidden), hidden)
            inner = emit("Add", hidden, emit("Mul", cube, number(0.044715)))
            bell = emit("Tanh", emit("Mul", inner, number(np.sqrt(2 / np.pi))))
        else:
            bell = emit("Erf", emit("Mul", hidden, number(np.sqrt(0.5))))
        result = emit("Mul", emit("Mul", hidden, number(0.5)), emit("Add", bell, number(1.0)))
    writer.replace(result)
    return made
