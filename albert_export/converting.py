"""Converting a checkpoint from any format that is read to any that is written: every weight, bit for bit."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albert_export._imports import require
from albert_export._progress import silent
from albert_export.bundle.filesystem import taking_place
from albert_export.checkpoints import Checkpoint, find_vocabularies, open_checkpoint
from albert_export.checkpoints.contents import Contents, contents_of
from albert_export.checkpoints.formats import FORMATS, Format, get_format
from albert_export.checkpoints.layout import TOKENIZER_FILES
from albert_export.checkpoints.raw_tensor import FLOATING_POINT, RawTensor, same_bits
from albert_export.checkpoints.writing import MAX_SHARD_BYTES, parse_size, told_plainly
from albert_export.config import AlbertConfig
from albert_export.errors import CheckpointError, InputError


@dataclass(frozen=True)
class Converted:
    """What :func:`convert` wrote.

    Attributes:
        directory: Where.
        source: What the source is called: a directory's last name, a hub id or the name of a built-in model.
        source_format: Format it was read from.
        format: Format it was written in.
        files: Names of all files, sorted.
        heads: Tasks whose weights are in it.
        weights: Number of weights, tied ones once.
        weight_bytes: Bytes of these.
        dtypes: Names of their dtypes, as PyTorch has them, sorted.
        widened: Whether weights were widened to float32, which holds each value exactly, as the format lacks theirs.
        left_out: Name in the source -> why it is no weight of its own.
    """

    directory: Path
    source: str
    source_format: str
    format: str
    files: tuple[str, ...]
    heads: tuple[str, ...]
    weights: int
    weight_bytes: int
    dtypes: tuple[str, ...]
    widened: bool
    left_out: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as JSON values."""
        return {**dataclasses.asdict(self), "directory": str(self.directory)}


def convert(
    src: str | os.PathLike[str] | None,
    dst: str | os.PathLike[str],
    *,
    to: str,
    max_shard_size: int | str | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    progress: Callable[[str], None] | None = None,
) -> Converted:
    """Write a checkpoint anew in another format: all its heads, the configuration and the tokenizer.

    Every weight keeps its bits; what was written is read back and compared before it takes its place. The directory
    is there whole or not at all.

    Args:
        src: A directory, in one the prefix of a TensorFlow 1 checkpoint, a hub id or the name of a built-in model.
        dst: Directory to write; absent or empty.
        to: ``safetensors``, ``torch`` (``pytorch_model.bin``), ``h5`` (``tf_model.h5``) or ``msgpack``
            (``flax_model.msgpack``).
        max_shard_size: Largest file of safetensors and torch, in bytes or as ``"5GB"``, which is the default.
        revision: Branch, tag or commit of a hub repository.
        cache_dir: Where downloads are kept.
        local_files_only: Never use the network.
        token: Token for private repositories.
        progress: Gets lines that tell what is being done.

    Raises:
        UnknownNameError: No format of that name.
        InputError: ``max_shard_size`` for a format without shards.
        CheckpointError: The source cannot be found or read, the directory is in use or cannot be written, or the
            format cannot hold the model.
        WeightsMismatchError: The source holds other weights or shapes than its configuration tells.
        MissingDependencyError: A package that a format needs is not installed.
    """
    say = progress or silent
    target = get_format(to)
    if max_shard_size is not None:
        if not target.sharded:
            sharded = " and ".join(other.name for other in FORMATS if other.sharded)
            raise InputError(f"max_shard_size serves {sharded}", received=f"it with {to}", fix="leave it out")
        parse_size(max_shard_size)
    if target.needs is not None:
        module, extra = target.needs
        require(module, needed_for=f"writing {target.file}", extra=extra)
    directory = _free(dst)
    checkpoint = open_checkpoint(
        src,
        revision=revision,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
        token=token,
        progress=progress,
    )
    contents = contents_of(checkpoint)
    say(
        f"{checkpoint.source_name}: {len(contents.stored)} weights in {checkpoint.weight_format}, "
        f"heads: {', '.join(task.name for task in contents.heads) or 'none'}"
    )
    for name, reason in contents.left_out.items():
        say(f"left out: {name}, {reason}")
    widened = sorted(target.widened & set(contents.dtypes.values()))
    if widened:
        say(
            f"warning: {target.file} holds no {FLOATING_POINT[widened[0]]}: weights become float32, which holds each "
            "value exactly"
        )
    config = _config(contents, target)
    with told_plainly(directory), taking_place(directory) as unfinished:
        say(f"writing {target.file}")
        target.write(contents, unfinished, MAX_SHARD_BYTES if max_shard_size is None else max_shard_size)
        config.save_pretrained(unfinished)
        _copy_tokenizer(checkpoint, unfinished)
        say("reading it back")
        size = _check(contents, unfinished, target)
        files = tuple(sorted(path.name for path in unfinished.iterdir()))
    dtypes = {"F32" if dtype in target.widened else dtype for dtype in contents.dtypes.values()}
    return Converted(
        directory=directory,
        source=checkpoint.source_name,
        source_format=checkpoint.weight_format,
        format=target.name,
        files=files,
        heads=tuple(task.name for task in contents.heads),
        weights=len(contents.stored),
        weight_bytes=size,
        dtypes=tuple(sorted(FLOATING_POINT[dtype] for dtype in dtypes)),
        widened=bool(widened),
        left_out=contents.left_out,
    )


def _config(contents: Contents, target: Format) -> AlbertConfig:
    config = contents.config.copy()
    if not config.architectures:
        config.architectures = [contents.task.torch_class]
    dtypes = {"F32" if dtype in target.widened else dtype for dtype in contents.dtypes.values()}
    if len(dtypes) == 1:
        config.torch_dtype = FLOATING_POINT[dtypes.pop()]
    # Written by other tools: often an absolute path on the machine of whoever saved the checkpoint.
    config.extra.pop("_name_or_path", None)
    return config


def _copy_tokenizer(checkpoint: Checkpoint, directory: Path) -> None:
    """Copy the tokenizer's files as they are; a release by Google gets those that it lacks."""
    if find_vocabularies(checkpoint.directory):
        from albert_export.tokenization import load_tokenizer

        load_tokenizer(checkpoint.directory, config=checkpoint.config).save_pretrained(directory)
        return
    for name in TOKENIZER_FILES:
        if (checkpoint.directory / name).is_file():
            shutil.copyfile(checkpoint.directory / name, directory / name)


def _check(contents: Contents, directory: Path, target: Format) -> int:
    """Compare what was written, bit for bit, and return how many bytes the weights have.

    Raises:
        CheckpointError: The file holds something else: a defect, or a disk that does not keep what it is given.
    """
    written = contents_of(open_checkpoint(directory, formats=[target.name]))
    given, found = contents.raw_tensors(), written.raw_tensors()
    size = 0
    differing = sorted(given.keys() ^ found.keys())
    for name in given.keys() & found.keys():
        expected, got = given[name], found[name]
        if expected.dtype in target.widened:
            expected = RawTensor("F32", expected.numpy())
        size += got.bits.nbytes
        if not same_bits(expected, got):
            differing.append(name)
    if differing:
        raise CheckpointError(
            f"{target.file} must hold what was written", received=f"other weights for {', '.join(differing)}"
        )
    return size


# --- the directory


def _free(dst: str | os.PathLike[str]) -> Path:
    """Return the directory to write, which is absent or empty.

    Raises:
        CheckpointError: It is in use, or cannot be looked into.
    """
    directory = Path(dst).expanduser().resolve()
    with told_plainly(directory):
        if directory.is_dir():
            found = sorted(path.name for path in directory.iterdir())
        else:
            found = [directory.name] if directory.exists() else []
    if found:
        raise CheckpointError(
            "the directory to convert into must be absent or empty",
            received=f"{dst} with {found[0]}{' and more' if len(found) > 1 else ''}"
            if directory.is_dir()
            else f"a file {dst}",
            fix="choose another, or empty it",
        )
    return directory
