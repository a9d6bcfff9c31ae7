"""Passes say whether they changed the graph; a failing one stops the export and names those before it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from albert_export.errors import ExportError, SharingError
from albert_export.graphs.passes import Pass, decompose_newer_operators, pipeline, remove_unused, run_passes


def model_of(nodes, inputs, outputs, initializers=()):
    graph = ir.Graph(inputs, outputs, nodes=nodes, initializers=initializers, opset_imports={"": 20}, name="g")
    return ir.Model(graph, ir_version=9)


def gelu_model(approximate):
    hidden = ir.val("hidden", dtype=ir.DataType.FLOAT, shape=ir.Shape(["n"]))
    node = ir.node("Gelu", [hidden], {"approximate": approximate}, name="act")
    node.outputs[0].name = "out"
    node.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    node.outputs[0].shape = ir.Shape(["n"])
    return model_of([node], [hidden], [node.outputs[0]])


def weight(name, array):
    value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
    value.type, value.shape = ir.TensorType(value.const_value.dtype), value.const_value.shape
    return value


def operators(model):
    return [node.op_type for node in model.graph]


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_is_decomposed_below_20_and_keeps_its_values(approximate):
    import onnxruntime
    import torch

    model = gelu_model(approximate)
    assert decompose_newer_operators(model, 18) is True
    assert "Gelu" not in operators(model)
    model.graph.opset_imports[""] = 18
    model.graph.outputs[0].name = "out"
    model.graph.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
    model.graph.outputs[0].shape = ir.Shape(["n"])
    session = onnxruntime.InferenceSession(ir.to_proto(model).SerializeToString())
    numbers = np.linspace(-6, 6, 97, dtype=np.float32)
    expected = torch.nn.functional.gelu(torch.from_numpy(numbers).double(), approximate=approximate).numpy()
    np.testing.assert_allclose(session.run(None, {"hidden": numbers})[0], expected, atol=2e-6)


def test_gelu_stays_from_20_on():
    model = gelu_model("tanh")
    assert decompose_newer_operators(model, 20) is False
    assert operators(model) == ["Gelu"]


def test_nothing_to_decompose_is_no_change():
    hidden = ir.val("hidden", dtype=ir.DataType.FLOAT, shape=ir.Shape(["n"]))
    node = ir.node("Relu", [hidden])
    assert decompose_newer_operators(model_of([node], [hidden], [node.outputs[0]]), 18) is False


def test_remove_unused_takes_chains_and_their_weights():
    hidden = ir.val("hidden", dtype=ir.DataType.FLOAT, shape=ir.Shape([4]))
    used, dead = weight("used", np.ones(4, np.float32)), weight("dead", np.ones(4, np.float32))
    keep = ir.node("Add", [hidden, used])
    first = ir.node("Add", [hidden, dead])
    second = ir.node("Relu", [first.outputs[0]])
    model = model_of([keep, first, second], [hidden], [keep.outputs[0]], [used, dead])
    assert remove_unused(model) is True
    assert operators(model) == ["Add"]
    assert list(model.graph.initializers) == ["used"]
    assert remove_unused(model) is False


def test_a_failing_pass_names_itself_and_those_before_it():
    def fail(_model):
        raise KeyError("no such value")

    passes = (Pass("first", lambda _: False), Pass("second", fail), Pass("third", lambda _: True))
    with pytest.raises(ExportError, match=r"the pass second must not fail \(passes before it: first\).*no such value"):
        run_passes(gelu_model("none"), passes, unique_parameter_bytes=100)


def test_a_pass_that_copies_a_weight_breaks_the_guarantee():
    hidden = ir.val("hidden", dtype=ir.DataType.FLOAT, shape=ir.Shape([4]))
    used = weight("used", np.ones(4, np.float32))
    node = ir.node("Add", [hidden, used])
    model = model_of([node], [hidden], [node.outputs[0]], [used])

    def copy(model):
        model.graph.register_initializer(weight("copy", np.ones(4, np.float32)))
        return True

    run_passes(model, (Pass("nothing", lambda _: False),), unique_parameter_bytes=16)
    with pytest.raises(SharingError, match=r"after the pass copy .* each weight once; received 32 bytes"):
        run_passes(model, (Pass("copy", copy),), unique_parameter_bytes=16)


def test_only_passes_that_changed_something_are_reported():
    passes = (Pass("first", lambda _: False), Pass("second", lambda _: True))
    assert run_passes(gelu_model("none"), passes, unique_parameter_bytes=1) == ("second",)


def test_the_order_is_part_of_the_design():
    assert [step.name for step in pipeline(18)] == ["decompose-newer-operators", "remove-unused"]
