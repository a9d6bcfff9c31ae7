from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from albert_export.errors import ExportError, InputError
from albert_export.graphs import tflite_emitter
from albert_export.graphs.tflite_emitter import emit_tflite
from albert_export.graphs.tflite_graph import Operators, TFLiteGraph, Types
from albert_export.parts import PARTS
from albert_export.readers import TASK_LIBRARY
from albert_export.tasks import TASKS, get_task
from tests.graphs.noise import signal_to_noise
from tests.graphs.sizes import BASE, INT8_SHARE
from tests.graphs.tf_models import (
    SHAPES,
    eager_outputs,
    inputs,
    litert_outputs,
    tiny_model,
    worst_relative_error,
)

QA = get_task("question-answering")
MLM = get_task("fill-mask")
CLASSES = get_task("text-classification")
EMBED = get_task("feature-extraction")

#: float32 noise of a tiny model with large weights; a wrong graph is off by more than a tenth.
NOISE = 1e-4


@pytest.fixture(scope="module")
def model():
    return tiny_model(QA)


@pytest.fixture(scope="module")
def calibration():
    return [inputs(QA, batch, 1, sequence) for batch, sequence in ((1, 24), (2, 16), (1, 7), (1, 3))]


def worst(path, model, task, shapes=SHAPES) -> float:
    feeds = [inputs(task, *shape) for shape in shapes]
    return max(worst_relative_error(litert_outputs(path, feed), eager_outputs(model, task, feed)) for feed in feeds)


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_task_equals_the_eager_model_at_every_shape(task, tmp_path):
    model, path = tiny_model(task), tmp_path / "model.tflite"
    emitted = emit_tflite(model, task, path)
    assert worst(path, model, task) < NOISE
    assert worst(path, tiny_model(task, seed=8), task, SHAPES[1:2]) > 0.1
    assert emitted.files == (path,)
    assert emitted.sharing.ratio == 1.0
    assert [spec["name"] for spec in emitted.inputs] == ["input_ids", "attention_mask", "token_type_ids"]
    assert {spec["dtype"] for spec in emitted.inputs} == {"int32"}
    assert emitted.inputs[0]["shape"] == list(task.inputs[0].axes)
    assert [spec["name"] for spec in emitted.outputs] == [spec.name for spec in task.outputs]
    assert emitted.facts["operators"]["WHILE"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_groups": 2, "inner_group_num": 2},
        {"hidden_act": "gelu"},
        {"hidden_act": "relu"},
        {"hidden_act": "silu"},
        {"position_embedding_type": "relative_key_query"},
    ],
    ids=lambda changes: "-".join(map(str, changes.values())),
)
def test_every_form_of_the_layer_equals_the_eager_model(changes, tmp_path):
    model, path = tiny_model(QA, **changes), tmp_path / "model.tflite"
    emitted = emit_tflite(model, QA, path)
    assert worst(path, model, QA) < NOISE
    groups = changes.get("num_hidden_groups", 1)
    assert emitted.facts["operators"]["WHILE"] == groups
    assert emitted.facts["loops"] == [f"group {group} x {4 // groups}" for group in range(groups)]


def test_an_untied_decoder_is_a_weight_of_its_own(tmp_path):
    model, path = tiny_model(MLM, tie_word_embeddings=False), tmp_path / "model.tflite"
    tied = emit_tflite(tiny_model(MLM), MLM, tmp_path / "tied.tflite")
    untied = emit_tflite(model, MLM, path)
    assert worst(path, model, MLM) < NOISE
    assert untied.sharing.unique_parameter_bytes - tied.sharing.unique_parameter_bytes == 200 * 16 * 4


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_unrolled_is_one_subgraph_with_each_weight_once(model, precision, tmp_path):
    path = tmp_path / "model.tflite"
    emitted = emit_tflite(model, QA, path, layers="unrolled", precision=precision)
    rolled = emit_tflite(model, QA, tmp_path / "rolled.tflite", precision=precision)
    assert emitted.facts["subgraphs"] == 1
    assert rolled.facts["subgraphs"] == 3
    assert emitted.facts["operators"]["SOFTMAX"] == 4
    assert emitted.sharing.stored_weight_bytes == rolled.sharing.stored_weight_bytes
    for shape in SHAPES:
        feed = inputs(QA, *shape)
        assert worst_relative_error(litert_outputs(path, feed), litert_outputs(rolled.files[0], feed)) < NOISE


def test_fixed_sizes_are_the_only_ones(model, tmp_path):
    path = tmp_path / "model.tflite"
    emitted = emit_tflite(model, QA, path, sizes={"batch": 1, "sequence": 16})
    assert emitted.inputs[0]["shape"] == [1, 16]
    assert emitted.traced_sizes == {"batch": 1, "sequence": 16}
    assert "SHAPE" not in emitted.facts["operators"]
    assert worst(path, model, QA, [(1, 1, 16)]) < NOISE
    with pytest.raises(ExportError, match=r"sequence must be at most 24.*received 25"):
        emit_tflite(model, QA, tmp_path / "long.tflite", sizes={"sequence": 25})


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
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
def test_some_sizes_are_fixed_and_others_stay_dynamic(name, sizes, layers, tmp_path):
    task, path = get_task(name), tmp_path / "model.tflite"
    small = tiny_model(task)
    emitted = emit_tflite(small, task, path, sizes=sizes, layers=layers)
    assert emitted.inputs[0]["shape"] == [sizes.get(axis, axis) for axis in task.inputs[0].axes]
    free = [dict.fromkeys(("batch", "choices", "sequence"), size) for size in (1, 2, 9)]
    shapes = [tuple({**one, **sizes}.values()) for one in free]
    assert worst(path, small, task, shapes) < NOISE
    assert worst(path, tiny_model(task, seed=8), task, shapes) > 0.1


#: dB; what a weight of 11 and of 8 bits leaves, with a margin, on these weights, which are harsher than trained ones.
@pytest.mark.parametrize(("precision", "calibrated", "least"), [("fp16", 0, 50), ("int8", 0, 20), ("int8", 1, 20)])
@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_lower_precisions_come_near(model, calibration, precision, calibrated, least, layers, tmp_path):
    path = tmp_path / "model.tflite"
    given = calibration if calibrated else None
    emitted = emit_tflite(model, QA, path, layers=layers, precision=precision, calibration=given)
    feed = inputs(QA, 2, 1, 16)
    expected = eager_outputs(model, QA, feed)
    assert signal_to_noise(litert_outputs(path, feed), expected) > least
    assert signal_to_noise(litert_outputs(path, feed), eager_outputs(tiny_model(QA, seed=8), QA, feed)) < 10
    assert [one.dtype for one in litert_outputs(path, feed)] == [np.float32] * 2
    emitted.sharing.check("nothing")
    assert ("QUANTIZE" in emitted.facts["operators"]) == bool(calibrated)
    alone = {name: array[1:] for name, array in feed.items()}
    np.testing.assert_allclose(litert_outputs(path, alone)[0], litert_outputs(path, feed)[0][1:], rtol=1e-4, atol=1e-5)


def test_a_weight_beyond_float16_is_named(tmp_path):
    model = tiny_model(QA)
    values = model.qa_outputs.weight.numpy().copy()
    values[0, 0] = -1e5
    model.qa_outputs.weight.assign(values)
    with pytest.raises(ExportError, match=r"at most 65504 in float16.*received 1e\+05 in qa_outputs.weight"):
        emit_tflite(model, QA, tmp_path / "model.tflite", precision="fp16")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("calibrated", [False, True])
def test_parts_that_are_left_out_keep_their_weights_and_their_numbers(calibration, calibrated, tmp_path):
    given = calibration if calibrated else None
    model = tiny_model(EMBED)
    feed = inputs(EMBED, 2, 1, 16)
    expected = eager_outputs(model, EMBED, feed)
    whole = emit_tflite(model, EMBED, tmp_path / "whole.tflite", precision="int8", calibration=given)
    assert list(whole.quantized_bytes) == list(PARTS)
    nearest = signal_to_noise(litert_outputs(tmp_path / "whole.tflite", feed), expected)
    for part in PARTS:
        path = tmp_path / f"{part}.tflite"
        made = emit_tflite(model, EMBED, path, precision="int8", calibration=given, parts=[part], traced=whole.traced)
        again = emit_tflite(model, EMBED, tmp_path / "again", precision="int8", calibration=given, parts=[part])
        assert path.read_bytes() == (tmp_path / "again").read_bytes(), "what was traced once serves again"
        (tmp_path / "again").unlink()
        assert made.facts["quantized"] == [part]
        assert made.quantized_bytes == again.quantized_bytes == {part: whole.quantized_bytes[part]}
        assert signal_to_noise(litert_outputs(path, feed), expected) > nearest - 1


def test_tables_of_positions_and_segments_are_no_part_as_in_onnx(model, tmp_path):
    emit_tflite(model, QA, tmp_path / "model.tflite", precision="int8")
    stored = {
        one.name.decode(): one.type for one in TFLiteGraph((tmp_path / "model.tflite").read_bytes()).main.raw.tensors
    }
    tables = {name.split(".")[-2]: dtype for name, dtype in stored.items() if "_embeddings.weight" in name}
    assert tables == {
        "word_embeddings": Types.INT8,
        "position_embeddings": Types.FLOAT32,
        "token_type_embeddings": Types.FLOAT32,
    }


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_head_of_few_outputs_is_no_part_of_it_and_alone_it_is_refused(model, calibration, calibrated, tmp_path):
    given = calibration if calibrated else None
    path = tmp_path / "model.tflite"
    written = emit_tflite(model, QA, path, precision="int8", calibration=given)
    assert written.facts["quantized"] == list(written.quantized_bytes) == ["embeddings", "attention", "ffn"]
    stored = {weight.name: weight.type for weight in TFLiteGraph(path.read_bytes()).main.raw.tensors}
    assert stored[b"qa_outputs.weight"] == Types.FLOAT32
    with pytest.raises(InputError, match=r"received head, which has none.*fix: choose from embeddings, attention, ffn"):
        emit_tflite(
            model, QA, tmp_path / "head", precision="int8", calibration=given, parts=["head"], traced=written.traced
        )
    assert not (tmp_path / "head").exists()


def test_an_int8_file_of_base_size_takes_a_quarter(tmp_path):
    base = tiny_model(QA, **BASE)
    whole = emit_tflite(base, QA, tmp_path / "whole.tflite")
    sizes = {}
    for name, given in (("measured", None), ("calibrated", [inputs(QA, 1, 1, 8)])):
        path = tmp_path / name
        emit_tflite(base, QA, path, precision="int8", calibration=given, traced=whole.traced)
        sizes[name] = path.stat().st_size
    assert (tmp_path / "whole.tflite").stat().st_size > 44e6
    assert max(sizes.values()) <= INT8_SHARE * (tmp_path / "whole.tflite").stat().st_size


def test_int8_files_keep_a_tied_decoder_once(tmp_path):
    model = tiny_model(MLM, vocab_size=20_000)
    whole = emit_tflite(model, MLM, tmp_path / "whole.tflite")
    # A scale and a zero point are 12 bytes: much for the 16 of a row of this table, little for the 128 of a real one.
    for reader, share in ((None, 0.5), (TASK_LIBRARY, 0.3)):
        path = tmp_path / f"{share}.tflite"
        small = emit_tflite(model, MLM, path, precision="int8", reader=reader)
        assert small.sharing.stored_weight_bytes < share * whole.sharing.stored_weight_bytes
        feed = inputs(MLM, 1, 1, 16)
        assert signal_to_noise(litert_outputs(path, feed), eager_outputs(model, MLM, feed)) > 15


def test_calibration_sees_every_iteration_of_the_loop(model, calibration):
    from albert_export.graphs.tflite_calibration import ranges
    from albert_export.graphs.tflite_passes import bind_weights, drop_unused, write_dense_layers

    traced = tflite_emitter.trace(model, QA, layers="rolled", sizes={})
    graph = TFLiteGraph(tflite_emitter.convert(traced.function))
    bind_weights(graph, {n: tflite_emitter.StoredWeight(w.name, w.read, w.shape) for n, w in traced.weights.items()})
    write_dense_layers(graph)
    drop_unused(graph)
    subgraph, gelu = next(graph.walk(Operators.GELU))
    place = (graph.subgraphs.index(subgraph), gelu.inputs[0])
    found = ranges(graph, [place], calibration)[place]
    spans = [layer_spans(model, feed) for feed in calibration]
    expected = (min(low for one in spans for low, _ in one), max(high for one in spans for _, high in one))
    assert found == pytest.approx(expected, rel=1e-4)
    # the twin: the last iteration alone has another range
    last = (min(one[-1][0] for one in spans), max(one[-1][1] for one in spans))
    assert found != pytest.approx(last, rel=1e-2)


def layer_spans(model, feed) -> list[tuple[float, float]]:
    """Return the least and the largest input of GELU in each layer."""
    encoder = model.albert.encoder
    layer = encoder.albert_layer_groups[0].albert_layers[0]
    seen: list[tuple[float, float]] = []
    activation = layer.activation

    def watching(x):
        seen.append((float(tf.reduce_min(x)), float(tf.reduce_max(x))))
        return activation(x)

    layer.activation = watching
    try:
        eager_outputs(model, QA, feed)
    finally:
        layer.activation = activation
    return seen


def test_unrolled_layers_share_the_scales_of_their_biases(model, calibration, tmp_path):
    path = tmp_path / "model.tflite"
    emit_tflite(model, QA, path, layers="unrolled", precision="int8", calibration=calibration)
    graph = TFLiteGraph(path.read_bytes())
    biases = [one.name.decode() for one in graph.main.raw.tensors if b".bias" in one.name and one.type == Types.INT32]
    assert len(biases) == len(set(biases)) == 6
    read = [graph.main.tensor(one.inputs[2]).name for _, one in graph.walk(Operators.FULLY_CONNECTED)]
    assert len([name for name in read if name.decode() in biases]) == 4 * 6


def test_other_calibration_gives_other_steps(model, calibration, tmp_path):
    for name, feeds in (("one", calibration), ("other", calibration[:1])):
        emit_tflite(model, QA, tmp_path / name, precision="int8", calibration=feeds)
    assert (tmp_path / "one").read_bytes() != (tmp_path / "other").read_bytes()


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ([], "at least one input"),
        ([{"input_ids": np.ones((1, 3), dtype=np.int32)}], "calibration inputs must be attention_mask, input_ids"),
        ([{name: np.full((1, 3), 999, dtype=np.int32) for name in inputs(QA, 1, 1, 3)}], "must run on the calibration"),
    ],
)
def test_calibration_inputs_are_checked(model, feeds, message, tmp_path):
    with pytest.raises(ExportError, match=message) as raised:
        emit_tflite(model, QA, tmp_path / "model.tflite", precision="int8", calibration=feeds)
    assert raised.value.fix
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "fp32, fp16 or int8; received int4"),
        ({"calibration": []}, "calibration serves precision int8"),
        ({"largest": 1000}, "at most 1000 bytes"),
    ],
)
def test_what_does_not_fit_is_one_line_and_writes_nothing(model, options, message, tmp_path):
    with pytest.raises(ExportError, match=message) as raised:
        emit_tflite(model, QA, tmp_path / "model.tflite", **options)
    assert raised.value.fix
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_an_old_reader_gets_old_operators(tmp_path):
    model = tiny_model(QA, max_position_embeddings=400)
    path = tmp_path / "model.tflite"
    emitted = emit_tflite(model, QA, path, precision="int8", reader=TASK_LIBRARY, sizes={"batch": 1, "sequence": 384})
    assert emitted.inputs[0]["shape"] == [1, 384]
    assert emitted.facts["operator_versions"]["FULLY_CONNECTED"] <= 11
    assert emitted.facts["operators"]["WHILE"] == 1
    usual = emit_tflite(model, QA, tmp_path / "usual.tflite", precision="int8")
    assert usual.facts["operator_versions"]["FULLY_CONNECTED"] == 12
    feed = inputs(QA, 1, 1, 384)
    assert signal_to_noise(litert_outputs(path, feed), eager_outputs(model, QA, feed)) > 15


def test_the_signature_and_the_metadata_name_everything(tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    model, path = tiny_model(CLASSES, id2label={0: "no", 1: "maybe", 2: "yes"}), tmp_path / "model.tflite"
    emit_tflite(model, CLASSES, path, metadata={"source": "here"})
    interpreter = Interpreter(str(path))
    names = interpreter.get_signature_list()["serving_default"]
    assert sorted(names["inputs"]) == ["attention_mask", "input_ids", "token_type_ids"]
    assert names["outputs"] == ["logits"]
    runner = interpreter.get_signature_runner()
    feed = inputs(CLASSES, 2, 1, 7)
    assert worst_relative_error([runner(**feed)["logits"]], eager_outputs(model, CLASSES, feed)) < NOISE
    graph = TFLiteGraph(path.read_bytes())
    entries = {entry.name: bytes(graph.model.buffers[entry.buffer].data) for entry in graph.model.metadata}
    own = json.loads(entries[b"albert_export"])
    assert own["source"] == "here"
    assert own["layers"] == "rolled"
    assert json.loads(own["labels"]) == {"0": "no", "1": "maybe", "2": "yes"}


def test_nothing_is_printed_or_left_behind(model, calibration, tmp_path, monkeypatch, capfd):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    emit_tflite(model, QA, tmp_path / "model.tflite", precision="int8", calibration=calibration)
    assert capfd.readouterr() == ("", "")
    assert not list(scratch.iterdir())


def digests(directory: Path) -> str:
    """Emit in several precisions and return a digest of all files."""
    model = tiny_model(QA)
    feeds = [inputs(QA, 1, 1, 16)]
    digest = hashlib.sha256()
    for layers, precision, given in (
        ("rolled", "fp32", None),
        ("unrolled", "fp16", None),
        ("rolled", "int8", None),
        ("rolled", "int8", feeds),
    ):
        path = directory / f"{layers}{precision}{given is None}.tflite"
        emit_tflite(model, QA, path, layers=layers, precision=precision, calibration=given)
        digest.update(path.read_bytes())
    return digest.hexdigest()


def test_the_same_inputs_give_the_same_bytes_in_another_process(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    command = "import sys, pathlib; from tests.graphs.test_tflite_emitter import digests; "
    command += "print(digests(pathlib.Path(sys.argv[1])))"
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", command, str(other)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": "123"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.split()[-1] == digests(tmp_path)
