"""int8 in ONNX: near the eager model, each weight once, and a row's answer that depends on no other row."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from albert_export.errors import ExportError, InputError
from albert_export.graphs.onnx_emitter import OLDEST_OPSET, check_opset, emit_onnx
from albert_export.graphs.onnx_quantization import quantize_int8
from albert_export.parts import PARTS
from albert_export.targets import NEWEST_INTEGER_OPSET
from albert_export.tasks import TASKS, get_task
from tests.graphs.models import TINY, eager_outputs, inputs, onnx_outputs, tiny_model
from tests.graphs.noise import signal_to_noise
from tests.graphs.sizes import BASE, INT8_SHARE
from tests.parity.edits import one_scale_for_all_tokens

SHAPES = ((1, 1, 1), (3, 2, 7), (2, 4, TINY["max_position_embeddings"]))
LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0"

#: dB. Eight bits of activations and seven of weights leave 18 to 40 on these weights, which are harsher than trained
#: ones; another model is below 10.
LEAST = 16.0
FAR = 10.0


def emitted(path: Path, task_name: str = "qa", **options):
    task = get_task(task_name)
    model = tiny_model(task, **options.pop("changes", {}))
    return task, model, emit_onnx(model, task, path, precision="int8", **options)


def noise(path: Path, model, task, shapes=SHAPES) -> float:
    """Return the signal-to-noise ratio in dB over all shapes: of a single row with a few answers it is luck."""
    found, expected = [], []
    for shape in shapes:
        feed = inputs(task, *shape)
        found.append(np.concatenate([one.ravel() for one in onnx_outputs(path, feed)]))
        expected.append(np.concatenate([one.ravel() for one in eager_outputs(model, task, feed)]))
    return signal_to_noise([np.concatenate(found)], [np.concatenate(expected)])


def initializers(path: Path) -> dict[str, onnx.TensorProto]:
    return {tensor.name: tensor for tensor in onnx.load(path).graph.initializer}


@pytest.mark.parametrize("task_name", [task.name for task in TASKS])
def test_every_task_comes_near_with_each_weight_once(tmp_path, task_name):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, task_name)
    assert noise(path, model, task) > LEAST
    assert written.facts["loops"] == ["group_0_layers x 4"]
    assert written.facts["passes"] == ["quantize-int8"]
    found = initializers(path)
    quantized = [name for name, tensor in found.items() if tensor.data_type == onnx.TensorProto.INT8]
    assert len(quantized) >= 8
    for name in quantized:
        weight = name.removesuffix("_quantized")
        assert weight not in found, "the weight itself is gone"
        (scales,) = found[f"{weight}_scale"].dims
        assert scales in found[name].dims
    assert len({weight for weight in found if weight.endswith("_scale")}) == len(quantized)
    written.sharing.check("nothing")


def test_sums_of_two_products_fit_into_16_bits(tmp_path):
    path = tmp_path / "model.onnx"
    _, _, written = emitted(path, "mlm", changes={"tie_word_embeddings": False})
    largest = {
        name.removesuffix("_quantized"): int(np.abs(onnx.numpy_helper.to_array(tensor).astype(int)).max())
        for name, tensor in initializers(path).items()
        if name.endswith("_quantized")
    }
    assert largest.pop("albert.embeddings.word_embeddings.weight") == 127, "rows are looked up, and not multiplied"
    assert set(largest.values()) == {written.facts["weight_steps"]}
    assert 2 * 255 * written.facts["weight_steps"] < 2**15


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_groups": 2, "inner_group_num": 2},
        {"hidden_act": "relu"},
        {"hidden_act": "silu"},
        {"hidden_act": "gelu"},
        {"position_embedding_type": "relative_key_query"},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_every_form_of_the_layer_comes_near(tmp_path, changes):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, changes=changes)
    assert noise(path, model, task) > LEAST
    other = tiny_model(task, **{**changes, "initializer_range": 0.3})
    assert noise(path, other, task) < FAR, "another model is not near"
    # One quantisation an activation: query, key and value share theirs.
    groups = changes.get("num_hidden_groups", 1) * changes.get("inner_group_num", 1)
    assert written.facts["operators"]["QuantizeLinear"] == 4 * groups + 1


def test_an_activation_that_is_bounded_below_gets_the_steps_where_it_is(tmp_path):
    """A twin whose function is not recognised loses half of them."""
    path = tmp_path / "model.onnx"
    emitted(path, changes={"hidden_act": "relu"})
    points = {int(onnx.numpy_helper.to_array(node.attribute[0].t)) for node in zero_points(path)}
    assert points == {0, 128}
    emitted(path.with_name("gelu.onnx"))
    points = {int(onnx.numpy_helper.to_array(node.attribute[0].t)) for node in zero_points(path.with_name("gelu.onnx"))}
    assert points == {32, 128}


def zero_points(path: Path) -> list[onnx.NodeProto]:
    graph = onnx.load(path).graph
    bodies = [attribute.g for node in graph.node for attribute in node.attribute if attribute.name == "body"]
    nodes = [node for part in (graph, *bodies) for node in part.node]
    read = {node.input[2] for node in nodes if node.op_type == "QuantizeLinear"}
    return [node for node in nodes if node.output[0] in read]


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_what_was_traced_once_serves_every_choice_of_parts(tmp_path, precision):
    task = get_task("mlm")
    model = tiny_model(task)
    whole = emit_onnx(model, task, tmp_path / "whole.onnx", precision=precision)
    # A word embedding that is tied to the decoder is stored once; an answer with few outputs is not quantised.
    assert whole.quantized_bytes == {
        "embeddings": 4 * (200 * 16 + 16 * 32),
        "attention": 4 * 4 * 32 * 32,
        "ffn": 4 * 2 * 32 * 64,
        "head": 4 * 16 * 32,
    }
    for part in PARTS:
        path, again = tmp_path / f"{part}.onnx", tmp_path / f"{part}-again.onnx"
        made = emit_onnx(model, task, path, precision=precision, parts=[part], traced=whole.traced)
        emit_onnx(model, task, again, precision=precision, parts=[part])
        assert path.read_bytes() == again.read_bytes()
        assert made.quantized_bytes == {part: whole.quantized_bytes[part]}


def test_unrolled_layers_read_the_same_weights(tmp_path):
    path, rolled = tmp_path / "model.onnx", tmp_path / "rolled.onnx"
    task, model, written = emitted(path, layers="unrolled")
    _, _, looped = emitted(rolled)
    assert noise(path, model, task) > LEAST
    assert written.sharing.stored_weight_bytes == looped.sharing.stored_weight_bytes
    feed = inputs(task, *SHAPES[1])
    for one, other in zip(onnx_outputs(path, feed), onnx_outputs(rolled, feed), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("opset", [OLDEST_OPSET, NEWEST_INTEGER_OPSET])
def test_the_oldest_and_the_newest_opset_run(tmp_path, opset):
    path = tmp_path / "model.onnx"
    task, model, _ = emitted(path, "mlm", opset=opset)
    assert noise(path, model, task) > LEAST
    with pytest.raises(ExportError, match=f"int8 must have an opset up to {NEWEST_INTEGER_OPSET}.*received 28; fix"):
        check_opset(NEWEST_INTEGER_OPSET + 1, "int8")
    assert check_opset(NEWEST_INTEGER_OPSET + 1) == NEWEST_INTEGER_OPSET + 1


@pytest.mark.parametrize("task_name", ["fill-mask", "pretraining"])
def test_a_tied_decoder_is_stored_once_with_the_scales_that_rows_are_looked_up_by(tmp_path, task_name):
    path = tmp_path / "model.onnx"
    emitted(path, task_name)
    found = initializers(path)
    table = [name for name in found if "word_embeddings" in name or "decoder.weight" in name]
    assert sorted(table) == [
        "albert.embeddings.word_embeddings.weight_quantized",
        "albert.embeddings.word_embeddings.weight_scale",
    ]
    assert list(found[table[0]].dims) == [TINY["embedding_size"], TINY["vocab_size"]]
    task, model, _ = emitted(tmp_path / "untied.onnx", task_name, changes={"tie_word_embeddings": False})
    assert noise(tmp_path / "untied.onnx", model, task) > LEAST
    untied = initializers(tmp_path / "untied.onnx")
    assert "predictions.decoder.weight_quantized" in untied
    assert list(untied[table[0]].dims) == [TINY["vocab_size"], TINY["embedding_size"]]


def test_a_row_alone_gives_what_it_gives_in_company_and_padded(tmp_path):
    path = tmp_path / "model.onnx"
    task, _, _ = emitted(path)
    assert row_apart(path, task) < 1e-5
    # The twin: with one scale for the whole tensor, the neighbours decide how finely a token is measured.
    usual = onnx.load(path)
    one_scale_for_all_tokens(usual)
    onnx.save(usual, tmp_path / "usual.onnx")
    assert row_apart(tmp_path / "usual.onnx", task) > 1e-2


def row_apart(path: Path, task) -> float:
    feed = inputs(task, 4, 1, 20)
    feed["attention_mask"][1:] = np.arange(20) < np.array([[20], [11], [3]])
    together = onnx_outputs(path, feed)
    worst = 0.0
    for row, length in enumerate(feed["attention_mask"].sum(1)):
        alone = onnx_outputs(path, {name: array[row : row + 1, :length] for name, array in feed.items()})
        for one, other in zip(alone, together, strict=True):
            worst = max(worst, float(np.abs(one[0] - other[row, :length]).max()))
    return worst


@pytest.mark.parametrize("part", PARTS)
def test_only_the_chosen_part_is_quantised(tmp_path, part):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, "embed", parts=(part,))
    expected = {
        "embeddings": {"embeddings.word_embeddings", "encoder.embedding_hidden_mapping_in"},
        "attention": {f"{LAYER}.attention.{name}"[7:] for name in ("query", "key", "value", "dense")},
        "ffn": {f"{LAYER}.{name}"[7:] for name in ("ffn", "ffn_output")},
        "head": {"pooler"},
    }
    quantized = {name for name in initializers(path) if name.endswith("_quantized")}
    assert quantized == {f"{name}.weight_quantized" for name in expected[part]}
    assert written.facts["quantized"] == [part]
    assert noise(path, model, task) > LEAST


@pytest.mark.parametrize("options", [{"precision": "int8"}, {"precision": "int4"}, {"calibration": True}], ids=str)
def test_a_head_of_few_outputs_is_no_part_of_it_and_alone_it_is_refused(tmp_path, options):
    task = get_task("qa")
    model = tiny_model(task)
    given = {"precision": "int8", **options}
    if given.pop("calibration", False):
        given["calibration"] = [inputs(task, 1, 1, 9)]
    written = emit_onnx(model, task, tmp_path / "model.onnx", **given)
    assert written.facts["quantized"] == list(written.quantized_bytes) == ["embeddings", "attention", "ffn"]
    assert "qa_outputs.weight" in initializers(tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"received head, which has none.*fix: choose from embeddings, attention, ffn"):
        emit_onnx(model, task, tmp_path / "head.onnx", parts=["head"], traced=written.traced, **given)
    assert not (tmp_path / "head.onnx").exists()


def test_a_tied_decoder_goes_with_the_embeddings(tmp_path):
    task, model, _ = emitted(tmp_path / "head.onnx", "mlm", parts=("head",))
    assert "albert.embeddings.word_embeddings.weight" in initializers(tmp_path / "head.onnx")
    assert noise(tmp_path / "head.onnx", model, task) > LEAST
    counts = Counter(node.op_type for node in onnx.load(tmp_path / "head.onnx").graph.node)
    assert counts["Gemm"] == 1


def test_rows_and_outputs_of_zeros_have_a_scale(tmp_path):
    task = get_task("mlm")
    model = tiny_model(task)
    with torch.no_grad():
        model.albert.embeddings.word_embeddings.weight[7] = 0.0
        model.albert.encoder.albert_layer_groups[0].albert_layers[0].ffn.weight[3] = 0.0
    emit_onnx(model, task, tmp_path / "model.onnx", precision="int8")
    feed = inputs(task, *SHAPES[1])
    feed["input_ids"][:] = 7
    assert signal_to_noise(onnx_outputs(tmp_path / "model.onnx", feed), eager_outputs(model, task, feed)) > LEAST


def test_outliers_among_the_weights_are_met_by_scales_of_their_own(tmp_path):
    task = get_task("qa")
    model = tiny_model(task)
    with torch.no_grad():
        model.albert.encoder.albert_layer_groups[0].albert_layers[0].ffn.weight[5] *= 50.0
        model.albert.embeddings.word_embeddings.weight[11] *= 30.0
    emit_onnx(model, task, tmp_path / "model.onnx", precision="int8")
    assert noise(tmp_path / "model.onnx", model, task) > 15.0


@pytest.mark.parametrize(
    ("precision", "name", "number"),
    [
        ("int8", f"{LAYER}.ffn.weight", float("nan")),
        ("int8", "albert.encoder.embedding_hidden_mapping_in.bias", float("inf")),
        *((precision, f"{LAYER}.ffn.weight", float("inf")) for precision in ("fp32", "fp16", "bf16", "int4")),
    ],
)
def test_a_weight_that_is_not_finite_is_named(tmp_path, precision, name, number):
    task = get_task("qa")
    model = tiny_model(task)
    with torch.no_grad():
        model.get_parameter(name).view(-1)[3] = number
    with pytest.raises(ExportError, match=f"weights must be finite.*{name}") as raised:
        emit_onnx(model, task, tmp_path / "model.onnx", precision=precision)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_a_quantised_graph_is_not_quantised_again(tmp_path):
    import onnx_ir as ir

    emitted(tmp_path / "model.onnx")
    with pytest.raises(ExportError, match=r"only a graph that is not quantised.*received QuantizeLinear in it; fix: "):
        quantize_int8(ir.load(tmp_path / "model.onnx"), PARTS)


def test_the_same_model_gives_the_same_bytes(tmp_path):
    emitted(tmp_path / "one.onnx", "mlm")
    emitted(tmp_path / "two.onnx", "mlm")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_a_file_of_base_size_takes_a_quarter(tmp_path):
    task = get_task("qa")
    model = tiny_model(task, **BASE)
    sizes = {}
    for precision in ("fp32", "int8"):
        written = emit_onnx(model, task, tmp_path / precision, precision=precision)
        sizes[precision] = sum(file.stat().st_size for file in written.files)
    assert sizes["fp32"] > 44e6
    assert sizes["int8"] <= INT8_SHARE * sizes["fp32"]
