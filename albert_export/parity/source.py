"""Finding the checkpoint that a bundle was made from: the only one that its artifacts can be compared with."""

from __future__ import annotations

import os
from typing import Any

from albert_export.builtin import BUILTIN_MODELS
from albert_export.bundle import Bundle
from albert_export.checkpoints import Checkpoint, open_checkpoint
from albert_export.errors import CheckpointError


def open_source(
    bundle: Bundle,
    model: str | os.PathLike[str] | Checkpoint | None = None,
    *,
    revision: str | None = None,
    **options: Any,
) -> Checkpoint:
    """Open the checkpoint that a bundle was made from, and compare its hash with the manifest's.

    Args:
        bundle: The opened bundle.
        model: The checkpoint; None for the one that the manifest names: a built-in model or a hub revision can be found
            again, a directory cannot.
        revision: Branch, tag or commit of a hub checkpoint; by default the commit that the manifest names.
        **options: Further options of :func:`albert_export.checkpoints.open_checkpoint`.

    Raises:
        CheckpointError: It cannot be found, or is not the one the bundle was made from.
    """
    source = bundle.manifest.source
    if model is None:
        if source.kind == "directory":
            raise CheckpointError(
                "the eager model needs the checkpoint that the bundle was made from",
                received=f"none, and the manifest names only a directory called {source.name}",
                fix="give the directory with --model",
            )
        if source.kind == "builtin" and source.name not in BUILTIN_MODELS:
            raise CheckpointError(
                "the eager model needs the checkpoint that the bundle was made from",
                received=f"none, and this release has no built-in model {source.name}",
                fix="export the bundle again",
            )
        model = source.name
    if not isinstance(model, Checkpoint):
        if revision is None and os.fspath(model) == source.name:
            revision = source.revision
        model = open_checkpoint(model, task=bundle.task, revision=revision, **options)
    if model.source.sha256 != source.sha256:
        raise CheckpointError(
            "the eager model must be made from the checkpoint that the bundle was made from, "
            f"{source.name} with sha256 {source.sha256[:16]}…",
            received=f"{model.source.name} with sha256 {model.source.sha256[:16]}…",
            fix="give the right checkpoint with --model, or export the bundle again from this one",
        )
    return model
