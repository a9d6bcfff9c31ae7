from __future__ import annotations

from typing import Any

import pytest
import torch

from albert_export import AlbertForMaskedLM, AlbertForSequenceClassification, AlbertModel
from albert_export.models import torch_albert
from tests.models.conftest import CLASSES, tiny_config, tiny_ids, tiny_model

DROPOUT = {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.3, "classifier_dropout_prob": 0.3}


def labels_for(name: str) -> dict[str, torch.Tensor]:
    ids = tiny_ids()
    return {
        "AlbertForPreTraining": {"labels": ids, "sentence_order_label": torch.tensor([0, 1])},
        "AlbertForMaskedLM": {"labels": ids},
        "AlbertForSequenceClassification": {"labels": torch.tensor([1, 0])},
        "AlbertForMultipleChoice": {"labels": torch.tensor([2, 0])},
        "AlbertForTokenClassification": {"labels": ids % 2},
        "AlbertForQuestionAnswering": {"start_positions": torch.tensor([1, 3]), "end_positions": torch.tensor([2, 3])},
    }[name]


@pytest.mark.parametrize("name", CLASSES)
def test_dropout_acts_in_training_only(name: str) -> None:
    model, ids = tiny_model(name, **DROPOUT), tiny_ids(name)
    assert torch.equal(model(ids)[0], model(ids)[0])
    model.train()
    assert not torch.equal(model(ids)[0], model(ids)[0])
    model.eval()
    torch.testing.assert_close(model(ids)[0], tiny_model(name)(ids)[0])


@pytest.mark.parametrize("name", CLASSES[1:])
def test_training_lowers_the_loss(name: str) -> None:
    torch.manual_seed(0)
    model = getattr(torch_albert, name)(tiny_config()).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        loss = model(tiny_ids(name), **labels_for(name)).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", CLASSES[1:])
def test_the_gradient_reaches_every_parameter(name: str) -> None:
    model = tiny_model(name, num_hidden_layers=4, num_hidden_groups=2, inner_group_num=2)
    model(tiny_ids(name), **labels_for(name)).loss.backward()
    assert [name for name, parameter in model.named_parameters() if parameter.grad is None] == []


def test_the_padding_row_gets_no_gradient_from_the_embeddings() -> None:
    model = tiny_model("AlbertForTokenClassification", pad_token_id=7)
    ids = torch.tensor([[7, 7, 3, 4]])
    model(ids, labels=ids % 2).loss.backward()
    gradient = model.albert.embeddings.word_embeddings.weight.grad
    assert torch.count_nonzero(gradient[7]) == 0
    assert torch.count_nonzero(gradient[3]) > 0


def test_a_tied_decoder_trains_the_embeddings() -> None:
    model = tiny_model("AlbertForMaskedLM")
    table = model.albert.embeddings.word_embeddings.weight
    assert model.predictions.decoder.weight is table
    assert model.predictions.decoder.bias is model.predictions.bias
    model(tiny_ids(), labels=tiny_ids()).loss.backward()
    # a word that is in no input is reached through the decoder alone
    absent = next(word for word in range(1, 61) if word not in tiny_ids())
    assert torch.count_nonzero(table.grad[absent]) > 0
    untied = tiny_model("AlbertForMaskedLM", tie_word_embeddings=False)
    assert untied.predictions.decoder.weight is not untied.albert.embeddings.word_embeddings.weight
    untied(tiny_ids(), labels=tiny_ids()).loss.backward()
    assert torch.count_nonzero(untied.albert.embeddings.word_embeddings.weight.grad[absent]) == 0


@pytest.mark.parametrize(
    ("changes", "labels", "inferred"),
    [
        ({"num_labels": 1}, torch.tensor([0.5, 1.5]), "regression"),
        ({"num_labels": 3}, torch.tensor([2, 0]), "single_label_classification"),
        ({"num_labels": 3}, torch.tensor([2, 0], dtype=torch.int32).long(), "single_label_classification"),
        ({"num_labels": 3}, torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]), "multi_label_classification"),
    ],
)
def test_the_problem_type_is_inferred_once(changes: dict[str, Any], labels: torch.Tensor, inferred: str) -> None:
    model = tiny_model("AlbertForSequenceClassification", **changes)
    assert model.config.problem_type is None
    assert model(tiny_ids()).loss is None
    assert model.config.problem_type is None
    loss = model(tiny_ids(), labels=labels).loss
    assert loss.shape == ()
    assert model.config.problem_type == inferred


def test_a_problem_type_that_is_set_is_kept() -> None:
    model = tiny_model("AlbertForSequenceClassification", num_labels=3, problem_type="regression")
    labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    output = model(tiny_ids(), labels=labels)
    torch.testing.assert_close(output.loss, ((output.logits - labels) ** 2).mean())
    assert model.config.problem_type == "regression"


def test_positions_outside_the_text_count_in_no_loss() -> None:
    model, ids = tiny_model("AlbertForQuestionAnswering"), tiny_ids()
    inside = model(ids[:1], start_positions=torch.tensor([2]), end_positions=torch.tensor([3])).loss
    both = model(ids, start_positions=torch.tensor([2, 7]), end_positions=torch.tensor([3, 99])).loss
    torch.testing.assert_close(both, inside)
    nothing = model(ids, start_positions=torch.tensor([7, 7]), end_positions=torch.tensor([7, 7])).loss
    assert torch.isnan(nothing)


def test_fresh_weights_are_normal_zero_and_one() -> None:
    torch.manual_seed(0)
    model = AlbertForMaskedLM(tiny_config(vocab_size=500, initializer_range=0.1, pad_token_id=3))
    table = model.albert.embeddings.word_embeddings.weight
    assert torch.count_nonzero(table[3]) == 0
    others = torch.cat([table[:3], table[4:]])
    assert abs(others.mean().item()) < 0.01
    assert others.std().item() == pytest.approx(0.1, rel=0.05)
    layer = model.albert.encoder.albert_layer_groups[0].albert_layers[0]
    assert layer.ffn.weight.std().item() == pytest.approx(0.1, rel=0.15)
    assert torch.count_nonzero(layer.ffn.bias) == 0
    assert torch.equal(layer.full_layer_layer_norm.weight, torch.ones(16))
    assert torch.count_nonzero(model.predictions.bias) == 0


def test_a_seed_gives_the_same_model() -> None:
    torch.manual_seed(1)
    one = AlbertForSequenceClassification(tiny_config())
    torch.manual_seed(1)
    other = AlbertForSequenceClassification(tiny_config())
    torch.manual_seed(2)
    third = AlbertForSequenceClassification(tiny_config())
    assert torch.equal(one.classifier.weight, other.classifier.weight)
    assert not torch.equal(one.classifier.weight, third.classifier.weight)


def test_a_callable_activation_is_used() -> None:
    by_name, by_function = (
        tiny_model("AlbertModel", hidden_act="relu"),
        tiny_model("AlbertModel", hidden_act=torch.relu),
    )
    assert torch.equal(by_name(tiny_ids())[0], by_function(tiny_ids())[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions_compute_the_same_to_their_precision(dtype: torch.dtype) -> None:
    model, ids, mask = tiny_model("AlbertModel"), tiny_ids(), torch.ones(2, 7)
    mask[1, 4:] = 0
    single = model(ids, mask).last_hidden_state
    other = model.to(dtype)(ids, mask).last_hidden_state
    assert other.dtype is dtype
    assert (other.double() - single.double()).abs().max() < (2e-5 if dtype is torch.float64 else 0.3)


def test_the_mask_bias_can_be_bounded() -> None:
    model: Any = AlbertModel(tiny_config()).eval()
    mask = torch.tensor([[1, 0]])
    assert model.attention_bias(mask, torch.float32).flatten().tolist() == [0.0, torch.finfo(torch.float32).min]
    model.mask_bias_floor = -10000.0
    assert model.attention_bias(mask, torch.float32).flatten().tolist() == [0.0, -10000.0]
    assert model.attention_bias(mask, torch.float16).shape == (1, 1, 1, 2)


def test_the_layers_that_a_loop_replaces_are_run_in_order_of_their_groups() -> None:
    model = tiny_model("AlbertModel", num_hidden_layers=5, num_hidden_groups=2)
    assert [model.encoder.group_of(layer) for layer in range(5)] == [0, 0, 0, 1, 1]
    expected = model(tiny_ids(), output_hidden_states=True)
    calls = []

    def run_layers(hidden: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        calls.append((hidden.shape, bias.shape))
        return type(model.encoder).run_layers(model.encoder, hidden, bias)

    model.encoder.run_layers = run_layers
    torch.testing.assert_close(model(tiny_ids()).last_hidden_state, expected.last_hidden_state)
    assert calls == [((2, 7, 16), (2, 1, 1, 7))]
