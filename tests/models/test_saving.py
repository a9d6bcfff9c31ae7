from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from albert_export import AlbertForMaskedLM, AlbertForQuestionAnswering, AlbertModel
from albert_export.errors import CheckpointError, ConfigError
from albert_export.models import torch_albert
from tests.models.conftest import CLASSES, tiny_ids, tiny_model

GROUPS = {"num_hidden_layers": 4, "num_hidden_groups": 2, "inner_group_num": 2}
DECODER = {"predictions.decoder.weight", "predictions.decoder.bias"}


def reload(model: Any, directory: Path, **arguments: Any) -> Any:
    """Load with the class that saved, and show that what it computes is bit for bit the same."""
    again = type(model).from_pretrained(directory, **arguments)
    ids = tiny_ids(type(model).__name__)
    for one, other in zip(model(ids).to_tuple(), again(ids).to_tuple(), strict=True):
        assert torch.equal(one, other)
    assert list(again.state_dict()) == list(model.state_dict())
    return again


@pytest.mark.parametrize("arguments", [{}, {"safe_serialization": False}], ids=["safetensors", "bin"])
@pytest.mark.parametrize("name", CLASSES)
def test_a_saved_model_loads_the_same(name: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    model = tiny_model(name, **GROUPS)
    model.save_pretrained(tmp_path / "new" / "place", **arguments)
    file = "model.safetensors" if not arguments else "pytorch_model.bin"
    assert {path.name for path in (tmp_path / "new" / "place").iterdir()} == {"config.json", file}
    again = reload(model, tmp_path / "new" / "place")
    assert not again.training
    assert again.name_or_path == str(tmp_path / "new" / "place")


@pytest.mark.parametrize("safe", [True, False])
def test_shards_have_an_index_and_load_the_same(safe: bool, tmp_path: Path) -> None:
    model = tiny_model("AlbertForMaskedLM", **GROUPS)
    model.save_pretrained(tmp_path, max_shard_size="3KB", safe_serialization=safe)
    name = "model.safetensors" if safe else "pytorch_model.bin"
    index = json.loads((tmp_path / f"{name}.index.json").read_text())
    shards = set(index["weight_map"].values())
    assert len(shards) > 5
    assert shards | {f"{name}.index.json", "config.json"} == {path.name for path in tmp_path.iterdir()}
    reload(model, tmp_path)
    model.save_pretrained(tmp_path, safe_serialization=safe)
    assert {path.name for path in tmp_path.iterdir()} == {name, "config.json"}
    reload(model, tmp_path)


@pytest.mark.parametrize("name", ["AlbertForMaskedLM", "AlbertForPreTraining"])
def test_only_tied_copies_are_left_out_of_safetensors(name: str, tmp_path: Path) -> None:
    for tied in (True, False):
        model = tiny_model(name, tie_word_embeddings=tied)
        model.save_pretrained(tmp_path / str(tied))
        stored = set(load_file(tmp_path / str(tied) / "model.safetensors"))
        left_out = DECODER if tied else {"predictions.decoder.bias"}
        assert set(model.state_dict()) - stored == left_out
        again = reload(model, tmp_path / str(tied))
        shared = again.predictions.decoder.weight is again.albert.embeddings.word_embeddings.weight
        assert shared is tied
        assert again.predictions.decoder.bias is again.predictions.bias
    model.save_pretrained(tmp_path / "bin", safe_serialization=False)
    assert set(torch.load(tmp_path / "bin" / "pytorch_model.bin", weights_only=True)) == set(model.state_dict())


def test_the_files_say_what_transformers_asks_for(tmp_path: Path) -> None:
    model = tiny_model("AlbertForQuestionAnswering", id2label={0: "start", 1: "end"}).half()
    model.save_pretrained(tmp_path)
    with safe_open(tmp_path / "model.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt"}
        assert file.get_tensor("qa_outputs.weight").dtype is torch.float16
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["architectures"] == ["AlbertForQuestionAnswering"]
    assert config["torch_dtype"] == "float16"
    assert config["model_type"] == "albert"
    assert config["id2label"] == {"0": "start", "1": "end"}
    assert model.config.architectures is None  # saving leaves the model's own configuration alone


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for place in ("one", "other"):
        for safe in (True, False):
            tiny_model("AlbertForMaskedLM").save_pretrained(tmp_path / place / str(safe), safe_serialization=safe)
    for path in (tmp_path / "one").rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "other" / path.relative_to(tmp_path / "one")).read_bytes()


def test_a_model_is_saved_over_the_file_it_came_from(tmp_path: Path) -> None:
    tiny_model("AlbertModel").save_pretrained(tmp_path)
    model: Any = AlbertModel.from_pretrained(tmp_path)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    kept = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model.save_pretrained(tmp_path)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, kept[name])
    reload(model, tmp_path)


def test_a_state_dict_may_be_saved_in_place_of_the_model(tmp_path: Path) -> None:
    model, other = tiny_model("AlbertForMaskedLM"), tiny_model("AlbertForMaskedLM", seed=1)
    model.save_pretrained(tmp_path, state_dict=other.state_dict())
    assert not DECODER & set(load_file(tmp_path / "model.safetensors"))
    reload(other, tmp_path)


def test_further_processes_write_nothing(tmp_path: Path) -> None:
    tiny_model("AlbertModel").save_pretrained(tmp_path / "none", is_main_process=False)
    assert not (tmp_path / "none").exists()


def test_a_pruned_and_resized_model_loads_the_same(tmp_path: Path) -> None:
    model = tiny_model("AlbertForMaskedLM", **GROUPS)
    model.prune_heads({0: [1], 3: [0, 2]})
    model.resize_token_embeddings(80)
    model.save_pretrained(tmp_path)
    again = reload(model, tmp_path)
    assert again.config.pruned_heads == {0: [1], 3: [0, 2]}
    assert again.config.vocab_size == 80
    again.prune_heads({0: [1, 3]})
    again.save_pretrained(tmp_path)
    assert reload(again, tmp_path).config.pruned_heads == {0: [1, 3], 3: [0, 2]}


def test_an_activation_without_a_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hidden_act must be a name to be saved"):
        tiny_model("AlbertModel", hidden_act=torch.tanh).save_pretrained(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("here")
    with pytest.raises(CheckpointError, match="weights must be written whole"):
        tiny_model("AlbertModel").save_pretrained(tmp_path / "file")
    with pytest.raises(CheckpointError, match="max_shard_size"):
        tiny_model("AlbertModel").save_pretrained(tmp_path / "new", max_shard_size="much")
    assert (tmp_path / "file").read_text() == "here"
    (tmp_path / "taken" / "config.json").mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"must be writable; received config\.json: "):
        tiny_model("AlbertModel").save_pretrained(tmp_path / "taken")


def test_twin_a_changed_weight_is_seen(tmp_path: Path) -> None:
    model = tiny_model("AlbertForQuestionAnswering")
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        model.qa_outputs.bias[0] += 1e-3
    with pytest.raises(AssertionError):
        reload(model, tmp_path)


def test_a_subclass_of_a_users_own_saves_and_loads(tmp_path: Path) -> None:
    class Scorer(torch_albert.AlbertPreTrainedModel):
        def __init__(self, config: Any, outputs: int = 3) -> None:
            super().__init__(config)
            self.albert = AlbertModel(config, add_pooling_layer=False)
            self.scorer = torch.nn.Linear(config.hidden_size, outputs)
            self.post_init()

        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            scores: torch.Tensor = self.scorer(self.albert(input_ids).last_hidden_state[:, 0])
            return scores

    model = Scorer(tiny_model("AlbertModel").config).eval()
    model.save_pretrained(tmp_path)
    assert torch.equal(Scorer.from_pretrained(tmp_path)(tiny_ids()), model(tiny_ids()))
    tiny_model("AlbertForMaskedLM").save_pretrained(tmp_path / "mlm")
    with pytest.warns(UserWarning, match=r"scorer\.bias, scorer\.weight"):
        assert Scorer.from_pretrained(tmp_path / "mlm", outputs=5)(tiny_ids()).shape == (2, 5)


def test_a_class_derived_from_one_of_the_seven_is_saved_as_that_one(tmp_path: Path) -> None:
    class Filler(AlbertForMaskedLM):
        pass

    Filler(tiny_model("AlbertForMaskedLM").config).save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["AlbertForMaskedLM"]


def test_classes_know_each_other(tmp_path: Path) -> None:
    tiny_model("AlbertForMaskedLM").save_pretrained(tmp_path)
    with pytest.warns(UserWarning, match="AlbertForQuestionAnswering"):
        model: Any = AlbertForQuestionAnswering.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path / "again")
    with pytest.warns(UserWarning, match=r"predictions\.dense"):
        back: Any = AlbertForMaskedLM.from_pretrained(tmp_path / "again")
    assert torch.equal(
        back.get_input_embeddings().weight, tiny_model("AlbertForMaskedLM").get_input_embeddings().weight
    )
