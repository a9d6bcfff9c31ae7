"""flax_model.msgpack: read as the reference writes it, written as flax writes it, refused when it is anything else."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path
from typing import Any

import msgpack
import numpy as np
import pytest
import torch
from flax import serialization
from flax.traverse_util import flatten_dict, unflatten_dict
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export import AlbertConfig, AlbertForMaskedLM
from albert_export.checkpoints import msgpack_writing, open_checkpoint, read_msgpack, write_msgpack
from albert_export.checkpoints.flax_layout import flax_path, is_flax, is_transposed, torch_name
from albert_export.checkpoints.names import ROWS, parameters
from albert_export.errors import CheckpointError, WeightsMismatchError
from albert_export.tasks import TASKS, Task, get_task
from tests.checkpoints.tiny import tiny_config, tiny_tensors, write_tiny
from tests.golden.seeded_weights import TINY, seeded_weight

GOLDEN = Path(__file__).parent.parent / "golden"
QUERY = "albert.encoder.albert_layer_groups.0.albert_layers.0.attention.query.weight"
SIX = {"num_hidden_layers": 6, "num_hidden_groups": 2, "inner_group_num": 2}


def written(directory: Path, task: str = "fill-mask", **changes: Any) -> tuple[Path, dict[str, np.ndarray]]:
    config = tiny_config(**changes)
    tensors = tiny_tensors(config, task)
    directory.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(directory)
    path = directory / "flax_model.msgpack"
    write_msgpack(path, tensors, config=config, architecture=get_task(task).flax_class)
    return path, tensors


def tree_of(tensors: dict[str, np.ndarray], task: Task) -> dict[str, Any]:
    """The parameters of a Flax model, keys sorted."""
    bare = "albert." if task.name == "feature-extraction" else ""
    named = {name.removeprefix(bare): array for name, array in tensors.items()}
    flat = {str(flax_path(name)): array.T if is_transposed(name) else array for name, array in named.items()}
    tree: dict[str, Any] = unflatten_dict(dict(sorted(flat.items())), sep="/")
    return in_order(tree)


def in_order(tree: dict[str, Any]) -> dict[str, Any]:
    return {
        key: in_order(value) if isinstance(value, dict) else np.ascontiguousarray(value)
        for key, value in sorted(tree.items())
    }


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        read_msgpack(path)
    assert "\n" not in str(error.value)
    assert str(path.parent) not in str(error.value)
    return str(error.value)


def seeded(task: str, config: dict[str, Any]) -> dict[str, np.ndarray]:
    bare = "albert." if task == "feature-extraction" else ""
    shapes = parameters(AlbertConfig(**config), get_task(task))
    named = {name.removeprefix(bare): shape for name, shape in shapes.items()}
    return {name: seeded_weight(name, shape) for name, shape in named.items()}


# --- the reference's files


@pytest.mark.parametrize(
    ("name", "place", "task", "config"),
    [
        ("flax_model_masked_lm.msgpack.gz", "flax_model.msgpack", "fill-mask", {"tie_word_embeddings": False}),
        ("flax_model_bf16.msgpack.gz", "flax_model.msgpack", "fill-mask", {}),
        ("flax_model_groups.safetensors.gz", "model.safetensors", "feature-extraction", SIX),
    ],
)
def test_a_file_of_the_reference_holds_the_weights_it_was_given(
    name: str, place: str, task: str, config: dict[str, Any], tmp_path: Path
) -> None:
    AlbertConfig(**{**TINY, **config}).save_pretrained(tmp_path)
    (tmp_path / place).write_bytes(gzip.decompress((GOLDEN / name).read_bytes()))
    checkpoint = open_checkpoint(tmp_path)
    tensors, expected = checkpoint.numpy_tensors(), seeded(task, {**TINY, **config})
    assert list(tensors) == sorted(expected)
    assert checkpoint.shapes() == {key: value.shape for key, value in sorted(expected.items())}
    for key, value in expected.items():
        half = torch.from_numpy(value).bfloat16()
        rounded = half.float().numpy() if "bf16" in name else value
        np.testing.assert_array_equal(tensors[key], rounded, err_msg=key)
        as_torch = checkpoint.torch_tensors()[key]
        assert torch.equal(as_torch, half if "bf16" in name else torch.from_numpy(value)), key
    query = next(key for key in tensors if key.endswith("query.weight"))
    assert not np.array_equal(tensors[query], tensors[query].T)  # the twin: no kernel is its own transpose


def test_a_model_loads_it_whatever_else_is_there(tmp_path: Path) -> None:
    AlbertConfig(**TINY, tie_word_embeddings=False).save_pretrained(tmp_path)
    golden = gzip.decompress((GOLDEN / "flax_model_masked_lm.msgpack.gz").read_bytes())
    (tmp_path / "flax_model.msgpack").write_bytes(golden)
    expected = seeded("fill-mask", {**TINY, "tie_word_embeddings": False})
    model = AlbertForMaskedLM.from_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        model.predictions.bias.add_(1)
    model.save_pretrained(tmp_path)
    for arguments, offset in (({}, 1), ({"from_flax": True}, 0)):
        loaded = AlbertForMaskedLM.from_pretrained(tmp_path, **arguments)
        np.testing.assert_array_equal(
            loaded.predictions.bias.detach().numpy(), expected["predictions.bias"] + np.float32(offset)
        )


# --- flax's files


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_bytes_are_those_that_flax_writes(task: Task, dtype: str, tmp_path: Path) -> None:
    config = tiny_config(num_hidden_groups=2, inner_group_num=2, tie_word_embeddings=False)
    tensors = {name: array.astype(dtype) for name, array in tiny_tensors(config, task.name).items()}
    path = tmp_path / "flax_model.msgpack"
    write_msgpack(path, tensors, config=config, architecture=task.torch_class)
    assert path.read_bytes() == serialization.to_bytes(tree_of(tensors, task))
    tensors[next(iter(tensors))] = tensors[next(iter(tensors))] + 1
    assert path.read_bytes() != serialization.to_bytes(tree_of(tensors, task))


def test_many_groups_and_long_shapes_are_told_as_flax_tells_them(tmp_path: Path) -> None:
    changes = {"num_hidden_layers": 20, "num_hidden_groups": 20, "vocab_size": 70000, "max_position_embeddings": 300}
    path, tensors = written(tmp_path, "feature-extraction", **changes)
    assert path.read_bytes() == serialization.to_bytes(tree_of(tensors, get_task("feature-extraction")))
    assert {key: value.shape for key, value in read_msgpack(path).items()} == {
        key.removeprefix("albert."): value.shape for key, value in tensors.items()
    }


def test_arrays_in_parts_are_those_of_flax(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(msgpack_writing, "MAX_CHUNK_BYTES", 100)
    monkeypatch.setattr(serialization, "MAX_CHUNK_SIZE", 100)
    path, tensors = written(tmp_path)
    assert b"__msgpack_chunked_array__" in path.read_bytes()
    assert path.read_bytes() == serialization.to_bytes(tree_of(tensors, get_task("fill-mask")))
    found = read_msgpack(path)
    assert all(np.array_equal(found[name], array) for name, array in tensors.items())
    assert open_checkpoint(tmp_path).shapes() == {name: array.shape for name, array in sorted(tensors.items())}


def test_bfloat16_keeps_its_bits(tmp_path: Path) -> None:
    config = tiny_config()
    bits = {name: (array.view("<u4") >> 16).astype("<u2") for name, array in tiny_tensors(config).items()}
    path = tmp_path / "flax_model.msgpack"
    write_msgpack(path, bits, config=config, architecture="AlbertForQuestionAnswering")
    assert all(np.array_equal(array, bits[name]) for name, array in read_msgpack(path, raw=True).items())
    restored = flatten_dict(serialization.msgpack_restore(path.read_bytes()), sep="/")
    assert {array.dtype.name for array in restored.values()} == {"bfloat16"}
    wide = read_msgpack(path)[QUERY]
    assert wide.dtype == np.float32
    np.testing.assert_array_equal(wide, (bits[QUERY].astype("<u4") << 16).view("<f4"))


# --- shards, names, arguments


def test_shards_are_read_by_their_index(tmp_path: Path) -> None:
    config = tiny_config()
    tensors = tiny_tensors(config)
    config.save_pretrained(tmp_path)
    flat = flatten_dict(tree_of(tensors, get_task("qa")), sep="/")
    shards = {
        "flax_model-00001-of-00002.msgpack": sorted(flat)[:9],
        "flax_model-00002-of-00002.msgpack": sorted(flat)[9:],
    }
    for shard, names in shards.items():
        tree = unflatten_dict({name: flat[name] for name in names}, sep="/")
        (tmp_path / shard).write_bytes(serialization.to_bytes(tree))
    placed = {name: shard for shard, names in shards.items() for name in names}
    index = tmp_path / "flax_model.msgpack.index.json"
    index.write_text(f'{{"weight_map": {placed}}}'.replace("'", '"'), encoding="utf-8")
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.weight_format == "msgpack"
    assert all(np.array_equal(array, tensors[name]) for name, array in checkpoint.numpy_tensors().items())
    (tmp_path / "flax_model-00002-of-00002.msgpack").write_bytes(
        (tmp_path / "flax_model-00001-of-00002.msgpack").read_bytes()
    )
    with pytest.raises(CheckpointError, match="a weight may be in one shard only"):
        open_checkpoint(tmp_path)


def test_every_name_of_the_table_is_found_by_its_path() -> None:
    for row in ROWS:
        name = row.name.format(group=3, layer=12)
        for known in (name, *([name.removeprefix("albert.")] if name.startswith("albert.") else [])):
            path = flax_path(known)
            assert path is not None
            assert torch_name(path) == torch_name(path.replace("/", ".")) == known
    assert flax_path("albert.embeddings.position_ids") is None
    assert torch_name("vit/embeddings/kernel") == "vit.embeddings.kernel"
    assert is_flax(["albert.pooler.kernel"])
    assert not is_flax(["albert.pooler.weight", "albert.pooler.bias", "vit.kernel"])


def test_other_formats_come_first_unless_it_is_asked_for(tmp_path: Path) -> None:
    written(tmp_path, "question-answering")
    assert open_checkpoint(tmp_path).weight_format == "msgpack"
    write_tiny(tmp_path)
    assert open_checkpoint(tmp_path).weight_format == "safetensors"
    assert open_checkpoint(tmp_path, formats=["msgpack", "torch"]).weight_format == "msgpack"


def test_it_is_read_without_jax_flax_and_msgpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, tensors = written(tmp_path)
    for name in ("jax", "flax", "msgpack"):
        monkeypatch.setitem(sys.modules, name, None)
    assert np.array_equal(read_msgpack(path)[QUERY], tensors[QUERY])


def test_other_weights_than_the_models_are_not_written(tmp_path: Path) -> None:
    config = tiny_config()
    tensors = tiny_tensors(config)
    path = tmp_path / "flax_model.msgpack"
    with pytest.raises(CheckpointError, match="one of the seven classes"):
        write_msgpack(path, tensors, config=config, architecture="AlbertForEverything")
    with pytest.raises(WeightsMismatchError, match=r"missing: \[albert.pooler.bias.*unexpected: \[qa_outputs.bias"):
        write_msgpack(path, tensors, config=config, architecture="AlbertForSequenceClassification")
    with pytest.raises(WeightsMismatchError, match=r"qa_outputs.bias: \[3\] against \[2\]"):
        write_msgpack(
            path,
            {**tensors, "qa_outputs.bias": np.zeros(3, "f4")},
            config=config,
            architecture="AlbertForQuestionAnswering",
        )
    with pytest.raises(CheckpointError, match="must know the dtype"):
        write_msgpack(
            path,
            {**tensors, "qa_outputs.bias": np.zeros(2, "c8")},
            config=config,
            architecture="AlbertForQuestionAnswering",
        )
    assert list(tmp_path.iterdir()) == []


def test_tied_copies_are_written_once(tmp_path: Path) -> None:
    path, tensors = written(tmp_path)
    copies = {
        **tensors,
        "predictions.decoder.bias": tensors["predictions.bias"],
        "predictions.decoder.weight": tensors["albert.embeddings.word_embeddings.weight"],
    }
    write_msgpack(tmp_path / "again", copies, config=tiny_config(), architecture="AlbertForMaskedLM")
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


# --- damage


def test_every_truncation_is_told_in_one_line(tmp_path: Path) -> None:
    path, _ = written(tmp_path, num_hidden_layers=1, vocab_size=5)
    whole = path.read_bytes()
    for end in sorted({*range(0, 300), *range(300, len(whole), 97), len(whole) - 1}):
        path.write_bytes(whole[:end])
        assert "must be a whole msgpack file of weights" in refused(path), end
    path.write_bytes(whole + b"\0")
    assert "1 bytes after its end" in refused(path)
    path.write_bytes(whole)
    assert len(read_msgpack(path)) > 20


def whole_file() -> bytes:
    config = tiny_config(num_hidden_layers=1, vocab_size=5, hidden_size=4, intermediate_size=4, embedding_size=4)
    whole: bytes = serialization.to_bytes(tree_of(tiny_tensors(config, "fill-mask"), get_task("fill-mask")))
    return whole


WHOLE = whole_file()


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_damaged_byte_never_reads_outside_or_crashes(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int
) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] ^= change
    path = tmp_path_factory.getbasetemp() / "damaged.msgpack"
    path.write_bytes(bytes(damaged))
    try:
        tensors = read_msgpack(path)
    except CheckpointError:
        return
    # What is accepted, flax accepts as well, with the same contents.
    restored = flatten_dict(serialization.msgpack_restore(bytes(damaged)), sep="/")
    expected = {torch_name(name): value.T if name.endswith("/kernel") else value for name, value in restored.items()}
    assert sorted(tensors) == sorted(expected)
    for name in tensors:
        if not name.endswith(".kernel"):  # a name that is no longer ALBERT's
            np.testing.assert_array_equal(tensors[name], expected[name])


def array(shape: tuple[int, ...], dtype: str, data: bytes) -> msgpack.ExtType:
    return msgpack.ExtType(1, msgpack.packb((shape, dtype, data)))


@pytest.mark.parametrize(
    ("tree", "told"),
    [
        (b"", "a file of 0 bytes"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"\x80\x04\x95pickle", "bytes after its end"),
        ([1, 2], "no map of weights"),
        (array((1,), "float32", b"1234"), "no map of weights"),
        ({"a": 1}, "something else for a"),
        ({"a": "text"}, "something else for a"),
        ({"a": msgpack.ExtType(2, b"1234")}, "something else for a"),
        ({"a": msgpack.ExtType(1, b"1234")}, "no shape, dtype and bytes"),
        ({"a": array((2,), "float32", b"1234")}, "4 bytes for a, float32 [2]"),
        ({"a": array((2**62, 4), "float32", b"")}, "0 bytes for a"),
        ({"a": array((-1,), "float32", b"1234")}, "no size at byte"),
        ({"a": array((1,) * 65, "float32", b"1234")}, "65 axes for a"),
        ({"a": array((127,) * 10**6, "float32", b"1234")}, "1000000 axes for a"),
        (
            {
                "a": {
                    "__msgpack_chunked_array__": True,
                    "shape": {str(axis): 127 for axis in range(10**5)},
                    "chunks": {"0": array((1,), "int8", b"1")},
                }
            },
            "100000 axes for a",
        ),
        ({"a": array((1,), "object", b"12345678")}, "'object' for a"),
        ({"a": array((1,), "float32", b"1234"), "": array((1,), "float32", b"1234")}, "no name of its own"),
        ({"a/b": array((1,), "float32", b"1234")}, "no name of its own"),
        ({1: array((1,), "float32", b"1234")}, "no text at byte"),
        (b"\xdf\xff\xff\xff\xff\xa1a", "more were due"),
        (b"\x82\xa1a\x80\xa1a\x80", "no name of its own"),
        (b"\x81\xa2\xff\xff", "no text at byte"),
        ({"a": {"__msgpack_chunked_array__": True, "shape": {"0": 2}, "chunks": {}}}, "0 bytes in 0 parts"),
        ({"a": {"__msgpack_chunked_array__": True, "shape": {"1": 2}, "chunks": {}}}, "no part 0 of a"),
        ({"a": {"__msgpack_chunked_array__": False, "shape": {}, "chunks": {}}}, "no shape of a"),
        ({"a": {"__msgpack_chunked_array__": True, "shape": {"0": 2}, "parts": {}}}, "no parts of a"),
        (
            {"a": {"__msgpack_chunked_array__": True, "shape": {"0": 3}, "chunks": {"0": array((1,), "int8", b"1")}}},
            "1 bytes in 1 parts for a, [3]",
        ),
    ],
)
def test_what_is_no_file_of_weights_is_told_in_one_line(tree: Any, told: str, tmp_path: Path) -> None:
    path = tmp_path / "flax_model.msgpack"
    path.write_bytes(tree if isinstance(tree, bytes) else msgpack.packb(tree))
    assert told in refused(path)


def test_maps_without_end_are_told(tmp_path: Path) -> None:
    path = tmp_path / "flax_model.msgpack"
    path.write_bytes(b"\x81\xa1a" * 100_000)
    assert "maps more than 32 deep" in refused(path)


def test_weights_of_another_model_are_told_by_name(tmp_path: Path) -> None:
    path, _ = written(tmp_path)
    tree = serialization.msgpack_restore(path.read_bytes())
    path.write_bytes(serialization.to_bytes({"bert": tree["albert"], **tree}))
    with pytest.raises(WeightsMismatchError, match=r"unexpected: \[bert.embeddings"):
        AlbertForMaskedLM.from_pretrained(tmp_path)
