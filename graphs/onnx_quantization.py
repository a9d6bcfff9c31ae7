"""int8 in an ONNX graph: weights once, with a scale for each output, and activations quantised as they come.

Both are written as ``QuantizeLinear`` and ``DequantizeLinear`` around a ``MatMul``, which runtimes fuse into one
integer product. Activations are unsigned with a fixed zero point, weights signed with zero point 0: of the four
combinations, it is the one for which processors have an instruction.

Quantised at run time, every token has a scale of its own: a token is divided by its largest magnitude, quantised with
a constant scale, and the product is multiplied by that magnitude. What a token gives so depends on no other, whatever
the batch and the padding. One scale for a whole tensor, which is usual, lets the neighbours decide how finely a token
is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.errors import ExportError
from albert_export.graphs.onnx_rewriting import Writer
from albert_export.parts import NARROW, part_of

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")

Array = np.ndarray[Any, Any]

#: Steps on either side of a weight's zero where a product reads it. Processors that have AVX2 or AVX-512 but not VNNI
#: add two products of an unsigned and a signed byte in 16 bits, which saturate, and nothing says so: 2 * 255 * 64 still
#: fits. The other ways out cost more: unsigned weights take twice the time where there is VNNI, and the option
#: ``session.x64quantprecision`` of ONNX Runtime is for each loader to set, and does not reach into a loop.
WEIGHT_STEPS = 64
#: The same where rows are looked up only.
_ROW_STEPS = 127

#: Operators that only a quantised graph has.
_QUANTIZED = frozenset(
    {
        "DequantizeLinear",
        "DynamicQuantizeLinear",
        "DynamicQuantizeMatMul",
        "GatherBlockQuantized",
        "MatMulInteger",
        "MatMulNBits",
        "QLinearMatMul",
        "QuantizeLinear",
    }
)

#: What a scale is at least: a row of zeros has one too.
_TINY = np.float32(1e-30)

#: Least value of an activation function that is bounded below. Where it is known, most of the 255 steps can go to the
#: positive side.
_LEAST = {"Relu": 0.0, "Gelu": -0.1701, "Silu": -0.2785}

#: Steps below zero that such an activation gets.
_STEPS_BELOW = {"Relu": 0, "Gelu": 32, "Silu": 32}


@dataclass(frozen=True)
class QuantizedWeight:
    """A weight in int8.

    Attributes:
        quantized: int8 initializer; [in, out] where a product reads it, [rows, width] where rows are looked up only.
        scales: float32 initializer, one scale for each output or row.
        looked_up_axis: Axis of ``quantized`` that look-ups of rows take theirs from.
    """

    quantized: ir.Value
    scales: ir.Value
    looked_up_axis: int


def quantize_int8(
    model: ir.Model, parts: Sequence[str], ranges: Mapping[str, tuple[float, float]] | None = None
) -> bool:
    """Write the products and look-ups of the chosen parts in int8.

    Args:
        model: A float32 graph; changed in place.
        parts: Of :data:`albert_export.parts.PARTS`.
        ranges: Least and largest number of each activation that :func:`quantizable_activations` names, which then
            gets a fixed scale; None for a scale for each token at run time.

    Raises:
        ExportError: The graph is quantised already.
    """
    check_not_quantized(model)
    constants: dict[Any, ir.Value] = {}
    activations: dict[ir.Value, Activation] = {}
    chosen = quantizable(model, parts)
    for value in chosen:
        readers = [node for node, _ in value.uses()]
        weight = _quantized(model, value, readers)
        dequantized: dict[int, ir.Value] = {}
        for node in readers:
            writer = Writer(node, constants)
            if node.op_type == "Gather":
                _look_up(writer, weight)
                continue
            hidden = node.inputs[0]
            assert hidden is not None, "a product has two operands"
            cut = hidden.producer()
            whole = cut.inputs[0] if cut is not None and cut.op_type == "Slice" else hidden
            assert whole is not None, "a slice has an operand"
            if whole not in activations:
                activations[whole] = _activation(writer, whole, ranges)
            if hidden not in activations:
                activations[hidden] = _cut(writer, activations[whole], cut)
            if id(writer.graph) not in dequantized:
                dequantized[id(writer.graph)] = writer.emit(
                    "DequantizeLinear", [weight.quantized, weight.scales], axis=1
                )
            _multiply(writer, activations[hidden], dequantized[id(writer.graph)])
        del model.graph.initializers[str(value.name)]
    return bool(chosen)


def check_not_quantized(model: ir.Model) -> None:
    """Raise ExportError where the graph holds quantised tensors already."""
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        if node.op_type in _QUANTIZED:
            raise ExportError(
                "only a graph that is not quantised can be quantised",
                received=f"{node.op_type} in it",
                fix="quantise the graph in float32 that it was made of",
            )


def quantizable(model: ir.Model, parts: Sequence[str]) -> list[ir.Value]:
    """Return the weights of the chosen parts that only products and look-ups of rows read, in order; no narrow ones."""
    found = []
    for value in model.graph.initializers.values():
        shape = [] if value.shape is None else value.shape.numpy()
        if len(shape) == 2 and part_of(str(value.name)) in parts and all(_reads(*use) for use in value.uses()):
            outputs = shape[1] if any(node.op_type == "MatMul" for node, _ in value.uses()) else shape[0]
            if outputs >= NARROW and value.uses():
                found.append(value)
    return found


def quantizable_activations(model: ir.Model, parts: Sequence[str]) -> list[ir.Value]:
    """Return the activations that products with the chosen parts' weights read, each once."""
    read = [
        node.inputs[0] for value in quantizable(model, parts) for node, _ in value.uses() if node.op_type != "Gather"
    ]
    return list(dict.fromkeys(value for value in read if value is not None))


def _reads(node: ir.Node, index: int) -> bool:
    if node.op_type == "Gather":
        return index == 0 and node.attributes.get_int("axis", 0) == 0
    if node.op_type == "Gemm":
        return index == 1 and node.attributes.get_int("transB", 0) == 1 and not node.attributes.get_int("transA", 0)
    return node.op_type == "MatMul" and index == 1


def _quantized(model: ir.Model, value: ir.Value, readers: Sequence[ir.Node]) -> QuantizedWeight:
    """Make the initializers of a weight; its data is quantised when it is written."""
    # A product wants [in, out]: a table that is a decoder too is turned, and its rows are looked up along axis 1.
    turned = any(node.op_type == "Gemm" for node in readers)
    by_row = not turned and all(node.op_type == "Gather" for node in readers)
    axis = 1 if by_row else 0

    def read() -> Array:
        assert value.const_value is not None, "every initializer has data"
        values = np.asarray(value.const_value.numpy(), dtype=np.float32)
        return values.T if turned else values

    most = _ROW_STEPS if by_row else WEIGHT_STEPS
    scales = np.maximum(np.abs(read()).max(axis=axis) / np.float32(most), _TINY)

    def quantize() -> ir.Tensor[Any]:
        steps = read() / (scales[:, None] if by_row else scales)
        np.clip(np.rint(steps, out=steps), -most, most, out=steps)
        return ir.Tensor(np.ascontiguousarray(steps.astype(np.int8)))

    assert value.shape is not None, "initializers have shapes"
    shape = ir.Shape(value.shape.numpy()[::-1] if turned else value.shape.numpy())
    name = str(value.name)
    quantized = ir.Value(name=f"{name}_quantized", shape=shape, type=ir.TensorType(ir.DataType.INT8))
    quantized.const_value = ir.LazyTensor(quantize, dtype=ir.DataType.INT8, shape=shape, name=quantized.name)
    tensor = ir.Tensor(scales, name=f"{name}_scale")
    scale = ir.Value(name=tensor.name, shape=tensor.shape, type=ir.TensorType(ir.DataType.FLOAT), const_value=tensor)
    for made in (quantized, scale):
        model.graph.initializers[str(made.name)] = made
    return QuantizedWeight(quantized, scale, looked_up_axis=1 if turned else 0)


def _look_up(writer: Writer, weight: QuantizedWeight) -> None:
    """Write a look-up of rows: of the quantised rows, and of their scales."""
    ids = writer.before.inputs[1]
    rows = writer.emit("Gather", [weight.quantized, ids], axis=weight.looked_up_axis)
    if weight.looked_up_axis == 1:  # [width, ...ids] in place of [...ids, width]
        assert ids is not None and ids.shape is not None, "ids are an input of the graph"
        rank = len(ids.shape)
        rows = writer.emit("Transpose", [rows], perm=[*range(1, rank + 1), 0])
    scale = writer.emit("Gather", [weight.scales, ids], axis=0)
    column = writer.emit("Unsqueeze", [scale, writer.constant(np.array([-1], dtype=np.int64))])
    wide = writer.emit("Cast", [rows], to=ir.DataType.FLOAT.value)
    writer.replace(writer.emit("Mul", [wide, column]))


@dataclass(frozen=True)
class Activation:
    """An operand of products after its quantisation.

    Attributes:
        dequantized: What the products multiply.
        factor: What they multiply their result by; None for nothing.
    """

    dequantized: ir.Value
    factor: ir.Value | None


def _activation(writer: Writer, hidden: ir.Value, ranges: Mapping[str, tuple[float, float]] | None) -> Activation:
    if ranges is not None:
        return Activation(_with_range(writer, hidden, *ranges[str(hidden.name)]), None)
    kind = _function(hidden)
    below = _STEPS_BELOW.get(kind, 128)
    above = 255 - below if kind in _LEAST else 127
    axes = writer.constant(np.array([-1], dtype=np.int64))
    magnitude = hidden if kind in _LEAST else writer.emit("Abs", [hidden])
    largest = writer.emit("ReduceMax", [magnitude, axes], keepdims=1)
    # So large that the steps below zero reach down to the least value of the function.
    least = np.float32(-_LEAST[kind] / below * above) if below and kind in _LEAST else _TINY
    factor = writer.emit("Max", [largest, writer.constant(max(least, _TINY))])
    unit = writer.emit("Mul", [hidden, writer.emit("Reciprocal", [factor])])
    return Activation(_fixed(writer, unit, np.float32(1 / above), below), factor)


def _cut(writer: Writer, whole: Activation, cut: ir.Node | None) -> Activation:
    """Return the activation of some of the tokens: what was quantised for all of them is not quantised again."""
    assert cut is not None, "it is the slice"
    dequantizing = whole.dequantized.producer()
    assert dequantizing is not None, "it is made above"
    quantized, *parameters = dequantizing.inputs
    dequantized = writer.emit("DequantizeLinear", [writer.emit("Slice", [quantized, *cut.inputs[1:]]), *parameters])
    factor = None if whole.factor is None else writer.emit("Slice", [whole.factor, *cut.inputs[1:]])
    return Activation(dequantized, factor)


def _with_range(writer: Writer, hidden: ir.Value, low: float, high: float) -> ir.Value:
    low, high = min(low, 0.0), max(high, 0.0)  # zero is always exact
    scale = max(np.float32((high - low) / 255), _TINY)
    return _fixed(writer, hidden, scale, int(np.clip(np.rint(-low / scale), 0, 255)))


def _fixed(writer: Writer, hidden: ir.Value, scale: np.float32, zero_point: int) -> ir.Value:
    parameters = [writer.constant(np.float32(scale)), writer.constant(np.uint8(zero_point))]
    return writer.emit("DequantizeLinear", [writer.emit("QuantizeLinear", [hidden, *parameters]), *parameters])


def _function(hidden: ir.Value) -> str:
    """Return which activation function a value comes from: an entry of the tables above, or nothing."""
    producer = hidden.producer()
    if producer is None:
        return ""
    if producer.op_type == "Mul":
        gates = [item.producer() for item in producer.inputs if item is not None]
        if any(gate is not None and gate.op_type == "Sigmoid" and gate.inputs[0] in producer.inputs for gate in gates):
            return "Silu"
    return producer.op_type


def _multiply(writer: Writer, activation: Activation, weight: ir.Value) -> None:
    node = writer.before
    bias = node.inputs[2] if node.op_type == "Gemm" and len(node.inputs) > 2 else None
    product = writer.emit("MatMul", [activation.dequantized, weight])
    if activation.factor is not None:
        product = writer.emit("Mul", [product, activation.factor])
    writer.replace(product if bias is None else writer.emit("Add", [product, bias]))
