from __future__ import annotations

import copy
import io

import pytest
import torch
from torch.utils import _pytree

from albert_export.models.torch_outputs import (
    AlbertForPreTrainingOutput,
    BaseModelOutputWithPooling,
    ModelOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
)
from tests.models.conftest import tiny_ids, tiny_model


def some_output() -> SequenceClassifierOutput:
    return SequenceClassifierOutput(loss=torch.tensor(1.0), logits=torch.zeros(2, 3))


def test_a_field_is_read_by_name_key_and_place() -> None:
    output = some_output()
    assert output.logits is output["logits"] is output[1]
    assert output[0] is output.loss
    assert output[-1] is output.logits
    assert output[:1] == (output.loss,)
    assert output.to_tuple() == tuple(output.values())
    assert isinstance(output, dict)


def test_an_absent_field_is_none_by_name_and_nowhere_else() -> None:
    output = SequenceClassifierOutput(logits=torch.zeros(2, 3))
    assert output.loss is None
    assert output.hidden_states is None
    assert list(output) == ["logits"]
    assert "loss" not in output
    assert len(output) == len(output.to_tuple()) == 1
    assert output[0] is output.logits
    with pytest.raises(KeyError):
        output["loss"]
    with pytest.raises(IndexError):
        output[1]


def test_fields_may_be_given_by_place_or_as_pairs() -> None:
    loss, logits = torch.tensor(1.0), torch.zeros(1)
    assert SequenceClassifierOutput(loss, logits).logits is logits
    assert SequenceClassifierOutput(None, logits).loss is None
    assert SequenceClassifierOutput([("logits", logits)]).logits is logits
    assert SequenceClassifierOutput({"logits": logits, "loss": None}).to_tuple() == (logits,)


@pytest.mark.parametrize("wrong", [{"logit": torch.zeros(1)}, {"pooler_output": torch.zeros(1)}])
def test_an_unknown_field_is_refused(wrong: dict[str, torch.Tensor]) -> None:
    with pytest.raises(TypeError, match="SequenceClassifierOutput has the fields loss, logits"):
        SequenceClassifierOutput(**wrong)
    with pytest.raises(TypeError):
        SequenceClassifierOutput(None, None, None, None, torch.zeros(1))
    output = some_output()
    with pytest.raises(AttributeError, match="no field 'logit'"):
        _ = output.logit
    with pytest.raises(AttributeError, match="no field 'logit'"):
        output.logit = torch.zeros(1)


def test_setting_a_field_sets_it_everywhere_and_keeps_the_order() -> None:
    output = SequenceClassifierOutput(logits=torch.zeros(2, 3))
    output.loss = torch.tensor(2.0)
    assert output["loss"] is output[0] is output.loss
    output["logits"] = torch.ones(1)
    assert output.logits is output[1]
    output.loss = None
    assert list(output) == ["logits"]


def test_an_output_is_copied_saved_and_sent() -> None:
    output = QuestionAnsweringModelOutput(start_logits=torch.ones(1), end_logits=torch.zeros(1))
    file = io.BytesIO()
    torch.save(output, file)
    file.seek(0)
    for again in (copy.deepcopy(output), copy.copy(output), torch.load(file, weights_only=False)):
        assert type(again) is QuestionAnsweringModelOutput
        assert torch.equal(again.start_logits, output.start_logits)
        assert torch.equal(again[1], output[1])


def test_transforms_see_through_an_output() -> None:
    output = AlbertForPreTrainingOutput(prediction_logits=torch.ones(1), hidden_states=(torch.ones(2), torch.ones(3)))
    leaves, shape = _pytree.tree_flatten(output)
    assert len(leaves) == 3
    doubled = _pytree.tree_unflatten([leaf * 2 for leaf in leaves], shape)
    assert type(doubled) is AlbertForPreTrainingOutput
    assert doubled.loss is None
    assert torch.equal(doubled.hidden_states[1], torch.full((3,), 2.0))


def test_a_model_with_an_output_object_is_exported_and_compiled() -> None:
    model, ids = tiny_model("AlbertModel"), tiny_ids()
    expected = model(ids)
    for run in (torch.export.export(model, (ids,)).module(), torch.compile(model, backend="eager", fullgraph=True)):
        output = run(ids)
        assert isinstance(output, BaseModelOutputWithPooling)
        torch.testing.assert_close(output.pooler_output, expected.pooler_output)


def test_every_output_class_has_its_fields_in_the_order_of_the_reference() -> None:
    rest = ("hidden_states", "attentions")
    assert {kind.__name__: kind.field_names() for kind in ModelOutput.__subclasses__()} == {
        "BaseModelOutput": ("last_hidden_state", *rest),
        "BaseModelOutputWithPooling": ("last_hidden_state", "pooler_output", *rest),
        "AlbertForPreTrainingOutput": ("loss", "prediction_logits", "sop_logits", *rest),
        "MaskedLMOutput": ("loss", "logits", *rest),
        "SequenceClassifierOutput": ("loss", "logits", *rest),
        "MultipleChoiceModelOutput": ("loss", "logits", *rest),
        "TokenClassifierOutput": ("loss", "logits", *rest),
        "QuestionAnsweringModelOutput": ("loss", "start_logits", "end_logits", *rest),
    }
