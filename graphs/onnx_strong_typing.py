"""A graph typed for a compiler that computes in exactly the types it is given, as TensorRT does.

Weights, constants and arithmetic get one narrow type; what would lose its answer in it is computed in float32, with
a ``Cast`` on either side, whatever the compiler makes of an attribute such as ``stash_type``:

- ``LayerNormalization`` sums up squares: of activations beyond 256 each is beyond float16, and bfloat16 has too few
  bits for a sum.
- ``Gelu`` by tanh cubes its input: beyond 40 the cube is beyond float16.

The mask's bias is a constant of ours, -10000, which both types hold; a constant that the type does not hold is refused,
since an infinite bias times a mask of 0 is no number. Matrix products add up in float32 on every tensor core.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.errors import ExportError
from albert_export.graphs.onnx_narrowing import all_graphs, store_in, widen_outputs

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")

_FLOAT = ir.DataType.FLOAT

#: Precision -> the type that is computed in.
TYPES: Mapping[str, ir.DataType] = {"fp16": ir.DataType.FLOAT16, "bf16": ir.DataType.BFLOAT16}

#: Operators that are computed in float32.
GUARDED = frozenset({"LayerNormalization", "Gelu"})

#: Type -> further ones, for which ONNX itself does not have it: relative positions are scored with them.
LACKING: Mapping[ir.DataType, frozenset[str]] = {ir.DataType.BFLOAT16: frozenset({"Einsum"})}


def type_strongly(model: ir.Model, dtype: ir.DataType, guarded: frozenset[str] = GUARDED) -> bool:
    """Type the graph; inputs are integers, and outputs stay float32.

    Args:
        model: A graph in float32; changed in place.
        dtype: float16 or bfloat16.
        guarded: Operators that stay in float32, besides those that ONNX does not have in the type.

    Raises:
        ExportError: A weight or a constant is too large for the type.
    """
    guarded = guarded | LACKING.get(dtype, frozenset())
    nodes = [node for node in ir.traversal.RecursiveGraphIterator(model.graph) if node.op_type in guarded]
    kept = {value for value in model.graph.initializers.values() if _only_read_by(value, nodes)}
    kept |= {output for node in nodes for output in node.outputs}
    for value in model.graph.initializers.values():
        if value.dtype == _FLOAT and value not in kept:
            store_in(value, dtype)
    for graph in all_graphs(model.graph):
        for value in (*graph.inputs, *graph.outputs, *(output for node in graph for output in node.outputs)):
            if value.dtype == _FLOAT and value not in kept:
                value.type = ir.TensorType(dtype)
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        if node.op_type == "Constant" and node.attributes["value"].value.dtype == _FLOAT:
            node.attributes["value"] = ir.AttrTensor("value", _narrowed(node, dtype))
        elif node.op_type == "Cast" and node.attributes.get_int("to", 0) == _FLOAT:
            node.attributes["to"] = ir.AttrInt64("to", dtype.value)
    for node in nodes:
        _guard(node, dtype, kept)
    widen_outputs(model.graph, dtype)
    return True


def _only_read_by(value: ir.Value, nodes: list[ir.Node]) -> bool:
    readers = [node for node, _ in value.uses()]
    return bool(readers) and all(node in nodes for node in readers)


def _narrowed(node: ir.Node, dtype: ir.DataType) -> ir.Tensor[Any]:
    number = np.asarray(node.attributes["value"].value.numpy())
    # The largest float16 is 65504; bfloat16 has the range of float32.
    with np.errstate(over="ignore"):
        narrow = number.astype(dtype.numpy())
    if not np.isfinite(narrow.astype(np.float32)).all():
        raise ExportError(
            f"constants must be finite in {dtype.name.lower()}",
            received=f"{number} in {node.name}",
            fix="choose a precision with a wider range",
        )
    return ir.Tensor(narrow, dtype=dtype)


def _guard(node: ir.Node, dtype: ir.DataType, kept: set[ir.Value]) -> None:
    """Put a node that computes in float32 between two casts."""
    graph = node.graph
    assert isinstance(graph, ir.Graph), "it is in one"
    for index, value in enumerate(node.inputs):
        if value is None or (value in kept and value.producer() is None):
            continue
        wide = ir.node("Cast", [value], {"to": _FLOAT.value})
        wide.name = wide.outputs[0].name = f"{node.name}_wide_{index}"
        wide.outputs[0].type = ir.TensorType(_FLOAT)
        graph.insert_before(node, wide)
        node.replace_input_with(index, wide.outputs[0])
    result = node.outputs[0]
    narrow = ir.node("Cast", [result], {"to": dtype.value})
    new = narrow.outputs[0]
    new.type = ir.TensorType(dtype)
    result.replace_all_uses_with(new, replace_graph_outputs=True)
    narrow.replace_input_with(0, result)
    graph.insert_after(node, narrow)
    # What is read from outside by its name, as hidden_3 is, is what the next operator reads.
    new.name, result.name = result.name, f"{result.name}_wide"
    narrow.name = f"{node.name}_narrow"


def settle_loop_conditions(model: ir.Model) -> bool:
    """Let loops that count give out a constant for the condition that nothing reads.

    Ours hand on the condition that came in. onnx-tensorrt makes no tensor of a condition that is not given, so that a
    node which reads it is refused.
    """
    changed = False
    for node in model.graph:
        if node.op_type != "Loop" or node.inputs[1] is not None:
            continue
        body = node.attributes["body"].value
        handed_on = body.outputs[0].producer()
        if handed_on is None or handed_on.op_type != "Identity":
            continue
        constant = ir.node("Constant", [], {"value": ir.tensor(np.array(True))})
        constant.name = constant.outputs[0].name = f"{body.name}_goes_on"
        constant.outputs[0].type = ir.TensorType(ir.DataType.BOOL)
        body.insert_before(body[0], constant)
        body.outputs[0] = constant.outputs[0]
        body.remove(handed_on, safe=True)
        changed = True
    return changed
