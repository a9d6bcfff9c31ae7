"""From logits to probabilities, in float64: scores then add up to one, and near ties keep the order of the logits."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Logits = npt.NDArray[np.floating[Any]]


def softmax(logits: npt.ArrayLike) -> Floats:
    """Return probabilities over the last axis; any size of logits is safe."""
    values = np.asarray(logits, dtype=np.float64)
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def sigmoid(logits: npt.ArrayLike) -> Floats:
    """Return 1 / (1 + exp(-x)) for each element, without overflow on either side."""
    values = np.asarray(logits, dtype=np.float64)
    decay = np.exp(-np.abs(values))
    return np.where(values >= 0, 1 / (1 + decay), decay / (1 + decay))


def log_sum_exp(values: Floats) -> float:
    """Return log(sum(exp(values))) of a one-dimensional array with at least one finite element."""
    peak = values.max()
    return float(peak + np.log(np.exp(values - peak).sum()))


def top(scores: npt.ArrayLike, count: int) -> list[int]:
    """Return the indices of the ``count`` largest of a one-dimensional array, the best first, of equals the earlier."""
    return [int(index) for index in np.argsort(-np.asarray(scores), kind="stable")[:count]]


def normalised(vectors: Logits) -> Logits:
    """Return vectors of the last axis scaled to length 1; a vector of zeros stays as it is."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.where(lengths == 0, 1, lengths), dtype=vectors.dtype)
