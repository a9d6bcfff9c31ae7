"""The models that come with the package: which there are, and a directory of files for each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from albert_export.errors import UnknownNameError

if TYPE_CHECKING:
    import os

    from albert_export.tasks import Task


@dataclass(frozen=True)
class BuiltinModel:
    """One model of the package.

    Attributes:
        name: The value of ``--model``.
        trained: Whether its answers mean anything.
        summary: One line for people who choose a model.
    """

    name: str
    trained: bool
    summary: str


DEFAULT_MODEL = "albert-seeded"

BUILTIN_MODELS: dict[str, BuiltinModel] = {
    model.name: model
    for model in (
        BuiltinModel(
            "albert-seeded",
            trained=False,
            summary="UNTRAINED: a small ALBERT with weights from a seed, to try every step without a download",
        ),
    )
}

#: What a program prints before it shows answers of a model with ``trained=False``.
UNTRAINED_NOTICE = (
    "albert-seeded is untrained: its weights come from a seed, so its answers mean nothing. "
    "It shows that every step works; give --model a trained checkpoint for real answers."
)


def builtin_directory(
    name: str = DEFAULT_MODEL, task: Task | None = None, *, cache: str | os.PathLike[str] | None = None
) -> Path:
    """Return a directory with ``config.json``, weights, tokenizer files and a README of a built-in model.

    The files are made on the first call and compared byte by byte with what they must be on every later one, so that
    a damaged or foreign file is replaced. Where the cache cannot be written, a temporary directory of this process
    takes its place.

    Args:
        name: A key of :data:`BUILTIN_MODELS`.
        task: The head to compose with the encoder. None for every head whose weights have names of their own, and a
            text classifier: three tasks call their weights ``classifier`` and differ in the number of labels.
        cache: Where to put the directory; by default ``$ALBERT_EXPORT_CACHE``, else the user's cache directory.

    Raises:
        UnknownNameError: No built-in model of that name.
        CheckpointError: Neither the cache nor a temporary directory can be written.
    """
    if name not in BUILTIN_MODELS:
        raise UnknownNameError("built-in model", name, tuple(BUILTIN_MODELS))
    from albert_export.builtin.cache import materialise
    from albert_export.builtin.seeded import seeded_files

    return materialise(name, "all" if task is None else task.name, seeded_files(task), cache)
