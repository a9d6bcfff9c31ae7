"""Training: ``compile`` and ``fit`` on the model's own loss and on one of Keras, labels in the batch or beside it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from albert_export import AlbertConfig
from albert_export.errors import InputError
from albert_export.models import tf_albert
from tests.golden.seeded_weights import TINY

# isort: split
import keras

RANDOM = np.random.RandomState(0)
IDS = RANDOM.randint(4, 61, (16, 7))
LABEL = (IDS[:, 1] > 30).astype(np.int64)
LABELS: dict[str, dict[str, np.ndarray]] = {
    "TFAlbertForPreTraining": {"labels": np.where(IDS % 2, IDS, -100), "sentence_order_label": LABEL},
    "TFAlbertForMaskedLM": {"labels": np.where(IDS % 2, IDS, -100)},
    "TFAlbertForSequenceClassification": {"labels": LABEL},
    "TFAlbertForMultipleChoice": {"labels": LABEL},
    "TFAlbertForTokenClassification": {"labels": np.where(IDS % 3, IDS % 2, -100)},
    "TFAlbertForQuestionAnswering": {"start_positions": IDS[:, 0] % 7, "end_positions": IDS[:, 2] % 7},
}


@pytest.fixture(autouse=True)
def seed() -> None:
    keras.utils.set_random_seed(0)


def fresh(name: str, **changes: Any) -> Any:
    config = {**TINY, "num_hidden_layers": 2, "initializer_range": 0.2, "classifier_dropout_prob": 0.0, **changes}
    return getattr(tf_albert, name)(AlbertConfig(**config))


def inputs(name: str) -> dict[str, np.ndarray]:
    return {"input_ids": np.stack([IDS, IDS[:, ::-1]], axis=1) if "Choice" in name else IDS}


def losses(model: Any, *data: Any, epochs: int = 3, loss: Any = "auto", eager: bool = True, **more: Any) -> list[float]:
    """Train; step by step by default, because tracing takes longer than a few tiny steps."""
    model.compile(optimizer=keras.optimizers.Adam(5e-3), loss=loss, run_eagerly=eager, **more)
    found: list[float] = model.fit(*data, batch_size=8, epochs=epochs, verbose=0, shuffle=False).history["loss"]
    return found


@pytest.mark.parametrize("name", LABELS)
def test_the_own_loss_falls_with_labels_in_the_batch(name: str) -> None:
    model = fresh(name)
    before = {weight: variable.numpy() for weight, variable in model.named_weights()}
    found = losses(model, {**inputs(name), **LABELS[name]})
    assert found[-1] < 0.97 * found[0]
    unmoved = [weight for weight, variable in model.named_weights() if np.array_equal(before[weight], variable.numpy())]
    assert unmoved == []
    evaluated = model.evaluate({**inputs(name), **LABELS[name]}, verbose=0)
    assert evaluated < found[0]


def test_a_traced_step_is_the_eager_step() -> None:
    name = "TFAlbertForSequenceClassification"
    eager = losses(fresh(name), {**inputs(name), **LABELS[name]})
    keras.utils.set_random_seed(0)
    np.testing.assert_allclose(losses(fresh(name), {**inputs(name), **LABELS[name]}, eager=False), eager, rtol=1e-4)


def test_twin_a_frozen_part_does_not_move() -> None:
    model = fresh("TFAlbertForSequenceClassification")
    model.albert.trainable = False
    before = {weight: variable.numpy() for weight, variable in model.named_weights()}
    losses(model, {**inputs(""), "labels": LABEL}, epochs=1)
    moved = [
        weight for weight, variable in model.named_weights() if not np.array_equal(before[weight], variable.numpy())
    ]
    assert moved == ["classifier.weight", "classifier.bias"]
    assert model.num_parameters(only_trainable=True) == 34


def test_labels_beside_the_batch_give_the_same_training() -> None:
    name = "TFAlbertForQuestionAnswering"
    within = losses(fresh(name), {**inputs(name), **LABELS[name]}, epochs=1)
    keras.utils.set_random_seed(0)
    assert losses(fresh(name), inputs(name), LABELS[name], epochs=1) == within
    keras.utils.set_random_seed(0)
    assert losses(fresh(name), IDS, tuple(LABELS[name].values()), epochs=1) == within


def test_a_loss_of_keras_gets_the_scores() -> None:
    scored = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = fresh("TFAlbertForSequenceClassification")
    beside = losses(model, IDS, LABEL, loss=scored, metrics=["accuracy"])
    assert beside[-1] < 0.97 * beside[0]
    assert set(model.evaluate(IDS, LABEL, verbose=0, return_dict=True)) == {"accuracy", "loss"}
    keras.utils.set_random_seed(0)
    within = losses(fresh("TFAlbertForSequenceClassification"), {"input_ids": IDS, "labels": LABEL}, loss=scored)
    np.testing.assert_allclose(within, beside, rtol=1e-5)
    keras.utils.set_random_seed(0)
    own = losses(fresh("TFAlbertForSequenceClassification"), IDS, LABEL)
    np.testing.assert_allclose(own, beside, rtol=1e-5)


def test_a_loss_of_keras_for_each_output() -> None:
    name = "TFAlbertForQuestionAnswering"
    scored = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    found = losses(fresh(name), inputs(name), LABELS[name], loss=scored, epochs=1)
    keras.utils.set_random_seed(0)
    own = losses(fresh(name), inputs(name), LABELS[name], epochs=1)
    np.testing.assert_allclose(found, np.multiply(own, 2), rtol=1e-5)  # Keras adds, the model takes the mean


def test_predict_gives_the_outputs_by_name() -> None:
    model = fresh("TFAlbertForSequenceClassification", output_hidden_states=True)
    predicted = model.predict({"input_ids": IDS}, batch_size=5, verbose=0)
    expected = model(IDS)
    assert type(predicted) is type(expected)
    np.testing.assert_allclose(predicted.logits, expected.logits, atol=1e-5)
    assert [state.shape for state in predicted.hidden_states] == [(16, 7, 16)] * 3


def test_what_the_own_loss_cannot_do_is_told() -> None:
    model = fresh("TFAlbertForQuestionAnswering")
    model.compile(run_eagerly=True)
    with pytest.raises(InputError, match="needs start_positions and end_positions; received start_positions"):
        model.fit({"input_ids": IDS, "start_positions": LABEL}, verbose=0)
    with pytest.raises(InputError, match="weighs every example alike"):
        model.fit({"input_ids": IDS}, LABELS["TFAlbertForQuestionAnswering"], sample_weight=LABEL, verbose=0)
    bare = fresh("TFAlbertModel")
    bare.compile(run_eagerly=True)
    with pytest.raises(InputError, match="needs a model with a head"):
        bare.fit(IDS, verbose=0)


def test_fresh_weights_follow_the_seed_and_the_table() -> None:
    def weights() -> dict[str, np.ndarray]:
        keras.utils.set_random_seed(3)
        return {name: variable.numpy() for name, variable in fresh("TFAlbertForMaskedLM").named_weights()}

    one, other = weights(), weights()
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name])
        if name.endswith("weight") and "orm" not in name:
            assert 0.05 < value.std() < 0.35, name
        else:
            assert np.all(value == (1 if name.endswith("weight") else 0)), name
    keras.utils.set_random_seed(4)
    again = dict(fresh("TFAlbertForMaskedLM").named_weights())
    assert not np.array_equal(again["predictions.dense.weight"].numpy(), one["predictions.dense.weight"])
