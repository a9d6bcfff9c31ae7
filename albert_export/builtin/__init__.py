"""The models that come with the package: which there are, and a directory of files for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from albert_export._imports import resolve
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
        files: ``module:function`` that gives the files of its checkpoint directory for a task.
        held_out: Whether data come with it that it was not trained on; see :func:`held_out_file`.
    """

    name: str
    trained: bool
    summary: str
    files: str
    held_out: bool = False


DEFAULT_MODEL = "albert-mini"

BUILTIN_MODELS: dict[str, BuiltinModel] = {
    model.name: model
    for model in (
        BuiltinModel(
            "albert-mini",
            trained=True,
            summary="a small ALBERT trained on text of small invented worlds, to see real answers without a download",
            files="albert_export.builtin.trained:mini_files",
            held_out=True,
        ),
        BuiltinModel(
            "albert-seeded",
            trained=False,
            summary="UNTRAINED: a small ALBERT with weights from a seed, to try every step without a download",
            files="albert_export.builtin.seeded:seeded_files",
        ),
    )
}

#: What a program prints before it shows answers of a model with ``trained=False``.
UNTRAINED_NOTICE = (
    "albert-seeded is untrained: its weights come from a seed, so its answers mean nothing. "
    "It shows that every step works; leave --model out, or give it a trained checkpoint, for real answers."
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
        task: The head to compose with the encoder. None for every head whose weights have names of their own, and one
            of the three tasks that call their weights ``classifier``: of albert-mini multiple choice, of albert-seeded
            text classification.
        cache: Where to put the directory; by default ``$ALBERT_EXPORT_CACHE``, else the user's cache directory.

    Raises:
        UnknownNameError: No built-in model of that name.
        CheckpointError: Neither the cache nor a temporary directory can be written, or the package lacks files.
    """
    if name not in BUILTIN_MODELS:
        raise UnknownNameError("built-in model", name, tuple(BUILTIN_MODELS))
    from albert_export.builtin.cache import materialise

    files: Callable[[Task | None], Mapping[str, bytes]] = resolve(BUILTIN_MODELS[name].files)
    return materialise(name, "all" if task is None else task.name, files(task), cache)


#: Kinds of data that a built-in model was not trained on -> ending of the file's name.
HELD_OUT_SETS = {"held-out": "", "new-patterns": ".new-patterns"}


def held_out_file(name: str, task: Task, kind: str = "held-out") -> Path | None:
    """Return the JSON lines, gzipped, of a task that a built-in model was not trained on; None where there are none.

    Args:
        name: Name of a model; of one that is not built in there are none.
        task: The task; the lines have its form, see docs/parity.md.
        kind: A key of :data:`HELD_OUT_SETS`: ``held-out`` for names that were never seen in patterns that were,
            ``new-patterns`` for sentences of a kind that was never seen either.
    """
    model = BUILTIN_MODELS.get(name)
    if model is None or not model.held_out:
        return None
    from albert_export.builtin import trained

    return trained.FILES / "held_out" / f"{task.name}{HELD_OUT_SETS[kind]}.jsonl.gz"
