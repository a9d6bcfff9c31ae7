"""Which files of a directory hold the weights, and which files of a checkpoint are fetched at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

from albert_export.checkpoints import h5_file, msgpack_file
from albert_export.checkpoints.checkpoint import WeightFormat
from albert_export.checkpoints.safetensors_file import read_headers
from albert_export.checkpoints.tensor_bundle import shard_paths
from albert_export.checkpoints.tf1_layout import read_weights
from albert_export.errors import CheckpointError

#: Single file, its index when sharded, the format; the first that is there is used. safetensors come first: they
#: are read without a pickle, and the reference prefers them too.
WEIGHT_FILES: tuple[tuple[str, str, WeightFormat], ...] = (
    ("model.safetensors", "model.safetensors.index.json", "safetensors"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", "torch"),
    ("tf_model.h5", "tf_model.h5.index.json", "h5"),
    ("flax_model.msgpack", "flax_model.msgpack.index.json", "msgpack"),
)
#: Files beside the weights, each of which may be absent.
TOKENIZER_FILES = (
    "spiece.model",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.txt",
)
#: Google's checkpoints of TensorFlow 1: an index with any prefix, in directories only.
BUNDLE_NAME = "model.ckpt-*.index"
#: Weights in formats that are not read here, with what they are.
OTHER_FORMATS = {
    "model.ckpt.index": "a TensorFlow 1 checkpoint",  # of a hub repository: directories are looked into
}


@dataclass(frozen=True)
class Weights:
    """The weight files of one checkpoint.

    Attributes:
        format: ``safetensors``, ``torch``, ``h5``, ``msgpack`` or ``tf1``.
        files: The file, or the shards sorted by name; for ``tf1`` the index, then its shards.
        placed: Name of a weight -> its shard, where an index says so; None for a single file.
    """

    format: WeightFormat
    files: tuple[Path, ...]
    placed: dict[str, str] | None


def find_weights(
    get: Callable[[str], Path | None],
    *,
    place: str,
    seen: Callable[[], str],
    formats: Sequence[WeightFormat] | None = None,
    find_index: Callable[[], Path | None] = lambda: None,
) -> Weights:
    """Find the weight files of a checkpoint.

    Args:
        get: Returns the path of a file of that name, or None when the checkpoint has none; it may fetch the file.
        place: What to call the checkpoint in errors.
        seen: Tells what is there instead, when there are no weights.
        formats: Formats to look for, the preferred ones first; by default all, in the order of the table, and then
            ``tf1``.
        find_index: Returns the index of a ``tf1`` checkpoint, or None.

    Raises:
        CheckpointError: No weights, a malformed index, or a shard that is missing.
    """
    rows = [row for wanted in formats for row in WEIGHT_FILES if row[2] == wanted] if formats else WEIGHT_FILES
    for single, index, weight_format in rows:
        path = get(single)
        if path is not None:
            return Weights(weight_format, (path,), None)
        index_path = get(index)
        if index_path is None:
            continue
        placed = read_index(index_path)
        files = []
        for shard in sorted(set(placed.values())):
            path = get(shard)
            if path is None:
                raise CheckpointError(
                    f"every shard named in {index} must be there",
                    received=f"{place} without {shard}",
                    fix="fetch the missing file",
                )
            files.append(path)
        return Weights(weight_format, tuple(files), placed)
    bundles = formats is None or "tf1" in formats
    index_path = find_index() if bundles else None
    if index_path is not None:
        return Weights("tf1", (index_path, *shard_paths(index_path)), None)
    names = ", ".join([name for row in rows for name in row[:2]] + [BUNDLE_NAME] * bundles)
    raise CheckpointError(f"a checkpoint must have one of {names}", received=f"{place} with {seen()}")


def read_index(path: Path) -> dict[str, str]:
    """Return name of a weight -> name of its shard, from the index of a sharded checkpoint.

    Raises:
        CheckpointError: The index is malformed, or a shard would lie outside the directory.
    """
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} must be JSON", received=str(error), fix="fetch the file again") from error
    placed = index.get("weight_map") if isinstance(index, dict) else None
    if (
        not isinstance(placed, dict)
        or not placed
        or not all(isinstance(item, str) for pair in placed.items() for item in pair)
    ):
        raise CheckpointError(f"{path.name} must have a weight_map from names of weights to files")
    for shard in sorted(set(placed.values())):
        if shard in ("", ".", "..") or PurePosixPath(shard).name != shard or PureWindowsPath(shard).name != shard:
            raise CheckpointError(f"{path.name} must name files in its own directory", received=shard)
    return placed


def check_headers(weights: Weights) -> None:
    """Check the headers of files that have one, and that each shard holds what the index says.

    Raises:
        CheckpointError: A file is truncated or malformed, or disagrees with the index.
        MissingDependencyError: The files are h5 files, and h5py is not installed.
    """
    if weights.format == "torch":
        return
    if weights.format == "tf1":
        read_weights(weights.files[0])
        return
    if weights.format == "msgpack":
        held = {name: entry.path.name for name, entry in msgpack_file.read_entries(weights.files).items()}
        placed = weights.placed or {}
    elif weights.format == "h5":
        held = {name: entry.path.name for name, entry in h5_file.read_entries(weights.files).items()}
        placed = {name.partition("/")[2]: shard for name, shard in (weights.placed or {}).items()}
    else:
        held = {name: entry.path.name for name, entry in read_headers(weights.files).items()}
        placed = weights.placed or {}
    for name, shard in placed.items():
        if held.get(name) != shard:
            raise CheckpointError(
                "every shard must hold the weights that its index places there",
                received=f"{shard} without {name}",
                fix="save or fetch the checkpoint again",
            )
