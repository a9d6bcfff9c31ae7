from __future__ import annotations

from typing import Any

import pytest
import torch

from albert_export.errors import InputError
from tests.models.conftest import tiny_ids, tiny_model

GROUPS = {"num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("size", [70, 61, 40])
def test_the_vocabulary_changes_its_size_and_keeps_its_weights(size: int, tied: bool) -> None:
    model = tiny_model("AlbertForMaskedLM", tie_word_embeddings=tied)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    table = model.resize_token_embeddings(size)
    kept = min(size, 61)
    assert table is model.get_input_embeddings()
    assert table.num_embeddings == model.config.vocab_size == model.predictions.decoder.out_features == size
    after = model.state_dict()
    for name in ("albert.embeddings.word_embeddings.weight", "predictions.decoder.weight", "predictions.bias"):
        assert after[name].shape[0] == size
        assert torch.equal(after[name][:kept], before[name][:kept])
    assert torch.count_nonzero(after["predictions.bias"][kept:]) == 0
    assert (model.predictions.decoder.weight is table.weight) is tied
    assert model.predictions.decoder.bias is model.predictions.bias
    ids = tiny_ids() % kept
    assert model(ids, labels=ids).logits.shape == (2, 7, size)
    if size > kept:
        assert 0 < table.weight[kept:].std().item() < 5 * model.config.initializer_range


def test_the_size_is_rounded_up() -> None:
    model = tiny_model("AlbertModel")
    assert model.resize_token_embeddings(pad_to_multiple_of=16).num_embeddings == 64
    assert model.resize_token_embeddings(65, pad_to_multiple_of=8).num_embeddings == 72
    assert model.resize_token_embeddings().num_embeddings == 72
    assert model(torch.tensor([[71]])).last_hidden_state.shape == (1, 1, 16)


@pytest.mark.parametrize(
    "arguments", [{"new_num_tokens": 0}, {"new_num_tokens": 1.5}, {"new_num_tokens": True}, {"pad_to_multiple_of": 0}]
)
def test_a_size_that_is_none_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="a whole number of at least 1"):
        tiny_model("AlbertModel").resize_token_embeddings(**arguments)
    with pytest.raises(InputError, match="above pad_token_id = 5"):
        tiny_model("AlbertModel", pad_token_id=5).resize_token_embeddings(5)


def test_resizing_keeps_what_is_frozen_and_its_dtype() -> None:
    model = tiny_model("AlbertForMaskedLM", tie_word_embeddings=False).double()
    model.get_input_embeddings().weight.requires_grad_(False)
    model.resize_token_embeddings(70)
    assert not model.get_input_embeddings().weight.requires_grad
    assert model.predictions.decoder.weight.requires_grad
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float64}
    assert model.get_input_embeddings().padding_idx == 0


def test_a_pruned_head_is_one_that_a_mask_silences() -> None:
    """With one inner layer a head mask silences a head in all layers, and so does pruning it."""
    model, mask = tiny_model("AlbertModel"), torch.tensor([1.0, 0.0, 1.0, 0.0])
    masked = model(tiny_ids(), head_mask=mask)
    model.prune_heads({0: [1, 3]})
    pruned = model(tiny_ids(), output_attentions=True)
    torch.testing.assert_close(pruned.last_hidden_state, masked.last_hidden_state)
    assert {tensor.shape for tensor in pruned.attentions} == {(2, 2, 7, 7)}


def test_pruning_is_recorded_and_added_up() -> None:
    model = tiny_model("AlbertForQuestionAnswering", **GROUPS)
    size = model.num_parameters()
    model.prune_heads({1: [0], 2: [3]})
    model.prune_heads({1: [0, 2]})
    assert model.config.pruned_heads == {1: [0, 2], 2: [3]}
    assert size - model.num_parameters() == 3 * (4 * 4 * 16 + 3 * 4)  # a head: four 4 by 16 weights, three biases of 4
    shapes = [
        layer.attention.query.weight.shape[0]
        for group in model.albert.encoder.albert_layer_groups
        for layer in group.albert_layers
    ]
    assert shapes == [16, 8, 12, 16]
    model(tiny_ids(), start_positions=torch.tensor([0, 1]), end_positions=torch.tensor([0, 1])).loss.backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ({4: [0]}, "counted through the groups' inner layers, from 0 to 3; received 4"),
        ({-1: [0]}, "from 0 to 3"),
        ({0: [4]}, "a head to prune must be in 0 … 3"),
        ({0: [1], 3: [0, 1, 2, 3]}, "at least one of its 4 heads"),
    ],
)
def test_a_wrong_pruning_changes_nothing(heads: dict[int, list[int]], message: str) -> None:
    model = tiny_model("AlbertModel", **GROUPS)
    before = model(tiny_ids())[0]
    with pytest.raises(InputError, match=message):
        model.prune_heads(heads)
    assert model.config.pruned_heads == {}
    assert torch.equal(model(tiny_ids())[0], before)


def test_embeddings_are_got_and_set() -> None:
    model = tiny_model("AlbertForMaskedLM")
    table = torch.nn.Embedding(61, 8)
    model.set_input_embeddings(table)
    assert model.get_input_embeddings() is table
    assert model.get_output_embeddings().weight is not table.weight
    model.tie_weights()
    assert model.get_output_embeddings().weight is table.weight
    decoder = torch.nn.Linear(8, 61)
    model.set_output_embeddings(decoder)
    assert model.get_output_embeddings() is decoder
    assert model.predictions.bias is decoder.bias
    text = tiny_model("AlbertForSequenceClassification")
    assert text.get_output_embeddings() is None
    assert text.get_input_embeddings() is text.albert.embeddings.word_embeddings
    with pytest.raises(InputError, match="only a model with a masked-word head"):
        text.set_output_embeddings(decoder)


def test_parameters_are_counted_once() -> None:
    model = tiny_model("AlbertForMaskedLM")
    tables = (61 + 24 + 2) * 8
    assert model.num_parameters() == sum(parameter.numel() for parameter in model.parameters())
    assert model.num_parameters() - model.num_parameters(exclude_embeddings=True) == tables
    model.get_input_embeddings().weight.requires_grad_(False)
    assert model.num_parameters() - model.num_parameters(only_trainable=True) == 61 * 8
    assert model.device == torch.device("cpu")
    assert model.base_model is model.albert
    assert model.albert.base_model is model.albert
