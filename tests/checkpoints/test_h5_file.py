"""tf_model.h5: read as the reference writes it, written as the reference reads it, refused when it is anything else."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from albert_export import AlbertConfig, AlbertForMaskedLM, AlbertModel
from albert_export.checkpoints import h5_file, h5_writing, open_checkpoint, read_h5, write_h5
from albert_export.checkpoints.names import keras_name, name_of_keras, parameters
from albert_export.errors import CheckpointError, MissingDependencyError, WeightsMismatchError
from albert_export.tasks import TASKS, get_task
from tests.checkpoints.tiny import tiny_config, tiny_tensors, write_tiny
from tests.golden.seeded_weights import TINY, seeded_weight

GOLDEN = Path(__file__).parent.parent / "golden"
SIX = {"num_hidden_layers": 6, "num_hidden_groups": 2, "inner_group_num": 2}
#: Files that transformers 4.37.2 wrote, of models with seeded weights: file -> class, configuration, whether bare.
REFERENCE: dict[str, tuple[str, dict[str, Any], bool]] = {
    "tf_model_masked_lm.h5.gz": ("TFAlbertForMaskedLM", TINY, False),
    "tf_model_groups.h5.gz": ("TFAlbertModel", {**TINY, **SIX}, True),
}
WORDS = "predictions.bias"
QUERY = "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight"
FFN = "albert.encoder.albert_layer_groups.0.albert_layers.0.ffn.weight"


def task_of(model: str) -> Any:
    return next(task for task in TASKS if task.tensorflow_class == model)


def unpacked(name: str, directory: Path) -> Path:
    path = directory / "tf_model.h5"
    path.write_bytes(gzip.decompress((GOLDEN / name).read_bytes()))
    return path


def seeded(name: str) -> dict[str, np.ndarray]:
    """The weights that a golden file holds, by canonical name; a bare model's are seeded without their prefix."""
    model, config, bare = REFERENCE[name]
    shapes = parameters(AlbertConfig(**config), task_of(model))
    return {
        name: seeded_weight(name.removeprefix("albert.") if bare else name, shape) for name, shape in shapes.items()
    }


def contents(path: Path) -> dict[str, Any]:
    """Everything in a file: attributes as lists, arrays as bytes with their dtype and shape."""
    found: dict[str, Any] = {}

    def add(name: str, node: Any) -> None:
        found[name] = {key: np.asarray(value).tolist() for key, value in node.attrs.items()}
        if isinstance(node, h5py.Dataset):
            found[name] = [node.dtype.str, node.shape, node.chunks, node[()].tobytes()]

    with h5py.File(path) as file:
        add("", file)
        file.visititems(add)
    return found


def written(directory: Path, task: str = "fill-mask", **changes: Any) -> tuple[Path, dict[str, np.ndarray]]:
    config = tiny_config(**changes)
    tensors = tiny_tensors(config, task)
    directory.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(directory)
    write_h5(directory / "tf_model.h5", tensors, config=config, architecture=get_task(task).tensorflow_class)
    return directory / "tf_model.h5", tensors


def place_of(name: str, model: str = "tf_albert_for_masked_lm") -> str:
    return f"{name.partition('.')[0]}/{model}/{keras_name(name)}"


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        read_h5(path)
    assert "\n" not in str(error.value)
    return str(error.value)


# --- the reference's files


@pytest.mark.parametrize("name", REFERENCE)
def test_a_file_of_the_reference_holds_the_weights_it_was_given(name: str, tmp_path: Path) -> None:
    tensors, expected = read_h5(unpacked(name, tmp_path)), seeded(name)
    assert list(tensors) == sorted(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(tensors[key], value, err_msg=key)
    assert not np.array_equal(tensors[QUERY], tensors[QUERY].T)  # the twin: no kernel is its own transpose


@pytest.mark.parametrize("name", REFERENCE)
def test_a_written_file_is_that_of_the_reference(name: str, tmp_path: Path) -> None:
    model, config, _ = REFERENCE[name]
    reference = contents(unpacked(name, tmp_path))
    tensors = seeded(name)
    write_h5(tmp_path / "ours.h5", tensors, config=AlbertConfig(**config), architecture=model)
    assert contents(tmp_path / "ours.h5") == reference
    tensors[FFN] = tensors[FFN] + 1
    write_h5(tmp_path / "other.h5", tensors, config=AlbertConfig(**config), architecture=model)
    assert contents(tmp_path / "other.h5") != reference


def test_a_model_loads_it_and_says_what_the_reference_says(tmp_path: Path) -> None:
    unpacked("tf_model_masked_lm.h5.gz", tmp_path)
    AlbertConfig(**TINY).save_pretrained(tmp_path)
    model = AlbertForMaskedLM.from_pretrained(tmp_path)
    with np.load(GOLDEN / "tf_models.npz") as archive:
        recorded = {name: archive[name] for name in archive.files if name.startswith("masked_lm/plain/")}
    inputs = {
        name: torch.from_numpy(recorded[f"masked_lm/plain/in/{name}"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    }
    with torch.no_grad():
        logits = model(**inputs).logits.numpy()
        ignored = model(inputs["input_ids"]).logits.numpy()
    np.testing.assert_allclose(logits, recorded["masked_lm/plain/out/logits"], rtol=2e-5, atol=1e-4)
    assert not np.allclose(ignored, recorded["masked_lm/plain/out/logits"], rtol=2e-5, atol=1e-4)


# --- names


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_names_go_there_and_back(task: Any) -> None:
    names = [*parameters(tiny_config(**SIX), task), "predictions.decoder.bias"]
    keras = [keras_name(name) for name in names]
    assert len(set(keras)) == len(names)
    assert [name_of_keras(str(name)) for name in keras] == names


@pytest.mark.parametrize(
    "name",
    [
        "",
        "kernel:0",
        "albert/pooler/gamma:0",
        "albert/pooler/kernel",
        "albert.pooler.kernel:0",
        "albert/pooler/weight:0",
        "albert/encoder/albert_layer_groups/0/albert_layers/0/ffn/kernel:0",
        "predictions/decoder/weight:0",
        "bert/pooler/dense/kernel:0",
    ],
)
def test_no_other_name_is_taken(name: str) -> None:
    assert name_of_keras(name) is None


# --- the decoder's bias


def change(path: Path, name: str, value: Any) -> None:
    with h5py.File(path, "r+") as file:
        file[place_of(name)][...] = value


def test_the_bias_is_the_one_that_the_logits_use(tmp_path: Path) -> None:
    path, tensors = written(tmp_path)
    change(path, WORDS, 7)  # which nothing in the reference reads
    np.testing.assert_array_equal(read_h5(path)[WORDS], tensors[WORDS])
    np.testing.assert_array_equal(h5_file.torch_tensors([path])[WORDS].numpy(), tensors[WORDS])


def test_a_bias_that_the_reference_lost_is_found(tmp_path: Path) -> None:
    path, tensors = written(tmp_path)
    change(path, "predictions.decoder.bias", 0)  # as after loading safetensors of a PyTorch model
    np.testing.assert_array_equal(read_h5(path)[WORDS], tensors[WORDS])
    change(path, WORDS, 0)
    assert not read_h5(path)[WORDS].any()


def test_biases_of_two_lengths_are_told_by_the_shape(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    replace(path, place_of("predictions.decoder.bias"), np.zeros(3, np.float32))
    assert read_h5(path)[WORDS].shape == (3,)
    with pytest.raises(WeightsMismatchError, match=r"predictions.bias: \[3\] against \[40\]"):
        AlbertForMaskedLM.from_pretrained(tmp_path)


# --- what is handed out


def replace(path: Path, place: str, value: np.ndarray, **options: Any) -> None:
    with h5py.File(path, "r+") as file:
        del file[place]
        file.create_dataset(place, data=value, **options)


def test_arrays_lie_over_the_file_and_cannot_be_written(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    before = path.read_bytes()
    tensors = read_h5(path)
    for name in tensors:
        base = tensors[name]
        while isinstance(base.base, np.ndarray):
            base = base.base
        assert isinstance(base, np.memmap), name
        with pytest.raises(ValueError, match="read-only"):
            tensors[name][...] = 0
    for tensor in h5_file.torch_tensors([path]).values():
        tensor.zero_()
    assert path.read_bytes() == before


def test_other_ways_to_store_an_array(tmp_path: Path) -> None:
    path, tensors = written(tmp_path)
    replace(path, place_of(FFN), tensors[FFN].T, chunks=(4, 4), compression="gzip")
    replace(path, place_of(QUERY), tensors[QUERY].T.astype(">f8"))
    pooler = place_of("predictions.dense.bias")
    replace(path, pooler, tensors["predictions.dense.bias"].astype("<f2"))
    for name, tensor in h5_file.torch_tensors([path]).items():
        array = read_h5(path)[name]
        np.testing.assert_allclose(array, tensors[name], rtol=1e-3)
        np.testing.assert_array_equal(tensor.numpy(), array)
        assert not array.flags.writeable
    assert read_h5(path)[FFN].flags.f_contiguous
    assert h5_file.torch_tensors([path])[QUERY].dtype is torch.float64
    assert h5_file.torch_tensors([path])["predictions.dense.bias"].dtype is torch.float16


def test_more_names_than_one_attribute_holds(tmp_path: Path) -> None:
    many = {"num_hidden_layers": 48, "num_hidden_groups": 24, "inner_group_num": 2}
    narrow = {"hidden_size": 4, "embedding_size": 2, "intermediate_size": 4}
    path, tensors = written(tmp_path, "feature-extraction", **many, **narrow)
    with h5py.File(path) as file:
        assert sorted(file["albert"].attrs) == ["weight_names0", "weight_names1"]
    assert list(read_h5(path)) == sorted(tensors)


def test_a_copy_of_the_embeddings_is_left_last(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    copy = f"predictions/{place_of('albert.embeddings.word_embeddings.weight').partition('/')[2]}"
    with h5py.File(path, "r+") as file:
        file[copy][...] = 5
    assert (read_h5(path)["albert.embeddings.word_embeddings.weight"] == 5).all()


# --- what is refused


@pytest.mark.parametrize("share", [0.0, 0.001, 0.1, 0.5, 0.99])
def test_a_truncated_file(share: float, tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert "tf_model.h5 must be a whole HDF5 file" in refused(path)


def damaged_attributes(file: h5py.File) -> None:
    file["albert"].attrs["weight_names"] = np.arange(3)


def no_layer_names(file: h5py.File) -> None:
    del file.attrs["layer_names"]


def no_weight(file: h5py.File) -> None:
    del file[place_of(QUERY)]


def text(file: h5py.File) -> None:
    del file[place_of(QUERY)]
    file[place_of(QUERY)] = "text"


def complex_numbers(file: h5py.File) -> None:
    del file[place_of(QUERY)]
    file[place_of(QUERY)] = np.zeros((16, 16), np.complex64)


def empty(file: h5py.File) -> None:
    del file[place_of(QUERY)]
    file[place_of(QUERY)] = h5py.Empty("f4")


def group(file: h5py.File) -> None:
    del file[place_of(QUERY)]
    file.create_group(place_of(QUERY))


def strangers(file: h5py.File) -> None:
    names = [f"tf_bert_model/bert/pooler/{number}/kernel:0" for number in range(6)]
    file["albert"].attrs["weight_names"] = [name.encode() for name in names]
    for name in names:
        file["albert"][name] = np.zeros(3, np.float32)


def soft_link(file: h5py.File) -> None:
    del file[place_of(QUERY)]
    file[place_of(QUERY)] = h5py.SoftLink("/" + place_of(FFN))


def external_link(file: h5py.File) -> None:
    del file["albert"]
    file["albert"] = h5py.ExternalLink("secret.h5", "/albert")


def external_data(file: h5py.File) -> None:
    del file[place_of(QUERY)]
    file.create_dataset(place_of(QUERY), (16, 16), "f4", external=[("secret.h5", 0, 1024)])


def virtual_data(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((16, 16), "f4")
    layout[:] = h5py.VirtualSource("secret.h5", place_of(QUERY), (16, 16))
    del file[place_of(QUERY)]
    file.create_virtual_dataset(place_of(QUERY), layout)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (damaged_attributes, "weight_names that are no text"),
        (no_layer_names, "laid out as transformers writes it; received no layer_names, but albert, predictions"),
        (no_weight, "no albert/tf_albert_for_masked_lm/albert/encoder"),
        (text, "must hold numbers; received object for"),
        (complex_numbers, "must hold numbers; received complex64 for"),
        (empty, "no array at"),
        (group, "no array at"),
        (strangers, "the names of the reference's TensorFlow ALBERT; received 6 others: bert/pooler/0/kernel:0, "),
        (soft_link, "must hold its weights itself; received a link at"),
        (external_link, "must hold its weights itself; received a link at albert;"),
        (external_data, "must hold its weights itself; received data of another file at"),
        (virtual_data, "must hold its weights itself; received data of another file at"),
    ],
)
def test_a_file_that_is_not_as_it_must_be(damage: Callable[[h5py.File], None], told: str, tmp_path: Path) -> None:
    path, tensors = written(tmp_path)
    (tmp_path / "secret.h5").write_bytes(path.read_bytes())
    with h5py.File(path, "r+") as file:
        damage(file)
    assert told in refused(path)
    with pytest.raises(CheckpointError):
        open_checkpoint(tmp_path)
    assert sorted(read_h5(tmp_path / "secret.h5")) == sorted(tensors)


@pytest.mark.parametrize("start", [b"", b"no HDF5 file at all", b"version https://git-lfs.github.com/spec/v1\noid"])
def test_another_file(start: bytes, tmp_path: Path) -> None:
    (tmp_path / "tf_model.h5").write_bytes(start)
    assert ("git lfs pull" in refused(tmp_path / "tf_model.h5")) == start.startswith(b"version")


def test_no_file(tmp_path: Path) -> None:
    assert "must be readable" in refused(tmp_path / "tf_model.h5")


def test_a_kernel_that_lies_the_other_way(tmp_path: Path) -> None:
    path, tensors = written(tmp_path)
    replace(path, place_of(FFN), tensors[FFN])
    with pytest.raises(WeightsMismatchError, match=r"ffn.weight: \[16, 24\] against \[24, 16\]"):
        AlbertForMaskedLM.from_pretrained(tmp_path)


def test_without_h5py_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, tensors = written(tmp_path)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingDependencyError, match=r"reading tf_model.h5 needs the package h5py.*\[convert\]"):
        open_checkpoint(tmp_path)
    with pytest.raises(MissingDependencyError, match=r"writing tf_model.h5 needs the package h5py.*\[convert\]"):
        write_h5(path, tensors, config=tiny_config(), architecture="TFAlbertForMaskedLM")


# --- writing


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


# --- as a checkpoint


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
