"""Heads that read the first token alone: the last layer is computed for no other, and the answers are the same."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from albert_export.graphs import onnx_emitter, tracing
from albert_export.graphs.onnx_calibration import observed_ranges
from albert_export.graphs.onnx_emitter import emit_onnx
from albert_export.graphs.onnx_quantization import quantizable_activations
from albert_export.graphs.weights import WeightStore
from albert_export.parts import PARTS
from albert_export.tasks import TASKS, get_task
from tests.graphs.models import eager_outputs, inputs, onnx_outputs, tiny_model, worst_relative_error
from tests.graphs.noise import signal_to_noise

SHAPES = ((1, 1, 1), (3, 2, 7), (2, 3, 24))
POOLED = ("text-classification", "multiple-choice")

#: Two ways of rounding the same float32 numbers.
NOISE = 5e-6


def emitted(path, task_name, *, changes=None, **options):
    task = get_task(task_name)
    model = tiny_model(task, **(changes or {}))
    return task, model, emit_onnx(model, task, path, **options)


@pytest.fixture
def all_tokens(monkeypatch):
    """Inside, the last layer is computed for all tokens, as for heads that read all."""

    def emit(path, task_name, **options):
        with monkeypatch.context() as patch:
            patch.setattr(tracing, "_computed_last", lambda *_: None)
            return emitted(path, task_name, **options)

    return emit


def last_hidden_state(path, feed):
    """Run a copy that gives out what leaves the last layer."""
    model = onnx.load(path)
    model.graph.output.append(onnx.helper.make_tensor_value_info("hidden_4", onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["hidden_4"], feed)[0]


def nodes_of(path):
    """The nodes of the graph and of the bodies of its loops."""
    graph = onnx.load(path).graph
    bodies = [attribute.g for node in graph.node for attribute in node.attribute if attribute.name == "body"]
    return [node for part in (graph, *bodies) for node in part.node]


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
@pytest.mark.parametrize("task_name", POOLED)
def test_one_token_leaves_the_last_layer_with_the_answers_of_all(tmp_path, all_tokens, task_name, layers):
    one, every = tmp_path / "one.onnx", tmp_path / "every.onnx"
    task, model, written = emitted(one, task_name, layers=layers)
    _, _, before = all_tokens(every, task_name, layers=layers)
    for shape in SHAPES:
        feed = inputs(task, *shape)
        rows = int(np.prod(feed["input_ids"].shape[:-1]))
        assert last_hidden_state(one, feed).shape[:2] == (rows, 1)
        assert last_hidden_state(every, feed).shape[:2] == (rows, shape[-1])
        assert worst_relative_error(onnx_outputs(one, feed), onnx_outputs(every, feed)) < NOISE
        assert worst_relative_error(onnx_outputs(one, feed), eager_outputs(model, task, feed)) < 3e-5
    assert written.facts["loops"] == before.facts["loops"]
    assert written.sharing.stored_weight_bytes == before.sharing.stored_weight_bytes


def test_the_loop_reads_each_weight_as_often_as_before(tmp_path, all_tokens):
    one, every = tmp_path / "one.onnx", tmp_path / "every.onnx"
    emitted(one, "text-classification")
    all_tokens(every, "text-classification")

    def weights(path):
        return sorted(name for node in nodes_of(path) if node.op_type == "MatMul" for name in node.input)

    assert [name for name in weights(one) if name.endswith("weight")] == [
        name for name in weights(every) if name.endswith("weight")
    ]


@pytest.mark.parametrize("task_name", [task.name for task in TASKS if task.name not in POOLED])
def test_heads_that_read_every_token_are_computed_for_every_token(tmp_path, task_name):
    path = tmp_path / "model.onnx"
    emitted(path, task_name)
    assert "Slice" not in {node.op_type for node in nodes_of(path)}


@pytest.mark.parametrize("kind", ["relative_key", "relative_key_query"])
def test_relative_positions_are_computed_for_every_token(tmp_path, kind):
    path = tmp_path / "model.onnx"
    task, model, _ = emitted(path, "text-classification", changes={"position_embedding_type": kind})
    feed = inputs(task, *SHAPES[1])
    assert last_hidden_state(path, feed).shape[:2] == feed["input_ids"].shape
    assert worst_relative_error(onnx_outputs(path, feed), eager_outputs(model, task, feed)) < 3e-5


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_groups": 2, "inner_group_num": 2},
        {"num_hidden_groups": 4},
        {"num_hidden_layers": 1},
    ],
    ids=["inner-groups", "a-group-a-layer", "one-layer"],
)
@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_whatever_the_groups(tmp_path, changes, layers):
    path = tmp_path / "model.onnx"
    task, model, _ = emitted(path, "text-classification", changes=changes, layers=layers)
    for shape in SHAPES:
        feed = inputs(task, *shape)
        assert worst_relative_error(onnx_outputs(path, feed), eager_outputs(model, task, feed)) < 3e-5


def test_fixed_sizes(tmp_path):
    path = tmp_path / "model.onnx"
    task, model, _ = emitted(path, "text-classification", sizes={"batch": 2, "sequence": 9})
    feed = inputs(task, 2, 1, 9)
    assert last_hidden_state(path, feed).shape[:2] == (2, 1)
    assert worst_relative_error(onnx_outputs(path, feed), eager_outputs(model, task, feed)) < 3e-5


@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8", "int4"])
def test_lower_precisions_give_the_answers_of_all_tokens(tmp_path, all_tokens, precision):
    one, every = tmp_path / "one.onnx", tmp_path / "every.onnx"
    task, _, written = emitted(one, "text-classification", precision=precision)
    _, _, before = all_tokens(every, "text-classification", precision=precision)
    feed = inputs(task, *SHAPES[1])
    # A rounding of float32 that falls to the other side of a step is one step, of fp16 or of an activation's 255.
    limit = {"fp16": 5e-3, "bf16": NOISE, "int8": 2e-2, "int4": NOISE}[precision]
    assert worst_relative_error(onnx_outputs(one, feed), onnx_outputs(every, feed)) < limit
    assert written.sharing.stored_weight_bytes == before.sharing.stored_weight_bytes


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_in_a_loop_no_activation_is_quantised_twice(tmp_path, all_tokens, layers):
    one, every = tmp_path / "one.onnx", tmp_path / "every.onnx"
    emitted(one, "text-classification", precision="int8", layers=layers)
    all_tokens(every, "text-classification", precision="int8", layers=layers)
    counts = [sum(node.op_type == "QuantizeLinear" for node in nodes_of(path)) for path in (one, every)]
    assert counts[0] == counts[1] + (layers == "unrolled")  # written out, the first token's is a small one of its own


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
@pytest.mark.parametrize("task_name", POOLED)
def test_calibrated_comes_near_and_a_row_alone_gives_the_same(tmp_path, all_tokens, task_name, layers):
    one, every, exact = (tmp_path / f"{name}.onnx" for name in ("one", "every", "exact"))
    task = get_task(task_name)
    feeds = calibration_of(task)
    options = {"precision": "int8", "layers": layers, "calibration": feeds}
    _, _, written = emitted(one, task_name, **options)
    _, _, before = all_tokens(every, task_name, **options)
    emitted(exact, task_name, layers=layers)
    feed = inputs(task, 6, 1, 16)
    found, expected = last_hidden_state(one, feed), last_hidden_state(exact, feed)
    assert found.shape == (6, 1, 32)
    assert signal_to_noise([found], [expected]) > 15
    assert signal_to_noise([found], [expected[::-1]]) < 9
    assert written.facts["activations"] == "int8, calibrated"
    assert "ReduceMax" not in written.facts["operators"]
    assert written.sharing.stored_weight_bytes == before.sharing.stored_weight_bytes
    alone = onnx_outputs(one, {name: array[1:] for name, array in feed.items()})
    np.testing.assert_allclose(alone[0], onnx_outputs(one, feed)[0][1:], atol=1e-5)


@pytest.mark.parametrize("count", [1, 4])
def test_calibration_measures_what_the_last_turn_computes(count):
    task = get_task("text-classification")
    model = tiny_model(task, num_hidden_layers=count)
    feeds = calibration_of(task)
    results = [results_of_gelu(model, task, feed) for feed in feeds]

    def least_and_largest(all_tokens):
        traced = tracing.trace(model, task, layers="rolled", sizes={}, all_tokens=all_tokens)
        built = onnx_emitter.build_graph(traced, WeightStore(traced.program, traced.weights), model.config, 20)
        ranges = observed_ranges(built, quantizable_activations(built, PARTS), feeds)
        return next(span for name, span in ranges.items() if "gelu" in name)

    for all_tokens in (False, True):
        computed = [[*each[:-1], each[-1] if all_tokens else each[-1][:, :1]] for each in results]
        numbers = np.concatenate([layer.ravel() for each in computed for layer in each])
        assert least_and_largest(all_tokens) == pytest.approx((numbers.min(), numbers.max()), rel=1e-4)
    if count == 1:  # of several layers, the ends may lie in the first ones
        assert least_and_largest(False) != pytest.approx(least_and_largest(True), rel=1e-2)


def calibration_of(task):
    return [inputs(task, batch, 2, sequence) for batch, sequence in ((1, 24), (2, 16), (1, 7), (1, 3))]


def results_of_gelu(model, task, feed):
    """Return what GELU gives in each layer, for all tokens."""
    seen = []
    layer = model.albert.encoder.albert_layer_groups[0].albert_layers[0]
    handle = layer.ffn_output.register_forward_pre_hook(lambda _, given: seen.append(given[0].numpy()))
    try:
        eager_outputs(model, task, feed)
    finally:
        handle.remove()
    return seen
