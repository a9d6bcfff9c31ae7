"""Checkpoints of albert-mini that answer as it does, but whose weights or activations have outliers.

In exact arithmetic each is the same function as albert-mini. In eight bits, one part of it is measured so coarsely by
the outliers that it is as good as lost.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from albert_export.builtin.trained import mini_files
from albert_export.checkpoints import write_safetensors
from albert_export.checkpoints.safetensors_file import numpy_tensors
from albert_export.config import AlbertConfig
from albert_export.tasks import get_task

Weights = dict[str, np.ndarray]

_LAYER = "albert.encoder.albert_layer_groups.0.albert_layers.0"
_MAPPING = "albert.encoder.embedding_hidden_mapping_in.weight"


def write_with_outliers(directory: Path, task: str, part: str, *, factor: float = 100.0, positions: int = 512) -> Path:
    """Write a checkpoint and return its directory.

    Args:
        directory: To be made.
        task: Name or alias of the head.
        part: Where the outliers are: ``embeddings``, ``attention``, ``ffn``, or ``none``.
        factor: How much larger they are than the rest.
        positions: Tokens that the model takes; fewer than albert-mini's make parity faster.
    """
    directory.mkdir(parents=True)
    for name, data in mini_files(get_task(task)).items():
        (directory / name).write_bytes(data)
    stored = directory / "model.safetensors"
    weights = {name: np.array(values) for name, values in numpy_tensors([stored]).items()}
    config = AlbertConfig.from_pretrained(directory)
    table = "albert.embeddings.position_embeddings.weight"
    weights[table] = weights[table][:positions]
    if part != "none":
        _OUTLIERS[part](weights, np.float32(factor))
    changes = {
        "max_position_embeddings": positions,
        "intermediate_size": len(weights[f"{_LAYER}.ffn.weight"]),
    }
    AlbertConfig.from_dict({**config.to_dict(), **changes}).save_pretrained(directory)
    write_safetensors(stored, weights)
    return directory


def _in_embeddings(weights: Weights, factor: np.float32) -> None:
    """One channel of the normalised embeddings is as much larger as the mapping, their only reader, has it smaller."""
    for name in ("weight", "bias"):
        weights[f"albert.embeddings.LayerNorm.{name}"][0] *= factor
    weights[_MAPPING][:, 0] /= factor


def _in_attention(weights: Weights, factor: np.float32) -> None:
    """One channel of the values is larger, and with it what attention yields, which is a weighted mean of them."""
    for name in ("weight", "bias"):
        weights[f"{_LAYER}.attention.value.{name}"][0] *= factor
    weights[f"{_LAYER}.attention.dense.weight"][:, 0] /= factor


def _in_ffn(weights: Weights, factor: np.float32) -> None:
    """Two further intermediate channels are the same, and are read with large weights that cancel."""
    for name in ("weight", "bias"):
        values = weights[f"{_LAYER}.ffn.{name}"]
        weights[f"{_LAYER}.ffn.{name}"] = np.concatenate([values, values[:1], values[:1]])
    values = weights[f"{_LAYER}.ffn_output.weight"]
    column = np.full((len(values), 1), factor * np.abs(values).max(), np.float32)
    weights[f"{_LAYER}.ffn_output.weight"] = np.concatenate([values, column, -column], axis=1)


_OUTLIERS: dict[str, Callable[[Weights, np.float32], None]] = {
    "embeddings": _in_embeddings,
    "attention": _in_attention,
    "ffn": _in_ffn,
}
