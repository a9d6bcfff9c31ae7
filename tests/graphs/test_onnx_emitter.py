"""Every task, form and variant, traced and run by ONNX Runtime at shapes other than the traced one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from albert_export.errors import ConfigError, ExportError
from albert_export.graphs.onnx_emitter import (
    DEFAULT_OPSET,
    NEWEST_OPSET,
    OLDEST_OPSET,
    check_opset,
    emit_onnx,
)
from albert_export.tasks import TASKS, get_task
from tests.graphs.models import TINY, eager_outputs, inputs, onnx_outputs, tiny_model, worst_relative_error

#: One element, odd sizes, and the longest sequence; the traced sizes (2, 3, 16) are not among them.
SHAPES = ((1, 1, 1), (3, 2, 7), (1, 4, TINY["max_position_embeddings"]))
LIMIT = 3e-5

VARIANTS = {
    "groups": {"num_hidden_groups": 2},
    "uneven-groups": {"num_hidden_layers": 5, "num_hidden_groups": 2},
    "inner-groups": {"num_hidden_groups": 2, "inner_group_num": 2},
    "gelu": {"hidden_act": "gelu"},
    "relu": {"hidden_act": "relu"},
    "silu": {"hidden_act": "silu"},
    "relative-key": {"position_embedding_type": "relative_key"},
    "relative-key-query": {"position_embedding_type": "relative_key_query"},
    "one-layer": {"num_hidden_layers": 1},
}


def emitted(path: Path, task_name: str, **options):
    task = get_task(task_name)
    model = tiny_model(task, **options.pop("changes", {}))
    return task, model, emit_onnx(model, task, path, **options)


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
@pytest.mark.parametrize("task_name", [task.name for task in TASKS])
def test_every_task_computes_what_the_eager_model_computes(tmp_path, task_name, layers):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, task_name, layers=layers)
    for shape in SHAPES:
        feed = inputs(task, *shape)
        assert worst_relative_error(onnx_outputs(path, feed), eager_outputs(model, task, feed)) < LIMIT
    assert written.sharing.ratio == 1.0
    assert written.files == (path,)
    assert written.facts["loops"] == (["group_0_layers x 4"] if layers == "rolled" else [])
    proto = onnx.load(path)
    assert [value.name for value in proto.graph.input] == [spec.name for spec in task.inputs]
    assert [value.name for value in proto.graph.output] == [spec.name for spec in task.outputs]


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_the_encoder_is_lowered(tmp_path, variant, layers):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, "embed", layers=layers, changes=VARIANTS[variant])
    for shape in SHAPES:
        feed = inputs(task, *shape)
        assert worst_relative_error(onnx_outputs(path, feed), eager_outputs(model, task, feed)) < LIMIT
    groups = model.config.num_hidden_groups
    assert len(written.facts["loops"]) == (groups if layers == "rolled" else 0)
    # Relative positions leave the table of absolute ones unread, and what nothing reads is not stored.
    unread = TINY["max_position_embeddings"] * TINY["embedding_size"] * 4 if variant.startswith("relative") else 0
    assert written.sharing.stored_weight_bytes == written.sharing.unique_parameter_bytes - unread


@pytest.mark.parametrize("asked_for", ["output_attentions", "output_hidden_states"])
def test_a_configuration_that_asks_for_every_layers_output_is_looped_all_the_same(tmp_path, asked_for):
    _, _, written = emitted(tmp_path / "model.onnx", "qa", changes={asked_for: True})
    assert written.facts["loops"] == ["group_0_layers x 4"]
    nodes = onnx.load(tmp_path / "model.onnx").graph.node
    assert {"hidden_0", "hidden_4"} <= {name for node in nodes for name in node.output}


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
@pytest.mark.parametrize("longest", [1, 2, 3])
def test_a_model_of_a_few_positions_keeps_its_axes_apart(tmp_path, longest, layers):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, "choice", layers=layers, changes={"max_position_embeddings": longest})
    assert written.inputs[0]["shape"] == ["batch", "choices", "sequence"]
    for shape in ((1, 1, 1), (3, 4, longest), (longest, longest, longest)):
        feed = inputs(task, *shape)
        assert worst_relative_error(onnx_outputs(path, feed), eager_outputs(model, task, feed)) < LIMIT


def test_pruned_heads_are_gone_from_the_graph(tmp_path):
    path = tmp_path / "model.onnx"
    task = get_task("qa")
    model = tiny_model(task, num_hidden_groups=2, inner_group_num=2)
    model.prune_heads({0: [1, 2], 3: [0]})
    emit_onnx(model, task, path)
    feed = inputs(task, *SHAPES[1])
    assert worst_relative_error(onnx_outputs(path, feed), eager_outputs(model, task, feed)) < LIMIT
    widths = {tensor.name: tensor.dims[1] for tensor in onnx.load(path).graph.initializer if "query.w" in tensor.name}
    assert sorted(widths.values()) == [16, 24, 32, 32]


@pytest.mark.parametrize("num_labels", [1, 3])
def test_a_span_head_without_two_labels_is_told_in_the_models_words(tmp_path, num_labels):
    with pytest.raises(ConfigError, match=f"num_labels must be 2 for question answering.*received {num_labels}; fix"):
        emitted(tmp_path / "model.onnx", "qa", changes={"num_labels": num_labels})


def test_the_comparison_of_these_tests_sees_another_activation(tmp_path):
    path = tmp_path / "model.onnx"
    task, _, _ = emitted(path, "embed", changes={"hidden_act": "gelu"})
    other = tiny_model(task, hidden_act="gelu_new")
    feed = inputs(task, *SHAPES[1])
    assert worst_relative_error(onnx_outputs(path, feed), eager_outputs(other, task, feed)) > 3 * LIMIT


@pytest.mark.parametrize("opset", range(OLDEST_OPSET, NEWEST_OPSET + 1))
def test_every_opset_is_checked_and_runs(tmp_path, opset):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, "mlm", opset=opset)
    feed = inputs(task, *SHAPES[1])
    assert worst_relative_error(onnx_outputs(path, feed), eager_outputs(model, task, feed)) < LIMIT
    proto = onnx.load(path)
    assert [(item.domain, item.version) for item in proto.opset_import] == [("", opset)]
    assert written.facts["passes"] == (["decompose-newer-operators"] if opset < 20 else [])
    assert ("Gelu" in written.facts["operators"]) == (opset >= 20)


@pytest.mark.parametrize("opset", [OLDEST_OPSET - 1, NEWEST_OPSET + 1])
def test_an_opset_out_of_range_names_the_range(opset):
    with pytest.raises(ExportError, match=f"from {OLDEST_OPSET} to {NEWEST_OPSET}; received {opset}"):
        check_opset(opset)


def test_tied_and_untied_decoders_store_what_is_theirs(tmp_path):
    _, _, tied = emitted(tmp_path / "tied.onnx", "mlm")
    task, model, untied = emitted(tmp_path / "untied.onnx", "mlm", changes={"tie_word_embeddings": False})
    table = TINY["vocab_size"] * TINY["embedding_size"] * 4
    assert untied.sharing.stored_weight_bytes - tied.sharing.stored_weight_bytes == table
    assert tied.sharing.ratio == untied.sharing.ratio == 1.0
    feed = inputs(task, *SHAPES[1])
    expected = eager_outputs(model, task, feed)
    assert worst_relative_error(onnx_outputs(tmp_path / "untied.onnx", feed), expected) < LIMIT


def test_fixed_sizes_are_in_the_signature(tmp_path):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, "choice", sizes={"batch": 1, "choices": 4, "sequence": None})
    assert [entry["shape"] for entry in written.inputs] == [[1, 4, "sequence"]] * 3
    assert written.outputs[0]["shape"] == [1, 4]
    feed = inputs(task, 1, 4, 9)
    assert worst_relative_error(onnx_outputs(path, feed), eager_outputs(model, task, feed)) < LIMIT


def test_the_same_model_gives_the_same_bytes(tmp_path):
    emitted(tmp_path / "one.onnx", "qa")
    emitted(tmp_path / "two.onnx", "qa")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_metadata_names_tool_task_labels_and_what_is_given(tmp_path):
    path = tmp_path / "model.onnx"
    emitted(path, "ner", metadata={"checkpoint_sha256": "abc"})
    found = {item.key: item.value for item in onnx.load(path).metadata_props}
    assert found["tool"].startswith("albert-export ")
    assert (found["task"], found["layers"], found["checkpoint_sha256"]) == ("token-classification", "rolled", "abc")
    assert json.loads(found["labels"]) == {"0": "LABEL_0", "1": "LABEL_1", "2": "LABEL_2"}


def test_a_row_that_is_all_padding_stays_finite(tmp_path):
    path = tmp_path / "model.onnx"
    task, _, _ = emitted(path, "embed")
    feed = inputs(task, 2, 1, 6)
    feed["attention_mask"][1] = 0
    assert all(np.isfinite(array).all() for array in onnx_outputs(path, feed))


def test_the_eager_model_is_left_as_it_was(tmp_path):
    task = get_task("qa")
    model = tiny_model(task)
    model.train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    emit_onnx(model, task, tmp_path / "model.onnx")
    assert model.training
    assert model.albert.mask_bias_floor is None
    assert "run_layers" not in vars(model.albert.encoder)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_hidden_states_are_named_for_the_search_of_a_miss(tmp_path):
    emitted(tmp_path / "rolled.onnx", "qa", changes={"num_hidden_groups": 2})
    emitted(tmp_path / "unrolled.onnx", "qa", layers="unrolled")
    rolled = {name for node in onnx.load(tmp_path / "rolled.onnx").graph.node for name in node.output}
    unrolled = {name for node in onnx.load(tmp_path / "unrolled.onnx").graph.node for name in node.output}
    assert {"hidden_0", "hidden_2", "hidden_4", "group_0_trip_count", "group_1_trip_count"} <= rolled
    assert {f"hidden_{layer}" for layer in range(5)} <= unrolled


def test_weights_are_stored_in_the_orientation_they_are_multiplied_in(tmp_path):
    path = tmp_path / "model.onnx"
    emitted(path, "qa")
    shapes = {tensor.name: list(tensor.dims) for tensor in onnx.load(path).graph.initializer}
    layer = "albert.encoder.albert_layer_groups.0.albert_layers.0"
    assert shapes[f"{layer}.ffn.weight"] == [TINY["hidden_size"], TINY["intermediate_size"]]
    assert shapes["albert.embeddings.word_embeddings.weight"] == [TINY["vocab_size"], TINY["embedding_size"]]


def test_the_default_opset_is_one_that_is_tested():
    assert OLDEST_OPSET <= DEFAULT_OPSET <= NEWEST_OPSET
