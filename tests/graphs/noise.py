"""How far a lower precision lies from the model."""

from __future__ import annotations

import numpy as np


def signal_to_noise(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    """Return the least signal-to-noise ratio of the outputs, in dB."""
    ratios = []
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        ratios.append(10 * np.log10(np.mean(other.astype(np.float64) ** 2) / np.mean((one - other) ** 2)))
    return float(min(ratios))
