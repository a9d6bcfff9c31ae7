"""Checkpoints whose weights are in tf_model.h5, or in shards of it."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from albert_export import AlbertModel
from albert_export.checkpoints import open_checkpoint
from albert_export.checkpoints.names import keras_name
from albert_export.errors import CheckpointError
from tests.checkpoints.h5_files import WORDS, written
from tests.checkpoints.tiny import tiny_config, tiny_tensors, write_tiny


def test_a_directory_with_nothing_else(tmp_path: Path) -> None:
    _, tensors = written(tmp_path, "feature-extraction")
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.weight_format == "h5"
    assert checkpoint.shapes() == {name: tensors[name].shape for name in sorted(tensors)}
    for name, tensor in checkpoint.torch_tensors().items():
        np.testing.assert_array_equal(tensor.numpy(), tensors[name])
    model, info = AlbertModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(tensor.numpy(), tensors[f"albert.{name}"])


def test_other_formats_come_first_unless_it_is_asked_for(tmp_path: Path) -> None:
    _, tensors = written(tmp_path, "feature-extraction")
    others = {name: value + 1 for name, value in tensors.items()}
    torch.save({name: torch.from_numpy(value) for name, value in others.items()}, tmp_path / "pytorch_model.bin")
    assert open_checkpoint(tmp_path).weight_format == "torch"
    write_tiny(tmp_path, "feature-extraction")
    assert open_checkpoint(tmp_path).weight_format == "safetensors"
    assert open_checkpoint(tmp_path, formats=["h5", "torch"]).weight_format == "h5"
    assert open_checkpoint(tmp_path, formats=["torch", "h5"]).weight_format == "torch"
    (tmp_path / "model.safetensors").unlink()
    name = "albert.pooler.weight"
    for from_tf, expected in ((True, tensors), (False, others)):
        model = AlbertModel.from_pretrained(tmp_path, from_tf=from_tf)
        np.testing.assert_array_equal(model.pooler.weight.detach().numpy(), expected[name])
    (tmp_path / "tf_model.h5").unlink()
    with pytest.raises(CheckpointError, match=r"must have one of tf_model.h5, tf_model.h5.index.json, model.ckpt"):
        AlbertModel.from_pretrained(tmp_path, from_tf=True)


def write_shards(directory: Path) -> dict[str, np.ndarray]:
    """Write what the reference's ``save_pretrained(max_shard_size=…)`` writes: its shards are flat."""
    config = tiny_config()
    config.save_pretrained(directory)
    tensors = tiny_tensors(config, "fill-mask")
    stored = {**tensors, "predictions.decoder.bias": tensors[WORDS]}
    placed: dict[str, str] = {}
    for number, names in enumerate((sorted(stored)[::2], sorted(stored)[1::2]), start=1):
        shard = f"tf_model-{number:05d}-of-00002.h5"
        with h5py.File(directory / shard, "w") as file:
            for name in names:
                value = stored[name]
                transposed = name.endswith(".weight") and (str(keras_name(name)).endswith("/kernel:0"))
                file[str(keras_name(name))] = value.T if transposed else value
                placed[f"tf_albert_for_masked_lm/{keras_name(name)}"] = shard
            file.attrs["layer_names"] = [str(keras_name(name)).encode() for name in names]
    index = {"metadata": {"total_size": 1}, "weight_map": placed}
    (directory / "tf_model.h5.index.json").write_text(json.dumps(index))
    return tensors


def test_shards(tmp_path: Path) -> None:
    tensors = write_shards(tmp_path)
    checkpoint = open_checkpoint(tmp_path)
    assert [path.name for path in checkpoint.weight_files] == [f"tf_model-0000{n}-of-00002.h5" for n in (1, 2)]
    found = checkpoint.numpy_tensors()
    assert list(found) == sorted(tensors)
    assert all(np.array_equal(found[name], value) for name, value in tensors.items())


def test_shards_that_disagree_with_their_index(tmp_path: Path) -> None:
    write_shards(tmp_path)
    shard = tmp_path / "tf_model-00002-of-00002.h5"
    with h5py.File(shard, "r+") as file:
        file.attrs["layer_names"] = file.attrs["layer_names"][1:]
    with pytest.raises(CheckpointError, match="every shard must hold the weights that its index places there"):
        open_checkpoint(tmp_path)
    shard.unlink()
    with pytest.raises(CheckpointError, match=r"without tf_model-00002-of-00002.h5"):
        open_checkpoint(tmp_path)


def test_a_weight_in_two_shards(tmp_path: Path) -> None:
    write_shards(tmp_path)
    first, second = (tmp_path / f"tf_model-0000{number}-of-00002.h5" for number in (1, 2))
    with h5py.File(first) as source, h5py.File(second, "r+") as file:
        name = source.attrs["layer_names"][0]
        file[name] = source[name][()]
        file.attrs["layer_names"] = [*file.attrs["layer_names"], name]
    with pytest.raises(CheckpointError, match="a weight may be in one shard only"):
        open_checkpoint(tmp_path)
