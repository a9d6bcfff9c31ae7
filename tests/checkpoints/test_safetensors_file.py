from __future__ import annotations

import json
import os
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hn
from safetensors.numpy import load as reference_load
from safetensors.numpy import save as reference_save
from safetensors.torch import save as reference_save_torch

from albert_export.checkpoints.safetensors_file import numpy_tensors, read_header, read_headers, torch_tensors
from albert_export.checkpoints.writing import safetensors_bytes, write_safetensors
from albert_export.errors import CheckpointError

DTYPES = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")


def arrays() -> st.SearchStrategy[np.ndarray]:
    shapes = hn.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
    return st.sampled_from(DTYPES).flatmap(lambda dtype: hn.arrays(dtype, shapes))


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.text(min_size=1, max_size=8).filter(lambda name: name != "__metadata__"), arrays(), max_size=6)
)
def test_bytes_are_those_of_the_reference_and_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, tensors: dict[str, np.ndarray]
) -> None:
    written = safetensors_bytes(tensors)
    assert written == reference_save(tensors, metadata={"format": "pt"})
    path = tmp_path_factory.mktemp("written") / "model.safetensors"
    path.write_bytes(written)
    read = numpy_tensors([path])
    assert sorted(read) == sorted(tensors)
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        assert read[name].shape == tensor.shape
        np.testing.assert_array_equal(read[name], tensor)
        assert not read[name].flags.writeable


def test_torch_tensors_of_any_layout(tmp_path: Path) -> None:
    tensors = {
        "transposed": torch.arange(6.0).reshape(2, 3).T,
        "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "brain": torch.tensor([[1.5, -3.25]], dtype=torch.bfloat16),
        "scalar": torch.tensor(3, dtype=torch.int64),
        "flags": torch.tensor([True, False]),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    contiguous = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    assert safetensors_bytes(tensors) == reference_save_torch(contiguous, metadata={"format": "pt"})
    write_safetensors(tmp_path / "model.safetensors", tensors)
    read = torch_tensors([tmp_path / "model.safetensors"])
    for name, tensor in contiguous.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


def test_any_place_in_the_file_will_do(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    flag, number = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}, {**ONE, "data_offsets": [1, 5]}
    path.write_bytes(file_of({"flag": flag, "number": number}, b"\1" + struct.pack("<f", 1.5)))
    assert torch_tensors([path])["number"].tolist() == numpy_tensors([path])["number"].tolist() == [1.5]


def test_nothing_but_the_weights_of_a_file_is_looked_at(tmp_path: Path) -> None:
    """The metadata of a file are its writer's affair, even where they break the format."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(file_of({"__metadata__": {"steps": 3}, "a": ONE}, struct.pack("<f", 1.5)))
    assert torch_tensors([path])["a"].tolist() == numpy_tensors([path])["a"].tolist() == [1.5]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no file names but text")
def test_a_directory_whose_name_is_no_text(tmp_path: Path) -> None:
    directory = Path(os.fsdecode(os.fsencode(tmp_path) + b"/od\xffd"))
    directory.mkdir()
    write_safetensors(directory / "model.safetensors", {"a": np.ones(2, np.float32)})
    assert torch_tensors([directory / "model.safetensors"])["a"].tolist() == [1, 1]


def test_bfloat16_becomes_float32_exactly(tmp_path: Path) -> None:
    bits = torch.arange(0, 2**16, dtype=torch.int32).to(torch.int16)
    brain = bits.view(torch.bfloat16)
    brain = brain[torch.isfinite(brain)]
    write_safetensors(tmp_path / "model.safetensors", {"brain": brain})
    read = numpy_tensors([tmp_path / "model.safetensors"])["brain"]
    assert read.dtype == np.float32
    np.testing.assert_array_equal(read, brain.float().numpy())


def test_writing_into_a_tensor_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    write_safetensors(path, {"weight": np.ones(4, np.float32)})
    before = path.read_bytes()
    torch_tensors([path])["weight"].zero_()
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match="read-only"):
        numpy_tensors([path])["weight"][:] = 0


def test_tensors_are_mapped_and_not_read(tmp_path: Path) -> None:
    """Half a gigabyte of weights is opened, and one row of it used, in a few megabytes of memory."""
    import psutil

    path = tmp_path / "model.safetensors"
    size = 512 << 20
    header = json.dumps({"weight": {"dtype": "F32", "shape": [size // 4096, 1024], "data_offsets": [0, size]}}).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)  # a hole: takes no room on the disk
    process = psutil.Process()
    numpy_tensors([path])
    before = process.memory_info().rss
    by_numpy = numpy_tensors([path])["weight"]
    by_torch = torch_tensors([path])["weight"]
    assert float(by_numpy[7].sum()) == float(by_torch[7].sum()) == 0.0
    assert process.memory_info().rss - before < 64 << 20


def file_of(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


ONE = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
WHOLE = safetensors_bytes({"a": np.ones((3, 5), np.float32), "b": np.zeros(7, np.float16)})
MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "seven bytes": b"\1" * 7,
    "header longer than the file": struct.pack("<Q", 100) + b"{}",
    "header of absurd length": struct.pack("<Q", 2**63) + b"{}",
    "no JSON": file_of(b"not json"),
    "no UTF-8": file_of(b'{"\xff": 1}'),
    "deep JSON": file_of(b"[" * 200_000),
    "no object": file_of([1]),
    "entry is no object": file_of({"a": 1}),
    "entry lacks a field": file_of({"a": {"dtype": "F32", "shape": [1]}}, b"0000"),
    "dtype is no text": file_of({"a": {**ONE, "dtype": ["F32"]}}, b"0000"),
    "unknown dtype": file_of({"a": {**ONE, "dtype": "F8_E4M3"}}, b"0000"),
    "negative size": file_of({"a": {**ONE, "shape": [-1]}}, b"0000"),
    "boolean size": file_of({"a": {**ONE, "shape": [True]}}, b"0000"),
    "size that is no number": file_of({"a": {**ONE, "shape": ["1"]}}, b"0000"),
    "more axes than numpy has": file_of({"a": {**ONE, "shape": [1] * 65}}, b"0000"),
    "axes without end": file_of({"a": {**ONE, "shape": [127] * 10**6}}, b"0000"),
    "huge size": file_of({"a": {**ONE, "shape": [2**62, 2**62]}}, b"0000"),
    "three offsets": file_of({"a": {**ONE, "data_offsets": [0, 2, 4]}}, b"0000"),
    "offsets backwards": file_of({"a": {**ONE, "data_offsets": [4, 0]}}, b"0000"),
    "offsets outside": file_of({"a": {**ONE, "data_offsets": [4, 8]}}, b"0000"),
    "shape and offsets disagree": file_of({"a": {**ONE, "shape": [2]}}, b"0000"),
    "overlap": file_of({"a": ONE, "b": ONE}, b"0000"),
    "hole": file_of({"a": ONE, "b": {**ONE, "data_offsets": [8, 12]}}, b"0" * 12),
    "bytes left over": file_of({"a": ONE}, b"00000"),
    "name twice": file_of(b'{"a":%s,"a":%s}' % ((json.dumps(ONE).encode(),) * 2), b"0000"),
    "truncated data": WHOLE[:-1],
    "truncated header": WHOLE[:40],
    "git-lfs pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:1234\nsize 44\n",
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_files_are_told_in_one_line(case: str, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(MALFORMED[case])
    for read in (read_header, lambda path: numpy_tensors([path]), lambda path: torch_tensors([path])):
        with pytest.raises(CheckpointError) as error:
            read(path)
        assert "model.safetensors" in str(error.value)
        assert "\n" not in str(error.value)
        assert str(tmp_path) not in str(error.value)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(WHOLE)))
def test_no_truncation_goes_unnoticed(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.safetensors"
    path.write_bytes(WHOLE[:length])
    if length == len(WHOLE):
        assert sorted(read_header(path)) == ["a", "b"]
    else:
        with pytest.raises(CheckpointError):
            read_header(path)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_a_damaged_byte_never_reads_outside_or_crashes(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: int
) -> None:
    damaged = bytearray(WHOLE)
    damaged[place] ^= change
    path = tmp_path_factory.getbasetemp() / "damaged.safetensors"
    path.write_bytes(bytes(damaged))
    try:
        tensors = numpy_tensors([path])
    except CheckpointError:
        return
    # What is accepted, the reference accepts as well, with the same contents.
    expected = reference_load(bytes(damaged))
    assert sorted(tensors) == sorted(expected)
    for name in tensors:
        np.testing.assert_array_equal(tensors[name], expected[name])


def test_a_name_in_two_shards(tmp_path: Path) -> None:
    for name in ("one.safetensors", "two.safetensors"):
        write_safetensors(tmp_path / name, {"weight": np.ones(1, np.float32)})
    with pytest.raises(CheckpointError, match=r"weight in one\.safetensors and two\.safetensors"):
        read_headers([tmp_path / "one.safetensors", tmp_path / "two.safetensors"])


def test_missing_name_is_a_key_error(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model.safetensors", {"weight": np.ones(1, np.float32)})
    tensors = numpy_tensors([tmp_path / "model.safetensors"])
    assert "bias" not in tensors
    with pytest.raises(KeyError):
        tensors["bias"]
