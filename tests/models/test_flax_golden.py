"""Every Flax class and variant against what transformers 4.37.2's own Flax models computed.

Ours compute in float64 here: in float32 the masked-word head of so tiny a model makes 5e-5 of a rounding, in PyTorch
too, and only the recorded side's rounding is then left. Float32 has a test of its own.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import jax
import numpy as np
import pytest

from albert_export.models import flax_layers
from albert_export.models.flax_encoder import Form
from albert_export.models.flax_loading import StoredWeights
from tests.models.conftest import GOLDEN
from tests.models.flax_models import FLAX_CLASSES, tiny_flax_model

TOLERANCE = 2e-5
SINGLE_TOLERANCE = 1e-4
GRADIENT_TOLERANCE = 1e-4  # of the gradient's own norm
INDEX: dict[str, Any] = json.loads((GOLDEN / "flax_models.json").read_text(encoding="utf-8"))
CASES: dict[str, dict[str, Any]] = INDEX["cases"]


@cache
def archive() -> dict[str, dict[str, np.ndarray]]:
    """The recorded arrays, by case and then by key."""
    found: dict[str, dict[str, np.ndarray]] = {}
    with zipfile.ZipFile(GOLDEN / "flax_models.npz") as file:
        for name in file.namelist():
            model, case, key = name.removesuffix(".npy").split("/", 2)
            found.setdefault(f"{model}/{case}", {})[key] = np.load(io.BytesIO(file.read(name)))
    return found


@pytest.fixture(autouse=True)
def operation_by_operation() -> Iterator[None]:
    """Compile no model: each would take longer than all that is computed with it."""
    with jax.disable_jit():
        yield


def build(name: str, **changes: Any) -> Any:
    case = CASES[name]
    return tiny_flax_model(case["model"], **{"dtype": "float64", **case["config"], **case.get("init", {}), **changes})


def inputs_of(name: str) -> dict[str, np.ndarray]:
    return {key[3:]: array for key, array in archive()[name].items() if key.startswith("in/")}


def call(name: str, model: Any, **changes: Any) -> Any:
    arguments = {**CASES[name].get("call", {}), **changes}
    if arguments.get("train"):
        arguments["dropout_rng"] = jax.random.PRNGKey(0)
    return model(**{**inputs_of(name), **arguments})


def named(output: Any) -> dict[str, Any]:
    return dict(output) if isinstance(output, dict) else {str(place): value for place, value in enumerate(output)}


def flat(output: Any) -> Iterator[tuple[str, np.ndarray]]:
    for name, value in named(output).items():
        if isinstance(value, tuple):
            yield from ((f"out/{name}/{place}", np.asarray(tensor)) for place, tensor in enumerate(value))
        else:
            yield f"out/{name}", np.asarray(value)


def largest_difference(name: str, output: Any) -> float:
    """Return max |ours - recorded| over all outputs. Shapes must be equal, and all numbers finite."""
    largest = 0.0
    compared = set()
    for key, ours in flat(output):
        recorded = archive()[name][key]
        assert ours.shape == recorded.shape, key
        assert np.isfinite(recorded).all(), key
        difference = float(np.abs(ours - recorded).max())
        assert np.isfinite(difference), key
        largest = max(largest, difference)
        compared.add(key)
    assert compared == {key for key in archive()[name] if key.startswith("out/")}
    return largest


def recorded_parameters(name: str) -> dict[str, str]:
    case = CASES[name]
    first = next(other for other in CASES.values() if other["model"] == case["model"])
    found: dict[str, str] = case.get("parameters", first["parameters"])
    return found


def gradient_norms(name: str, model: Any) -> dict[str, float]:
    def total(params: Any) -> jax.Array:
        result: jax.Array = (model(**inputs_of(name), params=params, return_dict=False)[0] ** 2).sum()
        return result

    gradients = StoredWeights(jax.grad(total)(model.params))
    return {weight: float(np.linalg.norm(gradient)) for weight, gradient in gradients.items()}


def test_the_recording_covers_every_class_and_names_its_versions() -> None:
    assert {case["model"] for case in CASES.values()} == set(FLAX_CLASSES)
    assert INDEX["versions"]["transformers"] == "4.37.2"
    assert set(CASES) == set(archive())
    assert {CASES[name]["model"] for name in CASES if "grad" in archive()[name]} == set(FLAX_CLASSES)


@pytest.mark.parametrize("name", CASES)
def test_a_case_gives_the_recorded_outputs(name: str) -> None:
    model = build(name)
    weights = {name: "x".join(map(str, shape)) for name, shape in model.parameter_shapes().items()}
    assert weights == recorded_parameters(name)
    output = call(name, model)
    kinds = {
        field: f"tuple of {len(value)}" if isinstance(value, tuple) else "tensor"
        for field, value in named(output).items()
    }
    assert list(kinds.items()) == list(CASES[name]["fields"].items())
    assert largest_difference(name, output) <= TOLERANCE


@pytest.mark.parametrize("name", [name for name in CASES if "grad" in archive()[name]])
def test_gradients_are_the_recorded_ones(name: str) -> None:
    norms = gradient_norms(name, build(name, dtype="float32"))
    recorded = archive()[name]["grad"]
    assert np.count_nonzero(recorded) > 5
    expected = dict(zip(sorted(recorded_parameters(name)), recorded, strict=True))
    assert norms.keys() == expected.keys()
    # a bias of keys moves all scores of a row alike: of its gradient there is rounding alone
    kept = [weight for weight in expected if not weight.endswith("attention.key.bias")]
    np.testing.assert_allclose(
        [norms[weight] for weight in kept], [expected[weight] for weight in kept], rtol=GRADIENT_TOLERANCE, atol=1e-4
    )


@pytest.mark.parametrize("name", [name for name in CASES if name.endswith("/plain")])
def test_compiled_float32_gives_the_recorded_outputs(name: str) -> None:
    with jax.disable_jit(False):
        output = call(name, build(name, dtype="float32"), output_hidden_states=False, output_attentions=False)
    for key, ours in flat(output):
        recorded = archive()[name][key]
        assert ours.dtype == recorded.dtype == np.float32
        assert np.abs(ours - recorded).max() <= SINGLE_TOLERANCE, key


@pytest.mark.parametrize("name", ["base/plain", "base/groups_and_inner", "text/masked_row"])
def test_layers_written_out_give_the_same(name: str) -> None:
    assert largest_difference(name, call(name, build(name, form=Form(rolled=False)))) <= TOLERANCE


def test_a_bounded_mask_gives_the_same_where_a_row_has_a_token() -> None:
    form = Form(mask_bias=-10000.0)
    assert largest_difference("base/plain", call("base/plain", build("base/plain", form=form))) <= TOLERANCE
    assert largest_difference("text/masked_row", call("text/masked_row", build("text/masked_row", form=form))) > 1e-3


def test_twin_another_activation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(flax_layers._ACTIVATIONS, "gelu_new", flax_layers._ACTIVATIONS["gelu"])
    assert largest_difference("base/plain", call("base/plain", build("base/plain"))) > TOLERANCE


@pytest.mark.parametrize(
    ("name", "change"), [("base/ids_only", {"layer_norm_eps": 1e-3}), ("masked_lm/untied", {"num_hidden_layers": 2})]
)
def test_twin_another_configuration_is_found(name: str, change: dict[str, Any]) -> None:
    assert largest_difference(name, call(name, build(name, **change))) > TOLERANCE


def test_twin_an_ignored_mask_and_swapped_segments_are_found() -> None:
    model, inputs = build("base/tuple"), inputs_of("base/tuple")
    for change in (
        {"attention_mask": np.ones_like(inputs["attention_mask"])},
        {"token_type_ids": 1 - inputs["token_type_ids"]},
    ):
        assert largest_difference("base/tuple", call("base/tuple", model, **change)) > TOLERANCE


def test_twin_a_dropout_that_is_left_out_is_found() -> None:
    name = "base/train_hidden_dropout_prob"
    assert largest_difference(name, call(name, build(name), train=False)) > TOLERANCE
