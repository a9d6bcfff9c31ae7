"""Writing tf_model.h5: every class comes back, what the reference has not is refused, an old file stays on failure."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.checkpoints import h5_writing, read_h5, write_h5
from albert_export.errors import CheckpointError
from albert_export.tasks import TASKS
from tests.checkpoints.h5_files import SIX, written
from tests.checkpoints.tiny import tiny_config, tiny_tensors


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_class_comes_back(task: Any, tmp_path: Path) -> None:
    path, tensors = written(tmp_path, task.name, **SIX)
    found = read_h5(path)
    assert list(found) == sorted(tensors)
    assert all(np.array_equal(found[name], value) for name, value in tensors.items())
    before = path.read_bytes()
    bare = {name.removeprefix("albert."): value for name, value in reversed(tensors.items())}
    write_h5(path, bare, config=tiny_config(**SIX), architecture=task.torch_class)
    assert path.read_bytes() == before


def test_a_bare_model_may_have_no_pooler(tmp_path: Path) -> None:
    _, tensors = written(tmp_path, "feature-extraction")
    bare = {name: value for name, value in tensors.items() if "pooler" not in name}
    write_h5(tmp_path / "tf_model.h5", bare, config=tiny_config(), architecture="TFAlbertModel")
    assert list(read_h5(tmp_path / "tf_model.h5")) == sorted(bare)


@pytest.mark.parametrize(
    ("changes", "architecture", "told"),
    [
        ({}, "TFAlbertForNothing", "one of the seven classes; received TFAlbertForNothing"),
        ({}, "TFAlbertForPreTraining", r"missing: \[albert.pooler.bias, .*sop_classifier.classifier.weight\]"),
        ({}, "TFAlbertForTokenClassification", r"unexpected: \[predictions.LayerNorm.bias,"),
        ({"hidden_size": 32}, "TFAlbertForMaskedLM", r"of another shape: \[.*ffn.bias|\[24, 16\] against \[24, 32\]"),
        ({"tie_word_embeddings": False}, "TFAlbertForMaskedLM", "received predictions.decoder.weight; fix: save safe"),
        ({"position_embedding_type": "relative_key"}, "TFAlbertForMaskedLM", "distance_embedding.weight; fix: save"),
        (
            {"pruned_heads": {0: [1]}},
            "TFAlbertForMaskedLM",
            r"every attention head; received pruned_heads=\{0: \[1\]\}; f",
        ),
    ],
)
def test_what_the_reference_could_not_load_is_not_written(
    changes: dict[str, Any], architecture: str, told: str, tmp_path: Path
) -> None:
    tensors = tiny_tensors(tiny_config(), "fill-mask")
    with pytest.raises(CheckpointError, match=told):
        write_h5(tmp_path / "tf_model.h5", tensors, config=tiny_config(**changes), architecture=architecture)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, tensors = written(tmp_path)
    before = path.read_bytes()

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(h5_writing, "_write_weight", full)
    with pytest.raises(CheckpointError, match=r"must be written whole; received tf_model.h5: No space left on device"):
        write_h5(path, tensors, config=tiny_config(), architecture="TFAlbertForMaskedLM")
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "tf_model.h5"]


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on the size of files there")
@pytest.mark.parametrize("limit", [0, 5_000, 50_000])
def test_a_write_that_the_system_ends_is_told_by_its_reason(limit: int, tmp_path: Path) -> None:
    import resource

    path, tensors = written(tmp_path)
    before = path.read_bytes()
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        with pytest.raises(CheckpointError) as error:
            write_h5(path, tensors, config=tiny_config(), architecture="TFAlbertForMaskedLM")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert "must be written whole; received tf_model.h5: File too large; fix" in str(error.value)
    assert path.read_bytes() == before
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config.json", "tf_model.h5"]
