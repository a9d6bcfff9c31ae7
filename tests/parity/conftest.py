"""Tiny checkpoints with a real tokenizer, and bundles exported from them once for the whole area."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from albert_export.builtin import builtin_directory
from albert_export.bundle import Bundle
from albert_export.checkpoints import Checkpoint, open_checkpoint, parameters, write_sharded
from albert_export.checkpoints.layout import TOKENIZER_FILES
from albert_export.config import AlbertConfig
from albert_export.exporting import export
from albert_export.tasks import get_task

#: The vocabulary is the built-in one, so that text gives ids the model has embeddings for.
TINY: dict[str, Any] = {
    "vocab_size": 2000,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 4,
    "num_hidden_groups": 2,
    "num_attention_heads": 2,
    "intermediate_size": 24,
    "max_position_embeddings": 40,
    "hidden_act": "gelu_new",
}

MakeCheckpoint = Callable[..., Path]
MakeBundle = Callable[..., Bundle]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_checkpoint(
    directory: Path, task: str, *, seed: int = 0, tokenizer: bool = True, head_of: str | None = None, **changes: Any
) -> Path:
    """Write a tiny checkpoint with weights large enough that every part of the model shows in the answers."""
    row = get_task(task)
    labels = 2 if row.name in ("question-answering", "pretraining") else 3
    config = AlbertConfig(**{**TINY, "num_labels": labels, **changes})
    generator = np.random.default_rng(seed)
    tensors = {
        name: (0.3 * generator.standard_normal(shape) + (1.0 if "orm.weight" in name else 0.0)).astype(np.float32)
        for name, shape in parameters(config, get_task(head_of or task)).items()
    }
    directory.mkdir(parents=True, exist_ok=True)
    config.save_pretrained(directory)
    write_sharded(directory, tensors)
    if tokenizer:
        for name in TOKENIZER_FILES:
            if (builtin_directory("albert-seeded") / name).is_file():
                shutil.copyfile(builtin_directory("albert-seeded") / name, directory / name)
    return directory


@pytest.fixture(scope="session")
def checkpoint_of(tmp_path_factory: pytest.TempPathFactory) -> MakeCheckpoint:
    """Give the directory of a tiny checkpoint, written when it is first asked for."""
    made: dict[tuple[Any, ...], Path] = {}

    def give(task: str, **options: Any) -> Path:
        key = (task, *sorted(options.items()))
        if key not in made:
            made[key] = write_checkpoint(tmp_path_factory.mktemp("checkpoint") / "tiny", task, **options)
        return made[key]

    return give


@pytest.fixture(scope="session")
def bundle_of(tmp_path_factory: pytest.TempPathFactory, checkpoint_of: MakeCheckpoint) -> MakeBundle:
    """Give a bundle exported without parity; it is shared, so a test that changes it copies it first.

    ``checkpoint`` holds the options of the checkpoint, everything else goes to ``export``.
    """
    made: dict[str, Bundle] = {}

    def give(task: str, checkpoint: dict[str, Any] | None = None, **options: Any) -> Bundle:
        key = repr((task, sorted((checkpoint or {}).items()), sorted(options.items())))
        if key not in made:
            source = checkpoint_of(task, **(checkpoint or {}))
            out = tmp_path_factory.mktemp("bundle") / "out"
            made[key] = export("onnx", model=source, task=task, out=out, parity=False, **options)
        return made[key]

    return give


@pytest.fixture
def opened(checkpoint_of: MakeCheckpoint) -> Checkpoint:
    """The checkpoint of the question-answering bundle."""
    return open_checkpoint(checkpoint_of("question-answering"))
