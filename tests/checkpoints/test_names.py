"""The table of weight names against the models themselves."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import albert_export
from albert_export.checkpoints.names import LEFTOVERS, ROWS, parameters, tied_names
from albert_export.tasks import TASKS, Task, get_task
from tests.checkpoints.tiny import tiny_config

VARIANTS: dict[str, dict[str, Any]] = {
    "one shared layer": {},
    "groups": {"num_hidden_groups": 2},
    "inner groups": {"num_hidden_groups": 2, "inner_group_num": 2},
    "relative keys": {"position_embedding_type": "relative_key"},
    "relative keys and queries": {"position_embedding_type": "relative_key_query", "num_hidden_groups": 2},
    "untied": {"tie_word_embeddings": False},
    "labels": {"num_labels": 5},
    "pruned": {"num_hidden_groups": 2, "inner_group_num": 2, "pruned_heads": {0: [1], 3: [0, 2]}},
}


def model_parameters(task: Task, config: Any, **arguments: Any) -> tuple[dict[str, tuple[int, ...]], dict[str, str]]:
    """Return (name -> shape of every parameter, second name -> first name of tied ones) of the torch model."""
    model = getattr(albert_export, task.torch_class)(config, **arguments)
    prefix = "albert." if task.name == "feature-extraction" else ""
    shapes = {prefix + name: tuple(parameter.shape) for name, parameter in model.named_parameters()}
    firsts = {id(parameter): name for name, parameter in model.named_parameters()}
    every = model.named_parameters(remove_duplicate=False)
    tied = {name: firsts[id(parameter)] for name, parameter in every if firsts[id(parameter)] != name}
    return shapes, tied


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("variant", VARIANTS)
def test_names_and_shapes_are_those_of_the_model(variant: str, task: Task) -> None:
    config = tiny_config(**VARIANTS[variant])
    shapes, tied = model_parameters(task, config.copy())
    assert parameters(config, task) == shapes
    has_decoder = "predictions.bias" in shapes
    assert tied == (tied_names(config) if has_decoder else {})


def test_model_without_pooler() -> None:
    task = get_task("feature-extraction")
    shapes, _ = model_parameters(task, tiny_config(), add_pooling_layer=False)
    assert parameters(tiny_config(), task, pooler=False) == shapes
    # Heads have their pooler or lack it, whatever is asked.
    classifier = get_task("text-classification")
    assert parameters(tiny_config(), classifier, pooler=False) == parameters(tiny_config(), classifier)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 3), st.integers(1, 3), st.integers(1, 2), st.integers(1, 3), st.booleans(), st.sampled_from(TASKS)
)
def test_any_configuration(groups: int, inner: int, per_group: int, heads: int, tied: bool, task: Task) -> None:
    config = tiny_config(
        num_hidden_groups=groups,
        inner_group_num=inner,
        num_hidden_layers=groups * inner * per_group,
        num_attention_heads=heads,
        hidden_size=4 * heads,
        tie_word_embeddings=tied,
    )
    assert parameters(config, task) == model_parameters(task, config.copy())[0]


def test_every_part_of_a_task_has_weights_and_every_part_an_owner() -> None:
    owned = {part for task in TASKS for part in task.parts} | {"encoder", "relative positions"}
    assert {row.part for row in ROWS} == owned


def test_every_leftover_is_excused_by_one_row_and_known() -> None:
    names = [name for row in LEFTOVERS for name in row.names]
    assert len(names) == len(set(names))
    known = {row.name for row in ROWS} | {"predictions.decoder.bias"}
    buffers = {name for name in names if re.search(r"(position|token_type)_ids$", name)}
    assert set(names) - known == buffers
    # Everything outside the encoder may be left over by some head, nothing inside it by any.
    assert {name for name in known if name not in names} == {
        row.name for row in ROWS if row.part in ("encoder", "relative positions")
    }
