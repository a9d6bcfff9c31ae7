"""Calibrated int8: the layers' products with weights and GELU compute in integers, with ranges from calibration.

Attention's own products stay in float32: XNNPACK computes them in int8 in one thread, and slower than in float32.
Normalisation and softmax stay there too: in 8 bits they cost a BERT more than everything else together, and take a
hundredth of the time. What stands outside the layers (embeddings, the mapping to the hidden width, heads) has int8
weights and float32 results, so that an output keeps its resolution.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from albert_export.graphs.tflite_calibration import Feed, Place, ranges
from albert_export.graphs.tflite_graph import Operators, Subgraph, TFLiteGraph, Types, schema
from albert_export.graphs.tflite_passes import DENSE_VERSION, drop_unused
from albert_export.graphs.tflite_quantization import (
    DENSE_PER_ROW_VERSION,
    check_not_quantized,
    check_quantizable,
    parameters,
    quantize_weights,
)
from albert_export.parts import PARTS

#: Part of the name of every weight of a layer.
LAYERS = "encoder.albert_layer_groups."

_GELU_VERSION = 2
_TRANSPOSE_VERSION = 2
_DEQUANTIZE_VERSION = 2

Groups = dict[Place, Place]

#: Scale and zero point of the tensors of a group, by its first.
Steps = dict[Place, tuple[float, int]]

#: Steps of a product that a bias, or a step of the result, has at most: so many that nothing of it is rounded away, and
#: so few that a sum of products (33,000 of them) fits beside it into 32 bits.
_MOST_STEPS = 2**30


def quantize_layers(graph: TFLiteGraph, feeds: Iterable[Feed], parts: Sequence[str] = PARTS, *, per_row: bool) -> bool:
    """Write the layers in integers, and all other matrices as :func:`.quantize_weights` does.

    Args:
        graph: A float32 graph with its dense layers written as FULLY_CONNECTED and GELU as one operator.
        feeds: Calibration inputs.
        parts: What becomes integers, of :data:`albert_export.parts.PARTS`; the rest stays as it is.
        per_row: A scale for each output of a dense layer, or one for all.

    Raises:
        ExportError: The graph is quantised already, or does not run on a calibration input.
        InputError: None of the parts has a matrix that can be quantised.
    """
    check_not_quantized(graph)
    chosen = check_quantizable(graph, parts)
    integer = [item for item in _numbered(graph) if _computes(graph, *item, chosen)]
    groups = _groups(graph, integer)
    moved = {(number, operator.outputs[0]) for number, operator in integer if _moves(graph, operator)}
    found = ranges(graph, sorted(groups.keys() - moved), feeds) if groups else {}  # embeddings alone compute in floats
    merged: defaultdict[Place, list[tuple[float, float]]] = defaultdict(list)
    for place, span in found.items():
        merged[groups[place]].append(span)
    spans = {root: (min(low for low, _ in all_), max(high for _, high in all_)) for root, all_ in merged.items()}
    steps = {root: activation_parameters(*span) for root, span in spans.items()}
    quantize_weights(graph, parts, per_row=per_row, least=_least_scales(graph, integer, groups, steps))
    _Rewriter(graph, groups, steps, per_row).run(integer)
    drop_unused(graph)  # the biases in float32, and what nothing reads as floats any more
    return bool(chosen)


def activation_parameters(low: float, high: float) -> tuple[float, int]:
    """Return scale and zero point with which int8 spans ``low`` to ``high``; 0 is always among its numbers."""
    low, high = min(low, 0.0), max(high, 0.0)
    smallest = float(np.finfo(np.float32).tiny)
    scale = float(np.float32(max((high - low) / 255.0, smallest)))
    return scale, int(np.clip(np.rint(-128.0 - low / scale), -128, 127))


def _numbered(graph: TFLiteGraph) -> Iterator[tuple[int, Any]]:
    for number, subgraph in enumerate(graph.subgraphs):
        for operator in subgraph.operators:
            yield number, operator


def _computes(graph: TFLiteGraph, number: int, operator: Any, chosen: set[int]) -> bool:
    """Return whether an operator of a layer computes in integers."""
    subgraph = graph.subgraphs[number]
    code = graph.code(operator)
    if code == Operators.FULLY_CONNECTED:
        weight = subgraph.weight(operator.inputs[1])
        return weight is not None and LAYERS in weight.name and subgraph.tensor(operator.inputs[1]).buffer in chosen
    if code == Operators.GELU:
        producer = subgraph.producer(operator.inputs[0])
        return producer is not None and _computes(graph, number, producer, chosen)
    if code in (Operators.RESHAPE, Operators.TRANSPOSE):
        producer = subgraph.producer(operator.inputs[0])
        return producer is not None and _computes(graph, number, producer, chosen)
    return False


def _moves(graph: TFLiteGraph, operator: Any) -> bool:
    return graph.code(operator) in (Operators.RESHAPE, Operators.TRANSPOSE)


def _groups(graph: TFLiteGraph, integer: list[tuple[int, Any]]) -> Groups:
    """Return, for each tensor that becomes int8, the first of those that have one scale.

    A tensor that was only moved keeps its scale. And whatever one weight is multiplied with, in all layers that are
    not rolled, has one scale, because the bias is stored in steps of it: once, as the weight.
    """
    parents: Groups = {}

    def root(place: Place) -> Place:
        parents.setdefault(place, place)
        while parents[place] != place:
            place = parents[place]
        return place

    def join(one: Place, other: Place) -> None:
        first, second = sorted((root(one), root(other)))
        parents[second] = first

    read_with: dict[str, Place] = {}
    for number, operator in integer:
        subgraph = graph.subgraphs[number]
        read, written = (number, operator.inputs[0]), (number, operator.outputs[0])
        root(read)
        root(written)
        if _moves(graph, operator):
            join(read, written)
        weight = subgraph.weight(operator.inputs[1]) if graph.code(operator) == Operators.FULLY_CONNECTED else None
        if weight is not None:
            join(read_with.setdefault(weight.name, read), read)
    return {place: root(place) for place in list(parents)}


def _least_scales(
    graph: TFLiteGraph, integer: list[tuple[int, Any]], groups: Groups, steps: Steps
) -> dict[int, np.ndarray[Any, Any]]:
    """Return what the scale of each row of a weight is at least, by the weight's buffer.

    A bias is stored in steps of the product, which are the scale of the input times that of the row. Where a row is
    zeros, or next to them, such a step would be so small that 32 bits have no room for the bias.
    """
    found: dict[int, np.ndarray[Any, Any]] = {}
    for number, operator in integer:
        if graph.code(operator) != Operators.FULLY_CONNECTED:
            continue
        subgraph = graph.subgraphs[number]
        into, out = (steps[groups[number, index]][0] for index in (operator.inputs[0], operator.outputs[0]))
        bias = subgraph.weight(operator.inputs[2])
        rows = subgraph.shape(operator.inputs[1])[0]
        largest = np.zeros(rows) if bias is None else np.abs(bias.oriented().astype(np.float64))
        buffer = subgraph.tensor(operator.inputs[1]).buffer
        least = np.maximum(largest, out) / _MOST_STEPS / into
        found[buffer] = np.maximum(found.get(buffer, least), least)  # layers that are written out share a weight
    return found


class _Rewriter:
    """Writes the chosen operators in int8, with QUANTIZE and DEQUANTIZE where floats begin and end."""

    def __init__(self, graph: TFLiteGraph, groups: Groups, steps: Steps, per_row: bool) -> None:
        self.graph = graph
        self.groups = groups
        self.steps = steps
        self.dense_version = DENSE_PER_ROW_VERSION if per_row else DENSE_VERSION
        self.biases: dict[tuple[int, str], int] = {}

    def run(self, integer: list[tuple[int, Any]]) -> None:
        """Rewrite; ``integer`` is in the order in which the operators run."""
        made: dict[Place, int] = {}
        for number, operator in integer:
            subgraph = self.graph.subgraphs[number]
            place = (number, operator.inputs[0])
            if place not in made:
                made[place] = self._int8_tensor(place)
                options = schema.QuantizeOptionsT()
                quantize = subgraph.make(Operators.QUANTIZE, [place[1]], [made[place]], options=options)
                subgraph.insert_before(operator, quantize)
            operator.inputs[0] = made[place]
            place = (number, operator.outputs[0])
            made[place] = self._int8_tensor(place)
            operator.outputs = [made[place]]
            options = schema.DequantizeOptionsT()
            # Dropped again where nothing reads the floats.
            subgraph.insert_after(
                operator,
                subgraph.make(
                    Operators.DEQUANTIZE, [made[place]], [place[1]], version=_DEQUANTIZE_VERSION, options=options
                ),
            )
            self._set_version(subgraph, operator)

    def _int8_tensor(self, place: Place) -> int:
        subgraph = self.graph.subgraphs[place[0]]
        name = subgraph.tensor(place[1]).name
        text = name.decode() if isinstance(name, bytes) else str(name)
        index = subgraph.add_tensor(f"{text}/int8", Types.INT8, subgraph.shape(place[1]))
        scale, zero_point = self.steps[self.groups[place]]
        subgraph.tensor(index).quantization = parameters(np.array([scale]), zero_point)
        return index

    def _set_version(self, subgraph: Subgraph, operator: Any) -> None:
        code = self.graph.code(operator)
        versions = {
            Operators.FULLY_CONNECTED: self.dense_version,
            Operators.GELU: _GELU_VERSION,
            Operators.TRANSPOSE: _TRANSPOSE_VERSION,
            Operators.RESHAPE: 1,
        }
        operator.opcodeIndex = self.graph.code_index(code, versions[code])
        if code == Operators.FULLY_CONNECTED:
            operator.builtinOptions.asymmetricQuantizeInputs = False
            self._quantize_bias(subgraph, operator)

    def _quantize_bias(self, subgraph: Subgraph, operator: Any) -> None:
        """Store the bias in steps of the product: those of the input times those of the weight."""
        bias = subgraph.weight(operator.inputs[2])
        weight = subgraph.weight(operator.inputs[1])
        if bias is None or weight is None or weight.scales is None:
            return
        # One tensor for all layers that are not rolled: its scales would outweigh everything else.
        key = self.graph.subgraphs.index(subgraph), bias.name
        if key not in self.biases:
            steps = subgraph.tensor(operator.inputs[0]).quantization.scale * weight.scales
            scales = np.broadcast_to(steps, bias.shape).copy()
            buffer = self.graph.add_buffer(None)
            self.graph.weights[buffer] = replace(bias, dtype="int32", scales=scales)
            self.biases[key] = subgraph.add_tensor(f"{bias.name}/int32", Types.INT32, bias.shape, buffer)
            subgraph.tensor(self.biases[key]).quantization = parameters(steps)
        operator.inputs[2] = self.biases[key]
