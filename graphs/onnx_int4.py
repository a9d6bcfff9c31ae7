"""int4 in an ONNX graph: each matrix once, in blocks of numbers along its inputs that share a scale.

Products are ``MatMulNBits`` of ONNX Runtime (domain ``com.microsoft``): standard operators could not multiply by a
matrix of four bits without widening it first. Rows of tables are looked up packed and widened afterwards, by standard
operators on a few rows, so that a decoder that is tied to its table reads the same bytes.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.graphs.onnx_quantization import check_not_quantized, quantizable
from albert_export.graphs.onnx_rewriting import Writer

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")

Array = np.ndarray[Any, Any]

#: Numbers of a block, which share a scale.
BLOCK = 32

#: 0 to 15 stand for -8 to 7 times the scale: what the operator takes where it is given no zero points.
_ZERO, _LARGEST = 8, 15

#: What the scale of a block of zeros is.
_TINY = np.float32(1e-30)

#: How exactly the operator computes: 1 is in float32, everywhere. 4, with activations in int8 where the processor has a
#: kernel for it, gives other answers on other machines, and of albert-seeded 18 dB where this gives 105; on one with
#: AVX-512 VNNI it takes two thirds of the time at 16 tokens of albert-base, and a quarter more at 128.
ACCURACY_LEVEL = 1

#: Numbers that are quantised together, so that the peak of memory is hardly more than the matrix.
_CHUNK = 1 << 22

CONTRIB_DOMAIN, _CONTRIB_VERSION = "com.microsoft", 1


@dataclass(frozen=True)
class PackedWeight:
    """A weight in int4.

    Attributes:
        packed: uint8 initializer ``[rows, blocks, BLOCK / 2]``, two numbers a byte, the first in the lower half. A row
            is an output of a product, or an entry of a table.
        scales: float32 initializer ``[rows, blocks]``.
        width: Numbers of a row, without those that fill its last block.
    """

    packed: ir.Value
    scales: ir.Value
    width: int


def quantize_int4(model: ir.Model, parts: Sequence[str]) -> bool:
    """Write the products and look-ups of the chosen parts in int4.

    Args:
        model: A float32 graph; changed in place.
        parts: Of :data:`albert_export.parts.PARTS`.

    Raises:
        ExportError: The graph is quantised already.
    """
    check_not_quantized(model)
    constants: dict[Any, ir.Value] = {}
    chosen = quantizable(model, parts)
    for value in chosen:
        readers = [node for node, _ in value.uses()]
        weight = _packed(model, value, transposed=any(node.op_type == "MatMul" for node in readers))
        for node in readers:
            writer = Writer(node, constants)
            if node.op_type == "Gather":
                _look_up(writer, weight)
            else:
                _multiply(writer, weight)
        del model.graph.initializers[str(value.name)]
    if chosen:
        model.graph.opset_imports[CONTRIB_DOMAIN] = _CONTRIB_VERSION
    return bool(chosen)


def block_scales(blocks: Array) -> Array:
    """Return the scale of each block, by which its largest number is met exactly.

    Args:
        blocks: float32 ``[rows, blocks, BLOCK]``.

    Returns:
        float32 ``[rows, blocks]``, never 0; negative where the block's largest number is positive, since the range
        reaches one step further below zero.
    """
    where = np.abs(blocks).argmax(axis=-1)[..., None]
    scales = np.take_along_axis(blocks, where, axis=-1)[..., 0] / np.float32(-_ZERO)
    scales[np.abs(scales) < _TINY] = _TINY
    return np.asarray(scales, dtype=np.float32)


def codes(blocks: Array, scales: Array) -> Array:
    """Return the numbers of blocks in steps, uint8 from 0 to 15, of the same shape."""
    steps = blocks / scales[..., None]
    np.rint(steps, out=steps)
    steps += _ZERO
    return np.clip(steps, 0, _LARGEST, out=steps).astype(np.uint8)


def _blocks(rows: Array) -> Array:
    """Return rows in blocks, ``[rows, blocks, BLOCK]``, the last filled up with zeros."""
    count = -(-rows.shape[1] // BLOCK)
    filled = np.zeros((len(rows), count * BLOCK), np.float32)
    filled[:, : rows.shape[1]] = rows
    return filled.reshape(len(rows), count, BLOCK)


def _packed(model: ir.Model, value: ir.Value, *, transposed: bool) -> PackedWeight:
    """Make the initializers of a weight; its data is packed when it is written."""
    assert value.shape is not None, "initializers have shapes"
    stored = value.shape.numpy()
    rows, width = stored[::-1] if transposed else stored
    count = -(-width // BLOCK)

    def chunks() -> Iterator[tuple[slice, Array]]:
        assert value.const_value is not None, "every initializer has data"
        whole = np.asarray(value.const_value.numpy(), dtype=np.float32)
        whole = whole.T if transposed else whole
        together = max(1, _CHUNK // (count * BLOCK))
        for start in range(0, rows, together):
            blocks = _blocks(whole[start : start + together])
            yield slice(start, start + len(blocks)), blocks

    scales = np.empty((rows, count), np.float32)
    for place, blocks in chunks():
        scales[place] = block_scales(blocks)

    def pack() -> ir.Tensor[Any]:
        packed = np.empty((rows, count, BLOCK // 2), np.uint8)
        for place, blocks in chunks():
            found = codes(blocks, scales[place])
            packed[place] = found[..., 0::2] | found[..., 1::2] << 4
        return ir.Tensor(packed)

    shape = ir.Shape((rows, count, BLOCK // 2))
    name = str(value.name)
    packed = ir.Value(name=f"{name}_q4", shape=shape, type=ir.TensorType(ir.DataType.UINT8))
    packed.const_value = ir.LazyTensor(pack, dtype=ir.DataType.UINT8, shape=shape, name=packed.name)
    tensor = ir.Tensor(scales, name=f"{name}_scale")
    scale = ir.Value(name=tensor.name, shape=tensor.shape, type=ir.TensorType(ir.DataType.FLOAT), const_value=tensor)
    for made in (packed, scale):
        model.graph.initializers[str(made.name)] = made
    return PackedWeight(packed, scale, width)


def _multiply(writer: Writer, weight: PackedWeight) -> None:
    node = writer.before
    bias = node.inputs[2] if node.op_type == "Gemm" and len(node.inputs) > 2 else None
    assert weight.packed.shape is not None, "initializers have shapes"
    product = writer.emit(
        "MatMulNBits",
        [node.inputs[0], weight.packed, weight.scales],
        domain=CONTRIB_DOMAIN,
        K=weight.width,
        N=int(weight.packed.shape.numpy()[0]),
        bits=4,
        block_size=BLOCK,
        accuracy_level=ACCURACY_LEVEL,
    )
    writer.replace(product if bias is None else writer.emit("Add", [product, bias]))


def _look_up(writer: Writer, weight: PackedWeight) -> None:
    """Write a look-up of rows: of the packed rows, which are then unpacked, and of their scales.

    Bytes are taken apart in float32, which every device computes in, and which holds them exactly.
    """
    ids = writer.before.inputs[1]
    assert weight.packed.shape is not None, "initializers have shapes"
    _, blocks, _ = weight.packed.shape.numpy()
    last = writer.constant(np.array([-1], dtype=np.int64))
    rows = writer.emit("Gather", [weight.packed, ids], axis=0)  # [...ids, blocks, BLOCK / 2]
    both = writer.emit("Cast", [rows], to=ir.DataType.FLOAT.value)
    upper = writer.emit("Floor", [writer.emit("Mul", [both, writer.constant(np.float32(1 / 16))])])
    lower = writer.emit("Sub", [both, writer.emit("Mul", [upper, writer.constant(np.float32(16))])])
    halves = [writer.emit("Unsqueeze", [half, last]) for half in (lower, upper)]
    pairs = writer.emit("Concat", halves, axis=-1)  # [...ids, blocks, BLOCK / 2, 2]
    numbers = writer.emit("Sub", [pairs, writer.constant(np.float32(_ZERO))])
    scales = writer.emit("Gather", [weight.scales, ids], axis=0)
    wide = writer.emit("Unsqueeze", [scales, writer.constant(np.array([-2, -1], dtype=np.int64))])
    scaled = writer.emit("Mul", [numbers, wide])
    width = writer.constant(np.array([blocks * BLOCK], dtype=np.int64))
    shape = writer.emit("Concat", [writer.emit("Shape", [ids]), width], axis=0)
    row = writer.emit("Reshape", [scaled, shape])
    if blocks * BLOCK != weight.width:
        first, end = (writer.constant(np.array([number], dtype=np.int64)) for number in (0, weight.width))
        row = writer.emit("Slice", [row, first, end, last])
    writer.replace(row)
