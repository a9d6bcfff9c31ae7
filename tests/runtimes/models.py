"""Tiny ONNX models with a task's names, whose outputs are known from their inputs by construction."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, helper

Size = str | int


def echo_model(
    path: Path,
    *,
    axes: tuple[Size, ...] = ("batch", "sequence"),
    dtype: int = TensorProto.INT64,
    opset: int = 18,
    ir_version: int = 9,
    inputs: tuple[str, ...] = ("input_ids", "attention_mask", "token_type_ids"),
    outputs: tuple[str, str] = ("start_logits", "end_logits"),
) -> Path:
    """A question-answering head: start_logits = ids * mask, end_logits = types + 2 * mask, as float32."""
    ids, mask, types = inputs
    nodes = [
        helper.make_node("Mul", [ids, mask], ["product"]),
        helper.make_node("Cast", ["product"], [outputs[0]], to=TensorProto.FLOAT),
        helper.make_node("Add", [types, mask], ["sum"]),
        helper.make_node("Add", ["sum", mask], ["sum2"]),
        helper.make_node("Cast", ["sum2"], [outputs[1]], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "echo",
        [helper.make_tensor_value_info(name, dtype, axes) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name in outputs],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)
    onnx.save(model, path)
    return path


def repeat_model(path: Path) -> Path:
    """As :func:`echo_model`, but start_logits grows by S * 2**20 elements a row: asks for memory nobody has."""
    ids, mask, types = "input_ids", "attention_mask", "token_type_ids"
    nodes = [
        helper.make_node("Constant", [], ["huge"], value=helper.make_tensor("v", TensorProto.INT64, [2], [1, 1 << 45])),
        helper.make_node("Tile", [ids, "huge"], ["tiled"]),
        helper.make_node("Cast", ["tiled"], ["start_logits"], to=TensorProto.FLOAT),
        helper.make_node("Add", [types, mask], ["sum"]),
        helper.make_node("Cast", ["sum"], ["end_logits"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "huge",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ("batch", "sequence")) for name in (ids, mask, types)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", "other"))
            for name in ("start_logits", "end_logits")
        ],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path
