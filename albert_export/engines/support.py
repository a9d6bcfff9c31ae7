"""THE TABLE of operators that TensorRT's ONNX parser reads, for all that our graphs can hold.

Sources, read row by row:

- 10: onnx-tensorrt's ``docs/operators.md`` of TensorRT 10.15 ("opset 9 to opset 24").
- 11: the same page of TensorRT 11.2, with the opset of NVIDIA's "ONNX Opset Guide" for 11.x.

The rows of the two do not differ for these operators. What is not in the table is refused: no operator of ours, or one
that the page lists with N (``DynamicQuantizeLinear``, ``MatMulInteger``, ``QLinearMatMul``, and every operator of
another domain, such as ``MatMulNBits``, which would need a plugin).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from albert_export.errors import InputError

#: Rules that the table's types cannot tell; what they mean is in ``albert_export.graphs.tensorrt_rules``.
Rule = Literal["zero-point", "first-output", "loop", "constant-axes"]

FLOATS = frozenset({"FP32", "FP16", "BF16"})
NUMBERS = FLOATS | {"INT32", "INT64"}
MOVED = NUMBERS | {"BOOL"}

#: What is between 8 bits and floats; no other operator takes it.
QUANTIZED = frozenset({"INT8"})

#: TensorRT's name of an ONNX element type; a type without one is refused.
TYPES: Mapping[str, str] = {
    "FLOAT": "FP32",
    "FLOAT16": "FP16",
    "BFLOAT16": "BF16",
    "INT64": "INT64",
    "INT32": "INT32",
    "INT8": "INT8",
    "UINT8": "UINT8",
    "BOOL": "BOOL",
    "INT4": "INT4",
    "UINT4": "UINT4",
    "DOUBLE": "FP64",
}

#: Bytes of one element.
TYPE_BYTES: Mapping[str, float] = {
    "FP64": 8,
    "FP32": 4,
    "FP16": 2,
    "BF16": 2,
    "INT64": 8,
    "INT32": 4,
    "INT8": 1,
    "UINT8": 1,
    "BOOL": 1,
    "INT4": 0.5,
    "UINT4": 0.5,
}


@dataclass(frozen=True)
class Operator:
    """What the parser takes of one operator.

    Attributes:
        types: Types of its data.
        data: Positions of the inputs that are data; None for all. Others are shapes, axes, indices or scales.
        rules: What must hold besides.
        told: The page's restriction, in its words but for what cannot concern our graphs.
        results: Types that it may give, where they are others than :attr:`types`.
    """

    types: frozenset[str]
    data: tuple[int, ...] | None = (0,)
    rules: tuple[Rule, ...] = ()
    told: str = ""
    results: frozenset[str] | None = None


_ELEMENTWISE = Operator(NUMBERS, data=None)
_FLOAT_UNARY = Operator(FLOATS)
_PRODUCT = Operator(FLOATS, data=None)
_MOVE = Operator(MOVED)
_REDUCTION = Operator(NUMBERS, rules=("constant-axes",), told="axes must be constant")

OPERATORS: Mapping[str, Operator] = {
    "Abs": Operator(NUMBERS),
    "Add": _ELEMENTWISE,
    "Cast": Operator(MOVED | {"UINT8"}),
    "Concat": Operator(MOVED, data=None),
    "Constant": Operator(MOVED, data=()),
    "CumSum": Operator(FLOATS, rules=("constant-axes",), told="axis must be a build-time constant"),
    "DequantizeLinear": Operator(QUANTIZED, rules=("zero-point",), told="the zero point must be zero", results=FLOATS),
    "Div": _ELEMENTWISE,
    "Einsum": _PRODUCT,
    "Equal": Operator(NUMBERS, data=None, results=frozenset({"BOOL"})),
    "Erf": _FLOAT_UNARY,
    "Expand": _MOVE,
    "Gather": _MOVE,
    "Gelu": Operator(FLOATS | {"INT8", "INT32", "INT64"}),
    "Gemm": _PRODUCT,
    "Identity": _MOVE,
    "LayerNormalization": Operator(FLOATS, data=None, rules=("first-output",), told="only the first output"),
    "Loop": Operator(
        MOVED,
        data=(),
        rules=("loop",),
        told="scan outputs of constant length; carried tensors keep their shape",
    ),
    "MatMul": _PRODUCT,
    "Max": _ELEMENTWISE,
    "Min": _ELEMENTWISE,
    "Mul": _ELEMENTWISE,
    "NonZero": Operator(frozenset({"FP32", "FP16"})),
    "QuantizeLinear": Operator(FLOATS, rules=("zero-point",), told="the zero point must be zero", results=QUANTIZED),
    "Range": Operator(NUMBERS, data=None),
    "Reciprocal": _FLOAT_UNARY,
    "ReduceMax": _REDUCTION,
    "ReduceMin": _REDUCTION,
    "Relu": Operator(NUMBERS),
    "Reshape": _MOVE,
    "Shape": Operator(MOVED, results=frozenset({"INT64"})),
    "Sigmoid": _FLOAT_UNARY,
    "Slice": _MOVE,
    "Softmax": _FLOAT_UNARY,
    "Squeeze": Operator(MOVED, rules=("constant-axes",), told="axes must be resolvable to a constant"),
    "Sub": _ELEMENTWISE,
    "Tanh": _FLOAT_UNARY,
    "Transpose": _MOVE,
    "Unsqueeze": Operator(MOVED, rules=("constant-axes",), told="axes must be resolvable to a constant"),
    "Where": Operator(MOVED, data=(1, 2)),
}


@dataclass(frozen=True)
class Release:
    """One major release of TensorRT.

    Attributes:
        major: Its number.
        opsets: Oldest and newest operator set that every minor release of it reads.
        typed_flag: Whether a network has to be told that it is strongly typed; from 11 on every network is.
        source: Where the rows were read.
    """

    major: int
    opsets: tuple[int, int]
    typed_flag: bool
    source: str


_PAGE = "onnx-tensorrt docs/operators.md"

#: The newest opset of 10 is that of 10.0; 10.15 reads up to 24. That of 11 is the one of 11.2; 11.5 reads 25.
RELEASES: tuple[Release, ...] = (
    Release(10, (9, 20), typed_flag=True, source=f"{_PAGE} of TensorRT 10.15"),
    Release(11, (9, 24), typed_flag=False, source=f"{_PAGE} of TensorRT 11.2"),
)

NEWEST = RELEASES[-1]


def release_of(version: str) -> Release:
    """Return the row of a TensorRT version, such as ``10.13.2`` or ``11``.

    Raises:
        InputError: It is none, or one whose operators are not in the table.
    """
    match = re.match(r"\d+", str(version))
    for release in RELEASES:
        if match is not None and int(match[0]) == release.major:
            return release
    known = " or ".join(f"{release.major}.x" for release in RELEASES)
    raise InputError(f"TensorRT must be {known}", received=version, fix=f"install or name TensorRT {NEWEST.major}")
