"""An ONNX graph with the bodies of its loops in place of them, once each, to learn the shapes of what is inside.

onnx's shape inference forgets the shape of what a loop carries, since a loop may change it. Ours do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from albert_export._imports import require

if TYPE_CHECKING:
    import onnx
else:
    onnx = require("onnx", needed_for="planning a TensorRT engine", extra="onnx")


@dataclass(frozen=True)
class Tensor:
    """A value of a graph.

    Attributes:
        type: ONNX's name of its element type, e.g. ``FLOAT16``; empty where it cannot be told.
        shape: Its sizes; None where they cannot be told.
    """

    type: str
    shape: tuple[int, ...] | None


@dataclass(frozen=True)
class FlatGraph:
    """A graph without loops.

    Attributes:
        nodes: Its nodes in order, those of loops' bodies in place of the loop.
        turns: How often each runs, by its name: the loop's trip count, or 1.
        names: Name of a value that enters or leaves a loop -> the name that it has here.
        model: The model that holds them.
    """

    nodes: tuple[onnx.NodeProto, ...]
    turns: Mapping[str, int]
    names: Mapping[str, str]
    model: onnx.ModelProto

    def tensors(self, sizes: Mapping[str, int], *, strict: bool = True) -> dict[str, Tensor]:
        """Return type and shape of every value, for inputs whose symbolic axes have these sizes.

        Args:
            sizes: Axis -> its size.
            strict: Whether a value whose type cannot be told is an error, as that of an operator which onnx lacks is.

        Raises:
            onnx.shape_inference.InferenceError: There is one.
        """
        sized = onnx.ModelProto()
        sized.CopyFrom(self.model)
        for value in sized.graph.input:
            for axis in value.type.tensor_type.shape.dim:
                if axis.dim_param in sizes:
                    axis.dim_value = sizes[axis.dim_param]  # clears the name
        inferred = onnx.shape_inference.infer_shapes(sized, check_type=strict, strict_mode=strict, data_prop=True)
        graph = inferred.graph
        found = {item.name: Tensor(_type(item.data_type), tuple(item.dims)) for item in graph.initializer}
        for value in (*graph.input, *graph.value_info, *graph.output):
            tensor = value.type.tensor_type
            known = tensor.HasField("shape") and all(axis.HasField("dim_value") for axis in tensor.shape.dim)
            shape = tuple(axis.dim_value for axis in tensor.shape.dim) if known else None
            found[value.name] = Tensor(_type(tensor.elem_type), shape)
        return found


def flatten_loops(model: onnx.ModelProto) -> FlatGraph:
    """Put the body of every loop in its place, once.

    Args:
        model: A graph whose names are unique across the bodies of its loops, as ours are; unchanged. Weights may lack
            their data.
    """
    flat = onnx.ModelProto()
    flat.CopyFrom(model)
    del flat.graph.node[:]
    del flat.graph.value_info[:]
    for value in flat.graph.output:  # its axes are those of the inputs: inference says how large they are
        value.type.tensor_type.ClearField("shape")
    counts = {node.output[0]: node for node in model.graph.node if node.op_type == "Constant"}
    turns: dict[str, int] = {}
    renamed: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type != "Loop":
            _append(flat, node, renamed, turns, 1)
            continue
        body = next(attribute.g for attribute in node.attribute if attribute.name == "body")
        trips = _scalar(counts.get(node.input[0]))
        carried = list(zip(body.input[2:], node.input[2:], strict=True))
        renamed |= {inner.name: renamed.get(outer, outer) for inner, outer in carried}
        read = {name for inner in body.node for name in inner.input}
        for given, value in zip(body.input[:2], (np.array(0, dtype=np.int64), np.array(True)), strict=True):
            if given.name in read:  # its turn, and its condition: any value of the type will do
                tensor = onnx.numpy_helper.from_array(value)
                constant = onnx.helper.make_node("Constant", [], [given.name], name=f"{given.name}_any", value=tensor)
                _append(flat, constant, renamed, turns, trips)
        for inner_node in body.node:
            _append(flat, inner_node, renamed, turns, trips)
        leaving = zip(node.output, body.output[1:], strict=True)
        renamed |= {outer: renamed.get(inner.name, inner.name) for outer, inner in leaving}
    for value in flat.graph.output:
        if value.name in renamed:
            made = flat.graph.node.add(op_type="Identity", name=f"{value.name}_given_out", output=[value.name])
            made.input.append(renamed[value.name])
            turns[made.name] = 1
    return FlatGraph(tuple(flat.graph.node), turns, renamed, flat)


def _append(
    flat: onnx.ModelProto, node: onnx.NodeProto, renamed: Mapping[str, str], turns: dict[str, int], trips: int
) -> None:
    made = flat.graph.node.add()
    made.CopyFrom(node)
    made.input[:] = [renamed.get(name, name) for name in node.input]
    turns[made.name] = trips


def _scalar(node: onnx.NodeProto | None) -> int:
    """Return the number of a constant; 0 for what is none."""
    if node is None:
        return 0
    return int(onnx.numpy_helper.to_array(next(a.t for a in node.attribute if a.name == "value")))


def _type(number: int) -> str:
    return str(onnx.TensorProto.DataType.Name(number)) if number else ""
