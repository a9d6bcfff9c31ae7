"""What each consumer finds in its directory."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from albert_export.errors import BundleError, InputError, UnknownNameError
from albert_export.layouts import LaidOut, lay_out
from tests.layouts.builders import TOKENIZER, write_full_bundle

# --- transformers.js


def test_transformersjs_finds_every_dtype(tmp_path: Path) -> None:
    forms = ({}, {"precision": "fp16"}, {"precision": "int8"}, {"precision": "int4"})
    unread = ({"precision": "bf16"}, {"layers": "unrolled"})
    bundle = write_full_bundle(tmp_path / "b", onnx=(*forms, *unread))
    laid_out = lay_out(bundle, "transformersjs", tmp_path / "out")
    models = [f"onnx/model{suffix}.onnx" for suffix in ("", "_fp16", "_int8", "_q4", "_quantized")]
    assert laid_out.files == tuple(sorted(["config.json", *TOKENIZER, *models]))
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config == json.loads((tmp_path / "b" / "config.json").read_text())
    assert laid_out.notes == ()


def test_without_int8_browsers_need_a_dtype(tmp_path: Path) -> None:
    laid_out = lay_out(write_full_bundle(tmp_path / "b", onnx=({},)), "transformersjs", tmp_path / "out")
    assert any("onnx/model_quantized.onnx" in note and "fp32" in note for note in laid_out.notes)


def test_token_classification_is_called_bert(tmp_path: Path) -> None:
    bundle = write_full_bundle(tmp_path / "b", task="token-classification")
    laid_out = lay_out(bundle, "transformersjs", tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["model_type"] == "bert"
    assert any("model_type bert" in note for note in laid_out.notes)
    # A link would have changed the bundle's own.
    assert json.loads((tmp_path / "b" / "config.json").read_text())["model_type"] == "albert"
    lay_out(bundle, "transformersjs", tmp_path / "as-it-is", model_type="albert")
    assert json.loads((tmp_path / "as-it-is" / "config.json").read_text())["model_type"] == "albert"


def test_weights_outside_the_file_are_told(tmp_path: Path) -> None:
    bundle = write_full_bundle(tmp_path / "b", onnx=({"outside": True}, {"precision": "int8"}))
    laid_out = lay_out(bundle, "transformersjs", tmp_path / "out")
    assert "onnx/model.onnx_data" in laid_out.files
    told = json.loads((tmp_path / "out" / "config.json").read_text())["transformers.js_config"]
    assert told == {"use_external_data_format": {"model.onnx": 1}}


@pytest.mark.parametrize(
    "onnx",
    [
        (),
        ({"layers": "unrolled"},),
        ({"shapes": {"batch": 1, "sequence": 8}},),
        ({"shapes": {"batch": None, "sequence": None, "positions": None}},),
    ],
)
def test_transformersjs_needs_a_general_file(tmp_path: Path, onnx: tuple[dict[str, Any], ...]) -> None:
    bundle = write_full_bundle(tmp_path / "b", onnx=onnx)
    with pytest.raises(BundleError, match="albert-export onnx --task question-answering --precision int8 --out"):
        lay_out(bundle, "transformersjs", tmp_path / "out")


@pytest.mark.parametrize("name", ["tokenizer.json", "tokenizer_config.json"])
def test_transformersjs_needs_the_tokenizer(tmp_path: Path, name: str) -> None:
    bundle = write_full_bundle(tmp_path / "b", shared=tuple(each for each in TOKENIZER if each != name))
    with pytest.raises(BundleError, match=f"transformers.js needs {name}"):
        lay_out(bundle, "transformersjs", tmp_path / "out")


# --- TF Serving


def test_tfserving_finds_version_1_below_the_name(tmp_path: Path) -> None:
    laid_out = lay_out(write_full_bundle(tmp_path / "b"), "tfserving", tmp_path / "out", name="answers")
    assert laid_out.files == (
        "answers/1/saved_model.pb",
        "answers/1/variables/variables.data-00000-of-00001",
        "answers/1/variables/variables.index",
        "models.config",
    )
    told = (tmp_path / "out" / "models.config").read_text()
    assert 'name: "answers"' in told
    assert 'base_path: "/models/answers"' in told
    assert laid_out.start.endswith(f"--model_name=answers --model_base_path={tmp_path / 'out'}/answers")


def test_tfserving_needs_a_savedmodel(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="target=savedmodel"):
        lay_out(write_full_bundle(tmp_path / "b", others=False), "tfserving", tmp_path / "out")


# --- Triton


def triton(tmp_path: Path, *, onnx: tuple[dict[str, Any], ...] = ({},), **choices: Any) -> tuple[LaidOut, str]:
    laid_out = lay_out(write_full_bundle(tmp_path / "b", onnx=onnx), "triton", tmp_path / "out", name="qa", **choices)
    return laid_out, (tmp_path / "out" / "qa" / "config.pbtxt").read_text()


def test_triton_s_model_repository(tmp_path: Path) -> None:
    laid_out, config = triton(tmp_path)
    assert laid_out.files == ("qa/1/model.onnx", "qa/config.pbtxt")
    assert config == (
        'name: "qa"\nbackend: "onnxruntime"\nmax_batch_size: 32\n'
        'input [\n  {\n    name: "input_ids"\n    data_type: TYPE_INT64\n    dims: [ -1 ]\n  }\n]\n'
        'output [\n  {\n    name: "start_logits"\n    data_type: TYPE_FP32\n    dims: [ -1 ]\n  },\n'
        '  {\n    name: "end_logits"\n    data_type: TYPE_FP32\n    dims: [ -1 ]\n  }\n]\n'
        "dynamic_batching {\n  max_queue_delay_microseconds: 500\n}\n"
        "instance_group [\n  {\n    count: 1\n    kind: KIND_AUTO\n  }\n]\n"
    )


def test_triton_s_choices(tmp_path: Path) -> None:
    onnx = ({}, {"precision": "int8"})
    laid_out, config = triton(tmp_path, onnx=onnx, precision="int8", max_batch_size=4, queue_delay=100, instances=2)
    # The other name of the int8 file, for other people's loaders, is not loaded twice.
    assert laid_out.files == ("qa/1/model.onnx", "qa/config.pbtxt")
    assert (tmp_path / "out/qa/1/model.onnx").read_bytes() == (tmp_path / "b/onnx/model_int8.onnx").read_bytes()
    for line in ("max_batch_size: 4", "max_queue_delay_microseconds: 100", "count: 2"):
        assert line in config


def test_triton_without_batching_takes_whole_shapes(tmp_path: Path) -> None:
    _, config = triton(tmp_path, max_batch_size=0)
    assert "max_batch_size: 0" in config
    assert re.findall(r"dims: \[ (.*) \]", config) == ["-1, -1"] * 3
    assert "dynamic_batching" not in config


def test_triton_gets_no_batches_for_a_file_with_a_fixed_one(tmp_path: Path) -> None:
    shape = [8, 128]
    fixed = {
        "shapes": {"batch": 8, "sequence": 128},
        "inputs": ({"name": "input_ids", "dtype": "int64", "shape": shape},),
        "outputs": ({"name": "start_logits", "dtype": "float16", "shape": shape},),
    }
    laid_out, config = triton(tmp_path, onnx=(fixed,))
    assert "max_batch_size: 0" in config
    assert re.findall(r"dims: \[ (.*) \]", config) == ["8, 128"] * 2
    assert "TYPE_FP16" in config
    assert any("8 rows" in note for note in laid_out.notes)


def test_triton_keeps_the_weights_beside_the_graph(tmp_path: Path) -> None:
    laid_out, _ = triton(tmp_path, onnx=({"outside": True},))
    assert laid_out.files == ("qa/1/model.onnx", "qa/1/model.onnx_data", "qa/config.pbtxt")


def test_triton_hands_the_graph_to_tensorrt(tmp_path: Path) -> None:
    laid_out, config = triton(tmp_path, backend="onnxruntime-tensorrt")
    assert 'backend: "onnxruntime"' in config
    assert '{ name: "tensorrt" }' in config
    assert "KIND_GPU" in config
    assert "qa/1/model.onnx" in laid_out.files


def test_triton_serves_a_plan(tmp_path: Path) -> None:
    plan = tmp_path / "built.plan"
    plan.write_bytes(b"plan")
    laid_out, config = triton(tmp_path, backend="tensorrt", plan=plan)
    assert laid_out.files == ("qa/1/model.plan", "qa/config.pbtxt")
    assert 'backend: "tensorrt"' in config
    assert "KIND_GPU" in config


@pytest.mark.parametrize(
    ("kind", "choices", "told"),
    [
        (UnknownNameError, {"backend": "tensorflow"}, "backend must be one of"),
        (InputError, {"backend": "tensorrt"}, "received tensorrt without one"),
        (InputError, {"plan": Path("model.plan")}, "received onnxruntime with model.plan"),
        (BundleError, {"backend": "tensorrt", "plan": Path("no-such.plan")}, "a plan must be a file"),
        (InputError, {"max_batch_size": -1}, "max_batch_size must be a whole number of at least 0"),
        (InputError, {"instances": 0}, "instances must be a whole number of at least 1"),
        (InputError, {"queue_delay": 0.5}, "queue_delay must be"),
        (BundleError, {"precision": "fp16"}, "precision=fp16"),
    ],
)
def test_triton_s_errors(tmp_path: Path, kind: type[Exception], choices: dict[str, Any], told: str) -> None:
    with pytest.raises(kind) as caught:
        triton(tmp_path, **choices)
    assert told in str(caught.value)


# --- Spark NLP


@pytest.mark.parametrize("task", ["text-classification", "token-classification"])
def test_sparknlp_finds_labels_in_the_order_of_their_numbers(tmp_path: Path, task: str) -> None:
    labels = tuple(f"L{number}" for number in range(12))
    laid_out = lay_out(write_full_bundle(tmp_path / "b", task=task, labels=labels), "sparknlp", tmp_path / "out")
    assert laid_out.files == ("assets/labels.txt", "assets/spiece.model", "model.onnx")
    assert tuple((tmp_path / "out" / "assets" / "labels.txt").read_text().split()) == labels
    assert "loadSavedModel" in laid_out.start


def test_sparknlp_needs_sentencepiece(tmp_path: Path) -> None:
    bundle = write_full_bundle(tmp_path / "b", shared=("tokenizer.json",))
    with pytest.raises(BundleError, match=r"Spark NLP needs spiece\.model"):
        lay_out(bundle, "sparknlp", tmp_path / "out")


# --- MediaPipe


@pytest.mark.parametrize("precision", [None, "fp32", "int8"])
def test_mediapipe_gets_one_file(tmp_path: Path, precision: str | None) -> None:
    bundle = write_full_bundle(tmp_path / "b", task="text-classification")
    laid_out = lay_out(bundle, "mediapipe", tmp_path / "out", precision=precision)
    assert laid_out.files == ("classifier.tflite",)
    assert (tmp_path / "out" / "classifier.tflite").read_bytes() == (precision or "fp32").encode()


def test_mediapipe_needs_its_own_form(tmp_path: Path) -> None:
    bundle = write_full_bundle(tmp_path / "b", task="text-classification", others=False)
    with pytest.raises(BundleError, match="albert-export tflite --task text-classification --compat mediapipe"):
        lay_out(bundle, "mediapipe", tmp_path / "out")
