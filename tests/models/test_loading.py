from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from albert_export import (
    AlbertForMaskedLM,
    AlbertForMultipleChoice,
    AlbertForPreTraining,
    AlbertForQuestionAnswering,
    AlbertForSequenceClassification,
    AlbertModel,
)
from albert_export.checkpoints import open_checkpoint
from albert_export.errors import CheckpointError, ConfigError, InputError, WeightsMismatchError
from albert_export.models.torch_pretrained import load_eager
from albert_export.tasks import TASKS, get_task
from tests.models.conftest import tiny_config, tiny_ids, tiny_model

WORDS = "embeddings.word_embeddings.weight"


def saved(directory: Path, name: str, **changes: Any) -> Path:
    tiny_model(name, **changes).save_pretrained(directory)
    return directory


def rewrite(directory: Path, change: Any) -> None:
    tensors = load_file(directory / "model.safetensors")
    change(tensors)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})


# --- heads and what is left over


@pytest.mark.parametrize(
    ("source", "target", "fresh"),
    [
        (AlbertModel, AlbertForSequenceClassification, "classifier.bias, classifier.weight"),
        (AlbertForMaskedLM, AlbertForQuestionAnswering, "qa_outputs.bias, qa_outputs.weight"),
        (AlbertForMaskedLM, AlbertModel, "pooler.bias, pooler.weight"),
        (AlbertForPreTraining, AlbertForMultipleChoice, "classifier.bias, classifier.weight"),
        (AlbertForQuestionAnswering, AlbertForMaskedLM, "predictions.LayerNorm.bias, predictions.LayerNorm.weight, "),
    ],
)
def test_a_head_that_is_missing_is_filled_with_a_warning_that_names_it(
    source: Any, target: Any, fresh: str, tmp_path: Path
) -> None:
    saved(tmp_path, source.__name__)
    with pytest.warns(UserWarning, match=re.escape(fresh)) as caught:
        model = target.from_pretrained(tmp_path)
    assert len(caught) == 1
    assert Path(caught[0].filename) == Path(__file__)
    expected = tiny_model(source.__name__)
    base = getattr(expected, "albert", expected)
    torch.testing.assert_close(model.base_model(tiny_ids())[0], base(tiny_ids())[0])


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (AlbertForSequenceClassification, AlbertModel),
        (AlbertForPreTraining, AlbertForMaskedLM),
        (AlbertForPreTraining, AlbertModel),
    ],
)
def test_weights_of_other_heads_are_left_over_in_silence(source: Any, target: Any, tmp_path: Path) -> None:
    saved(tmp_path, source.__name__)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model, info = target.from_pretrained(tmp_path, output_loading_info=True)
    assert info["missing_keys"] == info["mismatched_keys"] == info["error_msgs"] == []
    assert info["unexpected_keys"]
    expected = tiny_model(source.__name__)
    torch.testing.assert_close(model.base_model(tiny_ids())[0], expected.albert(tiny_ids())[0])


def test_fresh_weights_follow_the_seed(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertModel", initializer_range=0.5)
    heads = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        with pytest.warns(UserWarning, match="filled freshly"):
            heads.append(AlbertForSequenceClassification.from_pretrained(tmp_path, num_labels=40).classifier)
    assert torch.equal(heads[0].weight, heads[1].weight)
    assert not torch.equal(heads[0].weight, heads[2].weight)
    assert heads[0].weight.std().item() == pytest.approx(0.5, rel=0.1)
    assert torch.count_nonzero(heads[0].bias) == 0


def test_a_missing_encoder_weight_is_an_error_that_lists_it(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertForMaskedLM")
    rewrite(tmp_path, lambda tensors: [tensors.pop(f"albert.{WORDS}"), tensors.pop("predictions.bias")])
    with pytest.raises(WeightsMismatchError) as caught:
        AlbertForMaskedLM.from_pretrained(tmp_path)
    assert caught.value.missing == (f"albert.{WORDS}",)
    assert caught.value.unexpected == ()


def test_a_weight_without_a_place_is_an_error_that_lists_it(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertForMaskedLM")
    rewrite(tmp_path, lambda tensors: tensors.update({"adapter.weight": torch.zeros(2)}))
    for target in (AlbertForMaskedLM, AlbertModel):
        with pytest.raises(WeightsMismatchError) as caught:
            target.from_pretrained(tmp_path, ignore_mismatched_sizes=True)
        assert caught.value.unexpected == ("adapter.weight",)
        assert caught.value.missing == ()


def test_both_sets_and_the_shapes_are_in_one_error(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertModel")

    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["embedding.weight"] = tensors.pop(WORDS)
        tensors["pooler.bias"] = torch.zeros(15)

    rewrite(tmp_path, change)
    with pytest.raises(WeightsMismatchError) as caught:
        AlbertModel.from_pretrained(tmp_path)
    assert caught.value.missing == (WORDS,)
    assert caught.value.unexpected == ("embedding.weight",)
    assert caught.value.mismatched == ("pooler.bias: [15] against [16]",)
    assert "\n" not in str(caught.value)


def test_another_number_of_labels_needs_leave_to_drop_the_head(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertForSequenceClassification", num_labels=2)
    with pytest.raises(WeightsMismatchError, match=r"classifier\.weight: \[2, 16\] against \[5, 16\]"):
        AlbertForSequenceClassification.from_pretrained(tmp_path, num_labels=5)
    with pytest.warns(UserWarning, match=re.escape("classifier.weight ([2, 16] stored, [5, 16] needed)")):
        model, info = AlbertForSequenceClassification.from_pretrained(
            tmp_path, num_labels=5, ignore_mismatched_sizes=True, output_loading_info=True
        )
    assert model(tiny_ids()).logits.shape == (2, 5)
    assert info["mismatched_keys"] == [("classifier.bias", (2,), (5,)), ("classifier.weight", (2, 16), (5, 16))]
    assert info["missing_keys"] == []


def test_a_config_that_contradicts_the_weights_is_an_error(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertModel")
    with pytest.raises(WeightsMismatchError, match=r"word_embeddings\.weight: \[61, 8\] against \[62, 8\]"):
        AlbertModel.from_pretrained(tmp_path, vocab_size=62)
    with pytest.raises(WeightsMismatchError, match=r"unexpected: .*albert_layer_groups\.0"):
        AlbertModel.from_pretrained(saved(tmp_path / "inner", "AlbertModel", inner_group_num=2), config=tiny_config())


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.bool])
def test_whole_numbers_are_no_weights(dtype: torch.dtype, tmp_path: Path) -> None:
    saved(tmp_path, "AlbertModel")
    rewrite(tmp_path, lambda tensors: tensors.update({"pooler.weight": tensors["pooler.weight"].to(dtype)}))
    with pytest.raises(CheckpointError, match=f"must be floating-point numbers; received pooler.weight: {dtype}; fix"):
        AlbertModel.from_pretrained(tmp_path)
    with pytest.raises(CheckpointError, match="must be floating-point numbers"):
        load_eager(open_checkpoint(tmp_path), get_task("embed"))


# --- keywords


def test_fields_of_the_configuration_may_be_changed(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertForSequenceClassification", num_labels=3)
    model: Any = AlbertForSequenceClassification.from_pretrained(
        tmp_path,
        id2label={0: "a", 1: "b", 2: "c"},
        label2id={"a": 0, "b": 1, "c": 2},
        problem_type="multi_label_classification",
        output_hidden_states=True,
        hidden_dropout_prob=0.5,
        low_cpu_mem_usage=True,
    )
    assert model.config.id2label[2] == "c"
    assert model.config.problem_type == "multi_label_classification"
    assert len(model(tiny_ids()).hidden_states) == 4
    assert model.albert.embeddings.dropout.p == 0.5
    assert open_checkpoint(tmp_path).config.problem_type is None
    with pytest.raises(ConfigError, match="hidden_dropout_prob"):
        AlbertModel.from_pretrained(tmp_path, hidden_dropout_prob=2)
    with pytest.raises(TypeError, match="num_lables"):
        AlbertModel.from_pretrained(tmp_path, num_lables=2)


def test_other_arguments_reach_the_constructor(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertModel")
    assert AlbertModel.from_pretrained(tmp_path, add_pooling_layer=False).pooler is None
    assert AlbertModel.from_pretrained(tmp_path, False).pooler is None
    assert AlbertModel.from_pretrained(tmp_path, config=tiny_config(), add_pooling_layer=False).pooler is None


def test_a_configuration_may_be_given(tmp_path: Path) -> None:
    saved(tmp_path / "one", "AlbertModel")
    given = tiny_config(num_hidden_layers=1)
    model: Any = AlbertModel.from_pretrained(tmp_path / "one", config=given)
    assert model.config.num_hidden_layers == 1
    assert model.config is not given
    given.save_pretrained(tmp_path / "other")
    model = AlbertModel.from_pretrained(tmp_path / "one", config=tmp_path / "other", output_attentions=True)
    assert len(model(tiny_ids()).attentions) == 1


def test_a_state_dict_may_be_given(tmp_path: Path) -> None:
    source = tiny_model("AlbertForMaskedLM")
    model: Any = AlbertForMaskedLM.from_pretrained(None, config=source.config, state_dict=source.state_dict())
    assert torch.equal(model(tiny_ids()).logits, source(tiny_ids()).logits)
    assert model.predictions.dense.weight.data_ptr() != source.predictions.dense.weight.data_ptr()
    saved(tmp_path, "AlbertForMaskedLM", seed=1)
    model = AlbertForMaskedLM.from_pretrained(tmp_path, state_dict=source.state_dict())
    assert torch.equal(model(tiny_ids()).logits, source(tiny_ids()).logits)
    with pytest.raises(CheckpointError, match="does not tell the model's shape"):
        AlbertForMaskedLM.from_pretrained(None, state_dict=source.state_dict())
    with pytest.raises(CheckpointError, match="needs a directory or a name"):
        AlbertForMaskedLM.from_pretrained(None, config=source.config)


def test_the_dtype_is_torchs_default_or_what_is_asked_for(tmp_path: Path) -> None:
    tiny_model("AlbertModel").half().save_pretrained(tmp_path)
    half = load_file(tmp_path / "model.safetensors")[WORDS]
    for wanted, expected in (
        (None, torch.float32),
        ("auto", torch.float16),
        (torch.float64, torch.float64),
        ("bfloat16", torch.bfloat16),
    ):
        model: Any = AlbertModel.from_pretrained(tmp_path, torch_dtype=wanted)
        assert {parameter.dtype for parameter in model.parameters()} == {expected}
        assert model.dtype is expected
        assert torch.equal(model.get_input_embeddings().weight, half.to(expected))
    assert model.config.torch_dtype == "bfloat16"
    with pytest.raises(InputError, match="floating-point"):
        AlbertModel.from_pretrained(tmp_path, torch_dtype="int8")
    with pytest.raises(InputError, match="floating-point"):
        AlbertModel.from_pretrained(tmp_path, torch_dtype="nonsense")


def test_auto_reads_the_weights_when_the_configuration_is_silent(tmp_path: Path) -> None:
    tiny_model("AlbertModel").half().save_pretrained(tmp_path)
    tiny_config().save_pretrained(tmp_path)
    assert AlbertModel.from_pretrained(tmp_path, torch_dtype="auto").dtype is torch.float16


def test_other_formats_are_refused_by_name(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertModel")
    rule = "reads model.safetensors, pytorch_model.bin, tf_model.h5 and flax_model.msgpack"
    with pytest.raises(CheckpointError, match=f"{rule}; received from_pt=True"):
        AlbertModel.from_pretrained(tmp_path, from_pt=True)
    with pytest.raises(CheckpointError, match=r"must have one of flax_model\.msgpack, "):
        AlbertModel.from_pretrained(tmp_path, from_flax=True)
    assert AlbertModel.from_pretrained(tmp_path, from_flax=False, from_pt=False).name_or_path == str(tmp_path)


def test_nothing_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        AlbertModel.from_pretrained(tmp_path / "nowhere")
    with pytest.raises(CheckpointError):
        AlbertModel.from_pretrained(tmp_path)


def test_the_built_in_model_is_loaded_by_name() -> None:
    model: Any = AlbertForQuestionAnswering.from_pretrained("albert-seeded")
    output = model(torch.tensor([[2, 10, 11, 3]]))
    assert output.start_logits.shape == (1, 4)


# --- old files


def test_names_and_buffers_of_older_releases_are_read(tmp_path: Path) -> None:
    model = tiny_model("AlbertForPreTraining")
    saved(tmp_path, "AlbertForPreTraining")
    old = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    for place in ("albert.embeddings.LayerNorm", "predictions.LayerNorm"):
        old[f"{place}.gamma"] = old.pop(f"{place}.weight")
        old[f"{place}.beta"] = old.pop(f"{place}.bias")
    old["albert.embeddings.position_ids"] = torch.arange(24)[None]
    (tmp_path / "model.safetensors").unlink()
    torch.save(old, tmp_path / "pytorch_model.bin")
    again: Any
    again, info = AlbertForPreTraining.from_pretrained(tmp_path, output_loading_info=True)
    assert info == {"missing_keys": [], "unexpected_keys": [], "mismatched_keys": [], "error_msgs": []}
    assert torch.equal(again(tiny_ids()).prediction_logits, model(tiny_ids()).prediction_logits)
    assert again.predictions.decoder.weight is again.get_input_embeddings().weight


# --- for the export


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_load_eager_gives_the_task_s_model_in_eval_mode(task: Any, tmp_path: Path) -> None:
    saved(tmp_path, task.torch_class)
    model, fresh = load_eager(open_checkpoint(tmp_path), task)
    assert type(model).__name__ == task.torch_class
    assert fresh == []
    assert not model.training
    ids, expected = tiny_ids(task.torch_class), tiny_model(task.torch_class)
    for spec in task.outputs:
        # weights mapped from a file lie at other alignments, where sums may round otherwise
        torch.testing.assert_close(model(ids)[spec.name], expected(ids)[spec.name], rtol=1e-6, atol=1e-6)
    double, _ = load_eager(open_checkpoint(tmp_path), task, dtype="float64")
    assert {parameter.dtype for parameter in double.parameters()} == {torch.float64}
    for (name, one), two in zip(model.named_parameters(), double.parameters(), strict=True):
        assert torch.equal(one.double(), two), name


def test_load_eager_refuses_a_missing_head_and_says_which_are_there(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertForPreTraining")
    checkpoint, task = open_checkpoint(tmp_path), get_task("qa")
    with pytest.raises(WeightsMismatchError) as caught:
        load_eager(checkpoint, task)
    assert caught.value.missing == ("qa_outputs.bias", "qa_outputs.weight")
    assert "feature-extraction, pretraining, fill-mask" in str(caught.value)
    assert "--allow-random-head" in str(caught.value)
    torch.manual_seed(0)
    one, fresh = load_eager(checkpoint, task, allow_random_head=True)
    torch.manual_seed(1)
    other, _ = load_eager(checkpoint, task, allow_random_head=True)
    assert fresh == ["qa_outputs.bias", "qa_outputs.weight"]
    # the parity check builds the model again, later and elsewhere
    assert torch.equal(one.get_parameter("qa_outputs.weight"), other.get_parameter("qa_outputs.weight"))
    assert torch.count_nonzero(one.get_parameter("qa_outputs.weight")) > 0


def test_load_eager_never_fills_the_encoder(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertForMaskedLM")
    rewrite(tmp_path, lambda tensors: tensors.pop("albert.encoder.embedding_hidden_mapping_in.bias"))
    with pytest.raises(WeightsMismatchError) as caught:
        load_eager(open_checkpoint(tmp_path), get_task("fill-mask"), allow_random_head=True)
    assert caught.value.missing == ("albert.encoder.embedding_hidden_mapping_in.bias",)


def test_load_eager_leaves_the_checkpoint_as_it_is(tmp_path: Path) -> None:
    saved(tmp_path, "AlbertForSequenceClassification")
    before = (tmp_path / "model.safetensors").read_bytes()
    checkpoint = open_checkpoint(tmp_path)
    model, _ = load_eager(checkpoint, get_task("text-classification"))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    model(tiny_ids(), labels=torch.tensor([0, 1]))
    assert (tmp_path / "model.safetensors").read_bytes() == before
    assert checkpoint.config.problem_type is None
