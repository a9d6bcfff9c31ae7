from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from albert_export.errors import InputError
from tests.models.conftest import CLASSES, tiny_ids, tiny_model

IDS = tiny_ids()
EMBEDS = torch.zeros(2, 7, 8)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "exactly one of input_ids and inputs_embeds must be given; received neither"),
        ({"input_ids": IDS, "inputs_embeds": EMBEDS}, "received both"),
        ({"input_ids": IDS[0]}, "input_ids must be [batch, sequence]; received shape (7,)"),
        ({"input_ids": IDS.float()}, "input_ids must be int64 or int32; received torch.float32"),
        ({"input_ids": torch.tensor([[61]])}, "input_ids must lie in [0, vocab_size) = [0, 61); received 61"),
        ({"input_ids": torch.tensor([[5, -1]])}, "received -1"),
        ({"input_ids": torch.zeros(0, 3, dtype=torch.long)}, "at least one row of at least one token"),
        ({"input_ids": torch.zeros(2, 0, dtype=torch.long)}, "at least one row of at least one token"),
        (
            {"input_ids": torch.ones(1, 25, dtype=torch.long)},
            "at most max_position_embeddings = 24 tokens; received 25",
        ),
        ({"inputs_embeds": EMBEDS[..., :7]}, "the last axis of inputs_embeds must be embedding_size = 8"),
        ({"inputs_embeds": EMBEDS[0]}, "inputs_embeds must be [batch, sequence, embedding]"),
        ({"input_ids": IDS, "attention_mask": torch.ones(2, 6)}, "attention_mask must have the shape (2, 7)"),
        ({"input_ids": IDS, "attention_mask": torch.ones(2, 7, 7)}, "attention_mask must have the shape (2, 7)"),
        ({"input_ids": IDS, "token_type_ids": IDS[:, :3]}, "token_type_ids must have the shape (2, 7)"),
        ({"input_ids": IDS, "token_type_ids": IDS * 0 + 2}, "token_type_ids must lie in [0, type_vocab_size) = [0, 2)"),
        ({"input_ids": IDS, "position_ids": IDS * 0 + 24}, "position_ids must lie in [0, max_position_embeddings)"),
        ({"input_ids": IDS, "position_ids": IDS[:, :6]}, "position_ids must have the shape (2, 7)"),
        ({"input_ids": IDS, "position_ids": IDS[None]}, "position_ids must have the shape (2, 7)"),
        ({"input_ids": IDS, "head_mask": torch.ones(1, 3, 4)}, "head_mask must be [heads] or [layers, heads]"),
        ({"input_ids": IDS, "head_mask": torch.ones(3)}, "head_mask must be [heads] or [layers, heads], for 4 heads"),
        ({"input_ids": IDS, "head_mask": torch.ones(3, 5)}, "for 4 heads; received (3, 5)"),
    ],
)
def test_a_wrong_input_is_told_in_one_line(inputs: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        tiny_model("AlbertModel")(**inputs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", CLASSES)
def test_every_model_checks_its_inputs(name: str) -> None:
    model, ids = tiny_model(name), tiny_ids(name)
    with pytest.raises(InputError, match="input_ids must lie in"):
        model(ids + 61)
    with pytest.raises(InputError, match="exactly one of"):
        model()
    with pytest.raises(InputError, match="max_position_embeddings"):
        model(ids.repeat_interleave(4, dim=-1))


def test_multiple_choice_wants_an_axis_of_choices() -> None:
    model = tiny_model("AlbertForMultipleChoice")
    with pytest.raises(
        InputError, match=re.escape("input_ids must be [batch, choices, sequence]; received shape (2, 7)")
    ):
        model(IDS)
    with pytest.raises(InputError, match="attention_mask must be"):
        model(tiny_ids("AlbertForMultipleChoice"), attention_mask=torch.ones(2, 7))
    with pytest.raises(InputError, match=re.escape("inputs_embeds must be [batch, choices, sequence, embedding]")):
        model(inputs_embeds=EMBEDS)


def test_the_longest_sequence_and_the_last_ids_are_taken() -> None:
    model = tiny_model("AlbertModel")
    assert model(torch.full((1, 24), 60)).last_hidden_state.shape == (1, 24, 16)
    assert model(IDS, token_type_ids=torch.ones_like(IDS), position_ids=torch.full((1, 7), 23)).pooler_output.shape == (
        2,
        16,
    )


def test_positions_may_be_one_row_for_all() -> None:
    model, positions = tiny_model("AlbertModel"), torch.arange(7).flip(0)
    expected = model(IDS, position_ids=positions.expand(2, 7)).last_hidden_state
    for given in (positions, positions[None]):
        assert torch.equal(model(IDS, position_ids=given).last_hidden_state, expected)


def test_explicit_positions_let_an_absolute_model_run_longer() -> None:
    ids, positions = torch.ones(1, 30, dtype=torch.long), torch.arange(30)[None] % 24
    assert tiny_model("AlbertModel")(ids, position_ids=positions).last_hidden_state.shape == (1, 30, 16)
    relative = tiny_model("AlbertModel", position_embedding_type="relative_key")
    with pytest.raises(InputError, match="max_position_embeddings"):
        relative(ids, position_ids=positions)


def test_tracing_leaves_the_checks_out_and_the_shapes_open() -> None:
    model = tiny_model("AlbertModel")
    sequence, batch = torch.export.Dim("sequence", max=24), torch.export.Dim("batch")
    program = torch.export.export(model, (IDS,), dynamic_shapes={"input_ids": {0: batch, 1: sequence}})
    called = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert not {name for name in called if "aminmax" in name or "_local_scalar" in name}
    longer = torch.ones(3, 24, dtype=torch.long)
    torch.testing.assert_close(program.module()(longer).pooler_output, model(longer).pooler_output)


def test_gradients_of_single_rows_are_taken_by_vmap() -> None:
    model, ids = tiny_model("AlbertForTokenClassification"), tiny_ids()
    weights = dict(model.named_parameters())

    def loss(weights: dict[str, torch.Tensor], row: torch.Tensor) -> torch.Tensor:
        value: torch.Tensor = torch.func.functional_call(model, weights, (row[None],), {"labels": row[None] % 2})[
            "loss"
        ]
        return value

    rows = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weights, ids)
    model(ids[1:], labels=ids[1:] % 2).loss.backward()
    torch.testing.assert_close(rows["classifier.weight"][1], model.classifier.weight.grad)
