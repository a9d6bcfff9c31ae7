"""Fill-mask at chosen positions: the logits of those tokens alone, in any order, in every form and precision."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from albert_export.graphs.onnx_emitter import emit_onnx
from albert_export.positions import at_positions, gathered
from albert_export.tasks import get_task
from tests.graphs.models import eager_outputs, inputs, onnx_outputs, tiny_model, worst_relative_error

PLAIN = get_task("fill-mask")
TASK = at_positions(PLAIN)
LIMIT = 3e-5


def asked(batch, sequence, count):
    feed = inputs(PLAIN, batch, 1, sequence)
    generator = np.random.default_rng(count)
    return feed, generator.integers(0, sequence, (batch, count))


@pytest.mark.parametrize("changes", [{}, {"tie_word_embeddings": False}], ids=["tied", "untied"])
@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_the_logits_are_those_of_the_positions(tmp_path, layers, changes):
    path = tmp_path / "model.onnx"
    model = tiny_model(TASK, **changes)
    written = emit_onnx(model, TASK, path, layers=layers)
    assert [(given["name"], given["shape"]) for given in written.inputs][-1] == ("positions", ["batch", "positions"])
    assert written.outputs[0]["shape"] == ["batch", "positions", 200]
    assert written.sharing.ratio == 1.0
    for batch, sequence, count in ((1, 1, 1), (3, 7, 2), (2, 24, 30)):  # the last asks for more than there are
        feed, positions = asked(batch, sequence, count)
        (logits,) = onnx_outputs(path, {**feed, "positions": positions})
        (every,) = eager_outputs(model, PLAIN, feed)
        assert logits.shape == (batch, count, 200)
        assert worst_relative_error([logits], [gathered(every, positions)]) < LIMIT


def test_the_decoder_sees_the_chosen_tokens_alone(tmp_path):
    path = tmp_path / "model.onnx"
    emit_onnx(tiny_model(TASK), TASK, path)
    model = onnx.load(path)
    (decoder,) = [node for node in model.graph.node if node.op_type == "Gemm"]
    model.graph.output.append(onnx.helper.make_tensor_value_info(decoder.input[0], onnx.TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feed, positions = asked(3, 20, 2)
    (tokens,) = session.run([decoder.input[0]], {**feed, "positions": positions})
    assert tokens.shape == (3 * 2, 16)


@pytest.mark.parametrize("sizes", [{"batch": 2, "sequence": 9}, {"batch": 2}, {"sequence": 9}])
def test_fixed_sizes_leave_the_number_of_positions_open(tmp_path, sizes):
    path = tmp_path / "model.onnx"
    model = tiny_model(TASK)
    emit_onnx(model, TASK, path, sizes=sizes)
    for count in (1, 4):
        feed, positions = asked(2, 9, count)
        (logits,) = onnx_outputs(path, {**feed, "positions": positions})
        (every,) = eager_outputs(model, PLAIN, feed)
        assert worst_relative_error([logits], [gathered(every, positions)]) < LIMIT


@pytest.mark.parametrize("precision", ["fp16", "bf16", "int8", "int4"])
def test_in_every_precision_the_logits_are_those_of_the_plain_form(tmp_path, precision):
    chosen, plain = tmp_path / "chosen.onnx", tmp_path / "plain.onnx"
    model = tiny_model(TASK)
    written = emit_onnx(model, TASK, chosen, precision=precision)
    before = emit_onnx(model, PLAIN, plain, precision=precision)
    feed, positions = asked(3, 7, 2)
    (logits,) = onnx_outputs(chosen, {**feed, "positions": positions})
    (every,) = onnx_outputs(plain, feed)
    assert worst_relative_error([logits], [gathered(every, positions)]) < (5e-3 if precision == "fp16" else LIMIT)
    assert written.sharing.stored_weight_bytes == before.sharing.stored_weight_bytes


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_of_packed_tokens_as_well(tmp_path, layers, precision):
    path, plain = tmp_path / "model.onnx", tmp_path / "plain.onnx"
    model = tiny_model(TASK)
    options = {"layers": layers, "precision": precision, "tokens": "packed"}
    written = emit_onnx(model, TASK, path, **options)
    emit_onnx(model, PLAIN, plain, **options)
    feed, positions = asked(3, 7, 4)  # some of them padding
    assert not gathered(feed["attention_mask"], positions).all()
    (logits,) = onnx_outputs(path, {**feed, "positions": positions})
    (every,) = onnx_outputs(plain, feed)
    assert worst_relative_error([logits], [gathered(every, positions)]) < LIMIT
    assert written.facts["tokens"] == "packed" and "NonZero" in written.facts["operators"]


def test_the_comparison_of_these_tests_sees_another_position(tmp_path):
    path = tmp_path / "model.onnx"
    model = tiny_model(TASK)
    emit_onnx(model, TASK, path)
    feed, positions = asked(3, 7, 2)
    (logits,) = onnx_outputs(path, {**feed, "positions": positions})
    (every,) = eager_outputs(model, PLAIN, feed)
    assert worst_relative_error([logits], [gathered(every, (positions + 1) % 7)]) > 100 * LIMIT
