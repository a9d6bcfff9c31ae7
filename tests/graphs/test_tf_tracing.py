from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf

from albert_export.errors import ExportError
from albert_export.graphs import tf_tracing
from albert_export.graphs.savedmodel_emitter import emit_savedmodel
from albert_export.graphs.tf_messages import told
from albert_export.graphs.tf_tracing import trace, trace_function
from albert_export.tasks import TASKS, get_task
from tests.graphs.tf_models import eager_outputs, inputs, tiny_model, worst_relative_error

QA = get_task("question-answering")


@pytest.fixture(scope="module")
def model():
    return tiny_model(QA)


def nodes(function, *, of_bodies: bool = True) -> list[str]:
    """Return the kind of every node, those of loop bodies and other functions included."""
    definition = function.graph.as_graph_def()
    kinds = [node.op for node in definition.node]
    if of_bodies:
        kinds += [node.op for inner in definition.library.function for node in inner.node_def]
    return kinds


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_a_traced_function_computes_what_the_model_does(model, layers, dtype):
    function = trace_function(model, QA, layers=layers, sizes={}, input_dtype=dtype)
    for batch, sequence in ((1, 1), (2, 9), (3, 24)):
        feed = inputs(QA, batch, 1, sequence)
        found = function(**{name: tf.constant(array, dtype=dtype) for name, array in feed.items()})
        assert list(found) == [spec.name for spec in QA.outputs]
        expected = eager_outputs(model, QA, feed)
        assert worst_relative_error([value.numpy() for value in found.values()], expected) < 1e-5
        assert worst_relative_error([value.numpy() for value in found.values()][::-1], expected) > 0.1


@pytest.mark.parametrize(
    ("name", "sizes"),
    [
        ("question-answering", {"batch": 1}),
        ("question-answering", {"batch": 3}),
        ("question-answering", {"sequence": 1}),
        ("multiple-choice", {"batch": 1, "choices": 2}),
    ],
    ids=str,
)
@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_some_sizes_are_fixed_and_others_stay_dynamic(name, sizes, layers):
    task = get_task(name)
    small = tiny_model(task)
    function = trace_function(small, task, layers=layers, sizes=sizes)
    for size in (1, 2, 9):
        free = {"batch": size, "choices": size, "sequence": size}
        feed = inputs(task, **{**free, **sizes})
        found = function(**{key: tf.constant(array) for key, array in feed.items()})
        expected = eager_outputs(small, task, feed)
        assert worst_relative_error([found[spec.name].numpy() for spec in task.outputs], expected) < 1e-5
    other = eager_outputs(tiny_model(task, seed=8), task, feed)
    assert worst_relative_error([found[spec.name].numpy() for spec in task.outputs], other) > 0.1


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_inputs_have_the_names_order_and_axes_of_the_task(task):
    function = trace(tiny_model(task), task, layers="rolled", sizes={"batch": 2}).function
    specs = function.structured_input_signature[0][:3]
    assert [spec.name for spec in specs] == ["input_ids", "attention_mask", "token_type_ids"]
    assert {tuple(spec.shape) for spec in specs} == {(2, *[None] * (len(task.inputs[0].axes) - 1))}
    assert {spec.dtype for spec in specs} == {tf.int32}
    assert len(function.structured_outputs) == len(task.outputs)


def test_each_group_is_one_loop_with_one_copy_of_the_layer():
    grouped = tiny_model(QA, num_hidden_groups=2, inner_group_num=2)
    rolled = nodes(trace(grouped, QA, layers="rolled", sizes={}).function)
    unrolled = nodes(trace(grouped, QA, layers="unrolled", sizes={}).function)
    assert sum(kind in ("While", "StatelessWhile") for kind in rolled) == 2
    assert sum(kind in ("While", "StatelessWhile") for kind in unrolled) == 0
    assert rolled.count("Softmax") == 2 * 2
    assert unrolled.count("Softmax") == 4 * 2


def test_weights_are_inputs_and_nothing_is_captured(model):
    traced = trace(model, QA, layers="rolled", sizes={})
    assert not traced.function.captured_inputs
    largest = max(len(node.SerializeToString()) for node in traced.function.graph.as_graph_def().node)
    assert largest < 2000, "a weight is written into the graph"
    # the twin: a function for SavedModel reads the model's own variables
    assert trace_function(model, QA, layers="rolled", sizes={}).captured_inputs
    for weight in traced.weights.values():
        assert weight.read().shape == weight.shape


def test_the_model_is_as_before_after_tracing(model):
    feed = inputs(QA, 2, 1, 8)
    before = eager_outputs(model, QA, feed)
    trace(model, QA, layers="rolled", sizes={})
    assert "run_layers" not in vars(model.albert.encoder)
    for one, other in zip(eager_outputs(model, QA, feed), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_cannot_be_traced_is_one_error_and_leaves_the_model(model, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise ValueError("no such shape")

    monkeypatch.setattr(type(model.albert.encoder.albert_layer_groups[0]), "call", refuse)
    with pytest.raises(ExportError) as raised:
        trace(model, QA, layers="rolled", sizes={})
    assert str(raised.value) == (
        "TensorFlow must be able to trace TFAlbertForQuestionAnswering; received no such shape; "
        "fix: export to another target"
    )
    assert "run_layers" not in vars(model.albert.encoder)


def test_the_older_keras_may_be_chosen_for_tf_keras(model, monkeypatch):
    class WithoutKeras:
        def __getattr__(self, name):
            assert name != "keras"
            return getattr(tf, name)

    monkeypatch.setattr(tf_tracing, "tf", WithoutKeras())
    assert trace(model, QA, layers="rolled", sizes={}).weights


def test_what_cannot_be_saved_is_one_line(model, monkeypatch, tmp_path, capfd):
    def refuse(*_args, **_options):
        os.write(2, b"noise of a library\n")
        raise AssertionError("Tried to save \x1b[1man untracked resource\x1b[0m.\n\nTensor: ...")

    monkeypatch.setattr(tf.saved_model, "save", refuse)
    with pytest.raises(ExportError) as raised:
        emit_savedmodel(model, QA, tmp_path / "1" / "saved_model.pb")
    assert str(raised.value) == (
        "TensorFlow must be able to save TFAlbertForQuestionAnswering; received Tried to save an untracked resource.; "
        "fix: see that the disk has room, or export to another target"
    )
    assert capfd.readouterr().err == ""


def test_the_telling_line_of_keras():
    message = (
        "Exception encountered when calling A.call().\n\n\x1b[1mno such shape\x1b[0m\n\nArguments received by A:\n  x=1"
    )
    assert told(ValueError(message)) == "no such shape"
    assert told(ValueError("plain\nmore")) == "plain"
    assert told(ValueError("")) == "ValueError"
