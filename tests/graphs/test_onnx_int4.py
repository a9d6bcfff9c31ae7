"""int4 in ONNX: what the packed numbers stand for is what is computed, each weight is there once, in blocks."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import onnx_ir as ir
import pytest
import torch

from albert_export.errors import ExportError
from albert_export.graphs.onnx_emitter import NEWEST_OPSET, OLDEST_OPSET, emit_onnx
from albert_export.graphs.onnx_int4 import BLOCK, block_scales, codes, quantize_int4
from albert_export.graphs.onnx_quantization import quantize_int8
from albert_export.parts import PARTS
from albert_export.tasks import TASKS, get_task
from tests.graphs.models import TINY, eager_outputs, inputs, onnx_outputs, tiny_model
from tests.graphs.noise import signal_to_noise

SHAPES = ((1, 1, 1), (3, 2, 7), (2, 4, TINY["max_position_embeddings"]))

#: dB. To the eager model with the same numbers for weights only float32's rounding is left.
LEAST_TO_SAME_WEIGHTS = 90.0


def emitted(path: Path, task_name: str = "qa", **options):
    task = get_task(task_name)
    model = tiny_model(task, **options.pop("changes", {}))
    return task, model, emit_onnx(model, task, path, precision="int4", **options)


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


def packed_names(path: Path) -> list[str]:
    return sorted(name.removesuffix("_q4") for name in initializers(path) if name.endswith("_q4"))


def with_stored_weights(path: Path, model: torch.nn.Module) -> torch.nn.Module:
    """Return the eager model with what the file's bytes stand for as its weights."""
    found = initializers(path)
    same = copy.deepcopy(model)
    with torch.no_grad():
        for name in packed_names(path):
            packed = onnx.numpy_helper.to_array(found[f"{name}_q4"])
            scales = onnx.numpy_helper.to_array(found[f"{name}_scale"])
            numbers = np.stack([packed & 15, packed >> 4], axis=-1).reshape(*scales.shape, BLOCK).astype(np.float32)
            values = ((numbers - 8) * scales[..., None]).reshape(len(scales), -1)
            parameter = same.get_parameter(name)
            parameter.copy_(torch.from_numpy(values[:, : parameter.shape[1]].copy()))
    return same


@pytest.mark.parametrize("task_name", [task.name for task in TASKS])
def test_every_task_computes_what_the_stored_numbers_stand_for(tmp_path, task_name):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, task_name)
    assert noise(path, with_stored_weights(path, model), task) > LEAST_TO_SAME_WEIGHTS
    assert noise(path, model, task) < LEAST_TO_SAME_WEIGHTS / 2, "the twin: with the checkpoint's weights it is another"
    assert written.facts["loops"] == ["group_0_layers x 4"]
    assert written.facts["passes"] == ["quantize-int4"]
    found = initializers(path)
    names = packed_names(path)
    assert len(names) >= 8
    for name in names:
        assert name not in found, "the weight itself is gone"
        assert list(found[f"{name}_scale"].dims) == list(found[f"{name}_q4"].dims)[:2]
    written.sharing.check("nothing")


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_groups": 2, "inner_group_num": 2},
        {"hidden_act": "relu"},
        {"position_embedding_type": "relative_key_query"},
        # Rows of whole blocks, of one and a half, and of half a block.
        {"embedding_size": 2 * BLOCK, "hidden_size": BLOCK + BLOCK // 2, "intermediate_size": BLOCK // 2},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_every_form_of_the_layer_computes_it(tmp_path, changes):
    path = tmp_path / "model.onnx"
    task, model, _ = emitted(path, "pretraining", changes=changes)
    assert noise(path, with_stored_weights(path, model), task) > LEAST_TO_SAME_WEIGHTS


def test_unrolled_layers_read_the_same_weights(tmp_path):
    path, rolled = tmp_path / "model.onnx", tmp_path / "rolled.onnx"
    _, _, written = emitted(path, layers="unrolled")
    task, _, looped = emitted(rolled)
    assert written.sharing.stored_weight_bytes == looped.sharing.stored_weight_bytes
    assert written.facts["operators"]["MatMulNBits"] > looped.facts["operators"]["MatMulNBits"]
    feed = inputs(task, *SHAPES[1])
    for one, other in zip(onnx_outputs(path, feed), onnx_outputs(rolled, feed), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("opset", [OLDEST_OPSET, NEWEST_OPSET])
def test_the_oldest_and_the_newest_opset_run(tmp_path, opset):
    path = tmp_path / "model.onnx"
    task, model, _ = emitted(path, "mlm", opset=opset)
    assert noise(path, with_stored_weights(path, model), task) > LEAST_TO_SAME_WEIGHTS
    domains = {entry.domain: entry.version for entry in onnx.load(path).opset_import}
    assert domains == {"": opset, "com.microsoft": 1}


@pytest.mark.parametrize("task_name", ["fill-mask", "pretraining"])
def test_a_tied_decoder_and_the_look_ups_read_the_same_bytes(tmp_path, task_name):
    path = tmp_path / "model.onnx"
    emitted(path, task_name)
    found = initializers(path)
    table = sorted(name for name in found if "word_embeddings" in name or "decoder.weight" in name)
    assert table == [
        "albert.embeddings.word_embeddings.weight_q4",
        "albert.embeddings.word_embeddings.weight_scale",
    ]
    assert list(found[table[0]].dims) == [TINY["vocab_size"], 1, BLOCK // 2]
    task, model, _ = emitted(tmp_path / "untied.onnx", task_name, changes={"tie_word_embeddings": False})
    same = with_stored_weights(tmp_path / "untied.onnx", model)
    assert noise(tmp_path / "untied.onnx", same, task) > LEAST_TO_SAME_WEIGHTS
    assert "predictions.decoder.weight" in packed_names(tmp_path / "untied.onnx")


def test_a_row_alone_gives_what_it_gives_in_company_and_padded(tmp_path):
    path = tmp_path / "model.onnx"
    task, _, _ = emitted(path)
    feed = inputs(task, 4, 1, 20)
    feed["attention_mask"][1:] = np.arange(20) < np.array([[20], [11], [3]])
    together = onnx_outputs(path, feed)
    for row, length in enumerate(feed["attention_mask"].sum(1)):
        alone = onnx_outputs(path, {name: array[row : row + 1, :length] for name, array in feed.items()})
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], other[row, :length], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("part", PARTS)
def test_only_the_chosen_part_is_packed(tmp_path, part):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, "embed", parts=(part,))
    expected = {
        "embeddings": {"embeddings.word_embeddings", "encoder.embedding_hidden_mapping_in"},
        "attention": {f"attention.{name}" for name in ("query", "key", "value", "dense")},
        "ffn": {"ffn", "ffn_output"},
        "head": {"pooler"},
    }
    layer = "encoder.albert_layer_groups.0.albert_layers.0."
    assert {name.removeprefix(layer).removesuffix(".weight") for name in packed_names(path)} == expected[part]
    assert written.facts["quantized"] == [part]
    assert noise(path, with_stored_weights(path, model), task) > LEAST_TO_SAME_WEIGHTS


def test_the_scales_use_the_whole_range_and_meet_the_largest_number():
    blocks = np.random.default_rng(0).standard_normal((50, 6, BLOCK)).astype(np.float32)
    blocks[0, 0] = 0.0
    blocks[1, 1, 5] = 1e-38
    blocks[2] *= 50

    def error(scales: np.ndarray) -> np.ndarray:
        return (((codes(blocks, scales).astype(np.float64) - 8) * scales[..., None] - blocks) ** 2).sum(-1)

    scales = block_scales(blocks)
    plain = np.maximum(np.abs(blocks).max(-1) / 7, 1e-30).astype(np.float32)
    assert np.isfinite(scales).all()
    assert (scales != 0).all()
    assert error(scales)[0, 0] == 0
    assert error(scales)[3:].sum() < 0.9 * error(plain)[3:].sum()
    # No number is off by more than a step; all but those cut off at the short side by half a step at most.
    off = np.abs((codes(blocks, scales).astype(np.float64) - 8) * scales[..., None] - blocks) / np.abs(
        scales[..., None]
    )
    assert off[3:].max() <= 1.0 + 1e-5
    assert (off[3:] > 0.5 + 1e-5).mean() < 0.02
    # The range reaches further below zero: the sign puts the largest number there.
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(-1)[..., None], -1)[..., 0]
    assert (np.sign(scales[3:]) == -np.sign(largest[3:])).all()


@pytest.mark.parametrize("second", [quantize_int4, quantize_int8])
def test_a_quantised_graph_is_not_quantised_again(tmp_path, second):
    emitted(tmp_path / "model.onnx")
    with pytest.raises(ExportError, match=r"only a graph that is not quantised.*received MatMulNBits in it"):
        second(ir.load(tmp_path / "model.onnx"), PARTS)


def test_the_same_model_gives_the_same_bytes(tmp_path):
    emitted(tmp_path / "one.onnx", "mlm")
    emitted(tmp_path / "two.onnx", "mlm")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()


def test_a_file_of_the_usual_widths_takes_a_sixth_and_less_than_int8(tmp_path):
    # Of base's proportions: the vocabulary is wide, a row 128 long.
    changes = {"vocab_size": 3000, "embedding_size": 128, "hidden_size": 128, "intermediate_size": 512}
    _, _, small = emitted(tmp_path / "small.onnx", "mlm", changes=changes)
    task = get_task("mlm")
    emit_onnx(tiny_model(task, **changes), task, tmp_path / "int8.onnx", precision="int8")
    assert (tmp_path / "small.onnx").stat().st_size < 0.7 * (tmp_path / "int8.onnx").stat().st_size
    assert small.sharing.stored_weight_bytes < small.sharing.unique_parameter_bytes * 0.18


def test_a_weight_that_is_split_into_pieces_is_packed_as_in_one(tmp_path, monkeypatch):
    import albert_export.graphs.onnx_int4 as module

    emitted(tmp_path / "one.onnx", "mlm")
    monkeypatch.setattr(module, "_CHUNK", 5 * BLOCK)
    emitted(tmp_path / "two.onnx", "mlm")
    assert (tmp_path / "one.onnx").read_bytes() == (tmp_path / "two.onnx").read_bytes()
