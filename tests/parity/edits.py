"""Changing an exported ONNX model, and putting the changed file into a bundle as if it had been exported so."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from albert_export.bundle import Bundle, BundleWriter

Edit = Callable[[onnx.ModelProto], None]


def edited(bundle: Bundle, directory: Path, edit: Edit) -> Bundle:
    """Return a copy of the bundle whose one artifact was changed, its manifest in order."""
    copied = directory / "edited"
    shutil.copytree(bundle.path, copied)
    (artifact,) = bundle.manifest.artifacts
    model = onnx.load(copied / artifact.file)
    edit(model)
    onnx.checker.check_model(model)
    with BundleWriter(copied, task=bundle.manifest.task, source=bundle.manifest.source) as writer:
        onnx.save(model, writer.path_for_new_file(artifact.file))
        writer.put_artifact(dataclasses.replace(artifact, files=(writer.record(artifact.file),)))
        return writer.commit()


def unchanged(model: onnx.ModelProto) -> None:
    """The healthy twin: read and written, and otherwise as it was."""


def mask_ignored(model: onnx.ModelProto) -> None:
    """Ones take the place of the attention mask wherever it is read."""
    graph = model.graph
    _redirect(graph, "attention_mask", "no_mask")
    one = numpy_helper.from_array(np.array([1], dtype=np.int64))
    made = [
        helper.make_node("Shape", ["attention_mask"], ["mask_shape"]),
        helper.make_node("ConstantOfShape", ["mask_shape"], ["no_mask"], value=one),
    ]
    _put_first(graph, made)


def segments_swapped(model: onnx.ModelProto) -> None:
    """The first segment passes for the second, and the second for the first."""
    graph = model.graph
    _redirect(graph, "token_type_ids", "swapped")
    one = numpy_helper.from_array(np.array(1, dtype=np.int64))
    made = [
        helper.make_node("Constant", [], ["last_segment"], value=one),
        helper.make_node("Sub", ["last_segment", "token_type_ids"], ["swapped"]),
    ]
    _put_first(graph, made)


def first_position_for_all(model: onnx.ModelProto) -> None:
    """Whatever positions are asked for, the first token of the row answers."""
    graph = model.graph
    _redirect(graph, "positions", "first_positions")
    zero = numpy_helper.from_array(np.array(0, dtype=np.int64))
    made = [
        helper.make_node("Constant", [], ["no_position"], value=zero),
        helper.make_node("Mul", ["positions", "no_position"], ["first_positions"]),
    ]
    _put_first(graph, made)


def one_layer_fewer(model: onnx.ModelProto) -> None:
    """The last layer is left out: of a loop, its last turn; of layers written out, all that they compute."""
    loops = [node for node in model.graph.node if node.op_type == "Loop"]
    if loops:
        _set_constant(model.graph, loops[-1].input[0], lambda count: count - 1)
        return
    states = sorted(
        (name for node in model.graph.node for name in node.output if name.startswith("hidden_")),
        key=lambda name: int(name.removeprefix("hidden_")),
    )
    _redirect(model.graph, states[-1], states[-2])


def one_scale_for_all_tokens(model: onnx.ModelProto) -> None:
    """Activations get one scale for the whole tensor, as is usual, in place of one for each token."""

    def reduce_everything(graph: onnx.GraphProto) -> None:
        for node in graph.node:
            if node.op_type == "ReduceMax":
                del node.input[1:]  # the axes
            for attribute in node.attribute:
                if attribute.type == onnx.AttributeProto.GRAPH:
                    reduce_everything(attribute.g)

    reduce_everything(model.graph)


def length_baked_in(length: int) -> Edit:
    """The model runs at one sequence length and at 1, as when a tracer takes the example's size for the only one."""

    def edit(model: onnx.ModelProto) -> None:
        graph = model.graph
        _redirect(graph, "input_ids", "baked_ids")
        zeros = numpy_helper.from_array(np.zeros((1, length), dtype=np.int64))
        made = [
            helper.make_node("Constant", [], ["zeros"], value=zeros),
            helper.make_node("Add", ["input_ids", "zeros"], ["baked_ids"]),
        ]
        _put_first(graph, made)

    return edit


def disturb_after(layer: int) -> Edit:
    """Something is added to the hidden state after a layer that is written out; 0 disturbs the embeddings."""

    def edit(model: onnx.ModelProto) -> None:
        graph = model.graph
        name = f"hidden_{layer}"
        node = next(node for node in graph.node if name in node.output)
        place = list(graph.node).index(node)
        node.output[list(node.output).index(name)] = "undisturbed"
        small = numpy_helper.from_array(np.array(1e-3, dtype=np.float32))
        graph.node.insert(place + 1, helper.make_node("Constant", [], ["small"], value=small))
        graph.node.insert(place + 2, helper.make_node("Add", ["undisturbed", "small"], [name]))

    return edit


def disturb_turn(group: int, turn: int) -> Edit:
    """One turn of a layer group's loop, counted from 0, adds something to its result."""

    def edit(model: onnx.ModelProto) -> None:
        loop = next(node for node in model.graph.node if node.name == f"group_{group}_layers")
        body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
        result = body.output[1].name
        node = next(node for node in body.node if result in node.output)
        node.output[list(node.output).index(result)] = "undisturbed"
        which = numpy_helper.from_array(np.array(turn, dtype=np.int64))
        small = numpy_helper.from_array(np.array(1e-3, dtype=np.float32))
        body.node.extend(
            [
                helper.make_node("Constant", [], ["which"], value=which),
                helper.make_node("Constant", [], ["small"], value=small),
                helper.make_node("Equal", [body.input[0].name, "which"], ["is_it"]),
                helper.make_node("Cast", ["is_it"], ["one_or_zero"], to=onnx.TensorProto.FLOAT),
                helper.make_node("Mul", ["one_or_zero", "small"], ["disturbance"]),
                helper.make_node("Add", ["undisturbed", "disturbance"], [result]),
            ]
        )

    return edit


def disturb_weight(part: str) -> Edit:
    """One weight whose name contains ``part`` is changed a little."""

    def edit(model: onnx.ModelProto) -> None:
        (tensor,) = [tensor for tensor in model.graph.initializer if part in tensor.name]
        # Not only a constant added: of what is normalised right after, that would change nothing.
        changed = numpy_helper.to_array(tensor) * np.float32(1.01) + np.float32(1e-3)
        tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))

    return edit


def _redirect(graph: onnx.GraphProto, name: str, replacement: str) -> None:
    """Make every node, those in loop bodies included, read ``replacement`` where it read ``name``."""
    for node in graph.node:
        for index, read in enumerate(node.input):
            if read == name:
                node.input[index] = replacement
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                _redirect(attribute.g, name, replacement)


def _put_first(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    for node in reversed(nodes):
        graph.node.insert(0, node)


def _set_constant(graph: onnx.GraphProto, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    for tensor in graph.initializer:
        if tensor.name == name:
            tensor.CopyFrom(numpy_helper.from_array(np.asarray(change(numpy_helper.to_array(tensor))), name))
            return
    node = next(node for node in graph.node if name in node.output)
    (attribute,) = node.attribute
    attribute.t.CopyFrom(numpy_helper.from_array(np.asarray(change(numpy_helper.to_array(attribute.t)))))
