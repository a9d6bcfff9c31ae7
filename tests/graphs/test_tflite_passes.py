from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import tensorflow as tf

from albert_export.errors import ExportError, SharingError
from albert_export.graphs.tf_tracing import trace
from albert_export.graphs.tflite_conversion import convert
from albert_export.graphs.tflite_file import write_tflite
from albert_export.graphs.tflite_graph import Operators, StoredWeight, TFLiteGraph, schema
from albert_export.graphs.tflite_passes import bind_weights, check_builtin, drop_unused, write_dense_layers
from albert_export.graphs.tflite_quantization import halve_weights, quantize_weights
from albert_export.graphs.tflite_sharing import sharing_of
from albert_export.tasks import get_task
from tests.graphs.tf_models import tiny_model

MLM = get_task("fill-mask")


def converted(function, *specs) -> TFLiteGraph:
    return TFLiteGraph(convert(tf.function(function, autograph=False).get_concrete_function(*specs)))


def spec(shape, dtype=tf.float32, name=None):
    return tf.TensorSpec(shape, dtype, name=name)


def weight(values: np.ndarray, name: str = "w") -> StoredWeight:
    return StoredWeight(name, lambda: values, values.shape)


def run(graph: TFLiteGraph, path, *arrays) -> list[np.ndarray]:
    from ai_edge_litert.interpreter import Interpreter

    write_tflite(graph, path)
    interpreter = Interpreter(str(path), num_threads=1)
    details = interpreter.get_input_details()
    for detail, array in zip(details, arrays, strict=True):
        interpreter.resize_tensor_input(detail["index"], array.shape)
    interpreter.allocate_tensors()
    for detail, array in zip(details, arrays, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


@pytest.fixture(scope="module")
def traced():
    return trace(tiny_model(MLM), MLM, layers="rolled", sizes={})


@pytest.fixture(scope="module")
def flatbuffer(traced):
    return convert(traced.function)


@pytest.fixture
def bound(traced, flatbuffer) -> TFLiteGraph:
    graph = TFLiteGraph(flatbuffer)
    weights = {name: StoredWeight(one.name, one.read, one.shape) for name, one in traced.weights.items()}
    assert bind_weights(graph, weights)
    return graph


@pytest.fixture
def dense(bound) -> TFLiteGraph:
    assert write_dense_layers(bound)
    assert drop_unused(bound)
    return bound


def test_loops_read_the_weights_where_they_are_stored(bound, traced):
    loop = next(operator for _, operator in bound.walk(Operators.WHILE))
    body = bound.subgraphs[loop.builtinOptions.bodySubgraphIndex]
    names = {body.weight(index).name for operator in body.operators for index in operator.inputs if body.weight(index)}
    layer = {one.name for one in traced.weights.values() if "albert_layer_groups" in one.name}
    assert layer <= names
    assert not any(bound.main.weight(index) for index in loop.inputs), "a loop carries a weight"
    assert len(bound.main.raw.inputs) == 3
    assert sharing_of(bound, 0).ratio == 1.0


def test_a_second_copy_of_a_weight_breaks_the_guarantee(dense):
    sharing_of(dense, 0).check("nothing")
    buffer, stored = next((number, one) for number, one in dense.weights.items() if len(one.shape) == 2)
    copy = dense.add_buffer(None)
    dense.weights[copy] = stored
    with pytest.raises(SharingError):
        sharing_of(dense, 0).check("copying a weight")
    del dense.weights[copy]
    # and a copy that is no weight by its name, but a constant
    tensor = next(one for one in dense.main.raw.tensors if one.buffer == buffer)
    place = dense.main.raw.tensors.index(tensor)
    added = dense.main.add_constant("copy", np.zeros(dense.main.shape(place), dtype=np.float32))
    dense.main.redirect(place, added)
    with pytest.raises(SharingError):
        sharing_of(dense, 0).check("copying a constant")


def test_a_loop_that_changes_a_weight_is_refused():
    def halving(x, w):
        return tf.while_loop(lambda i, x, w: i < 3, lambda i, x, w: (i + 1, x @ w, w / 2), (0, x, w))[1]

    graph = converted(halving, spec([2, 2]), spec([2, 2], name="weight_0"))
    with pytest.raises(ExportError, match="leave the weights as they are"):
        bind_weights(graph, {"weight_0": weight(np.eye(2, dtype=np.float32))})


def test_a_model_without_weights_is_refused():
    with pytest.raises(ExportError, match="stand for weights"):
        bind_weights(converted(lambda x: x + 1, spec([2])), {"weight_0": weight(np.zeros(2, dtype=np.float32))})


def test_dense_layers_are_one_operator_with_their_bias(dense):
    counts = dense.operator_counts()
    # query, key, value, output, two of the feed-forward network; the mapping to the hidden width; two of the head
    assert counts["FULLY_CONNECTED"] == 9
    assert counts["BATCH_MATMUL"] == 2, "those of the attention multiply no weight"
    assert counts["GELU"] == 2
    for subgraph, operator in dense.walk(Operators.FULLY_CONNECTED):
        assert subgraph.weight(operator.inputs[2]) is not None


def readers(graph: TFLiteGraph, name: str) -> set[int]:
    """Return the kinds of operators that read weights whose names end so."""
    return {
        graph.code(operator)
        for subgraph, operator in graph.walk()
        for index in operator.inputs
        if (one := subgraph.weight(index)) is not None and one.name.endswith(name)
    }


def test_the_tied_decoder_is_the_table_of_words(dense):
    assert readers(dense, "word_embeddings.weight") == {Operators.GATHER, Operators.FULLY_CONNECTED}
    holders = [one for one in dense.weights.values() if one.name.endswith("word_embeddings.weight")]
    assert len(holders) == 1
    quantize_weights(dense, per_row=True)
    assert readers(dense, "word_embeddings.weight") == {Operators.EMBEDDING_LOOKUP, Operators.FULLY_CONNECTED}
    sharing_of(dense, 0).check("quantisation")
    with pytest.raises(
        ExportError, match=r"only a graph that is not quantised.*received .* in int8; fix: quantise the"
    ):
        quantize_weights(dense, per_row=True)


def test_a_weight_that_is_read_both_ways_round_stays_as_it_is(tmp_path):
    table = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)

    def both(x, ids, w):
        return x @ w, tf.gather(w, ids)

    graph = converted(both, spec([None, None, 5]), spec([None], tf.int32), spec([5, 4], name="weight_0"))
    bind_weights(graph, {"weight_0": weight(table)})
    assert not write_dense_layers(graph)
    x, ids = np.ones((1, 2, 5), dtype=np.float32), np.array([4, 0], dtype=np.int32)
    product, rows = run(graph, tmp_path / "m.tflite", x, ids)
    np.testing.assert_allclose(product, x @ table, rtol=1e-5)
    np.testing.assert_array_equal(rows, table[ids])


def test_a_product_without_bias_and_one_of_two_axes(tmp_path):
    values = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    graph = converted(lambda x, w: tf.tanh(x @ w), spec([None, 5]), spec([5, 4], name="weight_0"))
    bind_weights(graph, {"weight_0": weight(values)})
    assert write_dense_layers(graph)
    assert graph.operator_counts() == {"FULLY_CONNECTED": 1, "TANH": 1}
    x = np.random.default_rng(1).normal(size=(3, 5)).astype(np.float32)
    np.testing.assert_allclose(run(graph, tmp_path / "m.tflite", x)[0], np.tanh(x @ values), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("approximate", [True, False])
def test_gelu_is_one_operator_of_the_right_form(tmp_path, approximate):
    graph = converted(lambda x: tf.nn.gelu(x, approximate=approximate), spec([None]))
    assert graph.operator_counts() == {"GELU": 1}
    _, operator = next(graph.walk(Operators.GELU))
    assert operator.builtinOptions.approximate is approximate
    x = np.linspace(-6, 6, 101, dtype=np.float32)
    found = run(graph, tmp_path / "m.tflite", x)[0]
    erf = 0.5 * x * (1 + np.array([math.erf(one / math.sqrt(2)) for one in x]))
    tanh = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x.astype(np.float64) ** 3)))
    right, other = (tanh, erf) if approximate else (erf, tanh)
    assert np.abs(found - right).max() < 2e-6
    assert np.abs(found - other).max() > 1e-4


def test_dropping_is_done_once(dense):
    assert not drop_unused(dense)


def test_equal_constants_are_stored_once():
    graph = converted(lambda x: x * 3.0, spec([2]))
    drop_unused(graph)
    operator = graph.main.operators[0]
    again = graph.main.add_constant("again", np.array(3.0, dtype=np.float32))
    graph.main.operators.append(graph.main.make(Operators.MUL, [operator.outputs[0], again], [again + 1]))
    graph.main.operators[-1].builtinOptions = operator.builtinOptions
    graph.main.operators[-1].builtinOptionsType = operator.builtinOptionsType
    graph.main.add_tensor("result", 0, (2,))
    graph.main.raw.outputs = [again + 1]
    before = len(graph.model.buffers)
    assert drop_unused(graph)
    assert len(graph.model.buffers) == before - 1


@pytest.mark.parametrize(("other", "count"), [(0.5, 1), (0.25, 2)])
def test_a_weight_of_other_scales_is_other_data(other, count):
    graph = converted(lambda x: x * 3.0, spec([2]))
    stored = weight(np.array([1.0, -3.0], dtype=np.float32))
    for number, scale in enumerate((0.5, other)):
        factor = graph.main.add_constant(f"factor_{number}", np.zeros(2, dtype=np.float32))
        scaled = dataclasses.replace(stored, dtype="int8", scales=np.array([scale], dtype=np.float32))
        graph.weights[graph.main.tensor(factor).buffer] = scaled
        graph.main.raw.outputs = [*graph.main.raw.outputs, factor]
    drop_unused(graph)
    assert len(graph.weights) == count


def test_a_foreign_operator_is_named(dense):
    check_builtin(dense)
    code = schema.OperatorCodeT()
    code.builtinCode, code.deprecatedBuiltinCode, code.customCode = Operators.CUSTOM, Operators.CUSTOM, b"FlexCholesky"
    dense.model.operatorCodes.append(code)
    with pytest.raises(ExportError, match="one of TFLite's own; received FlexCholesky"):
        check_builtin(dense)


def test_an_operator_that_tflite_lacks_is_named(capfd):
    with pytest.raises(ExportError, match=r"one of TFLite's own; received tf\.Cholesky") as raised:
        converted(tf.linalg.cholesky, spec([3, 3]))
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""


def test_int8_rows_have_a_scale_each_and_are_off_by_half_a_step_at_most():
    values = np.random.default_rng(0).normal(size=(6, 40)).astype(np.float32) * np.arange(1, 7)[:, None]
    rows = weight(values).quantized(per_row=True)
    assert rows.scales.shape == (6,)
    assert np.abs(rows.data() * rows.scales[:, None] - values).max(axis=1) == pytest.approx(rows.scales / 2, rel=0.2)
    one = weight(values).quantized(per_row=False)
    assert one.scales.shape == (1,)
    assert np.abs(one.data() * one.scales - values)[0].max() > 2 * rows.scales[0]
    turned = weight(values).turned().quantized(per_row=True)
    assert turned.data().shape == (40, 6)


def test_halves_are_widened_once_and_not_in_the_table(dense):
    halve_weights(dense, gather_halves=True)
    drop_unused(dense)
    kinds = {one.dtype for one in dense.weights.values() if len(one.shape) == 2}
    assert kinds == {"float16"}
    table = next(one for one in dense.weights.values() if one.name.endswith("position_embeddings.weight"))
    for subgraph, operator in dense.walk(Operators.DEQUANTIZE):
        assert subgraph.weight(operator.inputs[0]) is not table
    sharing_of(dense, 0).check("halving")
