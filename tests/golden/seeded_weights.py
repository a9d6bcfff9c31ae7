"""Weights that the recorder and the tests make alike, so that no weights need to be stored.

``numpy.random.RandomState`` is frozen: its stream is the same in every numpy release and on every machine.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

#: Sizes of a model small enough to store what it computes.
TINY: dict[str, Any] = {
    "vocab_size": 61,
    "embedding_size": 8,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 20,
    "max_position_embeddings": 24,
}


def seeded_weight(name: str, shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Return the float32 weight of that parameter name.

    Scaled so that every part of the model moves the output: attention is far from uniform, activations leave their
    linear range, and normalisation scales differ from 1.
    """
    values = np.random.RandomState(zlib.crc32(f"{seed}/{name}".encode())).standard_normal(shape)
    if name.endswith("LayerNorm.weight") or name.endswith("layer_norm.weight"):
        values = 1 + 0.2 * values
    elif len(shape) == 1:
        values = 0.2 * values
    elif "embeddings." in name or "distance_embedding" in name:
        values = 0.5 * values
    else:
        values = values * 1.5 / np.sqrt(shape[1])
    return values.astype(np.float32)


def fill(model: torch.nn.Module, seed: int = 0) -> None:
    """Give every parameter of a torch model its seeded weight; tied ones get that of their first name."""
    import torch  # other frameworks' recorders use this file too

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.from_numpy(seeded_weight(name, tuple(parameter.shape), seed)))
