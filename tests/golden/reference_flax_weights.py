"""The weights of transformers 4.37.2's Flax ALBERT under PyTorch's names and in its orientation.

Written apart from the package's own table of names, which is tested against what this gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from seeded_weights import seeded_weight

#: Last part of a path -> PyTorch's.
LAST_PARTS = {"kernel": "weight", "scale": "weight", "embedding": "weight"}


def torch_name(path: tuple[str, ...]) -> str:
    """Return ``albert.encoder.….weight`` for ``("albert", "encoder", …, "kernel")``."""
    *places, last = path
    return ".".join([*places, LAST_PARTS.get(last, last)])


def torch_shape(path: tuple[str, ...], array: Any) -> tuple[int, ...]:
    """Return an array's shape in PyTorch's orientation."""
    shape = tuple(array.shape)
    return shape[::-1] if path[-1] == "kernel" else shape


def filled(params: Any, seed: int = 0) -> Any:
    """Return parameters of the same shapes with the seeded weights of their PyTorch names."""
    found = {}
    for path, array in flatten_dict(params).items():
        value = seeded_weight(torch_name(path), torch_shape(path, array), seed)
        found[path] = value.T if path[-1] == "kernel" else value
    return unflatten_dict(found)


def parameters(params: Any) -> dict[str, np.ndarray]:
    """Return name -> value of every parameter, in PyTorch's orientation."""
    return {
        torch_name(path): np.asarray(array).T if path[-1] == "kernel" else np.asarray(array)
        for path, array in flatten_dict(params).items()
    }
