"""Converting checkpoints: there and back gives the same bytes, and whatever fails leaves nothing."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import albert_export
from albert_export import AlbertConfig, convert, load_tokenizer
from albert_export.builtin import builtin_directory
from albert_export.checkpoints import open_checkpoint, write_safetensors, write_sharded, write_torch_bin
from albert_export.checkpoints.formats import FORMATS
from albert_export.checkpoints.h5_writing import write_h5
from albert_export.checkpoints.raw_tensor import RawTensor, same_bits
from albert_export.cli.convert_command import FORMATS as NAMES
from albert_export.errors import (
    AlbertExportError,
    CheckpointError,
    InputError,
    MissingDependencyError,
    UnknownNameError,
    WeightsMismatchError,
)
from albert_export.tasks import TASKS, Task, get_task
from tests.checkpoints.tiny import tiny_config, tiny_tensors, write_tiny

OTHERS = tuple(row for row in FORMATS if row.name != "safetensors")
VARIANTS: dict[str, dict[str, Any]] = {
    "one shared layer": {},
    "groups": {"num_hidden_groups": 2, "inner_group_num": 2},
    "labels": {"num_labels": 5},
    "untied": {"tie_word_embeddings": False},
    "relative": {"position_embedding_type": "relative_key"},
    "pruned": {"pruned_heads": {0: [1]}},
}


def write(directory: Path, task: Task, dtype: torch.dtype = torch.float32, **changes: Any) -> Path:
    """Save a tiny model as the reference does, with weights that are not those of a fresh one."""
    model = getattr(albert_export, task.torch_class)(tiny_config(**changes))
    with torch.no_grad():
        for number, parameter in enumerate(model.parameters()):
            parameter += torch.randn(parameter.shape, generator=torch.Generator().manual_seed(number))
    model.to(dtype).save_pretrained(directory)
    return directory


def weights_of(directory: Path, suffix: str = ".safetensors") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.name.endswith(suffix)}


def refused(kind: type[AlbertExportError], *arguments: Any, **options: Any) -> str:
    with pytest.raises(kind) as error:
        convert(*arguments, **options)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_command_line_names_the_formats() -> None:
    assert tuple(row.name for row in FORMATS) == NAMES


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("target", OTHERS, ids=lambda target: target.name)
def test_there_and_back(tmp_path: Path, target: Any, task: Task) -> None:
    source = write(tmp_path / "source", task)
    there = convert(source, tmp_path / "there", to=target.name)
    assert (there.format, there.source_format, there.widened) == (target.name, "safetensors", False)
    assert task.name in there.heads
    back = convert(there.directory, tmp_path / "back", to="safetensors")
    assert weights_of(back.directory) == weights_of(source)
    assert (back.directory / "config.json").read_bytes() == (source / "config.json").read_bytes()
    # and the tester tells one bit from another
    changed = {name: np.array(value) for name, value in open_checkpoint(source).numpy_tensors().items()}
    changed[sorted(changed)[0]].view("u4").reshape(-1)[0] ^= 1
    write_safetensors(source / "model.safetensors", changed)
    assert weights_of(back.directory) != weights_of(source)


@pytest.mark.parametrize("task", ["multiple-choice", "text-classification", "pretraining"])
@pytest.mark.parametrize("other", ["h5", "msgpack"])
def test_a_pytorch_file_is_the_same_whatever_it_came_from(tmp_path: Path, other: str, task: str) -> None:
    """A classifier of one label is a row here and a column there."""
    source = write(tmp_path / "source", get_task(task), num_labels=1)
    first = convert(source, tmp_path / "first", to="torch")
    convert(first.directory, tmp_path / "there", to=other)
    back = convert(tmp_path / "there", tmp_path / "back", to="torch")
    assert weights_of(back.directory, ".bin") == weights_of(first.directory, ".bin")
    convert(write(tmp_path / "changed", get_task(task), torch.float64, num_labels=1), tmp_path / "other", to="torch")
    assert weights_of(tmp_path / "other", ".bin") != weights_of(first.directory, ".bin")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("target", OTHERS, ids=lambda target: target.name)
def test_there_and_back_of_other_shapes(tmp_path: Path, target: Any, variant: str) -> None:
    source = write(tmp_path / "source", get_task("pretraining"), **VARIANTS[variant])
    if target.name == "h5" and variant in ("untied", "relative", "pruned"):
        assert "save safetensors" in refused(CheckpointError, source, tmp_path / "there", to="h5")
        assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]
        return
    convert(source, tmp_path / "there", to=target.name)
    convert(tmp_path / "there", tmp_path / "back", to="safetensors")
    assert weights_of(tmp_path / "back") == weights_of(source)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("target", OTHERS, ids=lambda target: target.name)
def test_other_precisions_keep_their_bits_or_are_widened_out_loud(
    tmp_path: Path, target: Any, dtype: torch.dtype
) -> None:
    source = write(tmp_path / "source", get_task("fill-mask"), dtype)
    lines: list[str] = []
    there = convert(source, tmp_path / "there", to=target.name, progress=lines.append)
    back = convert(there.directory, tmp_path / "back", to="safetensors")
    if there.widened:
        assert (target.name, dtype) == ("h5", torch.bfloat16)
        assert any("warning: tf_model.h5 holds no bfloat16: weights become float32" in line for line in lines)
        assert back.dtypes == ("float32",)
        assert open_checkpoint(back.directory).config.torch_dtype == "float32"
        old, new = open_checkpoint(source).numpy_tensors(), open_checkpoint(back.directory).numpy_tensors()
        for name, value in old.items():
            np.testing.assert_array_equal(new[name], value)
    else:
        assert weights_of(back.directory) == weights_of(source)
        assert back.dtypes == (str(dtype).removeprefix("torch."),)


def test_the_files_are_those_of_save_pretrained(tmp_path: Path) -> None:
    task = get_task("pretraining")
    source = write(tmp_path / "source", task)
    model = albert_export.AlbertForPreTraining.from_pretrained(source)
    model.save_pretrained(tmp_path / "saved", safe_serialization=False)
    convert(source, tmp_path / "torch", to="torch")
    assert weights_of(tmp_path / "torch", ".bin") == weights_of(tmp_path / "saved", ".bin")
    write_h5(
        tmp_path / "tf_model.h5",
        open_checkpoint(source).numpy_tensors(),
        config=model.config,
        architecture=task.tensorflow_class,
    )
    convert(source, tmp_path / "h5", to="h5")
    assert (tmp_path / "h5/tf_model.h5").read_bytes() == (tmp_path / "tf_model.h5").read_bytes()


@pytest.mark.parametrize("kind", ["safetensors", "torch"])
def test_shards(tmp_path: Path, kind: str) -> None:
    source = write(tmp_path / "source", get_task("pretraining"))
    sharded = convert(source, tmp_path / "sharded", to=kind, max_shard_size="4KB")
    assert len(sharded.files) > 4
    model = albert_export.AlbertForPreTraining.from_pretrained(source)
    model.save_pretrained(tmp_path / "saved", max_shard_size="4KB", safe_serialization=kind == "safetensors")
    for suffix in (".safetensors", ".bin", ".index.json"):
        assert weights_of(tmp_path / "sharded", suffix) == weights_of(tmp_path / "saved", suffix)
    convert(sharded.directory, tmp_path / "back", to="safetensors")
    assert weights_of(tmp_path / "back") == weights_of(source)


@pytest.mark.parametrize("target", FORMATS, ids=lambda target: target.name)
def test_all_heads_and_the_tokenizer_of_the_built_in_model(tmp_path: Path, target: Any) -> None:
    converted = convert("albert-seeded", tmp_path / "there", to=target.name)
    assert converted.source == "albert-seeded"
    assert {"pretraining", "question-answering", "text-classification"} <= set(converted.heads)
    assert {"config.json", "spiece.model", "tokenizer_config.json", target.file} == set(converted.files)
    convert(tmp_path / "there", tmp_path / "back", to="safetensors")
    assert weights_of(tmp_path / "back") == weights_of(builtin_directory("albert-seeded"))
    assert json.loads(json.dumps(converted.to_dict()))["heads"] == list(converted.heads)


def test_copies_that_differ_are_told_and_others_go_without_saying(tmp_path: Path) -> None:
    config = tiny_config()
    tensors = {name: torch.from_numpy(value) for name, value in tiny_tensors(config, "fill-mask").items()}
    tensors["predictions.decoder.weight"] = tensors["albert.embeddings.word_embeddings.weight"].clone()
    tensors["predictions.decoder.bias"] = tensors["predictions.bias"] + 1
    tensors["albert.embeddings.position_ids"] = torch.arange(12)[None]
    config.save_pretrained(tmp_path / "source")
    write_torch_bin(tmp_path / "source/pytorch_model.bin", tensors)
    lines: list[str] = []
    converted = convert(tmp_path / "source", tmp_path / "there", to="safetensors", progress=lines.append)
    assert set(converted.left_out) == {"predictions.bias", "albert.embeddings.position_ids"}
    assert any(line.startswith("left out: albert.embeddings.position_ids, a buffer") for line in lines)
    stored = open_checkpoint(converted.directory).numpy_tensors()
    assert "predictions.decoder.weight" not in stored
    np.testing.assert_array_equal(stored["predictions.bias"], tensors["predictions.decoder.bias"])


def test_the_configuration_says_what_the_weights_are(tmp_path: Path) -> None:
    write_tiny(tmp_path / "source", "fill-mask", _name_or_path="/srv/albert")
    convert(tmp_path / "source", tmp_path / "there", to="h5")
    config = AlbertConfig.from_pretrained(tmp_path / "there")
    assert (config.architectures, config.torch_dtype) == (["AlbertForMaskedLM"], "float32")
    assert "_name_or_path" not in config.extra


def test_same_bits() -> None:
    nan, other = (np.array([bits], "<u4").view("<f4") for bits in (0x7FC00001, 0x7FC00002))
    assert same_bits(RawTensor("F32", nan), RawTensor("F32", nan.copy()))
    assert not same_bits(RawTensor("F32", nan), RawTensor("F32", other))
    assert not same_bits(RawTensor("F16", np.zeros(2, "<f2")), RawTensor("BF16", np.zeros(2, "<u2")))
    assert not same_bits(RawTensor("F32", np.zeros(2, "<f4")), RawTensor("F32", np.zeros((1, 2), "<f4")))


# --- bad input


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_tiny(tmp_path / "source")
    return tmp_path / "source"


def test_unknown_formats_and_sizes(tmp_path: Path, source: Path) -> None:
    assert "did you mean safetensors" in refused(UnknownNameError, source, tmp_path / "there", to="safetensor")
    assert "tf1" in refused(UnknownNameError, source, tmp_path / "there", to="tf1")
    message = refused(InputError, source, tmp_path / "there", to="h5", max_shard_size="1GB")
    assert "max_shard_size serves safetensors and torch" in message
    assert "max_shard_size must be a number" in refused(
        CheckpointError, source, tmp_path / "there", to="torch", max_shard_size="large"
    )
    assert not (tmp_path / "there").exists()


def test_a_place_that_is_taken(tmp_path: Path, source: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "notes").write_text("mine")
    message = refused(CheckpointError, source, tmp_path / "there", to="torch")
    assert "must be absent or empty" in message
    assert "there with notes" in message
    assert "a file" in refused(CheckpointError, source, tmp_path / "there/notes", to="torch")
    assert "with config.json and more" in refused(CheckpointError, source, source, to="torch")
    assert (tmp_path / "there/notes").read_text() == "mine"


def test_an_empty_place_and_one_that_is_to_be_made(tmp_path: Path, source: Path) -> None:
    (tmp_path / "empty").mkdir()
    convert(source, tmp_path / "empty", to="safetensors")
    convert(source, tmp_path / "deep/er/there", to="safetensors")
    assert weights_of(tmp_path / "empty") == weights_of(tmp_path / "deep/er/there") != {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "empty", "source"]


def without_weights(source: Path) -> None:
    (source / "model.safetensors").unlink()


def truncated(source: Path) -> None:
    path = source / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (without_weights, "a checkpoint must have one of model.safetensors"),
        (truncated, "must be a whole safetensors file"),
        (shutil.rmtree, "must be a directory that exists"),
    ],
)
def test_a_source_that_cannot_be_read(tmp_path: Path, source: Path, damage: Callable[[Path], None], told: str) -> None:
    damage(source)
    assert told in refused(CheckpointError, source, tmp_path / "there", to="torch")
    assert not (tmp_path / "there").exists()


def test_weights_that_the_configuration_does_not_tell_of(tmp_path: Path, source: Path) -> None:
    tiny_config(hidden_size=32).save_pretrained(source)
    message = refused(WeightsMismatchError, source, tmp_path / "there", to="torch")
    assert "the weights of source must be those that config.json tells of" in message
    assert "albert.encoder.embedding_hidden_mapping_in.bias: [16] against [32]" in message
    tiny_config(num_hidden_groups=2).save_pretrained(source)
    assert "missing: [albert.encoder.albert_layer_groups.1" in refused(
        WeightsMismatchError, source, tmp_path / "there", to="torch"
    )
    tensors = tiny_tensors(tiny_config())
    tiny_config().save_pretrained(source)
    write_sharded(source, {**tensors, "lm_head.weight": tensors["qa_outputs.weight"]})
    assert "unexpected: [lm_head.weight]" in refused(WeightsMismatchError, source, tmp_path / "there", to="torch")
    write_sharded(source, {name: value.astype("i1") for name, value in tensors.items()})
    assert "floating-point" in refused(CheckpointError, source, tmp_path / "there", to="torch")


def test_a_missing_package_is_told_before_anything_is_read(
    tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source / "config.json").unlink()
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    with pytest.raises(ImportError):
        convert(source, tmp_path / "there", to="h5")

    def absent(module: str, *, needed_for: str, extra: str) -> Any:
        raise MissingDependencyError(module, needed_for=needed_for, extra=extra)

    monkeypatch.setattr("albert_export.converting.require", absent)
    for to, extra in (("h5", "convert"), ("torch", "onnx")):
        assert f"albert-export[{extra}]" in refused(MissingDependencyError, source, tmp_path / "there", to=to)


@pytest.mark.parametrize("target", FORMATS, ids=lambda target: target.name)
def test_a_full_disk_leaves_nothing(tmp_path: Path, source: Path, target: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    message = refused(CheckpointError, source, tmp_path / "deep" / "there", to=target.name)
    assert "No space left on device; fix: check the directory's rights and the free space" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_an_interrupt_leaves_nothing(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("albert_export.converting._copy_tokenizer", interrupted)
    (tmp_path / "there").mkdir()
    with pytest.raises(KeyboardInterrupt):
        convert(source, tmp_path / "there", to="safetensors")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "there"]
    assert list((tmp_path / "there").iterdir()) == []


def test_what_was_written_is_read_back(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(directory: Path, tensors: Any, **options: Any) -> Any:
        changed = {name: tensors[name].numpy() for name in tensors}
        changed["qa_outputs.bias"] = changed["qa_outputs.bias"] + 1
        return write_sharded(directory, changed, **options)

    monkeypatch.setattr("albert_export.checkpoints.formats.write_sharded", careless)
    message = refused(CheckpointError, source, tmp_path / "there", to="safetensors")
    assert "model.safetensors must hold what was written; received other weights for qa_outputs.bias" in message
    assert not (tmp_path / "there").exists()


def test_a_release_by_google(tmp_path: Path) -> None:
    from tests.checkpoints.tf1 import write_release

    expected = write_release(tmp_path / "albert_base")
    shutil.copyfile(builtin_directory("albert-seeded") / "spiece.model", tmp_path / "albert_base" / "30k-clean.model")
    converted = convert(tmp_path / "albert_base", tmp_path / "there", to="safetensors")
    assert converted.source_format == "tf1"
    assert {"feature-extraction", "pretraining", "fill-mask"} == set(converted.heads)
    assert {"config.json", "spiece.model", "tokenizer.json", "tokenizer_config.json"} <= set(converted.files)
    config = AlbertConfig.from_pretrained(tmp_path / "there")
    assert (config.hidden_act, config.architectures) == ("gelu_new", ["AlbertForPreTraining"])
    write_sharded(tmp_path / "directly", expected)
    assert weights_of(tmp_path / "there") == weights_of(tmp_path / "directly")
    text = "The quick brown fox"
    assert load_tokenizer(tmp_path / "there")(text) == load_tokenizer(tmp_path / "albert_base")(text)
