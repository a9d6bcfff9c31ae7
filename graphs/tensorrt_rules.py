"""What TensorRT's ONNX parser would refuse in a network, found without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from albert_export._imports import require
from albert_export.engines.support import OPERATORS, TYPES, Operator, Release, Rule
from albert_export.graphs.onnx_flattening import FlatGraph, Tensor

if TYPE_CHECKING:
    import onnx
else:
    onnx = require("onnx", needed_for="planning a TensorRT engine", extra="onnx")

#: TensorRT takes UINT8 as the type of inputs and outputs only.
_OUTER_ONLY = "UINT8"

#: Operators whose operands must be of one type.
_ONE_TYPE = frozenset({"Add", "Div", "Equal", "Max", "Min", "Mul", "Sub"})

#: The two names of ONNX's own operators.
_STANDARD = ("", "ai.onnx")


@dataclass(frozen=True)
class Refusal:
    """One reason for which a network is refused.

    Attributes:
        operator: The operator, or what else it is about.
        node: Name of the node.
        reason: What holds, and what would have to.
    """

    operator: str
    node: str
    reason: str

    def __str__(self) -> str:
        return f"{self.operator} ({self.node}): {self.reason}"


def refusals(
    model: onnx.ModelProto, flat: FlatGraph, tensors: Mapping[str, Tensor], release: Release
) -> tuple[Refusal, ...]:
    """Return what a release of TensorRT would refuse, in the order of the graph.

    Args:
        model: The network, its loops as they are.
        flat: The same without loops.
        tensors: Types of its values.
        release: Of TensorRT.
    """
    found = [*_opset(model, release), *unknown_operators(flat, release)]
    constants = _Constants(model, flat)
    loops = [node for node in model.graph.node if node.op_type == "Loop"]
    for node in (*flat.nodes, *loops):
        row = _row(node)
        if row is None:
            continue
        found += [Refusal(node.op_type, node.name, reason) for reason in _types(node, row, tensors)]
        for rule in row.rules:
            found += [Refusal(node.op_type, node.name, reason) for reason in _RULES[rule](node, constants)]
        if node.op_type == "Loop":
            found += [Refusal(node.op_type, node.name, reason) for reason in _carried(node, flat, tensors)]
    return tuple(found)


def unknown_operators(flat: FlatGraph, release: Release) -> Iterator[Refusal]:
    """Yield what a release has no operator for: the types behind it cannot be told."""
    for node in flat.nodes:
        if _row(node) is None:
            where = f" of the domain {node.domain}" if node.domain not in _STANDARD else ""
            reason = f"TensorRT {release.major} has no operator{where} of that name"
            yield Refusal(node.op_type, node.name, reason)


def _row(node: onnx.NodeProto) -> Operator | None:
    return OPERATORS.get(node.op_type) if node.domain in _STANDARD else None


def _opset(model: onnx.ModelProto, release: Release) -> Iterator[Refusal]:
    oldest, newest = release.opsets
    for entry in model.opset_import:
        if entry.domain in _STANDARD and not oldest <= entry.version <= newest:
            reason = f"opset {entry.version}, and every TensorRT {release.major}.x reads {oldest} to {newest}"
            yield Refusal("the network", model.graph.name, reason)


def _types(node: onnx.NodeProto, row: Operator, tensors: Mapping[str, Tensor]) -> Iterator[str]:
    data = range(len(node.input)) if row.data is None else row.data
    for index in data:
        if index < len(node.input) and node.input[index]:
            given = _told(tensors.get(node.input[index]))
            if given not in row.types:
                yield f"input {index} is {given or 'of unknown type'}, and must be {_either(row.types)}"
    for name in node.output:
        given = _told(tensors.get(name))
        allowed = row.results or row.types
        if node.op_type != "Loop" and name and (given not in allowed or given == _OUTER_ONLY):
            yield f"output {name} is {given or 'of unknown type'}, and must be {_either(allowed - {_OUTER_ONLY})}"


def _told(tensor: Tensor | None) -> str:
    return "" if tensor is None else TYPES.get(tensor.type, tensor.type)


def _either(names: frozenset[str]) -> str:
    return " or ".join(sorted(names))


class _Constants:
    """Which values are known when the engine is built."""

    def __init__(self, model: onnx.ModelProto, flat: FlatGraph) -> None:
        self.weights = {item.name: item for item in model.graph.initializer}
        self.nodes = {node.output[0]: node for node in flat.nodes if node.op_type == "Constant"}

    def known(self, name: str) -> bool:
        return name in self.weights or name in self.nodes

    def is_zero(self, name: str) -> bool:
        """Whether it is all zeros; so are zero points whose data is elsewhere, since our pass wrote them."""
        if name in self.nodes:
            tensor = next(attribute.t for attribute in self.nodes[name].attribute if attribute.name == "value")
        elif name in self.weights:
            tensor = self.weights[name]
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                return True
        else:
            return False
        return not np.any(onnx.numpy_helper.to_array(tensor))


def _zero_point(node: onnx.NodeProto, constants: _Constants) -> Iterator[str]:
    if not constants.known(node.input[1]):
        yield "its scale must be known when the engine is built"
    if len(node.input) > 2 and node.input[2] and not constants.is_zero(node.input[2]):
        yield "its zero point must be 0: TensorRT quantises symmetrically"


def _first_output(node: onnx.NodeProto, _: _Constants) -> Iterator[str]:
    if any(node.output[1:]):
        yield f"only its first output is supported, and it has {len(node.output)}"


def _constant_axes(node: onnx.NodeProto, constants: _Constants) -> Iterator[str]:
    if len(node.input) > 1 and node.input[1] and not constants.known(node.input[1]):
        yield "its axes must be known when the engine is built"


def _loop(node: onnx.NodeProto, constants: _Constants) -> Iterator[str]:
    body = next(attribute.g for attribute in node.attribute if attribute.name == "body")
    if not node.input[0] or not constants.known(node.input[0]):
        yield "its trip count must be known when the engine is built"
    read = {name for inner in body.node for name in inner.input} | {value.name for value in body.output}
    if not node.input[1] and body.input[1].name in read:
        yield "its body reads a condition that the loop is not given"
    if len(body.output) > len(body.input) - 1:
        yield "a scan output: what it gives out must be what it carries"
    turn = body.input[0].name
    if any(turn in inner.input and inner.op_type in _ONE_TYPE for inner in body.node):
        yield "its body computes with the number of its turn: INT32 in TensorRT, and INT64 in ONNX"


def _carried(node: onnx.NodeProto, flat: FlatGraph, tensors: Mapping[str, Tensor]) -> Iterator[str]:
    body = next(attribute.g for attribute in node.attribute if attribute.name == "body")
    for entering, leaving in zip(node.input[2:], body.output[1:], strict=False):
        here = (flat.names.get(name, name) for name in (entering, leaving.name))
        before, after = (tensors.get(name, Tensor("", None)) for name in here)
        if before.shape is None or before.shape != after.shape:
            yield f"{leaving.name}, which it carries, must keep its shape in every turn"
        if before.type != after.type:
            types = f"{_told(before)} enters and {_told(after)} leaves"
            yield f"{leaving.name}, which it carries, must keep its type in every turn: {types}"


_RULES: Mapping[Rule, Callable[[onnx.NodeProto, _Constants], Iterator[str]]] = {
    "zero-point": _zero_point,
    "first-output": _first_output,
    "constant-axes": _constant_axes,
    "loop": _loop,
}
