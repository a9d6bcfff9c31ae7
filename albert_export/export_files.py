"""The files that all artifacts of a bundle share: configuration and tokenizer."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from albert_export.bundle import BundleWriter
from albert_export.checkpoints import Checkpoint
from albert_export.errors import InputError
from albert_export.readers import Reader
from albert_export.tasks import Task

if TYPE_CHECKING:
    from albert_export.tokenization import AlbertTokenizerFast, AlbertWordPieceTokenizer

#: Vocabularies that are taken over even where the fast tokenizer does not need them: other languages' readers do.
_VOCABULARIES = ("spiece.model", "vocab.txt")


def put_shared_files(
    writer: BundleWriter, checkpoint: Checkpoint, task: Task, say: Callable[[str], None]
) -> AlbertTokenizerFast | AlbertWordPieceTokenizer | None:
    """Write the configuration and the tokenizer, which all artifacts of the bundle share; return the tokenizer."""
    from albert_export.tokenization import find_tokenizer

    config = checkpoint.config.copy()
    config.architectures = [task.torch_class]
    # Weights of an artifact have the artifact's precision; what the checkpoint was stored in would mislead a reader.
    config.torch_dtype = "float32"
    # Written by other tools: often an absolute path on the machine of whoever saved the checkpoint.
    config.extra.pop("_name_or_path", None)
    config.save_pretrained(writer.directory)
    names = ["config.json"]
    tokenizer = find_tokenizer(checkpoint.directory, config=config)
    if tokenizer is not None:
        names += [os.path.relpath(path, writer.directory) for path in tokenizer.save_pretrained(writer.directory)]
        for name in _VOCABULARIES:
            if name not in names and (checkpoint.directory / name).is_file():
                shutil.copyfile(checkpoint.directory / name, writer.path_for_new_file(name))
                names.append(name)
    else:
        say("warning: the checkpoint has no tokenizer: the bundle runs on token ids, but not on text")
    for record in writer.previous.files if writer.previous else ():
        if record.path not in names:
            writer.remove(record.path)  # of a tokenizer that the checkpoint no longer has
    for name in names:
        writer.put_file(name)
    return tokenizer


def vocabulary_for(directory: Path, reader: Reader) -> Path:
    """Return the vocabulary that a reader which tokenises by itself is given."""
    for name in _VOCABULARIES:
        if (directory / name).is_file():
            return directory / name
    raise InputError(
        f"{reader.title} tokenises with the checkpoint's {' or '.join(_VOCABULARIES)}",
        received="a checkpoint without either",
        fix="put its vocabulary beside the weights, or leave compat out",
    )
