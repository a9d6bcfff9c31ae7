"""Weights that the recorder and the tests make alike, so that no weights need to be stored.

``numpy.random.RandomState`` is frozen: its stream is the same in every numpy release and on every machine.
"""

from __future__ import annotations

import zlib

import numpy as np


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
