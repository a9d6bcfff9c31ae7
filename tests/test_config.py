"""AlbertConfig: the reference's defaults, rules that name field and value, and JSON that loses nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from albert_export import AlbertConfig
from albert_export.errors import ConfigError

# The signature in the documentation of transformers 4.37.2.
REFERENCE_DEFAULTS = {
    "vocab_size": 30000,
    "embedding_size": 128,
    "hidden_size": 4096,
    "num_hidden_layers": 12,
    "num_hidden_groups": 1,
    "num_attention_heads": 64,
    "intermediate_size": 16384,
    "inner_group_num": 1,
    "hidden_act": "gelu_new",
    "hidden_dropout_prob": 0,
    "attention_probs_dropout_prob": 0,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "initializer_range": 0.02,
    "layer_norm_eps": 1e-12,
    "classifier_dropout_prob": 0.1,
    "position_embedding_type": "absolute",
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
}


def test_defaults_are_those_of_the_reference():
    config = AlbertConfig()
    assert {name: getattr(config, name) for name in REFERENCE_DEFAULTS} == REFERENCE_DEFAULTS
    assert config.model_type == "albert"
    assert config.num_labels == 2
    assert config.use_return_dict is True


def test_fields_may_be_given_by_position():
    config = AlbertConfig(100, 8, 64, 3)
    assert (config.vocab_size, config.embedding_size, config.hidden_size, config.num_hidden_layers) == (100, 8, 64, 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 0}, "vocab_size must be a whole number from 1 to 100000000; received 0"),
        ({"hidden_size": "768"}, "hidden_size must be a whole number from 1 to 100000000; received '768'"),
        ({"num_hidden_layers": 2.0}, "num_hidden_layers must be a whole number from 1 to .*; received 2.0"),
        (
            {"max_position_embeddings": True},
            "max_position_embeddings must be a whole number from 1 to .*; received True",
        ),
        ({"vocab_size": 10**23}, "vocab_size must be a whole number from 1 to 100000000; received 1000"),
        ({"hidden_dropout_prob": 1.5}, "hidden_dropout_prob must be a number from 0 to 1; received 1.5"),
        ({"classifier_dropout_prob": 2}, "classifier_dropout_prob must be None or a number from 0 to 1; received 2"),
        ({"initializer_range": -0.1}, "initializer_range must be a number of at least 0; received -0.1"),
        ({"layer_norm_eps": 0}, "layer_norm_eps must be a number above 0; received 0"),
        ({"hidden_act": "gleu"}, "hidden_act must be one of gelu, gelu_new, relu, silu, swish; received 'gleu'"),
        ({"position_embedding_type": "rotary"}, "position_embedding_type must be one of absolute, relative_key"),
        ({"problem_type": "ranking"}, "problem_type must be one of regression, single_label_classification"),
        ({"return_dict": 1}, "return_dict must be true or false; received 1"),
        ({"bos_token_id": -1}, "bos_token_id must be None or a whole number of at least 0; received -1"),
        ({"pad_token_id": 30000}, "pad_token_id must be below vocab_size; received pad_token_id=30000"),
        ({"hidden_size": 100}, "hidden_size must be a multiple of num_attention_heads; received hidden_size=100"),
        ({"num_hidden_groups": 13}, "num_hidden_groups must be at most num_hidden_layers"),
        ({"inner_group_num": 3, "num_hidden_groups": 6}, "inner_group_num must be at most"),
        ({"num_labels": 0}, "num_labels must be a whole number of at least 1; received 0"),
        ({"id2label": {"a": "x"}}, "id2label must map numbers to names"),
        ({"id2label": {1: "x"}}, r"id2label must name every label from 0 on; received \[1\]"),
        ({"id2label": {0: "x"}, "label2id": {"x": "none"}}, "label2id must map names to numbers"),
        ({"pruned_heads": {0: 3}}, "pruned_heads must map layer numbers to lists of heads"),
        ({"pruned_heads": {"1": [0]}}, r"pruned_heads must name layers from 0 to 0, .*; received 1: \[0\]"),
        ({"pruned_heads": {0: [64]}}, r"some but not all of the heads from 0 to 63; received 0: \[64\]"),
        ({"pruned_heads": {0: [0, 1]}, "num_attention_heads": 2}, r"not all of the heads from 0 to 1; received 0: \["),
        ({"initializer_range": float("inf")}, "initializer_range must be a number of at least 0; received inf"),
        ({"hidden_act": None}, "hidden_act must be one of gelu, gelu_new, relu, silu, swish; received None"),
        ({"hidden_dropout_prob": None}, "hidden_dropout_prob must be a number from 0 to 1; received None"),
        ({"model_type": "bert"}, "model_type must be 'albert'; received bert; fix: give an ALBERT checkpoint"),
    ],
)
def test_a_broken_rule_names_field_and_value(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        AlbertConfig(**changes)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_unknown_keys_survive_a_round_trip_and_stay_readable(tmp_path):
    fields = {
        "_name_or_path": "albert-base-v2",
        "down_scale_factor": 1,
        "gap_size": 0,
        "net_structure_type": 0,
        "transformers_version": "4.37.2",
        "task_specific_params": {"a": [1, {"b": None}]},
    }
    config = AlbertConfig.from_dict({**fields, "hidden_size": 64})
    assert config.gap_size == 0
    config.save_pretrained(tmp_path)
    again = AlbertConfig.from_pretrained(tmp_path)
    assert again == config
    assert again.extra == fields
    assert json.loads((tmp_path / "config.json").read_text()).items() >= fields.items()
    with pytest.raises(AttributeError, match="no field 'gap_sise'"):
        _ = config.gap_sise


def test_labels_are_read_from_json_and_written_in_order():
    names = {str(index): f"L{index}" for index in range(12)}
    config = AlbertConfig.from_dict({"id2label": names, "num_labels": 2})
    assert config.num_labels == 12
    assert config.label2id == {f"L{index}": index for index in range(12)}
    assert list(json.loads(config.to_json_string())["id2label"]) == [str(index) for index in range(12)]


def test_setting_the_number_of_labels_renames_them():
    config = AlbertConfig(id2label={0: "no", 1: "yes"})
    config.num_labels = 2
    assert config.id2label == {0: "no", 1: "yes"}
    config.num_labels = 3
    assert config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
    assert config.label2id["LABEL_2"] == 2


def test_a_refused_update_changes_nothing():
    config = AlbertConfig(hidden_size=64)
    before = config.copy()
    with pytest.raises(ConfigError, match="hidden_size"):
        config.update({"vocab_size": 10, "hidden_size": -1})
    with pytest.raises(ConfigError, match="num_labels must be the number of names in id2label"):
        config.update({"num_labels": 3, "id2label": {0: "a"}})
    with pytest.raises(ConfigError, match="id2label must map numbers to names"):
        config.update({"num_labels": 3, "id2label": ["a", "b"]})
    assert config == before


def test_update_keeps_labels_and_names_consistent():
    config = AlbertConfig(id2label={0: "no", 1: "yes"})
    config.update({"id2label": {0: "a", 1: "b", 2: "c"}})
    assert config.label2id == {"a": 0, "b": 1, "c": 2}
    config.update({"num_labels": 3})
    assert config.id2label == {0: "a", 1: "b", 2: "c"}
    config.update({"num_labels": 4})
    assert config.id2label[3] == "LABEL_3"
    config.update({"num_labels": 2, "id2label": None})
    assert config.id2label == {0: "LABEL_0", 1: "LABEL_1"}


def test_a_classifier_without_a_dropout_of_its_own_takes_the_encoders():
    assert AlbertConfig(hidden_dropout_prob=0.2).head_dropout_prob == 0.1
    assert AlbertConfig(hidden_dropout_prob=0.2, classifier_dropout_prob=None).head_dropout_prob == 0.2


def test_a_torch_dtype_is_written_by_its_name():
    import torch

    assert AlbertConfig(torch_dtype=torch.float16).torch_dtype == "float16"
    assert AlbertConfig.from_dict({"dtype": "bfloat16"}).torch_dtype == "bfloat16"


def test_a_callable_activation_works_but_cannot_be_saved(tmp_path):
    config = AlbertConfig(hidden_act=abs)
    with pytest.raises(ConfigError, match="hidden_act must be a name to be saved"):
        config.save_pretrained(tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "must be JSON; received config.json"),
        (b"[1]", "must be a JSON object; received list"),
        (b"\xff\xfe", "JSON"),
        (b"[" * 100_000, "must be JSON; received config.json: .*recursion"),
        (b'{"id2label": {"0": "\\ud800"}}', "must be JSON; received config.json: .*surrogates not allowed"),
    ],
)
def test_a_file_that_is_no_configuration_is_told_apart(tmp_path, content, message):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        AlbertConfig.from_json_file(tmp_path / "config.json")


def test_any_key_of_a_file_is_kept():
    fields = {"self": 1, "cls": 2, "extra": {"a": 3}, "copy": 4, "update": 5}
    config = AlbertConfig.from_dict(fields)
    assert config.extra == fields
    assert AlbertConfig.from_dict(config.to_dict()) == config.copy()


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    AlbertConfig(hidden_size=64).save_pretrained(tmp_path)
    before = (tmp_path / "config.json").read_bytes()
    real = Path.write_bytes

    def cut_off(path, data):
        real(path, data[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", cut_off)
    with pytest.raises(OSError, match="No space left"):
        AlbertConfig(hidden_size=128).save_pretrained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]
    assert (tmp_path / "config.json").read_bytes() == before


def test_a_number_beyond_floats_is_told():
    with pytest.raises(ConfigError, match="hidden_dropout_prob must be a number from 0 to 1"):
        AlbertConfig(hidden_dropout_prob=10**400)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"must be readable; received .*config.json"):
        AlbertConfig.from_json_file(tmp_path / "config.json")


@given(
    heads=st.integers(1, 8),
    head_size=st.integers(1, 8),
    layers=st.integers(1, 12),
    labels=st.lists(st.text(max_size=5), min_size=1, max_size=5, unique=True),
    extra=st.dictionaries(
        st.from_regex(r"x_[a-z]{1,6}", fullmatch=True), st.none() | st.integers() | st.text(max_size=5), max_size=3
    ),
)
def test_json_both_ways_is_the_identity(heads, head_size, layers, labels, extra):
    config = AlbertConfig(
        hidden_size=heads * head_size,
        num_attention_heads=heads,
        num_hidden_layers=layers,
        id2label=dict(enumerate(labels)),
        **extra,
    )
    text = config.to_json_string()
    again = AlbertConfig.from_dict(json.loads(text))
    assert again == config
    assert again.to_json_string() == text
