"""Loading and saving Flax models."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from albert_export.checkpoints import open_checkpoint
from albert_export.errors import CheckpointError, ConfigError, WeightsMismatchError
from albert_export.models import flax_albert, flax_loading, tf_albert, torch_albert, torch_loading
from albert_export.models.flax_loading import StoredWeights
from albert_export.tasks import TASKS, Task, get_task
from tests.checkpoints.tf1 import write_release
from tests.models.conftest import tiny_config, tiny_model
from tests.models.flax_models import FLAX_CLASSES, tiny_flax_model

QA = "FlaxAlbertForQuestionAnswering"
IDS = np.random.RandomState(0).randint(1, 61, (2, 7))


def assert_same_params(one: Any, other: Any) -> None:
    ours, theirs = (StoredWeights(model.params if hasattr(model, "params") else model) for model in (one, other))
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert value.dtype == theirs[name].dtype, name
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("name", FLAX_CLASSES)
def test_what_was_saved_is_loaded(name: str, safe: bool, tmp_path: Path) -> None:
    model = tiny_flax_model(name, num_hidden_groups=2)
    model.save_pretrained(tmp_path / "new", safe_serialization=safe)
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "config.json",
        "model.safetensors" if safe else "flax_model.msgpack",
    }
    loaded = type(model).from_pretrained(tmp_path / "new")
    assert_same_params(model, loaded)
    assert loaded.config.architectures == [name.removeprefix("Flax")]
    assert loaded.config.torch_dtype == "float32"
    assert loaded.name_or_path == str(tmp_path / "new")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_weights_are_exchanged_with_the_other_frameworks(task: Task, tmp_path: Path) -> None:
    changes = {"pruned_heads": {0: [1]}, "position_embedding_type": "relative_key", "tie_word_embeddings": False}
    model = tiny_flax_model(task.flax_class, **changes)
    model.save_pretrained(tmp_path)
    torch_class = getattr(torch_albert, task.torch_class)
    twin = torch_class.from_pretrained(tmp_path, from_flax=True)
    stored = StoredWeights(model.params)
    assert {name for name, _ in twin.named_parameters()} == set(stored)
    for name, parameter in twin.named_parameters():
        np.testing.assert_array_equal(stored[name], parameter.detach().numpy(), err_msg=name)
    assert twin.num_parameters() == model.num_parameters()
    third = getattr(tf_albert, task.tensorflow_class).from_pretrained(tmp_path, from_flax=True)
    third.save_pretrained(tmp_path / "tf", safe_serialization=True)
    twin.save_pretrained(tmp_path / "torch")
    model.save_pretrained(tmp_path / "flax", safe_serialization=True)
    files = {(tmp_path / name / "model.safetensors").read_bytes() for name in ("tf", "torch", "flax")}
    assert len(files) == 1
    assert_same_params(model, type(model).from_pretrained(tmp_path / "torch", from_pt=True))


@pytest.mark.parametrize("safe", [True, False])
def test_a_class_derived_from_one_of_the_seven_is_saved_as_that_one(safe: bool, tmp_path: Path) -> None:
    class Chooser(flax_albert.FlaxAlbertForMultipleChoice):
        pass

    model = Chooser(tiny_config())
    model.save_pretrained(tmp_path, safe_serialization=safe)
    for loaded in (
        Chooser.from_pretrained(tmp_path),
        flax_albert.FlaxAlbertForMultipleChoice.from_pretrained(tmp_path),
    ):
        assert_same_params(model, loaded)
        assert loaded.config.architectures == ["AlbertForMultipleChoice"]


def test_other_formats_are_read_and_the_own_first(tmp_path: Path) -> None:
    tiny_model("AlbertForMaskedLM").save_pretrained(tmp_path, safe_serialization=False)
    load = flax_albert.FlaxAlbertForMaskedLM.from_pretrained
    assert_same_params(load(tmp_path), tiny_flax_model("FlaxAlbertForMaskedLM"))
    other = tiny_flax_model("FlaxAlbertForMaskedLM", seed=1)
    other.save_pretrained(tmp_path)
    assert_same_params(load(tmp_path), other)
    assert_same_params(load(tmp_path, from_pt=True), tiny_flax_model("FlaxAlbertForMaskedLM"))


def test_a_release_by_google_is_read_as_everywhere(tmp_path: Path) -> None:
    write_release(tmp_path)
    model = flax_albert.FlaxAlbertForPreTraining.from_pretrained(tmp_path)
    twin = torch_albert.AlbertForPreTraining.from_pretrained(tmp_path)
    for name, parameter in twin.named_parameters():
        np.testing.assert_array_equal(StoredWeights(model.params)[name], parameter.detach().numpy())
    with pytest.raises(CheckpointError, match=r"must have one of model\.safetensors"):
        flax_albert.FlaxAlbertForPreTraining.from_pretrained(tmp_path, from_pt=True)


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_is_saved_as_it_is(dtype: str, safe: bool, tmp_path: Path) -> None:
    model = tiny_flax_model(QA)
    cast = model.to_bf16 if dtype == "bfloat16" else model.to_fp16
    model.save_pretrained(tmp_path, params=cast(model.params), safe_serialization=safe)
    twin = torch_albert.AlbertForQuestionAnswering.from_pretrained(tmp_path, torch_dtype="auto")
    assert str(twin.dtype) == f"torch.{dtype}"
    loaded = flax_albert.FlaxAlbertForQuestionAnswering.from_pretrained(tmp_path)
    assert loaded.config.torch_dtype == dtype
    assert_same_params(loaded, cast(model.params))
    for name, parameter in twin.named_parameters():
        stored = StoredWeights(loaded.params)[name].astype(np.float32)
        np.testing.assert_array_equal(stored, parameter.detach().float().numpy())
    assert not np.array_equal(StoredWeights(model.params)["qa_outputs.weight"], stored)


def test_float64_is_kept_by_a_model_that_computes_in_it(tmp_path: Path) -> None:
    tiny_model("AlbertModel").double().save_pretrained(tmp_path)
    load = flax_albert.FlaxAlbertModel.from_pretrained
    for dtype in ("float32", "float64"):
        leaves = jax.tree_util.tree_leaves(load(tmp_path, dtype=jnp.dtype(dtype)).params)
        assert {leaf.dtype.name for leaf in leaves} == {dtype}


def test_shards_are_written_and_read(tmp_path: Path) -> None:
    model = tiny_flax_model("FlaxAlbertForPreTraining")
    model.save_pretrained(tmp_path, safe_serialization=True, max_shard_size="6KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert_same_params(flax_albert.FlaxAlbertForPreTraining.from_pretrained(tmp_path), model)


def test_the_configuration_may_be_changed_on_loading(tmp_path: Path) -> None:
    tiny_flax_model("FlaxAlbertModel").save_pretrained(tmp_path)
    load = flax_albert.FlaxAlbertForSequenceClassification.from_pretrained
    with pytest.warns(UserWarning, match=re.escape("were filled freshly, train them before use: classifier.bias, ")):
        model = load(tmp_path, id2label={0: "a", 1: "b", 2: "c"}, seed=4)
    assert model.params["classifier"]["kernel"].shape == (16, 3)
    assert model.config.id2label[2] == "c"
    with pytest.warns(UserWarning, match=re.escape("classifier.weight")):
        model = load(tmp_path, config=tiny_config(num_labels=5))
    assert model.config.num_labels == 5
    bare = flax_albert.FlaxAlbertModel.from_pretrained(tmp_path, add_pooling_layer=False)
    assert "pooler" not in bare.params


def test_parameters_may_be_kept_apart(tmp_path: Path) -> None:
    tiny_flax_model("FlaxAlbertModel").save_pretrained(tmp_path)
    load = flax_albert.FlaxAlbertForTokenClassification.from_pretrained
    with pytest.warns(UserWarning, match=re.escape("classifier.weight")):
        model, params = load(tmp_path, _do_init=False)
    assert "classifier" not in params
    params = model.init_weights(model.key, (1, 1), params)
    with pytest.warns(UserWarning, match=re.escape("classifier.weight")):
        whole = load(tmp_path)
    assert_same_params(whole, params)
    with jax.disable_jit():
        np.testing.assert_array_equal(model(IDS, params=params).logits, whole(IDS).logits)
    model.save_pretrained(tmp_path / "again", params=params)
    assert_same_params(load(tmp_path / "again"), params)


def test_a_head_of_another_shape(tmp_path: Path) -> None:
    tiny_flax_model("FlaxAlbertForTokenClassification").save_pretrained(tmp_path)
    load = flax_albert.FlaxAlbertForTokenClassification.from_pretrained
    with pytest.raises(WeightsMismatchError, match=r"classifier.weight: \[2, 16\] against \[4, 16\]"):
        load(tmp_path, num_labels=4)
    with pytest.warns(UserWarning, match=r"classifier.weight \(\[2, 16\] stored, \[4, 16\] needed\)"):
        model = load(tmp_path, num_labels=4, ignore_mismatched_sizes=True)
    assert model.params["classifier"]["kernel"].shape == (16, 4)


def test_what_cannot_be_loaded_or_saved_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        flax_albert.FlaxAlbertModel.from_pretrained(tmp_path / "absent")
    (tmp_path / "file").write_text("", encoding="utf-8")
    for safe in (True, False):
        with pytest.raises(CheckpointError):
            tiny_flax_model(QA).save_pretrained(tmp_path / "file", safe_serialization=safe)
    with pytest.raises(ConfigError, match="hidden_act must be a name"):
        tiny_flax_model(QA, hidden_act=jax.nn.relu).save_pretrained(tmp_path)
    with pytest.raises(WeightsMismatchError, match=r"missing: \[qa_outputs.bias"):
        model = tiny_flax_model(QA)
        model.save_pretrained(tmp_path, params={"albert": model.params["albert"]})
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_load_eager_fills_a_missing_head_with_the_numbers_of_pytorch(dtype: str, tmp_path: Path) -> None:
    tiny_flax_model("FlaxAlbertForMaskedLM").save_pretrained(tmp_path)
    checkpoint, task = open_checkpoint(tmp_path), get_task("text-classification")
    with pytest.raises(WeightsMismatchError, match="holds the heads of fill-mask; --allow-random-head"):
        flax_loading.load_eager(checkpoint, task)
    model, fresh = flax_loading.load_eager(checkpoint, task, dtype=dtype, allow_random_head=True)
    twin, fresh_twin = torch_loading.load_eager(checkpoint, task, dtype=dtype, allow_random_head=True)
    assert fresh == fresh_twin == ["albert.pooler.bias", "albert.pooler.weight", "classifier.bias", "classifier.weight"]
    values = StoredWeights(model.params)
    assert {value.dtype.name for value in values.values()} == {dtype}
    for name in fresh:
        np.testing.assert_array_equal(
            values[name].astype(np.float64), twin.get_parameter(name).detach().double().numpy(), err_msg=name
        )
    assert np.count_nonzero(values["classifier.weight"]) == values["classifier.weight"].size


def test_run_eager_gives_the_outputs_by_name(tmp_path: Path) -> None:
    tiny_flax_model(QA, return_dict=False, output_attentions=True).save_pretrained(tmp_path)
    model, fresh = flax_loading.load_eager(open_checkpoint(tmp_path), get_task("qa"))
    assert fresh == []
    inputs = {"input_ids": IDS, "attention_mask": np.ones_like(IDS), "token_type_ids": np.zeros_like(IDS)}
    with jax.disable_jit():
        plain = flax_loading.run_eager(model, inputs)
        with_states = flax_loading.run_eager(model, inputs, hidden_states=True)
    assert list(plain) == ["start_logits", "end_logits"]
    assert list(with_states) == ["start_logits", "end_logits", "hidden_states"]
    assert [state.shape for state in with_states["hidden_states"]] == [(2, 7, 16)] * 4
    assert all(type(value) is np.ndarray for value in [*plain.values(), *with_states["hidden_states"]])


def test_a_callable_activation_is_used() -> None:
    with jax.disable_jit():
        one = tiny_flax_model(QA, hidden_act=jnp.tanh)(IDS)
        other = tiny_flax_model(QA, hidden_act="relu")(IDS)
        same = tiny_flax_model(QA, hidden_act=jax.nn.relu)(IDS)
    np.testing.assert_array_equal(other[0], same[0])
    assert not np.array_equal(one[0], other[0])
