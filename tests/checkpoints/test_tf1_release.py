"""The directories in which Google released ALBERT, opened as any other checkpoint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from albert_export import AlbertConfig, AlbertForMultipleChoice, AlbertForPreTraining, AlbertModel, AlbertTokenizer
from albert_export.builtin import builtin_directory
from albert_export.checkpoints import open_checkpoint
from albert_export.checkpoints.names import ROWS, name_of_tf1, tf1_name
from albert_export.errors import CheckpointError, ConfigError, WeightsMismatchError
from albert_export.tokenization import AlbertWordPieceTokenizer, load_tokenizer
from tests.checkpoints.tf1 import google_names, with_training, write_bundle, write_config, write_release
from tests.checkpoints.tiny import tiny_config, tiny_tensors, write_tiny

CHINESE = Path(__file__).parent.parent / "golden" / "chinese_vocab.txt"


def refused(directory: Path, kind: type[Exception] = CheckpointError) -> str:
    with pytest.raises(kind) as error:
        open_checkpoint(directory, local_files_only=True)
    assert "\n" not in str(error.value)
    return str(error.value)


def same(directory: Path, expected: dict[str, np.ndarray]) -> None:
    checkpoint = open_checkpoint(directory)
    assert checkpoint.weight_format == "tf1"
    assert checkpoint.shapes() == {name: expected[name].shape for name in sorted(expected)}
    for tensors in (checkpoint.numpy_tensors(), checkpoint.torch_tensors()):
        assert list(tensors) == sorted(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(np.asarray(tensors[name]), value)


def test_the_table_names_every_weight_once_and_back() -> None:
    names = {row.name.format(group=10, layer=2) for row in ROWS if row.tf1 is not None}
    stored = {name: tf1_name(name) for name in names}
    assert len(set(stored.values())) == len(names)
    assert all(name_of_tf1(str(theirs)) == name for name, theirs in stored.items())
    layer = "albert.encoder.albert_layer_groups.10.albert_layers.2."
    scope = "bert/encoder/transformer/group_10/inner_group_2/"
    assert stored[layer + "ffn_output.weight"] == scope + "ffn_1/intermediate/output/dense/kernel"
    assert stored[layer + "full_layer_layer_norm.bias"] == scope + "LayerNorm_1/beta"
    assert name_of_tf1(scope.replace("10", "010") + "LayerNorm_1/beta") is None
    assert tf1_name("predictions.decoder.weight") is None


@pytest.mark.parametrize("changes", [{}, {"num_hidden_groups": 2, "inner_group_num": 2}], ids=["one group", "groups"])
def test_a_release(tmp_path: Path, changes: dict[str, Any]) -> None:
    expected = write_release(tmp_path, **changes)
    same(tmp_path, expected)
    model, info = AlbertForPreTraining.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    np.testing.assert_array_equal(
        model.sop_classifier.classifier.weight.detach().numpy(), expected["sop_classifier.classifier.weight"]
    )


def test_its_configuration_is_put_into_our_words(tmp_path: Path) -> None:
    write_release(tmp_path)
    config = open_checkpoint(tmp_path).config
    assert config.hidden_act == "gelu_new"  # what Google's code computes by the name of gelu
    assert config.extra["net_structure_type"] == 0
    assert config.architectures == ["AlbertForPreTraining"]
    assert AlbertConfig.from_pretrained(tmp_path).hidden_act == "gelu_new"
    # v1 releases have dropout
    write_config(tmp_path, config, hidden_dropout_prob=0.1, attention_probs_dropout_prob=0.1, hidden_act="relu")
    changed = open_checkpoint(tmp_path).config
    assert (changed.hidden_dropout_prob, changed.attention_probs_dropout_prob, changed.hidden_act) == (0.1, 0.1, "relu")


def test_the_source_is_told_by_its_files(tmp_path: Path) -> None:
    write_release(tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    first, second = open_checkpoint(tmp_path / "one").source, open_checkpoint(tmp_path / "two").source
    assert first.sha256 == second.sha256
    write_config(tmp_path / "two", tiny_config(), gap_size=1)
    assert open_checkpoint(tmp_path / "two").source.sha256 != first.sha256


def test_an_export_to_tf_hub(tmp_path: Path) -> None:
    expected = tiny_tensors(tiny_config(), "pretraining")
    write_bundle(tmp_path / "variables" / "variables", google_names(expected, prefix="module/"))
    write_config(tmp_path / "assets", tiny_config())
    shutil.copyfile(builtin_directory("albert-seeded") / "spiece.model", tmp_path / "assets" / "30k-clean.model")
    same(tmp_path, expected)
    assert open_checkpoint(tmp_path).directory == tmp_path
    assert load_tokenizer(tmp_path).vocab_size == 2000


@pytest.mark.parametrize("kind", ["float16", "bfloat16"])
def test_half_precision(tmp_path: Path, kind: str) -> None:
    write_config(tmp_path, tiny_config())
    tensors = {
        name: tf.cast(value, kind) for name, value in google_names(tiny_tensors(tiny_config(), "fill-mask")).items()
    }
    write_bundle(tmp_path / "model.ckpt", tensors)
    checkpoint = open_checkpoint(tmp_path)
    name = "predictions.dense.weight"
    expected = tf.cast(tensors["cls/predictions/transform/dense/kernel"], "float32").numpy().T
    np.testing.assert_array_equal(checkpoint.numpy_tensors()[name].astype("f4"), expected)
    assert str(checkpoint.torch_tensors()[name].dtype) == f"torch.{kind}"
    np.testing.assert_array_equal(checkpoint.torch_tensors()[name].float().numpy(), expected)
    assert checkpoint.raw_tensors()[name].dtype == {"float16": "F16", "bfloat16": "BF16"}[kind]


# --- which of several


def test_the_checkpoint_that_is_meant(tmp_path: Path) -> None:
    old, new = (
        write_release(tmp_path, prefix=f"model.ckpt-{step}", vocab_size=size) for step, size in ((9, 40), (10, 41))
    )
    assert "received model.ckpt-10, model.ckpt-9; fix: give the path of one" in refused(tmp_path)
    same(tmp_path / "model.ckpt-10", new)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/model.ckpt-9"\nall: "x"\n')
    write_config(tmp_path, tiny_config(vocab_size=40))
    same(tmp_path, old)
    (tmp_path / "checkpoint").unlink()
    best = write_release(tmp_path)
    same(tmp_path, best)


def test_other_weights_come_first_unless_its_path_is_given(tmp_path: Path) -> None:
    write_release(tmp_path)
    write_tiny(tmp_path)
    assert open_checkpoint(tmp_path).weight_format == "safetensors"
    assert open_checkpoint(tmp_path, formats=["tf1"]).weight_format == "tf1"
    assert open_checkpoint(tmp_path / "model.ckpt-best").weight_format == "tf1"
    assert AlbertForPreTraining.from_pretrained(tmp_path, from_tf=True).config.vocab_size == 40


# --- heads of fine-tuned checkpoints


def test_a_classifier_tells_the_number_of_labels(tmp_path: Path) -> None:
    config = tiny_config(num_labels=5)
    expected = tiny_tensors(config, "text-classification")
    write_config(tmp_path, config)
    write_bundle(tmp_path / "model.ckpt-100", with_training(google_names(expected)))
    same(tmp_path, expected)
    opened = open_checkpoint(tmp_path).config
    assert (opened.num_labels, opened.architectures) == (5, ["AlbertForSequenceClassification"])


def test_a_choice_of_run_race(tmp_path: Path) -> None:
    expected = tiny_tensors(tiny_config(), "multiple-choice")
    write_config(tmp_path, tiny_config())
    write_bundle(tmp_path / "model.ckpt-100", google_names(expected, prefix="module/"))
    model = AlbertForMultipleChoice.from_pretrained(tmp_path)
    np.testing.assert_array_equal(model.classifier.weight.detach().numpy(), expected["classifier.weight"])


def test_answers_of_run_squad_v1(tmp_path: Path) -> None:
    expected = tiny_tensors(tiny_config(), "question-answering")
    write_config(tmp_path, tiny_config())
    write_bundle(tmp_path / "model.ckpt-100", google_names(expected))
    same(tmp_path, expected)
    assert open_checkpoint(tmp_path).config.architectures == ["AlbertForQuestionAnswering"]


def test_answers_of_run_squad_v2_are_refused_by_name(tmp_path: Path) -> None:
    heads = [f"{head}/{part}" for head in ("start_logits/dense", "end_logits/dense_0") for part in ("kernel", "bias")]
    tensors = google_names(tiny_tensors(tiny_config(), "feature-extraction"))
    write_config(tmp_path, tiny_config())
    write_bundle(tmp_path / "model.ckpt-100", with_training(tensors | {name: np.zeros(3, "f4") for name in heads}))
    message = refused(tmp_path)
    assert "must be one linear layer; received model.ckpt-100.index with the heads of run_squad_v2" in message
    assert "end_logits/dense_0/bias, end_logits/dense_0/kernel, start_logits/dense/bias" in message
    assert "run_squad_v1" in message


# --- tokenizers


def test_the_vocabulary_of_a_release(tmp_path: Path) -> None:
    write_release(tmp_path)
    shutil.copyfile(builtin_directory("albert-seeded") / "spiece.model", tmp_path / "30k-clean.model")
    (tmp_path / "other.model").write_bytes(b"no vocabulary")
    ours = load_tokenizer(builtin_directory("albert-seeded"))
    for tokenizer in (load_tokenizer(tmp_path), AlbertTokenizer.from_pretrained(tmp_path)):
        assert tokenizer("The Quick brown fox")["input_ids"] == ours("the quick BROWN fox")["input_ids"]
    (tmp_path / "30k-clean.model").rename(tmp_path / "albertvi_30k-clean.model")
    (tmp_path / "other.model").unlink()
    assert load_tokenizer(tmp_path).vocab_size == ours.vocab_size


def test_the_vocabulary_of_a_chinese_release(tmp_path: Path) -> None:
    write_release(tmp_path)
    shutil.copyfile(CHINESE, tmp_path / "vocab_chinese.txt")
    tokenizer = load_tokenizer(tmp_path)
    assert isinstance(tokenizer, AlbertWordPieceTokenizer)
    assert tokenizer.vocab_size == len(CHINESE.read_text(encoding="utf-8").splitlines())


def test_a_model_file_elsewhere_is_no_vocabulary(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    shutil.copyfile(builtin_directory("albert-seeded") / "spiece.model", tmp_path / "30k-clean.model")
    with pytest.raises(ValueError, match="must hold"):
        load_tokenizer(tmp_path)


# --- bad input


def test_another_model(tmp_path: Path) -> None:
    write_config(tmp_path, tiny_config())
    names = [f"bert/encoder/layer_{layer}/attention/self/query/kernel" for layer in range(6)]
    write_bundle(tmp_path / "bert_model.ckpt", {name: np.zeros((2, 2), "f4") for name in names})
    message = refused(tmp_path)
    assert (
        "bert_model.ckpt.index must have the names of Google's ALBERT; received 6 others: bert/encoder/layer_0"
        in message
    )
    assert "…; fix: give an ALBERT checkpoint" in message


def test_a_checkpoint_of_tensorflow_2(tmp_path: Path) -> None:
    write_config(tmp_path, tiny_config())
    tf.train.Checkpoint(x=tf.Variable(1.0)).write(str(tmp_path / "ckpt"))
    assert "received one that TensorFlow 2 saved by object" in refused(tmp_path)


def test_a_weight_in_slices(tmp_path: Path) -> None:
    write_config(tmp_path, tiny_config())
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "model.ckpt"),
        tensor_names=["bert/pooler/dense/kernel"],
        shape_and_slices=["4 3 0,2:-"],
        tensors=[tf.ones((2, 3))],
    )
    assert "received bert/pooler/dense/kernel: a weight in slices" in refused(tmp_path)


def test_a_weight_twice(tmp_path: Path) -> None:
    write_config(tmp_path, tiny_config())
    write_bundle(tmp_path / "model.ckpt", {"output_bias": np.zeros(2), "module/output_bias": np.zeros(2)})
    assert "received module/output_bias and output_bias" in refused(tmp_path)


def test_a_configuration_that_contradicts_the_weights(tmp_path: Path) -> None:
    write_release(tmp_path)
    write_config(tmp_path, tiny_config(hidden_size=32))
    with pytest.raises(WeightsMismatchError) as error:
        AlbertModel.from_pretrained(tmp_path)
    assert "albert.pooler.weight: [16, 16] against [32, 32]".removeprefix("albert.") in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "must be JSON; received albert_config.json"),
        ("[]", "albert_config.json must be a JSON object; received list"),
        (json.dumps({"hidden_act": "tanh"}), "must be one of gelu, relu; received 'tanh'"),
        (json.dumps({"hidden_act": None}), "received None"),
        (json.dumps({"hidden_size": 7}), "multiple of num_attention_heads"),
    ],
)
def test_a_configuration_that_is_none(tmp_path: Path, text: str, told: str) -> None:
    write_release(tmp_path)
    (tmp_path / "albert_config.json").write_text(text)
    assert told in refused(tmp_path, ConfigError)


def test_no_configuration(tmp_path: Path) -> None:
    write_release(tmp_path)
    (tmp_path / "albert_config.json").unlink()
    message = refused(tmp_path)
    assert "or albert_config.json as Google released it" in message
    assert "put the file of the same release beside the weights" in message
