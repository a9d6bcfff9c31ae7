"""Tiny checkpoints made from the table of names, for tests that need files and no framework."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from albert_export.checkpoints import write_sharded
from albert_export.checkpoints.names import parameters
from albert_export.config import AlbertConfig
from albert_export.tasks import get_task


def tiny_config(**changes: Any) -> AlbertConfig:
    sizes = {
        "vocab_size": 40,
        "embedding_size": 8,
        "hidden_size": 16,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 24,
        "max_position_embeddings": 12,
    }
    return AlbertConfig(**{**sizes, **changes})


def tiny_tensors(config: AlbertConfig, task: str = "question-answering", seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    shapes = parameters(config, get_task(task))
    return {name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


def write_tiny(directory: Path, task: str = "question-answering", **changes: Any) -> dict[str, np.ndarray]:
    """Write ``config.json`` and ``model.safetensors``; return the weights."""
    config = tiny_config(**changes)
    tensors = tiny_tensors(config, task)
    config.save_pretrained(directory)
    write_sharded(directory, tensors)
    return tensors
