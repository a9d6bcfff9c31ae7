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


def broken_model(path: Path) -> Path:
    """A model that loads, and fails on all but 4 ids: it has a size of its trace built in."""
    nodes = [
        helper.make_node("Constant", [], ["four"], value=helper.make_tensor("v", TensorProto.INT64, [2], [1, 4])),
        helper.make_node("Reshape", ["input_ids", "four"], ["shaped"]),
        helper.make_node("Cast", ["shaped"], ["start_logits"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["token_type_ids", "attention_mask"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["end_logits"], to=TensorProto.FLOAT),
    ]
    return _save(path, nodes, ("one", "four"))


def repeat_model(path: Path) -> Path:
    """A model whose start_logits have 2**44 elements for each id: it asks for memory that nobody has."""
    nodes = [
        helper.make_node("Shape", ["input_ids"], ["shape"]),
        helper.make_node("Constant", [], ["huge"], value=helper.make_tensor("v", TensorProto.INT64, [2], [1, 1 << 44])),
        helper.make_node("Mul", ["shape", "huge"], ["wanted"]),
        helper.make_node("ConstantOfShape", ["wanted"], ["start_logits"]),
        helper.make_node("Add", ["token_type_ids", "attention_mask"], ["sum"]),
        helper.make_node("Cast", ["sum"], ["end_logits"], to=TensorProto.FLOAT),
    ]
    return _save(path, nodes, ("batch", "long"))


def _save(path: Path, nodes: list[onnx.NodeProto], axes: tuple[str, str]) -> Path:
    inputs = ("input_ids", "attention_mask", "token_type_ids")
    graph = helper.make_graph(
        nodes,
        "failing",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ("batch", "sequence")) for name in inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, axes) for name in ("start_logits", "end_logits")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path
