"""What ``from_pretrained`` and ``resize_token_embeddings`` settle before a framework takes part."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from albert_export.checkpoints import Checkpoint, WeightFormat, open_checkpoint
from albert_export.config import AlbertConfig
from albert_export.errors import CheckpointError, ConfigError, InputError
from albert_export.tasks import TASKS, Task


def task_of(model: type) -> Task | None:
    """Return the task of a model class, or of the class it is derived from; None for the common base."""
    names = {base.__name__ for base in model.__mro__}
    return next((task for task in TASKS if names & {task.torch_class, task.tensorflow_class, task.flax_class}), None)


def check_is_config(model: type, config: object) -> None:
    """Check what a constructor is given as its configuration: a name is the usual mistake.

    Raises:
        ConfigError: It is no :class:`AlbertConfig`.
    """
    if not isinstance(config, AlbertConfig):
        named = repr(os.fspath(config)) if isinstance(config, str | os.PathLike) else "…"
        raise ConfigError(
            f"{model.__name__} is made from an AlbertConfig",
            received=repr(config)[:80],
            fix=f"give one, or load a checkpoint: {model.__name__}.from_pretrained({named})",
        )


def find(
    model: type,
    name: str | os.PathLike[str] | None,
    config: AlbertConfig | str | os.PathLike[str] | None,
    where: Mapping[str, Any],
    *,
    has_weights: bool = False,
    formats: Sequence[WeightFormat] | None = None,
) -> tuple[AlbertConfig, Checkpoint | None]:
    """Return a configuration of the caller's own, and the checkpoint unless the caller has the weights.

    Args:
        model: The class that is loaded; of a built-in checkpoint it chooses the head.
        name: A directory, the name of a built-in model, or a hub id.
        config: Configuration that wins over the checkpoint's, or where to read it.
        where: ``revision``, ``cache_dir``, ``local_files_only`` and ``token``.
        has_weights: Whether the caller has the weights.
        formats: Formats of weights to look for, the preferred ones first; by default every one.

    Raises:
        CheckpointError: The checkpoint cannot be found or read, or nothing tells the model's shape.
        ConfigError: A field breaks its rule.
    """
    checkpoint = None
    if not has_weights:
        if name is None:
            raise CheckpointError("a model needs a directory or a name, or both config and state_dict", received="None")
        checkpoint = open_checkpoint(name, task=task_of(model), formats=formats, **where)
    if isinstance(config, AlbertConfig):
        return config.copy(), checkpoint
    if config is None and checkpoint is not None:
        return checkpoint.config.copy(), checkpoint
    source = name if config is None else config
    if source is None:
        raise CheckpointError("a state_dict does not tell the model's shape", received="no config", fix="give config")
    return AlbertConfig.from_pretrained(os.fspath(source), **where), checkpoint


def refuse_formats(model: type, wanted: Mapping[str, bool], readable: str) -> None:
    """Refuse ``from_tf`` and the like, which ask for a format that is not read.

    Raises:
        CheckpointError: One of them is true.
    """
    for name, value in wanted.items():
        if value:
            raise CheckpointError(
                f"{model.__name__} reads {readable}",
                received=f"{name}=True",
                fix="save the checkpoint in one of these formats, and leave the argument out",
            )


def new_vocabulary_size(
    config: AlbertConfig, present: int, new_num_tokens: int | None, pad_to_multiple_of: int | None
) -> int:
    """Return how many rows the word embeddings are to have.

    Args:
        config: Gives ``pad_token_id``.
        present: How many they have.
        new_num_tokens: How many are wanted; None for as many as now.
        pad_to_multiple_of: What to round up to.

    Raises:
        InputError: A size below 1, or one that leaves out the padding token.
    """
    rows = present if new_num_tokens is None else new_num_tokens
    for name, value in (("new_num_tokens", rows), ("pad_to_multiple_of", pad_to_multiple_of)):
        if value is not None and (type(value) is not int or value < 1):
            raise InputError(f"{name} must be a whole number of at least 1", received=value)
    if pad_to_multiple_of is not None:
        rows = -(-rows // pad_to_multiple_of) * pad_to_multiple_of
    if config.pad_token_id is not None and rows <= config.pad_token_id:
        raise InputError(f"new_num_tokens must be above pad_token_id = {config.pad_token_id}", received=new_num_tokens)
    return rows


def config_to_save(model: Any, dtype: str) -> AlbertConfig:
    """Return the configuration that is written beside the weights of ``model``.

    Its architecture is PyTorch's name of the model, or of the one of the seven that it is derived from; else its own.

    Raises:
        ConfigError: ``hidden_act`` is a callable, which a file cannot hold.
    """
    saved: AlbertConfig = model.config.copy()
    if callable(saved.hidden_act):  # told before the weights are written
        raise ConfigError("hidden_act must be a name to be saved", received=saved.hidden_act)
    task = task_of(type(model))
    saved.architectures = [type(model).__name__ if task is None else task.torch_class]
    saved.torch_dtype = dtype
    return saved


def make_directory(directory: str | os.PathLike[str]) -> None:
    """Make a directory that weights are to be written into, if it is absent.

    Raises:
        CheckpointError: It cannot be made.
    """
    try:
        Path(directory).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(
            "the directory of a checkpoint must be writable", received=f"{directory}: {error.strerror or error}"
        ) from error


def write_config(config: AlbertConfig, directory: str | os.PathLike[str]) -> None:
    """Write ``config.json``.

    Raises:
        CheckpointError: The directory cannot be written.
    """
    try:
        config.save_pretrained(os.fspath(directory))
    except OSError as error:
        raise CheckpointError(
            "the directory of a checkpoint must be writable", received=f"config.json: {error.strerror or error}"
        ) from error
