"""Counting the weights that an ONNX graph stores, for the sharing guarantee."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from albert_export._imports import require

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")

#: A tensor written into a node is taken for a weight from this size on; smaller ones are shapes and scalars.
_CONSTANT_BYTES = 1024


def stored_weight_bytes(model: ir.Model) -> int:
    """Count the bytes of every floating-point or quantised weight in the model, its subgraphs' included."""
    total = sum(
        value.const_value.nbytes
        for graph in _graphs(model.graph)
        for value in graph.initializers.values()
        if value.const_value is not None and _is_weight(value.const_value)
    )
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.TENSOR and attribute.value.nbytes >= _CONSTANT_BYTES:
                total += attribute.value.nbytes
    return total


def _is_weight(tensor: Any) -> bool:
    # Buffers of positions are int64; quantised weights have at most 8 bits.
    return bool(tensor.dtype.is_floating_point()) or tensor.dtype.bitwidth <= 8


def _graphs(graph: ir.Graph) -> Iterator[ir.Graph]:
    yield graph
    for node in graph:
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                yield from _graphs(attribute.value)
