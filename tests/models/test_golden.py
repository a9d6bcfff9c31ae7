"""Every class and variant against the outputs, losses and gradients recorded from transformers 4.37.2."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from albert_export import AlbertConfig
from albert_export.models import torch_albert, torch_encoder
from tests.golden.seeded_weights import fill
from tests.models.conftest import CLASSES, GOLDEN, read_index

TOLERANCE = 2e-5
GRADIENT_TOLERANCE = 1e-4  # of the gradient's own norm
INDEX = read_index()
CASES: dict[str, dict[str, Any]] = INDEX["cases"]


@cache
def archive() -> dict[str, dict[str, np.ndarray]]:
    """The recorded arrays, by case and then by key."""
    found: dict[str, dict[str, np.ndarray]] = {}
    with zipfile.ZipFile(GOLDEN / "torch_models.npz") as file:
        for name in file.namelist():
            model, case, key = name.removesuffix(".npy").split("/", 2)
            found.setdefault(f"{model}/{case}", {})[key] = np.load(io.BytesIO(file.read(name)))
    return found


def build(name: str) -> Any:
    case = CASES[name]
    model = getattr(torch_albert, case["model"])(AlbertConfig(**case["config"]), **case.get("init", {}))
    fill(model)
    if "resize" in case:
        model.resize_token_embeddings(**case["resize"])
    if "prune" in case:
        model.prune_heads({int(place): heads for place, heads in case["prune"].items()})
    return model.train(case.get("train", False))


def call(name: str, model: Any) -> Any:
    inputs = {key[3:]: torch.from_numpy(array) for key, array in archive()[name].items() if key.startswith("in/")}
    return model(**inputs, **CASES[name].get("call", {}))


def named(output: Any) -> dict[str, Any]:
    return dict(output) if isinstance(output, dict) else {str(place): value for place, value in enumerate(output)}


def flat(output: Any, keep: int | None) -> Iterator[tuple[str, torch.Tensor]]:
    for name, value in named(output).items():
        if isinstance(value, tuple):
            yield from ((f"out/{name}/{place}", tensor) for place, tensor in enumerate(value))
        elif value is not None:
            yield f"out/{name}", value[..., :keep] if keep and value.dim() == 3 else value


def largest_difference(name: str, output: Any) -> float:
    """Return max |ours - recorded| over all outputs; NaN must stand in the same places. Shapes must be equal."""
    largest = 0.0
    compared = set()
    for key, tensor in flat(output, CASES[name].get("keep")):
        ours, recorded = tensor.detach().numpy(), archive()[name][key]
        assert ours.shape == recorded.shape, key
        assert ours.dtype == recorded.dtype, key
        undefined = np.isnan(recorded)
        np.testing.assert_array_equal(np.isnan(ours), undefined)
        largest = max(largest, float(np.abs(ours - recorded)[~undefined].max(initial=0.0)))
        compared.add(key)
    assert compared == {key for key in archive()[name] if key.startswith("out/")}
    return largest


def test_the_recording_covers_every_class_and_names_its_versions() -> None:
    assert {case["model"] for case in CASES.values()} == set(CLASSES)
    assert INDEX["versions"]["transformers"] == "4.37.2"
    assert set(CASES) == set(archive())


@pytest.mark.parametrize("name", CASES)
def test_a_case_gives_the_recorded_outputs(name: str) -> None:
    case, model = CASES[name], build(name)
    assert {name: "x".join(map(str, p.shape)) for name, p in model.named_parameters()} == case["parameters"]
    output = call(name, model)
    kinds = {
        field: "none" if value is None else f"tuple of {len(value)}" if isinstance(value, tuple) else "tensor"
        for field, value in named(output).items()
    }
    assert list(kinds.items()) == list(case["fields"].items())
    assert largest_difference(name, output) <= TOLERANCE
    pruned = {str(place): heads for place, heads in model.config.pruned_heads.items()}
    after = {
        "problem_type": model.config.problem_type,
        "vocab_size": model.config.vocab_size,
        "pruned_heads": pruned,
    }
    assert after == case["config_after"]


@pytest.mark.parametrize("name", [name for name in CASES if "grad" in archive()[name]])
def test_a_loss_gives_the_recorded_gradients(name: str) -> None:
    model = build(name)
    call(name, model).loss.backward()
    norms = [0.0 if p.grad is None else float(p.grad.double().norm()) for p in model.parameters()]
    recorded = archive()[name]["grad"]
    assert np.count_nonzero(recorded) > 5
    np.testing.assert_allclose(norms, recorded, rtol=GRADIENT_TOLERANCE, atol=1e-6)


def test_twin_another_activation_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(torch_encoder._ACTIVATIONS, "gelu_new", torch_encoder._ACTIVATIONS["gelu"])
    assert largest_difference("base/plain", call("base/plain", build("base/plain"))) > TOLERANCE


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("base/plain", {"num_hidden_layers": 2}),
        ("base/ids_only", {"layer_norm_eps": 1e-3}),
        ("base/uneven_groups_last", {"num_hidden_layers": 4}),
        ("base/relative_key_query_masked_row", {"position_embedding_type": "relative_key"}),
    ],
)
def test_twin_another_configuration_is_found(
    name: str, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = {**CASES[name], "config": {**CASES[name]["config"], **change}}
    monkeypatch.setitem(CASES, name, {**case, "call": {}})
    output = call(name, build(name))
    recorded = archive()[name]["out/last_hidden_state"]
    assert float(np.abs(output.last_hidden_state.detach().numpy() - recorded).max()) > TOLERANCE


def test_twin_an_ignored_mask_and_swapped_segments_are_found() -> None:
    model = build("base/tuple")
    inputs = {key[3:]: torch.from_numpy(array) for key, array in archive()["base/tuple"].items() if key[:3] == "in/"}
    recorded = archive()["base/tuple"]["out/0"]
    for change in (
        {"attention_mask": torch.ones_like(inputs["attention_mask"])},
        {"token_type_ids": 1 - inputs["token_type_ids"]},
    ):
        hidden = model(**{**inputs, **change}).last_hidden_state.detach().numpy()
        assert float(np.abs(hidden - recorded).max()) > TOLERANCE


def test_twin_a_frozen_part_is_found_by_the_gradients() -> None:
    name = "masked_lm/loss"
    model = build(name)
    model.albert.embeddings.requires_grad_(False)
    call(name, model).loss.backward()
    norms = [0.0 if p.grad is None else float(p.grad.double().norm()) for p in model.parameters()]
    assert not np.allclose(norms, archive()[name]["grad"], rtol=GRADIENT_TOLERANCE, atol=1e-6)
