"""The reader of tensor bundles against TensorFlow's own, and against damage."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.checkpoints.crc32c import crc32c, masked_crc32c
from albert_export.checkpoints.sstable import Cursor, DamagedError, decompress_snappy, read_table
from albert_export.checkpoints.tensor_bundle import mapped, read_index, shard_paths
from albert_export.errors import CheckpointError
from tests.checkpoints.tf1 import write_bundle, write_shards

DTYPES = ("float32", "float64", "int32", "uint8", "int16", "int8", "int64", "bool", "float16")


def slow_crc32c(data: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in data:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register ^ 0xFFFFFFFF


@pytest.mark.parametrize("length", [0, 1, 3, 4, 255, 256, 257, 65535, 65536, 65537, 65539, 65540, 131075])
def test_checksums_of_every_length(length: int) -> None:
    data = np.random.default_rng(length).integers(0, 256, length, np.uint8)
    assert crc32c(data) == slow_crc32c(data.tobytes())
    if length:
        data[length // 2] ^= 1
        assert crc32c(data) != slow_crc32c((data ^ np.eye(1, length, length // 2, dtype=np.uint8)[0]).tobytes())


def test_the_checksum_that_the_standard_gives() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(b"123456789") != zlib.crc32(b"123456789")


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of every dtype that is read, with enough names for shared beginnings and restarts."""
    random = np.random.default_rng(0)
    tensors = {f"of/{dtype}": random.integers(0, 2, (3, 5)).astype(dtype) for dtype in DTYPES}
    tensors |= {f"many/names/{number}": random.standard_normal(number % 7).astype("f4") for number in range(100)}
    tensors |= {"scalar": np.float32(7), "empty": np.zeros((0, 4), "f4"), "large": random.standard_normal((300, 301))}
    path = tmp_path_factory.mktemp("bundle") / "model.ckpt-7"
    write_bundle(path, tensors)
    return path


def same(prefix: Path) -> dict[str, np.ndarray]:
    """Read a bundle, compare everything with TensorFlow's reader, and return it."""
    theirs = tf.train.load_checkpoint(str(prefix))
    entries = read_index(prefix.with_name(f"{prefix.name}.index"))
    assert {name: list(entry.shape) for name, entry in entries.items()} == theirs.get_variable_to_shape_map()
    view = mapped(entries.values(), mode="r")
    arrays = {name: view(name, entry) for name, entry in entries.items()}
    for name, array in arrays.items():
        expected = theirs.get_tensor(name)
        assert array.dtype == expected.dtype
        np.testing.assert_array_equal(array, expected)
    return arrays


def test_every_tensor_is_as_tensorflow_reads_it(prefix: Path) -> None:
    arrays = same(prefix)
    assert {str(array.dtype) for array in arrays.values()} == set(DTYPES)
    assert isinstance(arrays["large"].base, np.memmap)


def test_bfloat16_comes_as_its_bits(tmp_path: Path) -> None:
    value = tf.cast(tf.constant([1.0, -2.5, 3e38]), tf.bfloat16)
    write_bundle(tmp_path / "b", {"x": value})
    (entry,) = read_index(tmp_path / "b.index").values()
    assert entry.dtype == "BF16"
    bits = mapped([entry], mode="r")("x", entry)
    np.testing.assert_array_equal((bits.astype("u4") << 16).view("f4"), tf.cast(value, tf.float32).numpy())


def test_shards(tmp_path: Path) -> None:
    tensors = [{f"shard{shard}/{name}": np.full(4, shard, "f4") for name in "ab"} for shard in range(3)]
    write_shards(tmp_path / "model.ckpt-1", *tensors)
    assert set(same(tmp_path / "model.ckpt-1")) == {name for part in tensors for name in part}
    names = [path.name for path in shard_paths(tmp_path / "model.ckpt-1.index")]
    assert names == [f"model.ckpt-1.data-0000{shard}-of-00003" for shard in range(3)]


def test_the_saver_of_tensorflow_1(tmp_path: Path) -> None:
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.compat.v1.get_variable("bert/pooler/dense/kernel", initializer=np.arange(6, dtype="f4").reshape(2, 3))
        session.run(tf.compat.v1.global_variables_initializer())
        saved = tf.compat.v1.train.Saver().save(session, str(tmp_path / "model.ckpt"), global_step=3)
    assert list(same(Path(saved))) == ["bert/pooler/dense/kernel"]


def test_slices_and_text_are_seen_and_not_taken_for_numbers(tmp_path: Path) -> None:
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "b"),
        tensor_names=["x", "text"],
        shape_and_slices=["4 3 0,2:-", ""],
        tensors=[tf.ones((2, 3)), tf.constant(["a", "b"])],
    )
    entries = read_index(tmp_path / "b.index")
    assert {name: (entry.sliced, entry.dtype) for name, entry in entries.items()} == {
        "x": (True, "F32"),
        "text": (False, None),
    }


# --- damage


def edited(prefix: Path, place: Path, suffix: str, edit: Callable[[bytes], bytes]) -> Path:
    """Copy a bundle with one of its files edited; return the index."""
    for path in prefix.parent.glob(f"{prefix.name}.*"):
        data = path.read_bytes()
        (place / path.name).write_bytes(edit(data) if path.name.endswith(suffix) else data)
    return place / f"{prefix.name}.index"


def refused(index: Path) -> str:
    with pytest.raises(CheckpointError) as error:
        entries = read_index(index)
        view = mapped(entries.values(), mode="r")
        for name, entry in entries.items():
            view(name, entry)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (lambda data: b"", "a file of 0 bytes"),
        (lambda data: data[:40], "a file of 40 bytes"),
        (lambda data: data[:-1], "no mark at the end"),
        (lambda data: data[:100] + data[101:], "block"),
        (lambda data: data[1000:], "block"),
        (lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:], "a wrong checksum of the block at byte 0"),
        (lambda data: b"version https://git-lfs.example/spec/v1\noid sha256:0\n" + b" " * 99, "git lfs pull"),
        (lambda data: data[:-48] + b"\xff" * 40 + data[-8:], "a number of more than 64 bits"),
    ],
)
def test_a_damaged_index(prefix: Path, tmp_path: Path, edit: Callable[[bytes], bytes], told: str) -> None:
    message = refused(edited(prefix, tmp_path, ".index", edit))
    assert "model.ckpt-7.index must be the whole index of a TensorFlow checkpoint" in message
    assert told in message


def test_an_index_cut_anywhere_is_refused(prefix: Path, tmp_path: Path) -> None:
    data = prefix.with_name(f"{prefix.name}.index").read_bytes()
    for length in range(0, len(data), 97):
        (tmp_path / "b.index").write_bytes(data[:length])
        refused(tmp_path / "b.index")


def test_a_truncated_shard(prefix: Path, tmp_path: Path) -> None:
    message = refused(edited(prefix, tmp_path, "-of-00001", lambda data: data[:-8]))
    assert "model.ckpt-7.data-00000-of-00001 must hold what its index says" in message
    assert "ends at byte" in message


def test_a_changed_bit_in_a_shard(prefix: Path, tmp_path: Path) -> None:
    index = edited(prefix, tmp_path, "-of-00001", lambda data: data[:5000] + bytes([data[5000] ^ 4]) + data[5001:])
    assert "other bytes for large than its checksum tells of" in refused(index)


def test_a_missing_shard(prefix: Path, tmp_path: Path) -> None:
    index = edited(prefix, tmp_path, ".index", lambda data: data)
    (tmp_path / "model.ckpt-7.data-00000-of-00001").unlink()
    assert "no model.ckpt-7.data-00000-of-00001; fix: fetch the missing file" in refused(index)


# --- tables


def varint(number: int) -> bytes:
    head = b""
    while number > 127:
        head += bytes([number & 127 | 128])
        number >>= 7
    return head + bytes([number])


def block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A block without shared beginnings, restarting at its first key alone."""
    parts = [varint(0) + varint(len(key)) + varint(len(value)) + key + value for key, value in entries]
    return b"".join(parts) + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")


def literal(data: bytes) -> bytes:
    """Snappy without compression: every 60 bytes as they are."""
    parts = [data[start : start + 60] for start in range(0, len(data), 60)]
    return varint(len(data)) + b"".join(bytes([(len(part) - 1) << 2]) + part for part in parts)


def table(blocks: list[bytes], kind: int = 0) -> bytes:
    data, handles = b"", []
    for contents in blocks:
        handles.append((f"{len(handles):03d}".encode(), varint(len(data)) + varint(len(contents))))
        data += contents + bytes([kind]) + masked_crc32c(contents + bytes([kind])).to_bytes(4, "little")
    contents = block(handles)
    footer = varint(0) + varint(0) + varint(len(data)) + varint(len(contents))
    data += contents + b"\0" + masked_crc32c(contents + b"\0").to_bytes(4, "little")
    return data + footer.ljust(40, b"\0") + (0xDB4775248B80FB57).to_bytes(8, "little")


def test_several_blocks_plain_and_compressed() -> None:
    first, second = [(b"a", b"1"), (b"b", b"x" * 200)], [(b"c", b"")]
    blocks = [block(first), block(second)]
    assert list(read_table(table(blocks))) == first + second
    assert list(read_table(table([literal(part) for part in blocks], kind=1))) == first + second


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (table([block([(b"b", b"")]), block([(b"a", b"")])]), "keys out of order"),
        (table([block([(b"a", b"")])], kind=4), "an unknown way, 4"),
        (table([b"\1"]), "a block of 1 bytes"),
        (table([varint(1) + varint(0) + varint(0) + bytes(4) + b"\1\0\0\0"]), "shares more than there is"),
        (table([varint(0) + varint(9) + varint(9) + bytes(4) + b"\1\0\0\0"]), "9 bytes due"),
    ],
)
def test_a_table_that_is_none(data: bytes, told: str) -> None:
    with pytest.raises(DamagedError, match=told):
        list(read_table(data))


@pytest.mark.parametrize(
    ("compressed", "expected"),
    [
        (b"\x00", b""),
        (b"\x0a\x04ab\x11\x02", b"abababab" + b"ab"),  # a copy that overlaps what it writes
        (b"\x08\x0cabcd\x0e\x04\x00", b"abcdabcd"),
        (b"\x08\x0cabcd\x0f\x04\x00\x00\x00", b"abcdabcd"),
        (b"\x46\xf0\x45" + b"z" * 70, b"z" * 70),
    ],
)
def test_snappy(compressed: bytes, expected: bytes) -> None:
    assert decompress_snappy(compressed) == expected


@pytest.mark.parametrize("damaged", [b"\x08\x0cab", b"\x08\x0eab\x04\x00", b"\x09\x04ab", b"\xff\xff\xff\xff\x0f\x00"])
def test_damaged_snappy(damaged: bytes) -> None:
    with pytest.raises(DamagedError):
        decompress_snappy(damaged)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=80))
def test_no_bytes_lead_elsewhere_than_to_an_error(data: bytes) -> None:
    def tried(read: Callable[[], object]) -> None:
        try:
            read()
        except DamagedError:
            return

    tried(lambda: list(read_table(data)))
    tried(lambda: list(read_table(table([data]))))
    tried(lambda: decompress_snappy(data))
    tried(lambda: Cursor(data).varint())
