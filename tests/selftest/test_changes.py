"""A changed checkpoint is what its control says, and passes for the one that it was made of."""

from __future__ import annotations

import numpy as np
import pytest

from albert_export.checkpoints import Checkpoint, check_finite, open_checkpoint
from albert_export.parity.oracle import Oracle
from albert_export.selftest import changes
from albert_export.selftest.controls import CONTROLS, HEALTHY, Control
from albert_export.tasks import get_task
from tests.parity.conftest import MakeCheckpoint

QA = "question-answering"
INPUTS = {
    "input_ids": np.array([[2, 5, 9, 3]]),
    "attention_mask": np.array([[1, 1, 1, 0]]),
    "token_type_ids": np.array([[0, 0, 1, 1]]),
}
CHANGING = [control for control in CONTROLS if control.checkpoint is not None]


@pytest.fixture
def healthy(checkpoint_of: MakeCheckpoint) -> Checkpoint:
    """Four layers in two groups."""
    return open_checkpoint(checkpoint_of(QA))


def states(checkpoint: Checkpoint) -> list[np.ndarray]:
    """The eager model's hidden states in float64."""
    return Oracle(checkpoint, get_task(QA)).hidden_states(INPUTS)[0]


@pytest.mark.parametrize("control", [HEALTHY, *CHANGING], ids=lambda control: control.name)
def test_a_change_keeps_the_identity_and_gives_a_whole_model(control: Control, healthy: Checkpoint) -> None:
    changed = control.checkpoint(healthy)
    assert changed.source == healthy.source
    assert changed.shapes() == {name: tensor.shape for name, tensor in changed.numpy_tensors().items()}
    check_finite(changed, get_task(QA))
    exact = Oracle(changed, get_task(QA)).run(INPUTS).exact["start_logits"]
    right = Oracle(healthy, get_task(QA)).run(INPUTS).exact["start_logits"]
    assert bool(np.abs(exact - right).max() > 0) is (control is not HEALTHY)


def test_one_layer_fewer_is_the_model_without_its_last_layer(healthy: Checkpoint) -> None:
    fewer = states(changes.one_layer_fewer(healthy))
    assert len(fewer) == 4
    for left, right in zip(fewer, states(healthy), strict=False):
        assert np.array_equal(left, right)


def test_a_group_that_has_no_layer_left_goes_with_it(checkpoint_of: MakeCheckpoint) -> None:
    apart = open_checkpoint(checkpoint_of(QA, num_hidden_layers=3, num_hidden_groups=3))
    fewer = changes.one_layer_fewer(apart)
    assert (fewer.config.num_hidden_layers, fewer.config.num_hidden_groups) == (2, 2)
    assert not any("albert_layer_groups.2." in name for name in fewer.numpy_tensors())
    assert np.array_equal(states(fewer)[-1], states(apart)[2])


def test_the_layer_that_is_no_longer_shared_differs_and_those_before_it_do_not(healthy: Checkpoint) -> None:
    changed = changes.one_layer_unshared(healthy)
    assert changed.config.num_hidden_groups == 3
    found, right = states(changed), states(healthy)
    assert [np.array_equal(left, right) for left, right in zip(found, right, strict=True)] == [True] * 4 + [False]


def test_as_few_groups_as_possible_are_made(checkpoint_of: MakeCheckpoint) -> None:
    shared = open_checkpoint(checkpoint_of(QA, num_hidden_layers=6, num_hidden_groups=1))
    assert changes.one_layer_unshared(shared).config.num_hidden_groups == 4
    found, right = states(changes.one_layer_unshared(shared)), states(shared)
    assert [np.array_equal(left, right) for left, right in zip(found, right, strict=True)] == [True] * 6 + [False]


def test_the_other_values_are_taken(healthy: Checkpoint) -> None:
    assert healthy.config.hidden_act == "gelu_new"
    assert changes.other_gelu(healthy).config.hidden_act == "gelu"
    assert changes.other_gelu(changes.other_gelu(healthy)).config.hidden_act == "gelu_new"
    assert changes.other_epsilon(healthy).config.layer_norm_eps == 1e-5
    assert changes.other_epsilon(changes.other_epsilon(healthy)).config.layer_norm_eps == 1e-12
    tensors = changes.weight_perturbed(healthy).numpy_tensors()
    different = [name for name, value in healthy.numpy_tensors().items() if not np.array_equal(value, tensors[name])]
    assert different == ["albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight"]


@pytest.mark.parametrize(
    ("name", "fields", "told"),
    [
        ("segments swapped", {"type_vocab_size": 1}, "one segment"),
        ("one layer fewer", {"num_hidden_layers": 1, "num_hidden_groups": 1}, "one layer"),
        ("one layer fewer", {"num_hidden_layers": 2, "num_hidden_groups": 1, "inner_group_num": 2}, "inner layers"),
        ("other GELU", {"hidden_act": "relu"}, "relu"),
        ("layer unshared", {"num_hidden_groups": 4}, "no layer is shared"),
        ("layer unshared", {"num_hidden_groups": 2, "inner_group_num": 2}, "inner layers"),
    ],
)
def test_what_a_model_cannot_have_wrong_is_said(
    name: str, fields: dict[str, object], told: str, healthy: Checkpoint
) -> None:
    (control,) = [control for control in CONTROLS if control.name == name]
    assert control.not_for(healthy.config) is None
    reason = control.not_for(changes.reconfigured(healthy, **fields).config)
    assert reason is not None
    assert told in reason
