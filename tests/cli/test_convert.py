"""``convert`` as a user runs it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from albert_export.builtin import builtin_directory
from albert_export.checkpoints import open_checkpoint
from tests.checkpoints.tf1 import write_bundle, write_config, write_release
from tests.checkpoints.tiny import tiny_config, write_tiny
from tests.cli.conftest import Invoke
from tests.cli.test_program import error_line


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A release by Google, of a tiny model."""
    write_release(tmp_path / "albert_base", vocab_size=2000)
    shutil.copyfile(builtin_directory("albert-seeded") / "spiece.model", tmp_path / "albert_base" / "30k-clean.model")
    return tmp_path / "albert_base"


def test_it_tells_what_it_wrote(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("convert", "albert-seeded", tmp_path / "there", "--to", "h5")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith(f"{tmp_path / 'there'}: h5, from albert-seeded in safetensors\n")
    assert "36 weights, 1.3 MB of float32" in result.stdout
    assert "tf_model.h5" in result.stdout
    assert "writing tf_model.h5" in result.stderr
    assert open_checkpoint(tmp_path / "there").weight_format == "h5"


def test_json_and_quiet(invoke: Invoke, tmp_path: Path, release: Path) -> None:
    result = invoke("convert", release, tmp_path / "there", "--to", "safetensors", "--json", "-q")
    assert (result.exit_code, result.stderr) == (0, "")
    told = json.loads(result.stdout)
    assert told["source_format"] == "tf1"
    assert told["heads"] == ["feature-extraction", "pretraining", "fill-mask"]
    assert told["directory"] == str(tmp_path / "there")


def test_shards(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("convert", "albert-seeded", tmp_path / "there", "--to", "safetensors", "--max-shard-size", "500KB")
    assert result.exit_code == 0, result.stderr
    assert (tmp_path / "there" / "model.safetensors.index.json").is_file()


def test_a_release_is_exported_as_it_is(invoke: Invoke, tmp_path: Path, release: Path) -> None:
    result = invoke("onnx", "--model", release, "--task", "fill-mask", "--out", tmp_path / "mlm")
    assert result.exit_code == 0, result.stderr
    answers = invoke("run", tmp_path / "mlm", "--text", "the [MASK] fox", "--json")
    assert answers.exit_code == 0, answers.stderr
    manifest = json.loads((tmp_path / "mlm" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["artifacts"][0]["parity"]["ok"] is True


# --- bad input: one line, exit code 2, nothing written


def cut(name: str, *, to: int) -> Callable[[Path], None]:
    def damage(release: Path) -> None:
        (release / name).write_bytes((release / name).read_bytes()[:to])

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda release: (release / name).unlink()


def contradict(release: Path) -> None:
    write_config(release, tiny_config(hidden_size=32, vocab_size=2000))


def replace_by_bert(release: Path) -> None:
    write_bundle(release / "model.ckpt-best", {"bert/encoder/layer_0/output/dense/kernel": [[1.0]]})


SHARD = "model.ckpt-best.data-00000-of-00001"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (cut("model.ckpt-best.index", to=700), "model.ckpt-best.index must be the whole index"),
        (cut(SHARD, to=700), f"{SHARD} must hold what its index says"),
        (remove(SHARD), f"no {SHARD}; fix: fetch the missing file"),
        (remove("albert_config.json"), "or albert_config.json as Google released it"),
        (remove("model.ckpt-best.index"), "a checkpoint must have one of"),
        (replace_by_bert, "1 others: bert/encoder/layer_0/output/dense/kernel"),
        (contradict, "must be those that albert_config.json tells of; received"),
        (cut("albert_config.json", to=20), "must be JSON"),
    ],
)
def test_a_release_that_is_damaged(
    invoke: Invoke, tmp_path: Path, release: Path, damage: Callable[[Path], None], told: str
) -> None:
    damage(release)
    result = invoke("convert", release, tmp_path / "there", "--to", "safetensors", "-q")
    assert result.exit_code == 2
    assert told in error_line(result.stderr)
    assert not (tmp_path / "there").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--to", "safetensor"), "did you mean safetensors"),
        (("--to", "h5", "--max-shard-size", "1GB"), "max_shard_size serves safetensors and torch"),
        (("--to", "torch", "--max-shard-size", "much"), "max_shard_size must be a number"),
        ((), "missing option '--to'"),
    ],
)
def test_options_that_do_not_serve(invoke: Invoke, tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    write_tiny(tmp_path / "tiny")
    result = invoke("convert", tmp_path / "tiny", tmp_path / "there", "-q", *arguments)
    assert result.exit_code == 2
    assert told in error_line(result.stderr)
    assert not (tmp_path / "there").exists()


def test_a_place_that_is_taken(invoke: Invoke, tmp_path: Path) -> None:
    write_tiny(tmp_path / "tiny")
    result = invoke("convert", tmp_path / "tiny", tmp_path / "tiny", "--to", "torch", "-q")
    assert result.exit_code == 2
    assert "must be absent or empty" in error_line(result.stderr)
