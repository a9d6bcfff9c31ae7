"""float16 and bfloat16 in an ONNX graph.

float16 is typed into the graph: weights, constants and arithmetic, with the outputs widened at the end. GPUs and
browsers compute in it; a CPU has few operators for it, and its runtime widens in between. ``LayerNormalization`` sums
up in float32 whatever its type (its ``stash_type``), softmax subtracts the largest score, and the mask's -10000 is
finite, so that nothing overflows that does not in float32.

bfloat16 is what matrices are stored in: no runtime on a CPU multiplies in it, so they are widened once, when the file
is loaded, and the arithmetic is that of float32.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.graphs.narrowing import check_fits

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")

_FLOAT, _HALF, _BFLOAT16 = ir.DataType.FLOAT, ir.DataType.FLOAT16, ir.DataType.BFLOAT16


def compute_in_half(model: ir.Model) -> bool:
    """Type the graph in float16; inputs are integers, and outputs stay float32.

    Raises:
        ExportError: A weight is too large for float16.
    """
    for value in model.graph.initializers.values():
        if value.dtype == _FLOAT:
            store_in(value, _HALF)
    for graph in all_graphs(model.graph):
        for value in (*graph.inputs, *graph.outputs, *(output for node in graph for output in node.outputs)):
            if value.dtype == _FLOAT:
                value.type = ir.TensorType(_HALF)
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        if node.op_type == "Constant" and node.attributes["value"].value.dtype == _FLOAT:
            number = np.asarray(node.attributes["value"].value.numpy()).astype(np.float16)
            node.attributes["value"] = ir.AttrTensor("value", ir.tensor(number))
        elif node.op_type == "Cast" and node.attributes.get_int("to", 0) == _FLOAT:
            node.attributes["to"] = ir.AttrInt64("to", _HALF.value)
    widen_outputs(model.graph, _HALF)
    return True


def store_in_bfloat16(model: ir.Model) -> bool:
    """Store matrices in bfloat16 and widen them when the file is loaded; of tables, the rows that are looked up.

    Raises:
        ExportError: A weight is too large for bfloat16.
    """
    chosen = [
        value
        for value in model.graph.initializers.values()
        if value.dtype == _FLOAT and value.shape is not None and len(value.shape) == 2
    ]
    for value in chosen:
        wide: ir.Value | None = None
        readers = list(value.uses())
        first = model.graph[0]
        for node, index in readers:
            if node.op_type == "Gather" and index == 0:
                _widen_after(node)
                continue
            if wide is None:
                widening = ir.node("Cast", [value], {"to": _FLOAT.value})
                widening.name = widening.outputs[0].name = f"{value.name}_float32"
                model.graph.insert_before(first, widening)
                wide = widening.outputs[0]
            node.replace_input_with(index, wide)
        store_in(value, _BFLOAT16)
    return bool(chosen)


def all_graphs(graph: ir.Graph) -> Iterator[ir.Graph]:
    """Yield a graph and the bodies of its loops."""
    yield graph
    for node in graph:
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                yield from all_graphs(attribute.value)


def store_in(value: ir.Value, dtype: ir.DataType) -> None:
    """Let an initializer hold its numbers in another dtype; they are converted when they are written."""
    stored = value.const_value
    assert stored is not None, "every initializer has data"
    check_fits(str(value.name), float(np.abs(stored.numpy()).max(initial=0.0)), dtype.name.lower())

    def read() -> ir.Tensor[Any]:
        return ir.Tensor(stored.numpy().astype(dtype.numpy()), dtype=dtype)

    value.type = ir.TensorType(dtype)
    value.const_value = ir.LazyTensor(read, dtype=dtype, shape=ir.Shape(stored.shape.numpy()), name=str(value.name))


def _widen_after(node: ir.Node) -> None:
    """Let all that read what a node yields read it in float32."""
    old = node.outputs[0]
    assert node.graph is not None, "it is in one"
    widened = ir.node("Cast", [old], {"to": _FLOAT.value})
    old.replace_all_uses_with(widened.outputs[0])
    widened.replace_input_with(0, old)
    widened.name = widened.outputs[0].name = f"{node.name}_float32"
    node.graph.insert_after(node, widened)


def widen_outputs(graph: ir.Graph, narrow: ir.DataType) -> None:
    """Give out in float32 what the graph computes in ``narrow``, under the same names."""
    for index, old in enumerate(list(graph.outputs)):
        if old.dtype != narrow:
            continue
        name = old.name
        old.name = f"{name}_{narrow.name.lower()}"
        widening = ir.node("Cast", [old], {"to": _FLOAT.value})
        widening.name = f"{name}_widened"
        graph.append(widening)
        new = widening.outputs[0]
        new.name, new.shape, new.type = name, old.shape, ir.TensorType(_FLOAT)
        graph.outputs[index] = new
