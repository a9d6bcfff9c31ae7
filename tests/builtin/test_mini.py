"""albert-mini: one encoder and a head for each task, put together into a checkpoint that computes what is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from albert_export.builtin import builtin_directory, held_out_file, trained
from albert_export.builtin.trained import HEADS_WITHOUT_TASK, mini_files
from albert_export.checkpoints import open_checkpoint, parameters
from albert_export.checkpoints.contents import contents_of
from albert_export.errors import CheckpointError
from albert_export.tasks import TASKS, Task, get_task
from tests.builtin.mini_files import LABELS, install_mini

MINI = "albert-mini"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A tiny model in the place of the package's own."""
    monkeypatch.setenv("ALBERT_EXPORT_CACHE", str(tmp_path / "cache"))
    yield install_mini(monkeypatch, tmp_path / "mini")


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_head_has_its_weights_and_labels(files: Path, task: Task) -> None:
    checkpoint = open_checkpoint(MINI, task=task)
    assert (checkpoint.source.kind, checkpoint.source.name) == ("builtin", MINI)
    assert checkpoint.shapes().items() >= parameters(checkpoint.config, task).items()
    assert checkpoint.config.architectures == [task.torch_class]
    assert checkpoint.config.torch_dtype == "float32"
    assert not checkpoint.config.extra, "figures of the head are none of the model's"
    labels = tuple(checkpoint.config.id2label.values())
    assert labels == tuple(LABELS.get(task.name, ("LABEL_0", "LABEL_1")))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_float32_holds_exactly_what_is_stored(files: Path, task: Task) -> None:
    stored = load_file(files / "encoder.safetensors")
    if task.name != "feature-extraction":
        stored |= load_file(files / "heads" / f"{task.name}.safetensors")
    tensors = open_checkpoint(MINI, task=task).numpy_tensors()
    assert set(parameters(open_checkpoint(MINI, task=task).config, task)) <= set(tensors) <= set(stored)
    for name, tensor in tensors.items():
        assert tensor.dtype == np.float32
        np.testing.assert_array_equal(tensor.astype(np.float16), stored[name])
        np.testing.assert_array_equal(tensor, stored[name].astype(np.float32))


def test_a_checkpoint_for_no_task_holds_what_goes_together(files: Path) -> None:
    held = {task.name for task in contents_of(open_checkpoint(MINI)).heads}
    assert held == {"feature-extraction", "fill-mask", *HEADS_WITHOUT_TASK}
    shapes = open_checkpoint(MINI).shapes()
    assert shapes["classifier.weight"][0] == 1


def test_the_files_are_those_of_a_checkpoint_and_the_same_each_time(files: Path) -> None:
    task = get_task("ner")
    first = mini_files(task)
    trained._files.cache_clear()
    assert mini_files(task) == first
    assert sorted(first) == [
        "README.md",
        "config.json",
        "model.safetensors",
        "spiece.model",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert first["spiece.model"] == (files / "spiece.model").read_bytes()
    assert json.loads(first["config.json"])["id2label"]["1"] == "B-PER"
    assert "is no model for any" in first["README.md"].decode()


def test_the_torch_classes_open_their_heads(files: Path) -> None:
    from albert_export import AlbertForTokenClassification, AlbertTokenizerFast

    model = AlbertForTokenClassification.from_pretrained(MINI)
    assert model.classifier.weight.shape == (5, 16)
    assert AlbertTokenizerFast.from_pretrained(MINI).vocab_size == 2000


@pytest.mark.parametrize("name", ["encoder.safetensors", "config.json", "heads/token-classification.json"])
def test_a_file_that_is_not_there_is_told_in_one_line(files: Path, name: str) -> None:
    (files / name).unlink()
    with pytest.raises(CheckpointError, match=r"come with the package; received .*; fix: install") as caught:
        builtin_directory(MINI, get_task("ner"))
    assert "\n" not in str(caught.value)
    assert Path(name).name in str(caught.value)


def test_a_weight_that_is_not_there_is_told_by_name(files: Path) -> None:
    (files / "heads" / "token-classification.safetensors").write_bytes(
        (files / "heads" / "text-classification.safetensors").read_bytes()
    )
    with pytest.raises(CheckpointError, match=r"one of shape \[3, 16\] for classifier\.weight \[5, 16\]"):
        builtin_directory(MINI, get_task("ner"))


def test_held_out_sets(files: Path) -> None:
    for task in TASKS:
        for kind in ("held-out", "new-patterns"):
            path = held_out_file(MINI, task, kind)
            assert path is not None
            assert path.is_file()
    assert held_out_file("albert-seeded", TASKS[0]) is None
    assert held_out_file("owner/name", TASKS[0]) is None


def test_a_package_without_the_files_says_how_to_make_them(tmp_path, monkeypatch):
    monkeypatch.setattr(trained, "FILES", tmp_path / "mini")
    with pytest.raises(CheckpointError, match=r"comes without the files of albert-mini.*make mini"):
        mini_files(get_task("qa"))
