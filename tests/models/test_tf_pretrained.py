"""Loading, saving and resizing TensorFlow models."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export import AlbertConfig
from albert_export.checkpoints import open_checkpoint
from albert_export.errors import CheckpointError, ConfigError, InputError, WeightsMismatchError
from albert_export.models import tf_albert, tf_loading, torch_albert, torch_loading
from albert_export.tasks import TASKS, Task, get_task
from tests.models.conftest import tiny_config, tiny_ids, tiny_model
from tests.models.tf_models import TF_CLASSES, fill, tiny_tf_model

# isort: split
import keras
import tensorflow as tf

QA = "TFAlbertForQuestionAnswering"


def weights(model: Any) -> dict[str, np.ndarray]:
    return {name: variable.numpy() for name, variable in model.named_weights()}


def assert_same_weights(one: Any, other: Any) -> None:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("name", TF_CLASSES)
def test_what_was_saved_is_loaded(name: str, safe: bool, tmp_path: Path) -> None:
    model = tiny_tf_model(name, num_hidden_groups=2, inner_group_num=1, num_labels=2)
    model.save_pretrained(tmp_path / "new", safe_serialization=safe)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "config.json",
        "model.safetensors" if safe else "tf_model.h5",
    }
    loaded = type(model).from_pretrained(tmp_path / "new")
    assert_same_weights(model, loaded)
    assert loaded.config.architectures == [name.removeprefix("TF")]
    assert loaded.name_or_path == str(tmp_path / "new")


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("name", ["TFAlbertForMultipleChoice", "TFAlbertForMaskedLM"])
def test_a_class_derived_from_one_of_the_seven_is_that_one(name: str, safe: bool, tmp_path: Path) -> None:
    base = getattr(tf_albert, name)
    derived = type("Chooser" if name.endswith("Choice") else "NoMultipleChoice", (base,), {})
    model = derived(tiny_config())
    fill(model)
    ids = np.asarray(tiny_ids(name.removeprefix("TF")))
    np.testing.assert_array_equal(model(ids).logits, tiny_tf_model(name)(ids).logits)
    with pytest.raises(InputError, match=r"input_ids must be \[batch, "):
        model(ids[0])
    model.save_pretrained(tmp_path, safe_serialization=safe)
    for loaded in (derived.from_pretrained(tmp_path), base.from_pretrained(tmp_path)):
        assert_same_weights(model, loaded)
        assert loaded.config.architectures == [name.removeprefix("TF")]


def test_bfloat16_is_kept_in_safetensors(tmp_path: Path) -> None:
    model = tiny_tf_model("TFAlbertForMaskedLM", dtype="bfloat16")
    model.save_pretrained(tmp_path, safe_serialization=True)
    checkpoint = open_checkpoint(tmp_path)
    assert {raw.dtype for raw in checkpoint.raw_tensors().values()} == {"BF16"}
    assert checkpoint.config.torch_dtype == "bfloat16"
    loaded = tf_albert.TFAlbertForMaskedLM.from_pretrained(tmp_path, dtype="bfloat16")
    assert_same_weights(model, loaded)
    with pytest.raises(AssertionError):
        assert_same_weights(tiny_tf_model("TFAlbertForMaskedLM"), loaded)


def test_bfloat16_becomes_float32_in_h5_out_loud(tmp_path: Path) -> None:
    model = tiny_tf_model("TFAlbertForMaskedLM", dtype="bfloat16")
    with pytest.warns(UserWarning, match="tf_model.h5 holds no bfloat16: weights become float32"):
        model.save_pretrained(tmp_path)
    loaded = tf_albert.TFAlbertForMaskedLM.from_pretrained(tmp_path)
    assert loaded.config.torch_dtype == "float32"
    for name, value in weights(loaded).items():
        assert value.dtype == np.float32
        np.testing.assert_array_equal(value, weights(model)[name].astype(np.float32), err_msg=name)
    with pytest.raises(AssertionError):
        assert_same_weights(tiny_tf_model("TFAlbertForMaskedLM"), loaded)


def test_stored_weights_are_views() -> None:
    for dtype in ("float32", "bfloat16"):
        stored = tf_loading.StoredWeights(tiny_tf_model("TFAlbertModel", dtype=dtype))
        name = "pooler.weight"
        assert stored[name].dtype.name == dtype
        assert np.shares_memory(stored[name], stored[name])


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_weights_are_exchanged_with_pytorch(task: Task, tmp_path: Path) -> None:
    changes = {"pruned_heads": {0: [1]}, "position_embedding_type": "relative_key", "tie_word_embeddings": False}
    model = tiny_tf_model(task.tensorflow_class, **changes)
    model.save_pretrained(tmp_path, safe_serialization=True)
    torch_class = getattr(torch_albert, task.torch_class)
    twin = torch_class.from_pretrained(tmp_path)
    assert [name for name, _ in twin.named_parameters()] == [name for name, _ in model.named_weights()]
    assert twin.num_parameters() == model.num_parameters() == model.count_params()
    for (name, value), parameter in zip(weights(model).items(), twin.parameters(), strict=True):
        stored = value.T if tf_loading.is_transposed(name) else value
        np.testing.assert_array_equal(stored, parameter.detach().numpy(), err_msg=name)
    twin.save_pretrained(tmp_path / "back")
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()
    assert_same_weights(model, type(model).from_pretrained(tmp_path / "back", from_pt=True))


def test_weights_of_a_torch_file_are_read(tmp_path: Path) -> None:
    tiny_model("AlbertForMaskedLM").save_pretrained(tmp_path, safe_serialization=False)
    assert_same_weights(tf_albert.TFAlbertForMaskedLM.from_pretrained(tmp_path), tiny_tf_model("TFAlbertForMaskedLM"))


def test_shards_are_written_and_read(tmp_path: Path) -> None:
    model = tiny_tf_model("TFAlbertForPreTraining", dtype="float64")
    model.save_pretrained(tmp_path, safe_serialization=True, max_shard_size="6KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    loaded = tf_albert.TFAlbertForPreTraining.from_pretrained(tmp_path, dtype="float64")
    assert_same_weights(model, loaded)
    assert loaded.config.torch_dtype == "float64"


def test_the_configuration_may_be_changed_on_loading(tmp_path: Path) -> None:
    tiny_tf_model("TFAlbertModel").save_pretrained(tmp_path, safe_serialization=True)
    with pytest.warns(UserWarning, match=re.escape("were filled freshly, train them before use: classifier.bias, ")):
        model = tf_albert.TFAlbertForSequenceClassification.from_pretrained(
            tmp_path, id2label={0: "a", 1: "b", 2: "c"}, problem_type="single_label_classification", name="mine"
        )
    assert model(tiny_ids().numpy()).logits.shape == (2, 3)
    assert (model.config.id2label[2], model.config.problem_type, model.name) == (
        "c",
        "single_label_classification",
        "mine",
    )
    config = tiny_config(num_labels=5)
    with pytest.warns(UserWarning, match=re.escape("classifier.weight")):
        model = tf_albert.TFAlbertForSequenceClassification.from_pretrained(tmp_path, config=config)
    assert model.config.num_labels == 5
    bare = tf_albert.TFAlbertModel.from_pretrained(tmp_path, add_pooling_layer=False)
    assert bare.pooler is None


def test_a_head_of_another_shape(tmp_path: Path) -> None:
    tiny_tf_model("TFAlbertForTokenClassification").save_pretrained(tmp_path, safe_serialization=True)
    load = tf_albert.TFAlbertForTokenClassification.from_pretrained
    with pytest.raises(WeightsMismatchError, match=r"classifier.weight: \[2, 16\] against \[4, 16\]"):
        load(tmp_path, num_labels=4)
    with pytest.warns(UserWarning, match=r"classifier.weight \(\[2, 16\] stored, \[4, 16\] needed\)"):
        model, info = load(tmp_path, num_labels=4, ignore_mismatched_sizes=True, output_loading_info=True)
    assert model.config.num_labels == 4
    assert info["missing_keys"] == info["error_msgs"] == []
    assert [name for name, _, _ in info["mismatched_keys"]] == ["classifier.bias", "classifier.weight"]


def test_what_cannot_be_loaded_is_told(tmp_path: Path) -> None:
    tiny_config().save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"must have one of flax_model\.msgpack, "):
        tf_albert.TFAlbertModel.from_pretrained(tmp_path, from_flax=True)
    with pytest.raises(CheckpointError):
        tf_albert.TFAlbertModel.from_pretrained(tmp_path / "absent")
    model = tiny_tf_model(QA)
    model.save_pretrained(tmp_path, safe_serialization=True)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    (tmp_path / "config.json").write_text(json.dumps({**config, "inner_group_num": 2}), encoding="utf-8")
    with pytest.raises(WeightsMismatchError, match=r"missing: \[albert.encoder.albert_layer_groups.0.albert_layers.1"):
        tf_albert.TFAlbertForQuestionAnswering.from_pretrained(tmp_path)


def test_what_cannot_be_saved_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="albert-export savedmodel"):
        tiny_tf_model(QA).save_pretrained(tmp_path, saved_model=True)
    with pytest.raises(ConfigError, match="hidden_act must be a name"):
        tiny_tf_model(QA, hidden_act=tf.nn.relu).save_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match=r"tf_model.h5 can hold what the reference's TensorFlow models have"):
        tiny_tf_model(QA, position_embedding_type="relative_key").save_pretrained(tmp_path)
    with pytest.raises(
        CheckpointError, match=r"every attention head; received pruned_heads=\{0: \[1\]\}; fix: "
    ) as caught:
        tiny_tf_model(QA, pruned_heads={0: [1]}).save_pretrained(tmp_path)
    assert "\n" not in str(caught.value)
    (tmp_path / "file").write_text("", encoding="utf-8")
    for safe in (True, False):
        with pytest.raises(CheckpointError):
            tiny_tf_model(QA).save_pretrained(tmp_path / "file", safe_serialization=safe)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_load_eager_fills_a_missing_head_with_the_numbers_of_pytorch(dtype: str, tmp_path: Path) -> None:
    tiny_tf_model("TFAlbertForMaskedLM").save_pretrained(tmp_path, safe_serialization=True)
    checkpoint, task = open_checkpoint(tmp_path), get_task("text-classification")
    with pytest.raises(WeightsMismatchError, match="holds the heads of fill-mask; --allow-random-head"):
        tf_loading.load_eager(checkpoint, task)
    model, fresh = tf_loading.load_eager(checkpoint, task, dtype=dtype, allow_random_head=True)
    twin, fresh_twin = torch_loading.load_eager(checkpoint, task, dtype=dtype, allow_random_head=True)
    assert fresh == fresh_twin == ["albert.pooler.bias", "albert.pooler.weight", "classifier.bias", "classifier.weight"]
    values = weights(model)
    assert {value.dtype.name for value in values.values()} == {dtype}
    for name in fresh:
        stored = values[name].T if tf_loading.is_transposed(name) else values[name]
        np.testing.assert_array_equal(stored, twin.get_parameter(name).detach().numpy())
    assert np.count_nonzero(values["classifier.weight"]) == values["classifier.weight"].size


def test_load_eager_leaves_the_checkpoint_as_it_is(tmp_path: Path) -> None:
    tiny_tf_model(QA).save_pretrained(tmp_path, safe_serialization=True)
    before = (tmp_path / "model.safetensors").read_bytes()
    model, fresh = tf_loading.load_eager(open_checkpoint(tmp_path), get_task("qa"))
    assert fresh == []
    fill(model, seed=7)
    assert (tmp_path / "model.safetensors").read_bytes() == before


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("rows", [40, 70])
def test_the_vocabulary_is_resized_with_its_decoder(rows: int, tied: bool) -> None:
    model = tiny_tf_model("TFAlbertForMaskedLM", tie_word_embeddings=tied)
    before, ids = weights(model), np.minimum(tiny_ids().numpy(), 39)
    logits = model(ids).logits.numpy()
    model.compile()
    table = model.resize_token_embeddings(rows)
    assert table is model.get_input_embeddings()
    assert (model.config.vocab_size, table.weight.shape[0]) == (rows, rows)
    kept = min(rows, 61)
    after = weights(model)
    assert after.keys() == before.keys()
    for name, value in before.items():
        np.testing.assert_array_equal(after[name][:kept], value[:kept], err_msg=name)
    np.testing.assert_allclose(model(ids).logits[..., :kept], logits[..., :kept], atol=1e-5)
    assert model(ids).logits.shape[-1] == rows
    if rows > 61:
        assert np.all(after["predictions.bias"][61:] == 0)
        assert np.count_nonzero(table.weight.numpy()[61:])
    model.compile(run_eagerly=True)
    model.fit({"input_ids": ids, "labels": ids}, verbose=0)
    assert not np.array_equal(weights(model)["predictions.bias"], after["predictions.bias"])
    with pytest.raises(InputError, match="new_num_tokens must be a whole number"):
        model.resize_token_embeddings(0)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own, with numpy 2
def test_a_keras_file_holds_the_model_and_its_optimizer(tmp_path: Path) -> None:
    model = tiny_tf_model("TFAlbertForMaskedLM", num_hidden_groups=2)
    ids = tiny_ids().numpy()
    model.compile(optimizer="adam", run_eagerly=True)
    model.fit({"input_ids": ids, "labels": ids}, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert_same_weights(model, loaded)
    assert loaded.config == model.config
    np.testing.assert_array_equal(loaded(ids).logits, model(ids).logits)
    for one, other in zip(loaded.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())
    assert tf_albert.TFAlbertModel.from_config(loaded.albert.get_config()).pooler is None


def test_a_model_is_made_from_a_configuration() -> None:
    config = tiny_config()
    assert tf_albert.TFAlbertModel.from_config(config).config is config
    assert isinstance(tf_albert.TFAlbertModel(config).config, AlbertConfig)


def test_half_precision_policies_keep_weights_in_float32() -> None:
    model = tiny_tf_model("TFAlbertForMaskedLM", dtype="mixed_float16")
    single = tiny_tf_model("TFAlbertForMaskedLM")
    logits = model(tiny_ids().numpy()).logits
    assert logits.dtype == tf.float16
    assert {value.dtype.name for value in weights(model).values()} == {"float32"}
    assert np.abs(logits.numpy() - single(tiny_ids().numpy()).logits.numpy()).max() < 0.05
