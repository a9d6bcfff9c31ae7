"""Counting the weights that a TFLite graph stores, for the sharing guarantee."""

from __future__ import annotations

from albert_export.graphs.sharing import Sharing
from albert_export.graphs.tflite_graph import TFLiteGraph, Types

#: A constant is taken for a weight from this size on; smaller ones are shapes and scalars.
_CONSTANT_BYTES = 1024

_WEIGHT_TYPES = (Types.FLOAT32, Types.FLOAT16, Types.INT8)


def sharing_of(graph: TFLiteGraph, file_bytes: int) -> Sharing:
    """Return the sharing figures.

    Parameters count as many bytes as their precision takes, int8 with its scales; each counts once, however many
    buffers hold it. A large constant that came from no parameter counts as stored, and as no parameter.

    Args:
        graph: The graph.
        file_bytes: Size of its file; 0 where there is none yet.
    """
    unique: dict[str, int] = {}
    stored = 0
    for weight in graph.weights.values():
        size = weight.nbytes + weight.scale_bytes
        unique[weight.name] = max(unique.get(weight.name, 0), size)
        stored += size
    constants = {
        tensor.buffer
        for subgraph in graph.subgraphs
        for tensor in subgraph.raw.tensors
        if tensor.type in _WEIGHT_TYPES and tensor.buffer not in graph.weights
    }
    for buffer in constants:
        data = graph.model.buffers[buffer].data
        if data is not None and len(data) >= _CONSTANT_BYTES:
            stored += len(data)
    return Sharing(sum(unique.values()), stored, max(0, file_bytes - stored))
