"""The ways to call a TensorFlow model: forms of inputs, eager, traced and symbolic, dtypes, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from albert_export.errors import ConfigError, InputError
from tests.models.tf_models import TF_CLASSES, tiny_tf_model

# isort: split
import keras
import tensorflow as tf


def batch(name: str = "TFAlbertModel") -> dict[str, np.ndarray]:
    shape = (2, 3, 7) if "Choice" in name else (2, 7)
    random = np.random.RandomState(0)
    mask = np.ones(shape, np.int64)
    mask[0, ..., 5:] = 0
    return {
        "input_ids": random.randint(1, 61, shape),
        "attention_mask": mask,
        "token_type_ids": random.randint(0, 2, shape),
    }


def assert_equal(one: Any, other: Any, tolerance: float = 0.0) -> None:
    assert list(one) == list(other)
    for key in one:
        np.testing.assert_allclose(np.asarray(one[key]), np.asarray(other[key]), rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", TF_CLASSES)
def test_every_form_of_inputs_is_the_same_call(name: str) -> None:
    model, given = tiny_tf_model(name), batch(name)
    expected = model(**given)
    ids, mask, types = given.values()
    assert_equal(model(ids, mask, types), expected)
    assert_equal(model(ids, attention_mask=mask, token_type_ids=types), expected)
    assert_equal(model(given), expected)
    assert_equal(model([ids, mask, types]), expected)
    assert_equal(model((tf.constant(ids), tf.constant(mask, tf.int32), tf.constant(types))), expected)
    assert_equal(model({"input_ids": ids}, attention_mask=mask, token_type_ids=types), expected)
    assert_equal(model(ids.tolist(), mask.tolist(), types.tolist()), expected)
    assert_equal(model(input_ids=given), expected)


@pytest.mark.parametrize("name", TF_CLASSES)
def test_traced_and_symbolic_calls_take_any_shape(name: str) -> None:
    model, given = tiny_tf_model(name), batch(name)
    expected = model(given)
    signature = {key: tf.TensorSpec([None] * array.ndim, tf.int64) for key, array in given.items()}
    traced = tf.function(lambda inputs: model(inputs), input_signature=[signature])
    output = traced({key: tf.constant(array) for key, array in given.items()})
    assert type(output) is type(expected)
    assert_equal(output, expected, 1e-4)
    shorter = {key: tf.constant(array[..., :5]) for key, array in given.items()}
    assert_equal(traced(shorter), model(shorter), 1e-4)

    symbols = {key: keras.Input((*array.shape[1:-1], None), dtype="int64", name=key) for key, array in given.items()}
    functional = keras.Model(symbols, dict(model(symbols)))
    assert_equal(functional(given), expected, 1e-4)


def test_a_double_model_computes_in_doubles() -> None:
    single, double = tiny_tf_model("TFAlbertForMaskedLM"), tiny_tf_model("TFAlbertForMaskedLM", dtype="float64")
    given = batch()
    embeds = np.random.RandomState(1).standard_normal((2, 7, 8))
    for inputs in (given, {"inputs_embeds": embeds}):
        one, two = single(inputs).logits, double(inputs).logits
        assert (one.dtype, two.dtype) == (tf.float32, tf.float64)
        difference = float(np.abs(one.numpy() - two.numpy()).max())
        assert 0 < difference < 1e-4


def test_word_embeddings_may_be_given_in_place_of_ids() -> None:
    model, given = tiny_tf_model("TFAlbertForSequenceClassification"), batch()
    table = model.get_input_embeddings().weight.numpy()
    ids = given.pop("input_ids")
    expected = model(input_ids=ids, **given)
    assert_equal(model(inputs_embeds=table[ids], **given), expected)
    assert np.abs(model(inputs_embeds=table[ids] * 1.5, **given).logits - expected.logits).max() > 1e-3


def test_positions_count() -> None:
    model, ids = tiny_tf_model("TFAlbertModel"), batch()["input_ids"]
    assert_equal(model(ids, position_ids=np.arange(7)[None]), model(ids))
    assert np.abs(model(ids, position_ids=np.arange(7)[None] + 1)[0] - model(ids)[0]).max() > 1e-3


def test_training_drops_out_and_a_plain_call_does_not() -> None:
    model = tiny_tf_model("TFAlbertForTokenClassification", hidden_dropout_prob=0.5)
    given = batch()
    assert_equal(model(given), model(given, training=False))
    one, other = model(given, training=True), model(given, training=True)
    assert np.abs(one.logits - other.logits).max() > 1e-3


def test_the_configuration_gives_defaults() -> None:
    asked = tiny_tf_model("TFAlbertModel", output_hidden_states=True, output_attentions=True, return_dict=False)
    output = asked(batch())
    assert isinstance(output, tuple)
    assert [len(output[2]), len(output[3])] == [4, 3]
    assert list(asked(batch(), return_dict=True, output_attentions=False, output_hidden_states=False)) == [
        "last_hidden_state",
        "pooler_output",
    ]
    from albert_export import AlbertConfig
    from albert_export.models.tf_albert import TFAlbertModel

    bare = TFAlbertModel(AlbertConfig(**asked.config.to_dict()), add_pooling_layer=False)
    assert bare(batch(), output_hidden_states=False, output_attentions=False)[1] is None


IDS = np.ones((2, 7), np.int64)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({}, "exactly one of input_ids and inputs_embeds"),
        ({"input_ids": IDS, "inputs_embeds": np.zeros((2, 7, 8))}, "exactly one of input_ids and inputs_embeds"),
        ({"input_ids": IDS, "head_mask": np.ones(4)}, "take no head_mask"),
        ({"input_ids": IDS * 61}, r"input_ids must lie in \[0, vocab_size\) = \[0, 61\); received 61"),
        ({"input_ids": -IDS}, "received -1"),
        ({"input_ids": IDS[0]}, r"input_ids must be \[batch, sequence\]"),
        ({"input_ids": IDS * 1.0}, "input_ids must be int64 or int32; received float"),
        ({"input_ids": [[1, 2], [3]]}, "input_ids must be an array of numbers"),
        ({"input_ids": IDS[:, :0]}, "at least one token"),
        ({"input_ids": np.ones((1, 25), np.int64)}, "at most max_position_embeddings = 24"),
        ({"input_ids": IDS, "token_type_ids": IDS * 2}, "token_type_ids must lie in"),
        ({"input_ids": IDS, "attention_mask": IDS[:, :3]}, "attention_mask must have the shape"),
        ({"input_ids": IDS, "position_ids": IDS * 24}, "position_ids must lie in"),
        ({"inputs_embeds": np.zeros((2, 7, 9))}, "embedding_size = 8"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(inputs: dict[str, Any], told: str) -> None:
    for model in (tiny_tf_model("TFAlbertModel"), tiny_tf_model("TFAlbertForMaskedLM")):
        with pytest.raises(InputError, match=told) as caught:
            model(**inputs)
        assert "\n" not in str(caught.value)


def test_choices_need_their_axis_and_answers_two_labels() -> None:
    with pytest.raises(InputError, match=r"input_ids must be \[batch, choices, sequence\]"):
        tiny_tf_model("TFAlbertForMultipleChoice")(IDS)
    with pytest.raises(ConfigError, match="num_labels must be 2 for question answering"):
        tiny_tf_model("TFAlbertForQuestionAnswering", num_labels=3)


def test_floating_labels_are_for_regression() -> None:
    labels = np.array([0.5, 2.0])
    loss = tiny_tf_model("TFAlbertForSequenceClassification", num_labels=1)(IDS, labels=labels).loss
    assert loss.shape == (2,)
    for several in (labels, np.ones((2, 2))):
        with pytest.raises(InputError, match="labels must be whole numbers where there are several labels"):
            tiny_tf_model("TFAlbertForSequenceClassification")(IDS, labels=several)


@pytest.mark.parametrize(
    ("name", "labels", "told"),
    [
        ("ForPreTraining", {"labels": IDS * 61}, r"labels must lie in \[0, vocab_size\) = \[0, 61\), or -100 .*d 61"),
        (
            "ForPreTraining",
            {"sentence_order_label": [0, 2]},
            r"sentence_order_label must lie in \[0, num_labels\).*d 2",
        ),
        ("ForMaskedLM", {"labels": IDS * -1}, "labels must .* received -1"),
        (
            "ForSequenceClassification",
            {"labels": [1, 2]},
            r"labels must lie in \[0, num_labels\) = \[0, 2\); received 2",
        ),
        ("ForSequenceClassification", {"labels": [-100, 0]}, "received -100"),
        ("ForMultipleChoice", {"labels": [0, 3]}, r"\[0, choices\) = \[0, 3\); received 3"),
        ("ForTokenClassification", {"labels": IDS * 2}, "or negative where none is; received 2"),
        (
            "ForQuestionAnswering",
            {"start_positions": [0, 1], "end_positions": [1, 7]},
            r"end_positions .* \[0, 7\); rec",
        ),
    ],
)
def test_labels_that_no_score_belongs_to(name: str, labels: dict[str, Any], told: str) -> None:
    model = tiny_tf_model(f"TFAlbert{name}")
    ids = batch(f"TFAlbert{name}")["input_ids"]
    label = {"labels": np.ones(ids.shape, np.int64), "sentence_order_label": np.zeros(2, np.int64)}
    given = {**label, **labels} if name == "ForPreTraining" else labels
    with pytest.raises(InputError, match=told) as caught:
        model(ids, **given)
    assert "\n" not in str(caught.value)


def test_labels_that_count_not_and_numbers_are_taken() -> None:
    ignored = np.where(IDS.cumsum(1) % 2, IDS, -100)
    for name in ("TFAlbertForMaskedLM", "TFAlbertForTokenClassification"):
        assert np.isfinite(tiny_tf_model(name)(IDS, labels=ignored).loss.numpy()).all()
        tiny_tf_model(name)(IDS, labels=np.full_like(IDS, -100))
    assert tiny_tf_model("TFAlbertForTokenClassification")(IDS, labels=ignored // 50).loss.shape == (1,)
    assert tiny_tf_model("TFAlbertForSequenceClassification", num_labels=1)(IDS, labels=[-7, 9]).loss.shape == (2,)


def test_names_that_call_does_not_take() -> None:
    model = tiny_tf_model("TFAlbertModel")
    with pytest.raises(TypeError, match="labels"):
        model(IDS, labels=IDS)
    with pytest.raises(TypeError, match="each once"):
        model(IDS, input_ids=IDS)
    with pytest.warns(UserWarning, match=r"no arguments of the model and are ignored: \['idx'\]"):
        output = model({"input_ids": IDS, "idx": [0, 1]})
    assert_equal(output, model(IDS))
