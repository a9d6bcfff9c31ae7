from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.checkpoints import open_checkpoint, write_safetensors, write_sharded, write_torch_bin, writing
from albert_export.checkpoints.safetensors_file import torch_tensors
from albert_export.checkpoints.writing import parse_size
from albert_export.errors import CheckpointError
from tests.checkpoints.tiny import tiny_config, tiny_tensors

TENSORS = {"b": np.ones((2, 3), np.float32), "a": np.arange(4, dtype=np.int64), "c": np.float32(2.5)}


def test_the_same_tensors_give_the_same_bytes_in_any_order(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "one", TENSORS)
    write_safetensors(tmp_path / "two", dict(reversed(TENSORS.items())))
    as_torch = {name: torch.as_tensor(tensor) for name, tensor in TENSORS.items()}
    write_safetensors(tmp_path / "three", as_torch)
    assert len({(tmp_path / name).read_bytes() for name in ("one", "two", "three")}) == 1


def test_byte_order_and_layout_of_numpy_arrays_do_not_matter(tmp_path: Path) -> None:
    plain = np.arange(6, dtype=np.float32).reshape(2, 3)
    write_safetensors(tmp_path / "plain", {"w": plain})
    write_safetensors(tmp_path / "other", {"w": np.asfortranarray(plain.astype(">f4"))})
    assert (tmp_path / "plain").read_bytes() == (tmp_path / "other").read_bytes()


def test_bfloat16_of_jax_has_the_bytes_of_torch_s() -> None:
    values = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    ours = writing.safetensors_bytes({"a": values.astype(ml_dtypes.bfloat16).T, "b": ml_dtypes.bfloat16(1.5)})
    theirs = {"a": torch.from_numpy(values).bfloat16().T, "b": torch.tensor(1.5).bfloat16()}
    assert ours == writing.safetensors_bytes(theirs)
    assert ours != writing.safetensors_bytes({**theirs, "b": torch.tensor(1.25).bfloat16()})


def test_torch_files_have_the_same_bytes_under_any_name(tmp_path: Path) -> None:
    tensors = {name: torch.as_tensor(tensor) for name, tensor in TENSORS.items()}
    write_torch_bin(tmp_path / "one.bin", tensors)
    write_torch_bin(tmp_path / "two.bin", tensors)
    assert (tmp_path / "one.bin").read_bytes() == (tmp_path / "two.bin").read_bytes()


def test_torch_files_store_shared_memory_once(tmp_path: Path) -> None:
    weight = torch.ones(1000, 10)
    write_torch_bin(tmp_path / "model.bin", {"embedding": weight, "decoder": weight})
    assert (tmp_path / "model.bin").stat().st_size < 1.5 * weight.nbytes


@pytest.mark.parametrize("tensor", [np.ones(1, np.complex64), np.array(["text"]), torch.ones(1, dtype=torch.complex64)])
def test_dtypes_that_cannot_be_stored(tmp_path: Path, tensor: Any) -> None:
    with pytest.raises(CheckpointError, match="for weight"):
        write_safetensors(tmp_path / "model.safetensors", {"weight": tensor})
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, TENSORS)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writing.os, "fsync", full)
    for write in (
        lambda: write_safetensors(path, {"other": np.ones(3, np.float32)}),
        lambda: write_torch_bin(path, {"other": torch.ones(3)}),
    ):
        with pytest.raises(CheckpointError, match=r"model\.safetensors: No space left on device"):
            write()
        assert path.read_bytes() == before
        assert [item.name for item in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "torch"])
def test_shards_that_fail_leave_every_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, safe: bool) -> None:
    def save(number: float) -> None:
        tensors = {f"w{index}": torch.full((10,), number) for index in range(4)}
        write_sharded(tmp_path, tensors, max_shard_size=40, safe_serialization=safe)

    save(1.0)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 5
    kind = "_write_safetensors" if safe else "_write_torch"
    real, written = getattr(writing, kind), []

    def full(file: Any, *arguments: Any) -> None:
        written.append(file)
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(file, *arguments)

    monkeypatch.setattr(writing, kind, full)
    with pytest.raises(CheckpointError, match=r"-00003-of-00004\.(safetensors|bin): No space left on device"):
        save(2.0)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CheckpointError, match="rights"):
        write_sharded(tmp_path / "file" / "below", TENSORS)
    with pytest.raises(CheckpointError, match="rights"):
        write_safetensors(tmp_path / "absent" / "model.safetensors", TENSORS)


def test_weights_mapped_from_a_file_survive_its_replacement(tmp_path: Path) -> None:
    config = tiny_config()
    config.save_pretrained(tmp_path)
    tensors = tiny_tensors(config)
    write_sharded(tmp_path, tensors)
    mapped = open_checkpoint(tmp_path).torch_tensors()
    kept = {name: mapped[name] for name in mapped}
    write_sharded(tmp_path, {name: tensor + 1 for name, tensor in kept.items()})
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(kept[name].numpy(), tensor)
        np.testing.assert_array_equal(open_checkpoint(tmp_path).numpy_tensors()[name], tensor + np.float32(1))


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "torch"])
def test_shards_and_their_index(tmp_path: Path, safe: bool) -> None:
    tensors = {f"w{number}": torch.full((10,), float(number)) for number in range(5)}
    tensors["large"] = torch.zeros(100)
    files = write_sharded(tmp_path, tensors, max_shard_size=85, safe_serialization=safe)
    stem, suffix = ("model", "safetensors") if safe else ("pytorch_model", "bin")
    assert [path.name for path in files] == [f"{stem}-0000{number}-of-00004.{suffix}" for number in range(1, 5)]
    index = json.loads((tmp_path / f"{stem}.{suffix}.index.json").read_text())
    assert index["metadata"] == {"total_size": 5 * 40 + 400}
    places = {
        name: files[number].name
        for number, names in enumerate(("w0 w1", "w2 w3", "w4", "large"))
        for name in names.split()
    }
    assert index["weight_map"] == places
    tiny_config().save_pretrained(tmp_path)
    read = open_checkpoint(tmp_path).torch_tensors()
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors.items())


def test_files_of_an_earlier_save_go(tmp_path: Path) -> None:
    kept = ["README.md", "model.onnx", "model-final.safetensors", "pytorch_model.bin", "my_model.safetensors"]
    for name in kept:
        (tmp_path / name).write_bytes(b"")
    write_sharded(tmp_path, TENSORS, max_shard_size=30)
    assert len(list(tmp_path.glob("model-0*"))) > 1
    write_sharded(tmp_path, TENSORS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "model.safetensors"])
    write_sharded(tmp_path, TENSORS, max_shard_size=30)
    assert not (tmp_path / "model.safetensors").exists()


def test_a_tensor_with_two_names_is_counted_and_stored_once(tmp_path: Path) -> None:
    weight = torch.ones(10)
    tensors = {"embedding": weight, "other": torch.zeros(15), "decoder": weight}
    files = write_sharded(tmp_path, tensors, max_shard_size=70, safe_serialization=False)
    index = json.loads((tmp_path / "pytorch_model.bin.index.json").read_text())
    assert index["metadata"] == {"total_size": 100}
    assert index["weight_map"] == {"embedding": files[0].name, "decoder": files[0].name, "other": files[1].name}
    # safetensors know no sharing: every name has its bytes.
    write_sharded(tmp_path, tensors, max_shard_size=70)
    assert json.loads((tmp_path / "model.safetensors.index.json").read_text())["metadata"] == {"total_size": 140}


def test_torch_files_hold_only_the_part_of_a_mapped_file_that_is_asked_for(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"small": np.ones(10, np.float32), "large": np.ones(10**5)})
    mapped = torch_tensors([tmp_path / "model.safetensors"])
    small = mapped["small"]
    write_torch_bin(tmp_path / "mapped.bin", {"small": small, "again": small})
    write_torch_bin(tmp_path / "own.bin", dict.fromkeys(("small", "again"), torch.ones(10)))
    assert (tmp_path / "mapped.bin").read_bytes() == (tmp_path / "own.bin").read_bytes()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 20), max_size=12), st.integers(1, 40))
def test_shards_hold_everything_once_and_are_no_larger_than_allowed(sizes: list[int], limit: int) -> None:
    named = {f"w{number}": size for number, size in enumerate(sizes)}
    shards = writing._fill_shards(named, limit, {name: name for name in named})
    assert [name for shard in shards for name in shard] == list(named)
    assert all(sum(named[name] for name in shard) <= limit or len(shard) == 1 for shard in shards)
    assert all(shards) or not named


def test_sizes_in_words() -> None:
    assert [parse_size(size) for size in (7, "5GB", "200 MiB", "1kb")] == [7, 5 * 10**9, 200 * 2**20, 1000]
    for size in ("5", "five GB", "-1GB", "0KB", 0, "1.5GB"):
        with pytest.raises(CheckpointError, match="max_shard_size"):
            parse_size(size)
