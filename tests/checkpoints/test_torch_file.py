from __future__ import annotations

import io
import pickle  # noqa: TID251 -- makes the files that must be refused
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.checkpoints import open_checkpoint
from albert_export.checkpoints.torch_file import load_torch_files
from albert_export.checkpoints.writing import write_torch_bin
from albert_export.errors import CheckpointError
from tests.checkpoints.tiny import tiny_config, tiny_tensors

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}
MARK = "executed.txt"


class Code:
    """Unpickling it creates a file: the sign that code was run."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.directory / MARK,)


def zipped_pickle(contents: bytes) -> bytes:
    """A file of torch's zip form around any pickle."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", contents)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/byteorder", "little")
    return buffer.getvalue()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_both_forms_are_read(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save(OrderedDict(TENSORS), path, _use_new_zipfile_serialization=zipped)
    loaded = load_torch_files([path])
    assert list(loaded) == ["a", "b"]
    for name, tensor in TENSORS.items():
        assert torch.equal(loaded[name], tensor)


def test_tensors_of_the_zip_form_are_mapped(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save(TENSORS, path)
    loaded = load_torch_files([path])
    path.write_bytes(
        path.read_bytes().replace(torch.ones(1).numpy().tobytes(), torch.full((1,), 9.0).numpy().tobytes())
    )
    assert loaded["a"][0, 1] == 9.0  # a copy would still say 1
    loaded["a"].zero_()
    assert load_torch_files([path])["a"][0, 1] == 9.0  # the mapping is private


@pytest.mark.parametrize("form", ["zip", "legacy", "bare pickle"])
@pytest.mark.parametrize("place", ["value", "beside tensors", "key"])
def test_code_is_never_run(tmp_path: Path, form: str, place: str) -> None:
    code: Any = Code(tmp_path)
    contents = {"value": code, "beside tensors": {**TENSORS, "c": code}, "key": {"a": [code]}}[place]
    path = tmp_path / "pytorch_model.bin"
    if form == "bare pickle":
        path.write_bytes(pickle.dumps(contents, protocol=2))
    else:
        torch.save(contents, path, _use_new_zipfile_serialization=form == "zip")
    with pytest.raises(CheckpointError) as error:
        load_torch_files([path])
    assert not (tmp_path / MARK).exists()
    assert "unsafe and was not run" in str(error.value)
    assert "model.safetensors" in str(error.value)
    assert "\n" not in str(error.value)
    # The tester itself: an unpickler that trusts the file does run the code.
    if form == "bare pickle":
        pickle.loads(path.read_bytes())
        assert (tmp_path / MARK).exists()


@pytest.mark.parametrize(
    "pickled",
    [b"cos\nsystem\n(S'echo'\ntR.", b"\x80\x02cbuiltins\neval\nX\x01\x00\x00\x001\x85R.", b"(i__main__\nCode\n."],
    ids=["os.system", "eval", "inst"],
)
def test_hand_made_pickles_are_refused(tmp_path: Path, pickled: bytes) -> None:
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(zipped_pickle(pickled))
    with pytest.raises(CheckpointError, match="unsafe and was not run"):
        load_torch_files([path])


def damaged_files() -> dict[str, bytes]:
    zipped, legacy = io.BytesIO(), io.BytesIO()
    torch.save(TENSORS, zipped)
    torch.save(TENSORS, legacy, _use_new_zipfile_serialization=False)
    whole, old = zipped.getvalue(), legacy.getvalue()
    cuts = {f"zip cut at {part}/8": whole[: len(whole) * part // 8] for part in range(8)}
    old_cuts = {f"legacy cut at {part}/8": old[: len(old) * part // 8] for part in range(1, 8)}
    return {
        **cuts,
        **old_cuts,
        "text": b"<html>not found</html>",
        "zeros": bytes(4096),
        "zip of something else": zipped_pickle(b"")[:-22] + b"PK",
        "empty pickle": zipped_pickle(b""),
        "git-lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 2\n",
        "missing storage": _without_storage(whole),
    }


def _without_storage(whole: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(whole)) as source, zipfile.ZipFile(out, "w") as target:
        for item in source.namelist():
            if not item.endswith("data/0"):
                target.writestr(item, source.read(item))
    return out.getvalue()


@pytest.mark.parametrize("case", damaged_files())
def test_damaged_files_are_told_in_one_line(tmp_path: Path, case: str) -> None:
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(damaged_files()[case])
    with pytest.raises(CheckpointError) as error:
        load_torch_files([path])
    assert "pytorch_model.bin" in str(error.value)
    assert "\n" not in str(error.value)
    assert "unsafe" not in str(error.value)
    assert "weights_only" not in str(error.value)  # torch's advice to run the code is not passed on


@settings(max_examples=200, deadline=None)
@given(st.booleans(), st.lists(st.tuples(st.floats(0, 0.9999), st.integers(1, 255)), min_size=1, max_size=4))
def test_a_damaged_byte_is_told_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, zipped: bool, changes: list[tuple[float, int]]
) -> None:
    buffer = io.BytesIO()
    torch.save(TENSORS, buffer, _use_new_zipfile_serialization=zipped)
    damaged = bytearray(buffer.getvalue())
    for place, change in changes:
        damaged[int(place * len(damaged))] ^= change
    path = tmp_path_factory.getbasetemp() / "pytorch_model.bin"
    path.write_bytes(bytes(damaged))
    try:
        loaded = load_torch_files([path])
    except CheckpointError as error:
        assert "\n" not in str(error)
        assert "weights_only" not in str(error)
    else:
        assert all(isinstance(tensor, torch.Tensor) for tensor in loaded.values())


@pytest.mark.parametrize(
    ("contents", "told"),
    [
        ([torch.ones(1)], "list"),
        (torch.ones(1), "Tensor"),
        ({"model": {"a": torch.ones(1)}}, "'model': dict"),
        ({"a": torch.ones(1), "step": 3}, "'step': int"),
        ({1: torch.ones(1)}, "1: dense"),
        ({"a": torch.ones(2).to_sparse()}, "'a': torch.sparse_coo"),
        ({"a": torch.ones(2, device="meta")}, "'a': a tensor without data"),
    ],
    ids=["list", "tensor", "nested", "number", "number as name", "sparse", "no data"],
)
def test_only_a_state_dict_of_dense_tensors(tmp_path: Path, contents: Any, told: str) -> None:
    path = tmp_path / "pytorch_model.bin"
    torch.save(contents, path)
    with pytest.raises(CheckpointError) as error:
        load_torch_files([path])
    assert told in str(error.value)


def test_a_name_in_two_shards(tmp_path: Path) -> None:
    for name in ("one.bin", "two.bin"):
        torch.save(TENSORS, tmp_path / name)
    with pytest.raises(CheckpointError, match=r"a again in two\.bin"):
        load_torch_files([tmp_path / "one.bin", tmp_path / "two.bin"])


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="readable"):
        load_torch_files([tmp_path / "pytorch_model.bin"])


def test_checkpoint_gives_the_same_weights_to_numpy_and_torch(tmp_path: Path) -> None:
    config = tiny_config()
    config.save_pretrained(tmp_path)
    expected = tiny_tensors(config)
    tensors = {name: torch.from_numpy(tensor) for name, tensor in expected.items()}
    tensors["qa_outputs.bias"] = torch.nn.Parameter(tensors["qa_outputs.bias"])
    tensors["albert.pooler.weight"] = torch.full((2, 2), 1.5, dtype=torch.bfloat16)
    tensors["albert.embeddings.position_ids"] = torch.arange(12)[None]
    tensors["turned"] = torch.arange(6.0).reshape(2, 3).T
    write_torch_bin(tmp_path / "pytorch_model.bin", tensors)
    checkpoint = open_checkpoint(tmp_path)
    assert checkpoint.weight_format == "torch"
    by_numpy, by_torch = checkpoint.numpy_tensors(), checkpoint.torch_tensors()
    assert sorted(by_numpy) == sorted(by_torch) == sorted(tensors) == sorted(checkpoint.shapes())
    for name in tensors:
        np.testing.assert_array_equal(by_numpy[name], by_torch[name].float().numpy())
        assert by_numpy[name].shape == checkpoint.shapes()[name]
        assert not by_numpy[name].flags.writeable
    assert by_numpy["albert.pooler.weight"].dtype == np.float32
    assert by_torch["albert.pooler.weight"].dtype == torch.bfloat16


@pytest.mark.filterwarnings("error")
def test_a_plain_pickle_of_a_newer_protocol_is_refused_without_torchs_warning(tmp_path: Path) -> None:
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(pickle.dumps({"a": [1.0]}, protocol=4))
    with pytest.raises(CheckpointError, match=r"pytorch_model\.bin") as caught:
        load_torch_files([path])
    assert not isinstance(caught.value.__cause__, Warning)
