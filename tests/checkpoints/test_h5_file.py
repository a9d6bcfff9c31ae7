"""tf_model.h5: read as the reference writes it, written in the same bytes, refused when it is anything else."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from albert_export import AlbertConfig, AlbertForMaskedLM
from albert_export.checkpoints import h5_file, open_checkpoint, read_h5, write_h5
from albert_export.checkpoints.names import keras_name, name_of_keras, parameters
from albert_export.errors import CheckpointError, MissingDependencyError, WeightsMismatchError
from albert_export.tasks import TASKS
from tests.checkpoints.h5_files import SIX, WORDS, written
from tests.checkpoints.tiny import tiny_config
from tests.golden.seeded_weights import TINY, seeded_weight

GOLDEN = Path(__file__).parent.parent / "golden"
#: Files that transformers 4.37.2 wrote, of models with seeded weights: file -> class, configuration, whether bare.
REFERENCE: dict[str, tuple[str, dict[str, Any], bool]] = {
    "tf_model_masked_lm.h5.gz": ("TFAlbertForMaskedLM", TINY, False),
    "tf_model_groups.h5.gz": ("TFAlbertModel", {**TINY, **SIX}, True),
}
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
