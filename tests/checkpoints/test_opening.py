"""Directories: what is found in them, and what is said when it cannot be."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.checkpoints import (
    find_config_file,
    find_tokenizer_directory,
    open_checkpoint,
    write_safetensors,
    write_sharded,
)
from albert_export.errors import CheckpointError, ConfigError
from albert_export.tasks import get_task
from tests.builtin.mini_files import install_mini
from tests.checkpoints.tiny import tiny_config, tiny_tensors, write_tiny


def refused(model: Any, kind: type[Exception] = CheckpointError) -> str:
    with pytest.raises(kind) as error:
        open_checkpoint(model, local_files_only=True)
    assert "\n" not in str(error.value)
    return str(error.value)


def write_shards(directory: Path) -> dict[str, np.ndarray]:
    tensors = tiny_tensors(tiny_config())
    tiny_config().save_pretrained(directory)
    assert len(write_sharded(directory, tensors, max_shard_size=2000)) > 2
    return tensors


def test_a_directory(tmp_path: Path) -> None:
    expected = write_tiny(tmp_path / "tiny")
    for model in (tmp_path / "tiny", str(tmp_path / "tiny"), f"{tmp_path}/tiny/"):
        checkpoint = open_checkpoint(model)
        assert (checkpoint.source_kind, checkpoint.source_name, checkpoint.revision) == ("directory", "tiny", None)
        assert checkpoint.weight_format == "safetensors"
        assert checkpoint.config == tiny_config()
        tensors = checkpoint.numpy_tensors()
        assert checkpoint.shapes() == {name: tensor.shape for name, tensor in sorted(expected.items())}
        for name, tensor in expected.items():
            np.testing.assert_array_equal(tensors[name], tensor)


def test_a_relative_directory_that_looks_like_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny(tmp_path / "owner" / "name")
    monkeypatch.chdir(tmp_path)
    assert open_checkpoint("owner/name").source_kind == "directory"
    monkeypatch.chdir(tmp_path / "owner" / "name")
    assert open_checkpoint(".").source_name == "name"


def test_a_name_that_would_break_a_line_or_is_no_text(tmp_path: Path) -> None:
    write_tiny(tmp_path / "line\nbreak")
    assert open_checkpoint(tmp_path / "line\nbreak").source_name == "line\ufffdbreak"
    if sys.platform == "linux":  # other systems have no file names but text
        unreadable = Path(os.fsdecode(os.fsencode(tmp_path) + b"/od\xffd"))
        write_tiny(unreadable)
        assert open_checkpoint(unreadable).source_name == "od\ufffdd"


def test_home_is_expanded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny(tmp_path / "tiny")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert open_checkpoint("~/tiny").source_name == "tiny"


def test_a_directory_wins_over_a_built_in_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALBERT_EXPORT_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    install_mini(monkeypatch, tmp_path / "mini")
    for name in ("albert-seeded", "albert-mini"):
        assert open_checkpoint(name).source_kind == "builtin"
        write_tiny(tmp_path / name)
        assert open_checkpoint(name).source_kind == "directory"
    default = open_checkpoint(None)
    assert (default.source_kind, default.source_name) == ("builtin", "albert-mini")


def test_shards(tmp_path: Path) -> None:
    expected = write_shards(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert [path.name for path in checkpoint.weight_files] == sorted(
        path.name for path in tmp_path.glob("*.safetensors")
    )
    for tensors in (checkpoint.numpy_tensors(), checkpoint.torch_tensors()):
        assert sorted(tensors) == sorted(expected)
        for name, tensor in expected.items():
            np.testing.assert_array_equal(np.asarray(tensors[name]), tensor)


def test_safetensors_before_a_pickle(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"a damaged file that must not even be looked at")
    assert open_checkpoint(tmp_path).weight_format == "safetensors"


class TestSource:
    def test_hash_is_what_sha256sum_prints_hashed(self, tmp_path: Path) -> None:
        write_shards(tmp_path)
        names = ["config.json", *sorted(path.name for path in tmp_path.glob("*.safetensors"))]
        lines = "".join(f"{hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
        source = open_checkpoint(tmp_path).source
        assert source.sha256 == hashlib.sha256(lines.encode()).hexdigest()
        assert (source.kind, source.name, source.revision) == ("directory", tmp_path.name, None)

    def test_depends_on_contents_and_not_on_the_place(self, tmp_path: Path) -> None:
        write_tiny(tmp_path / "one")
        shutil.copytree(tmp_path / "one", tmp_path / "deep" / "two")
        (tmp_path / "deep" / "two" / "README.md").write_text("anything")
        first, second = open_checkpoint(tmp_path / "one").source, open_checkpoint(tmp_path / "deep" / "two").source
        assert first.sha256 == second.sha256
        assert str(tmp_path) not in repr(second)

    @pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
    def test_one_changed_byte_changes_it(self, tmp_path: Path, file: str) -> None:
        write_tiny(tmp_path)
        before = open_checkpoint(tmp_path).source.sha256
        contents = (tmp_path / file).read_bytes()
        # The last byte of the weights, or one more space after the configuration.
        (tmp_path / file).write_bytes(contents + b" " if file == "config.json" else contents[:-1] + b"\1")
        assert open_checkpoint(tmp_path).source.sha256 != before


class TestRefused:
    def test_missing_paths(self, tmp_path: Path) -> None:
        for model in (
            str(tmp_path / "absent"),
            tmp_path / "absent",
            "./absent",
            "../absent",
            "~/absent/",
            "a/b/c",
            "a\\b",
        ):
            told = refused(model)
            assert "absent" in told or "a/b/c" in told or "a\\b" in told
            assert "check the path" in told

    @pytest.mark.parametrize("model", ["a" * 5000, "/" + "a" * 5000, "~no-such-user/checkpoint"])
    def test_paths_that_the_system_refuses(self, model: str) -> None:
        told = refused(model)
        assert "must be a directory that can be read" in told
        assert len(told) < 400

    def test_names_that_are_neither_path_nor_hub_id(self) -> None:
        for model in ("", "two words", "owner/na me", "name\n", "-x"):
            assert "a directory that exists, a built-in model or a hub id" in refused(model)

    def test_what_could_be_a_hub_id_is_looked_for_there(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
        assert "someone/absent at main: no such directory here, and not in the cache" in refused("someone/absent")

    def test_a_file(self, tmp_path: Path) -> None:
        write_tiny(tmp_path)
        told = refused(tmp_path / "model.safetensors")
        assert "must be a directory" in told
        assert "model.safetensors" in told

    def test_an_empty_directory(self, tmp_path: Path) -> None:
        (tmp_path / "hollow").mkdir()
        assert "hollow with nothing in it" in refused(tmp_path / "hollow")

    def test_no_config(self, tmp_path: Path) -> None:
        write_tiny(tmp_path)
        (tmp_path / "config.json").unlink()
        told = refused(tmp_path)
        assert "config.json" in told
        assert "model.safetensors" in told

    def test_no_weights(self, tmp_path: Path) -> None:
        tiny_config().save_pretrained(tmp_path)
        told = refused(tmp_path)
        assert "model.safetensors, model.safetensors.index.json, pytorch_model.bin" in told
        assert "tf_model.h5" in told
        assert "flax_model.msgpack" in told
        (tmp_path / "model.ckpt.index").write_bytes(b"")
        assert "model.ckpt.index must be the whole index of a TensorFlow checkpoint" in refused(tmp_path)

    @pytest.mark.parametrize(
        "contents", ["", "{", "[]", '{"hidden_size": 15}', '{"vocab_size": "many"}', '{"model_type": "bert"}']
    )
    def test_bad_config(self, tmp_path: Path, contents: str) -> None:
        write_tiny(tmp_path)
        (tmp_path / "config.json").write_text(contents)
        refused(tmp_path, ConfigError)

    def test_truncated_weights(self, tmp_path: Path) -> None:
        write_tiny(tmp_path)
        path = tmp_path / "model.safetensors"
        path.write_bytes(path.read_bytes()[:-100])
        assert "whole safetensors file" in refused(tmp_path)

    def test_missing_shard(self, tmp_path: Path) -> None:
        write_shards(tmp_path)
        shard = next(tmp_path.glob("model-00002-*"))
        shard.unlink()
        assert shard.name in refused(tmp_path)

    def test_shard_without_its_weight(self, tmp_path: Path) -> None:
        write_shards(tmp_path)
        shard = next(tmp_path.glob("model-00002-*"))
        write_safetensors(shard, {"something": np.ones(1, np.float32)})
        assert f"{shard.name} without albert." in refused(tmp_path)

    @pytest.mark.parametrize("target", ["../model.safetensors", "/etc/passwd", "a/b", "..", "C:\\x", "a\\b", ""])
    def test_index_that_points_outside(self, tmp_path: Path, target: str) -> None:
        (tmp_path / "in").mkdir()
        write_tiny(tmp_path / "in")
        (tmp_path / "in" / "model.safetensors").rename(tmp_path / "model.safetensors")
        index = {"metadata": {}, "weight_map": {"qa_outputs.bias": target}}
        (tmp_path / "in" / "model.safetensors.index.json").write_text(json.dumps(index))
        assert "files in its own directory" in refused(tmp_path / "in")

    @pytest.mark.parametrize(
        "contents",
        ["", "{}", "[]", '{"weight_map": {}}', '{"weight_map": {"a": 1}}', '{"weight_map": ["a"]}', "[" * 100_000],
    )
    def test_malformed_index(self, tmp_path: Path, contents: str) -> None:
        tiny_config().save_pretrained(tmp_path)
        (tmp_path / "model.safetensors.index.json").write_text(contents)
        assert "model.safetensors.index.json" in refused(tmp_path)

    def test_vanished_before_hashing(self, tmp_path: Path) -> None:
        write_tiny(tmp_path)
        checkpoint = open_checkpoint(tmp_path)
        (tmp_path / "config.json").unlink()
        with pytest.raises(CheckpointError, match="readable"):
            _ = checkpoint.source


class TestFinding:
    def test_config_without_weights(self, tmp_path: Path) -> None:
        tiny_config().save_pretrained(tmp_path)
        assert find_config_file(tmp_path) == tmp_path / "config.json"

    def test_config_of_a_built_in_model(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALBERT_EXPORT_CACHE", str(tmp_path))
        assert json.loads(find_config_file("albert-seeded").read_text())["vocab_size"] == 2000

    def test_tokenizer_directory(self, tmp_path: Path) -> None:
        (tmp_path / "vocab.txt").write_text("[PAD]\n")
        assert find_tokenizer_directory(tmp_path) == tmp_path
        (tmp_path / "vocab.txt").unlink()
        with pytest.raises(CheckpointError, match=r"spiece\.model"):
            find_tokenizer_directory(tmp_path)


def test_tasks_of_other_checkpoints_change_nothing(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    with_task = open_checkpoint(tmp_path, task=get_task("fill-mask"))
    assert with_task.source == open_checkpoint(tmp_path).source
