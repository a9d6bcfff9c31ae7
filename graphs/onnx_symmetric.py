"""int8 in the form that TensorRT reads: signed, symmetric, with fixed ranges, as explicit Q/DQ.

Every zero point is 0. A weight is one int8 tensor with a scale for each output, an activation has one scale that
calibration gave it; both stand in front of the product that reads them, as ``DequantizeLinear``, and TensorRT makes one
integer product of the three. Tables of which only rows are looked up stay as they are: no other operator takes int8.

Scales are numbers that float16 holds, because what is around them is in float16.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.graphs.onnx_quantization import check_not_quantized, quantizable
from albert_export.graphs.onnx_rewriting import Writer
from albert_export.parts import PARTS

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")

Array = np.ndarray[Any, Any]

#: Steps on either side of zero.
_STEPS = 127

#: Least scale: TensorRT takes none of 0, and below it float16 keeps less than 4 bits.
_LEAST = np.float32(2.0**-20)


def quantize_symmetric(
    model: ir.Model, ranges: Mapping[str, tuple[float, float]], parts: Sequence[str] = PARTS
) -> bool:
    """Write the products with weights in int8.

    Args:
        model: A float32 graph; changed in place.
        ranges: Least and largest number of each activation that
            :func:`albert_export.graphs.onnx_quantization.quantizable_activations` names.
        parts: What the integers are for, of :data:`albert_export.parts.PARTS`.

    Raises:
        ExportError: The graph is quantised already.
    """
    check_not_quantized(model)
    chosen = [value for value in quantizable(model, parts) if any(node.op_type != "Gather" for node, _ in value.uses())]
    if not chosen:
        return False
    zero = _initializer(model, "symmetric_zero_point", np.zeros((), dtype=np.int8))
    activations: dict[tuple[ir.Value, int], ir.Value] = {}
    for value in chosen:
        readers = list(value.uses())
        # [out, in] where a Gemm reads it transposed, and its rows are looked up; [in, out] otherwise.
        axis = 0 if any(node.op_type == "Gemm" for node, _ in readers) else 1
        quantized, scales = _quantized(model, value, axis)
        for node, index in readers:
            writer = Writer(node, {})
            graph = id(writer.graph)
            # One for each product, although the weight is one: what TensorRT fuses is a product and what is before it.
            dequantized = writer.emit("DequantizeLinear", [quantized, scales], axis=axis)
            dequantized.type = ir.TensorType(ir.DataType.FLOAT)
            node.replace_input_with(index, dequantized)
            if node.op_type == "Gather":
                continue
            hidden = node.inputs[0]
            assert hidden is not None, "a product has two operands"
            if (hidden, graph) not in activations:
                activations[hidden, graph] = _activation(model, writer, hidden, zero, ranges[str(hidden.name)])
            node.replace_input_with(0, activations[hidden, graph])
        del model.graph.initializers[str(value.name)]
    return True


def scale_for(largest: Array | float) -> Array:
    """Return the scale of numbers up to ``largest`` in magnitude, one that float16 holds."""
    scales = np.maximum(np.asarray(largest, dtype=np.float32) / np.float32(_STEPS), _LEAST)
    return np.asarray(np.minimum(scales, np.float32(65504.0)).astype(np.float16).astype(np.float32))


def _quantized(model: ir.Model, value: ir.Value, axis: int) -> tuple[ir.Value, ir.Value]:
    """Make the initializers of a weight and its scales; its data is quantised when it is written."""

    def read() -> Array:
        assert value.const_value is not None, "every initializer has data"
        return np.asarray(value.const_value.numpy(), dtype=np.float32)

    scales = scale_for(np.abs(read()).max(axis=1 - axis))

    def quantize() -> ir.Tensor[Any]:
        steps = read() / np.expand_dims(scales, 1 - axis)
        return ir.Tensor(np.clip(np.rint(steps, out=steps), -_STEPS, _STEPS, out=steps).astype(np.int8))

    assert value.shape is not None, "initializers have shapes"
    shape = ir.Shape(value.shape.numpy())
    name = f"{value.name}_quantized"
    quantized = ir.Value(name=name, shape=shape, type=ir.TensorType(ir.DataType.INT8))
    quantized.const_value = ir.LazyTensor(quantize, dtype=ir.DataType.INT8, shape=shape, name=name)
    model.graph.initializers[name] = quantized
    return quantized, _initializer(model, f"{value.name}_scale", scales)


def _activation(
    model: ir.Model, writer: Writer, hidden: ir.Value, zero: ir.Value, seen: tuple[float, float]
) -> ir.Value:
    scale = _initializer(model, f"{hidden.name}_scale", scale_for(max(abs(seen[0]), abs(seen[1]))))
    integers = writer.emit("QuantizeLinear", [hidden, scale, zero])
    integers.type = ir.TensorType(ir.DataType.INT8)
    result = writer.emit("DequantizeLinear", [integers, scale])
    result.type = ir.TensorType(ir.DataType.FLOAT)
    return result


def _initializer(model: ir.Model, name: str, array: Array) -> ir.Value:
    if name in model.graph.initializers:
        return model.graph.initializers[name]
    tensor = ir.Tensor(array, name=name)
    value = ir.Value(name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
    model.graph.initializers[name] = value
    return value
