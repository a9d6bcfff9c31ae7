"""Every TensorFlow class and variant against what transformers 4.37.2's own TensorFlow models computed."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from albert_export import AlbertConfig
from albert_export.models import tf_albert, tf_layers
from tests.models.conftest import GOLDEN
from tests.models.tf_models import TF_CLASSES, fill, stored_shape

TOLERANCE = 2e-5
#: Of the heads of masked words, whose tiny normalisation grows rounding: processors with other instructions than those
#: of the recording came to 3.8e-5.
WORDS_TOLERANCE = 1e-4
GRADIENT_TOLERANCE = 1e-4  # of the gradient's own norm
INDEX: dict[str, Any] = json.loads((GOLDEN / "tf_models.json").read_text(encoding="utf-8"))
CASES: dict[str, dict[str, Any]] = INDEX["cases"]


@cache
def archive() -> dict[str, dict[str, np.ndarray]]:
    """The recorded arrays, by case and then by key."""
    found: dict[str, dict[str, np.ndarray]] = {}
    with zipfile.ZipFile(GOLDEN / "tf_models.npz") as file:
        for name in file.namelist():
            model, case, key = name.removesuffix(".npy").split("/", 2)
            found.setdefault(f"{model}/{case}", {})[key] = np.load(io.BytesIO(file.read(name)))
    return found


def build(name: str) -> Any:
    case = CASES[name]
    model = getattr(tf_albert, case["model"])(AlbertConfig(**case["config"]))
    fill(model)
    return model


def call(name: str, model: Any) -> Any:
    inputs = {key[3:]: array for key, array in archive()[name].items() if key.startswith("in/")}
    arguments = CASES[name].get("call", {})
    form = CASES[name].get("form", "keywords")
    if form == "keywords":
        return model(**inputs, **arguments)
    return model(inputs if form == "dict" else list(inputs.values()), **arguments)


def named(output: Any) -> dict[str, Any]:
    return dict(output) if isinstance(output, dict) else {str(place): value for place, value in enumerate(output)}


def flat(output: Any) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in named(output).items():
        if isinstance(value, tuple):
            yield from ((f"out/{name}/{place}", tensor.numpy()) for place, tensor in enumerate(value))
        elif value is not None:
            yield f"out/{name}", value.numpy()


def largest_difference(name: str, output: Any) -> float:
    """Return max |ours - recorded| over all outputs; NaN must stand in the same places. Shapes must be equal."""
    largest = 0.0
    compared = set()
    for key, ours in flat(output):
        recorded = archive()[name][key]
        assert ours.shape == recorded.shape, key
        assert ours.dtype == recorded.dtype, key
        undefined = np.isnan(recorded)
        np.testing.assert_array_equal(np.isnan(ours), undefined)
        largest = max(largest, float(np.abs(ours - recorded)[~undefined].max(initial=0.0)))
        compared.add(key)
    assert compared == {key for key in archive()[name] if key.startswith("out/")}
    return largest


def recorded_parameters(name: str) -> dict[str, str]:
    case = CASES[name]
    first = next(other for other in CASES.values() if other["model"] == case["model"])
    found: dict[str, str] = case.get("parameters", first["parameters"])
    return found


def gradient_norms(name: str, model: Any) -> dict[str, float]:
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(call(name, model).loss)
    weights = dict(model.named_weights())
    gradients = tape.gradient(total, [variable.value for variable in weights.values()])
    return {
        weight: 0.0 if gradient is None else float(np.linalg.norm(tf.convert_to_tensor(gradient).numpy()))
        for weight, gradient in zip(weights, gradients, strict=True)
    }


def test_the_recording_covers_every_class_and_names_its_versions() -> None:
    assert {case["model"] for case in CASES.values()} == set(TF_CLASSES)
    assert {case.get("form", "keywords") for case in CASES.values()} == {"keywords", "dict", "list"}
    assert INDEX["versions"]["transformers"] == "4.37.2"
    assert set(CASES) == set(archive())


@pytest.mark.parametrize("name", CASES)
def test_a_case_gives_the_recorded_outputs(name: str) -> None:
    model = build(name)
    weights = {name: "x".join(map(str, stored_shape(name, weight))) for name, weight in model.named_weights()}
    assert weights == recorded_parameters(name)
    output = call(name, model)
    kinds = {
        field: "none" if value is None else f"tuple of {len(value)}" if isinstance(value, tuple) else "tensor"
        for field, value in named(output).items()
    }
    assert list(kinds.items()) == list(CASES[name]["fields"].items())
    of_words = name.startswith(("masked_lm/", "pretraining/"))
    assert largest_difference(name, output) <= (WORDS_TOLERANCE if of_words else TOLERANCE)


@pytest.mark.parametrize("name", [name for name in CASES if "grad" in archive()[name]])
def test_a_loss_gives_the_recorded_gradients(name: str) -> None:
    norms = gradient_norms(name, build(name))
    recorded = archive()[name]["grad"]
    assert np.count_nonzero(recorded) > 5
    expected = dict(zip(recorded_parameters(name), recorded, strict=True))
    assert norms.keys() == expected.keys()
    np.testing.assert_allclose(
        [norms[weight] for weight in expected], list(expected.values()), rtol=GRADIENT_TOLERANCE, atol=1e-6
    )


def test_twin_another_activation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tf_layers._ACTIVATIONS, "gelu_new", tf_layers._ACTIVATIONS["gelu"])
    assert largest_difference("base/plain", call("base/plain", build("base/plain"))) > TOLERANCE


@pytest.mark.parametrize(
    ("name", "change"),
    [("base/ids_only", {"layer_norm_eps": 1e-3}), ("base/dict", {"num_hidden_layers": 2})],
)
def test_twin_another_configuration_is_found(
    name: str, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CASES, name, {**CASES[name], "config": {**CASES[name]["config"], **change}})
    assert largest_difference(name, call(name, build(name))) > TOLERANCE


def test_twin_an_ignored_mask_and_swapped_segments_are_found() -> None:
    model = build("base/dict")
    inputs = {key[3:]: array for key, array in archive()["base/dict"].items() if key.startswith("in/")}
    for change in (
        {"attention_mask": np.ones_like(inputs["attention_mask"])},
        {"token_type_ids": 1 - inputs["token_type_ids"]},
    ):
        assert largest_difference("base/dict", model({**inputs, **change})) > TOLERANCE


def test_twin_a_dropout_that_is_left_out_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "base/train_hidden_dropout_prob"
    monkeypatch.setitem(CASES, name, {**CASES[name], "call": {"training": False}})
    assert largest_difference(name, call(name, build(name))) > TOLERANCE
