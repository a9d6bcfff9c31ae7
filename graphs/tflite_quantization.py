"""Lower precisions of the weights of a TFLite graph: float16, and int8 with dynamic activations.

What is stored in lower precision are the matrices; vectors (biases, normalisations) are a thousandth of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from albert_export.errors import ExportError
from albert_export.graphs.narrowing import check_fits
from albert_export.graphs.tflite_graph import Operators, StoredWeight, Subgraph, TFLiteGraph, Types, schema
from albert_export.parts import NARROW, PARTS, part_of, quantized_parts

#: FULLY_CONNECTED with int8 weights and float activations: with a scale a row, and with one for all.
DENSE_PER_ROW_VERSION = 12
DENSE_PER_TENSOR_VERSION = 9

_DEQUANTIZE_FLOAT16_VERSION = 3
_DEQUANTIZE_INT8_VERSION = 2
_GATHER_FLOAT16_VERSION = 5
_GATHER_INT8_VERSION = 2
_LOOKUP_PER_ROW_VERSION = 4


def halve_weights(graph: TFLiteGraph, *, gather_halves: bool) -> bool:
    """Store matrices in float16.

    A DEQUANTIZE of a constant runs once, however often a loop's body does, and XNNPACK packs what it yields.

    Args:
        graph: A float32 graph.
        gather_halves: Whether rows of a table are looked up in float16 and widened after; older interpreters know
            GATHER of float32 only, so that the whole table is widened before.

    Raises:
        ExportError: A matrix is too large for float16.
    """
    chosen = {buffer for buffer, weight in graph.weights.items() if len(weight.shape) == 2}
    for buffer in chosen:
        check_fits(graph.weights[buffer].name, float(np.abs(graph.weights[buffer].read()).max(initial=0.0)), "float16")
        graph.weights[buffer] = replace(graph.weights[buffer], dtype="float16")
    for subgraph, index in _tensors_of(graph, chosen):
        subgraph.tensor(index).type = Types.FLOAT16
        wide: int | None = None
        for operator in subgraph.readers(index):
            if gather_halves and graph.code(operator) == Operators.GATHER:
                _widen_rows(subgraph, operator, Types.FLOAT16, None)
                operator.opcodeIndex = graph.code_index(Operators.GATHER, _GATHER_FLOAT16_VERSION)
                continue
            if wide is None:
                wide = subgraph.add_tensor(f"{_name(subgraph, index)}/float32", Types.FLOAT32, subgraph.shape(index))
                subgraph.insert_before(operator, _dequantize(subgraph, index, wide, _DEQUANTIZE_FLOAT16_VERSION))
            operator.inputs = [wide if one == index else one for one in operator.inputs]
    return bool(chosen)


def quantize_weights(
    graph: TFLiteGraph,
    parts: Sequence[str] = PARTS,
    *,
    per_row: bool,
    least: Mapping[int, np.ndarray[Any, Any]] | None = None,
) -> bool:
    """Store the matrices of dense layers and embeddings in int8; activations are quantised at run time.

    Args:
        graph: A float32 graph with its dense layers written as FULLY_CONNECTED.
        parts: Whose matrices, of :data:`albert_export.parts.PARTS`.
        per_row: A scale for each output of a dense layer and each row of a table. With False there is one a matrix,
            which is all that older interpreters know.
        least: Buffer of a weight -> for each of its rows, what the scale is at least.

    Raises:
        ExportError: The graph is quantised already.
        InputError: None of the parts has such a matrix.
    """
    check_not_quantized(graph)
    chosen = check_quantizable(graph, parts)
    for buffer in chosen:
        graph.weights[buffer] = graph.weights[buffer].quantized(per_row=per_row, least=(least or {}).get(buffer))
    for subgraph, index in _tensors_of(graph, chosen):
        weight = graph.weights[subgraph.tensor(index).buffer]
        subgraph.tensor(index).type = Types.INT8
        subgraph.tensor(index).quantization = parameters(_scales(weight))
        for operator in subgraph.readers(index):
            if graph.code(operator) == Operators.FULLY_CONNECTED:
                version = DENSE_PER_ROW_VERSION if per_row else DENSE_PER_TENSOR_VERSION
                operator.opcodeIndex = graph.code_index(Operators.FULLY_CONNECTED, version)
                operator.builtinOptions.asymmetricQuantizeInputs = True
            elif per_row:
                _look_up(subgraph, operator)
            else:
                _widen_rows(subgraph, operator, Types.INT8, parameters(_scales(weight)))
                operator.opcodeIndex = graph.code_index(Operators.GATHER, _GATHER_INT8_VERSION)
    return bool(chosen)


def quantizable(graph: TFLiteGraph, parts: Sequence[str] = PARTS) -> set[int]:
    """Return the buffers of the parts' matrices that only dense layers and look-ups of rows read; no narrow ones."""
    chosen = {
        buffer
        for buffer, weight in graph.weights.items()
        if len(weight.shape) == 2 and weight.shape[0] >= NARROW and part_of(weight.name) in parts
    }
    for subgraph, operator in graph.walk():
        for place, index in enumerate(operator.inputs):
            if subgraph.weight(index) is None:
                continue
            code = graph.code(operator)
            dense = code == Operators.FULLY_CONNECTED and place == 1
            rows = code == Operators.GATHER and place == 0 and not operator.builtinOptions.axis
            if not dense and not rows:
                chosen.discard(subgraph.tensor(index).buffer)
    return chosen


def check_not_quantized(graph: TFLiteGraph) -> None:
    """Raise ExportError where the graph holds quantised tensors already."""
    for subgraph in graph.subgraphs:
        for index in range(len(subgraph.raw.tensors)):
            if subgraph.tensor(index).type == Types.INT8:
                raise ExportError(
                    "only a graph that is not quantised can be quantised",
                    received=f"{_name(subgraph, index)} in int8",
                    fix="quantise the graph in float32 that it was made of",
                )


def check_quantizable(graph: TFLiteGraph, parts: Sequence[str]) -> set[int]:
    """Return what :func:`quantizable` does.

    Raises:
        InputError: There is nothing.
    """
    sizes = {part: sum(graph.weights[buffer].nbytes for buffer in quantizable(graph, [part])) for part in PARTS}
    quantized_parts(sizes, parts)
    return quantizable(graph, parts)


def quantized_bytes(graph: TFLiteGraph, parts: Sequence[str]) -> dict[str, int]:
    """Return the bytes that each part's int8 matrices take in float32; without parts that have none."""
    sizes = {
        part: sum(
            4 * weight.nbytes
            for weight in graph.weights.values()
            if weight.dtype == "int8" and part_of(weight.name) == part
        )
        for part in parts
    }
    return {part: size for part, size in sizes.items() if size}


def parameters(scales: np.ndarray[Any, Any], zero_point: int = 0) -> Any:
    """Return quantisation parameters; several scales lie along the first axis."""
    made = schema.QuantizationParametersT()
    made.scale = scales.astype(np.float32)
    made.zeroPoint = np.full(scales.shape, zero_point, dtype=np.int64)
    made.quantizedDimension = 0
    return made


def _scales(weight: StoredWeight) -> np.ndarray[Any, Any]:
    assert weight.scales is not None
    return weight.scales


def _tensors_of(graph: TFLiteGraph, buffers: set[int]) -> Iterator[tuple[Subgraph, int]]:
    for subgraph in graph.subgraphs:
        for index in range(len(subgraph.raw.tensors)):
            if subgraph.tensor(index).buffer in buffers:
                yield subgraph, index


def _name(subgraph: Subgraph, index: int) -> str:
    name = subgraph.tensor(index).name
    return name.decode() if isinstance(name, bytes) else str(name)


def _dequantize(subgraph: Subgraph, source: int, result: int, version: int) -> Any:
    options = schema.DequantizeOptionsT()
    return subgraph.make(Operators.DEQUANTIZE, [source], [result], version=version, options=options)


def _widen_rows(subgraph: Subgraph, gather: Any, dtype: int, quantization: Any) -> None:
    """Let GATHER yield rows in the table's dtype, and widen those."""
    result = gather.outputs[0]
    rows = subgraph.add_tensor(f"{_name(subgraph, result)}/rows", dtype, subgraph.shape(result))
    subgraph.tensor(rows).quantization = quantization
    gather.outputs = [rows]
    version = _DEQUANTIZE_FLOAT16_VERSION if dtype == Types.FLOAT16 else _DEQUANTIZE_INT8_VERSION
    subgraph.insert_after(gather, _dequantize(subgraph, rows, result, version))


def _look_up(subgraph: Subgraph, gather: Any) -> None:
    """Write GATHER of rows as EMBEDDING_LOOKUP, which knows a scale a row, but takes ids of one axis only."""
    table, ids = gather.inputs[:2]
    result = gather.outputs[0]
    ids_shape, width = subgraph.shape(ids), subgraph.shape(table)[1]
    name = _name(subgraph, result)
    if len(ids_shape) == 1:
        place = subgraph.place(gather)
        subgraph.operators[place] = subgraph.make(
            Operators.EMBEDDING_LOOKUP, [ids, table], [result], version=_LOOKUP_PER_ROW_VERSION
        )
        return
    count = -1 if -1 in ids_shape else int(np.prod(ids_shape))
    flat = subgraph.add_tensor(f"{name}/ids", Types.INT32, (count,))
    rows = subgraph.add_tensor(f"{name}/rows", Types.FLOAT32, (count, width))
    made = [
        _reshape(subgraph, ids, subgraph.add_constant(f"{name}/flat", np.array([-1], dtype=np.int32)), flat),
        subgraph.make(Operators.EMBEDDING_LOOKUP, [flat, table], [rows], version=_LOOKUP_PER_ROW_VERSION),
    ]
    if -1 in ids_shape:
        read = subgraph.add_tensor(f"{name}/ids_shape", Types.INT32, (len(ids_shape),))
        shape = subgraph.add_tensor(f"{name}/shape", Types.INT32, (len(ids_shape) + 1,))
        last = subgraph.add_constant(f"{name}/width", np.array([width], dtype=np.int32))
        asked = schema.ShapeOptionsT()
        asked.outType = Types.INT32
        made.append(subgraph.make(Operators.SHAPE, [ids], [read], options=asked))
        joined = schema.ConcatenationOptionsT()
        made.append(subgraph.make(Operators.CONCATENATION, [read, last], [shape], options=joined))
    else:
        shape = subgraph.add_constant(f"{name}/shape", np.array([*ids_shape, width], dtype=np.int32))
    made.append(_reshape(subgraph, rows, shape, result))
    subgraph.insert_after(gather, *made)
    subgraph.remove(gather)


def _reshape(subgraph: Subgraph, source: int, shape: int, result: int) -> Any:
    return subgraph.make(Operators.RESHAPE, [source, shape], [result], options=schema.ReshapeOptionsT())
