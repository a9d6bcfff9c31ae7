"""Packed tokens in an ONNX graph: padding is left out of everything that is computed token by token.

Of the ``[R,S]`` tokens of a batch (R rows: texts, or the choices of all questions), the T that count are gathered into
``[T,E]`` before they are mapped to the hidden width. Every product with a weight then runs on T rows. Only attention,
which is between the tokens of a row, takes query, key and value back to ``[R,S,D]``: a copy, not a product. What the
artifact gives out has the padded shape again.

What counts is each token whose mask is not 0, and the first of each row, masked or not: pooled outputs are made of it,
also in a row that is padded on the left, and with it no row is ever empty. A token that does not count stands for
nothing. In its place attention sees, with the bias that hides it, the last token before it in its row that counts, and
outputs repeat what that one gives. So no row is touched by another, and an argmax over a row can fall on padding only
where the row begins with some.

``NonZero`` finds the tokens, so T depends on the data: runtimes that plan every shape beforehand take the form without.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.errors import ExportError
from albert_export.graphs.onnx_rewriting import Writer
from albert_export.parts import part_of

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")

#: Name of the value ``[R,S]``, int64, that holds for each token which of the T stands in its place.
PLACES = "packed_places"

#: Begins the name of the layer that tokens are packed before.
_FIRST = "embedding_hidden_mapping_in."

#: Parts of the model whose products are all over ``[R,S,width]``, and so over tokens.
_LAYER_PARTS = ("attention", "ffn")

#: Operators that give each token what its own numbers say, so that packed rows give packed rows.
_BY_TOKEN = frozenset({"Add", "Gelu", "Identity", "LayerNormalization", "Mul", "Relu", "Sigmoid", "Sub", "Tanh"})


def pack_tokens(model: ir.Model) -> bool:
    """Let everything that is computed token by token be computed for the tokens that count.

    Args:
        model: A float32 graph, not yet quantised, with an input ``attention_mask``; changed in place.

    Raises:
        ExportError: The graph has no such input, or no layer that maps embeddings to the hidden width.
    """
    first = next((node for node in model.graph if _FIRST in _weight_name(node)), None)
    mask = next((value for value in model.graph.inputs if value.name == "attention_mask"), None)
    if first is None or mask is None:
        raise ExportError(
            "a graph to pack must read attention_mask, and map embeddings to the hidden width",
            received=f"a graph of {', '.join(str(value.name) for value in model.graph.inputs)}",
            fix="export with padded tokens",
        )
    packing = _Packing(first, mask)
    packing.rewrite(model.graph)
    for index, output in enumerate(list(model.graph.outputs)):
        if output in packing.packed:
            packing.give_out(model.graph, index)
    return True


class _Packing:
    """One run of the pass.

    Args:
        first: The product that tokens are packed before.
        mask: ``[R,S]``, or ``[B,N,S]`` of as many rows; not 0 at real tokens.

    Attributes:
        packed: Values whose first axis is T in place of R and S.
    """

    def __init__(self, first: ir.Node, mask: ir.Value) -> None:
        self.packed: set[ir.Value] = set()
        self._first = first
        self._constants: dict[Any, ir.Value] = {}
        self._writers: dict[ir.Node, Writer] = {}
        self._padded: dict[tuple[int, ir.Value], ir.Value] = {}
        self._tokens, self._places = _find_tokens(self._before(first), mask)

    def rewrite(self, graph: ir.Graph) -> None:
        """Rewrite the nodes of a graph, each after those that it reads."""
        for node in list(graph):
            if node.op_type == "Loop":
                self._rewrite_loop(node)
            elif self._is_by_token(node):
                self.packed.update(node.outputs)
            else:
                self._rewrite_by_row(node)

    def give_out(self, graph: ir.Graph, index: int) -> None:
        """Let an output of the graph, which is packed, have the padded shape again."""
        packed = graph.outputs[index]
        node = ir.node("Gather", [packed, self._places], {"axis": 0})
        padded = node.outputs[0]
        padded.name, padded.shape, padded.type = packed.name, packed.shape, packed.type
        packed.name, packed.shape = f"{padded.name}_packed", None
        node.name = f"{padded.name}_padded"
        graph.append(node)
        graph.outputs[index] = padded

    def _before(self, node: ir.Node) -> Writer:
        if node not in self._writers:
            self._writers[node] = Writer(node, self._constants)
        return self._writers[node]

    def _rewrite_loop(self, loop: ir.Node) -> None:
        body = loop.attributes["body"].as_graph()
        if loop.inputs[2] not in self.packed:
            raise ExportError("the loop over the layers must begin with packed tokens", received=str(loop.name))
        self.packed.add(body.inputs[2])
        self.rewrite(body)
        if body.outputs[1] not in self.packed:
            raise ExportError("a layer must end in a step that is done token by token", received=str(loop.name))
        self.packed.add(loop.outputs[0])

    def _is_by_token(self, node: ir.Node) -> bool:
        """Whether the node gives packed tokens; a product of a layer is made to, by packing what it reads."""
        weight = _weight_name(node)
        if not weight and node.op_type not in _BY_TOKEN:
            return False
        if part_of(weight) == "head" and _width(node, 1) > _width(node, 0):
            return False  # scores of a whole vocabulary: to copy them would cost what leaving padding out saves
        if node.inputs[0] not in self.packed and (node is self._first or part_of(weight) in _LAYER_PARTS):
            self._pack_input(node)
        return self._reads_packed(node)

    def _reads_packed(self, node: ir.Node) -> bool:
        read = [value for value in node.inputs if value is not None and not _is_shared(value)]
        return bool(read) and all(value in self.packed for value in read)

    def _pack_input(self, node: ir.Node) -> None:
        """Let a product read ``[T,width]``, gathered from ``[R,S,width]`` or from what is reshaped to it."""
        padded = node.inputs[0]
        producer = None if padded is None else padded.producer()
        source = producer.inputs[0] if producer is not None and producer.op_type == "Reshape" else padded
        writer = self._before(node)
        every = writer.emit("Reshape", [source, writer.constant(np.array([-1, _width(node, 0)], dtype=np.int64))])
        packed = writer.emit("Gather", [every, self._tokens], axis=0)
        node.replace_input_with(0, packed)
        self.packed.add(packed)

    def _rewrite_by_row(self, node: ir.Node) -> None:
        """Give a node that needs the rows of the batch what it reads in the padded shape, ``[R,S,…]``."""
        writer = self._before(node)
        if node.op_type == "Gather" and node.inputs[0] in self.packed and node.attributes.get_int("axis", 0) == 1:
            # One token of each row, such as the first: it is looked up, and the others stay where they are.
            place = writer.emit("Gather", [self._places, node.inputs[1]], axis=1)
            writer.replace(writer.emit("Gather", [node.inputs[0], place], axis=0))
            return
        for index, value in enumerate(node.inputs):
            if value is not None and value in self.packed:
                key = (id(writer.graph), value)
                if key not in self._padded:
                    self._padded[key] = writer.emit("Gather", [value, self._places], axis=0)
                node.replace_input_with(index, self._padded[key])


def _find_tokens(writer: Writer, mask: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Write what finds the tokens that count, ``[T]`` of R·S, and :data:`PLACES`, once for all layers."""
    assert mask.shape is not None, "inputs have shapes"
    every = writer.constant(np.array([-1], dtype=np.int64))
    zero, one = (writer.constant(np.array(number, dtype=np.int64)) for number in (0, 1))
    length = writer.emit("Shape", [mask], start=-1)
    if len(mask.shape) > 2:  # the choices of all questions are rows
        mask = writer.emit("Reshape", [mask, writer.emit("Concat", [every, length], axis=0)])
    positions = writer.emit("Range", [zero, writer.emit("Squeeze", [length]), one])
    real = writer.emit("Cast", [mask], to=ir.DataType.BOOL.value)
    counts = writer.emit("Or", [real, writer.emit("Equal", [positions, zero])])
    flat = writer.emit("Reshape", [counts, every])
    tokens = writer.emit("Reshape", [writer.emit("NonZero", [flat]), every])
    # As many as have been met so far, less one: where a token does not count, the place of the last that did. The first
    # of each row always does, so that it is of the same row.
    met = writer.emit("CumSum", [writer.emit("Cast", [flat], to=ir.DataType.INT64.value), zero])
    places = writer.emit("Reshape", [writer.emit("Sub", [met, one]), writer.emit("Shape", [counts])])
    places.name = PLACES
    return tokens, places


def _weight_name(node: ir.Node) -> str:
    """Return the name of the matrix that the node multiplies its input by, or nothing."""
    weight = node.inputs[1] if node.op_type == "MatMul" else None
    return str(weight.name) if weight is not None and weight.is_initializer() else ""


def _width(node: ir.Node, axis: int) -> int:
    """Return the number of inputs (axis 0) or outputs (axis 1) of a product with a weight."""
    weight = node.inputs[1]
    assert weight is not None and weight.shape is not None, "initializers have shapes"
    return int(weight.shape.numpy()[axis])


def _is_shared(value: ir.Value) -> bool:
    """Whether the value is the same for all tokens: a weight or a constant."""
    producer = value.producer()
    return value.is_initializer() or (producer is not None and producer.op_type == "Constant")
