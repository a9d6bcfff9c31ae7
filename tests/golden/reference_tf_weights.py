"""The weights of transformers 4.37.2's TensorFlow ALBERT under PyTorch's names and in its orientation.

Written apart from the package's own table of names, which is tested against what this gives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from seeded_weights import seeded_weight

#: Last part of a name -> PyTorch's. Embedding tables are a weight of their own in TensorFlow.
LAST_PARTS = {"kernel": "weight", "gamma": "weight", "beta": "bias", "embeddings": "weight"}


def torch_name(name: str) -> str:
    """Return ``albert.encoder.….weight`` for ``tf_albert_for_masked_lm_1/albert/encoder/…/kernel:0``."""
    *path, last = name.partition("/")[2].removesuffix(":0").replace("_._", "/").split("/")
    return ".".join([*path, LAST_PARTS.get(last, last)])


def torch_shape(variable: Any) -> tuple[int, ...]:
    """Return a variable's shape in PyTorch's orientation."""
    shape = tuple(variable.shape)
    return shape[::-1] if is_transposed(variable) else shape


def is_transposed(variable: Any) -> bool:
    return str(variable.name).endswith("/kernel:0")


def named_variables(model: Any) -> list[tuple[str, Any]]:
    """Return PyTorch's names of a built model's variables, as ``named_parameters`` of the class of that name gives.

    The decoder's bias comes as a second ``predictions.bias``: one parameter in PyTorch, two variables here, of which
    the logits use the decoder's alone.
    """
    names = [torch_name(variable.name) for variable in model.weights]
    if type(model).__name__ == "TFAlbertModel":
        names = [name.removeprefix("albert.") for name in names]
    names = [name.replace("predictions.decoder.bias", "predictions.bias") for name in names]
    return list(zip(names, model.weights, strict=True))


def fill(model: Any, seed: int = 0) -> None:
    """Give every variable of a built model the seeded weight of its PyTorch name."""
    for name, variable in named_variables(model):
        value = seeded_weight(name, torch_shape(variable), seed)
        variable.assign(value.T if is_transposed(variable) else value)


def parameters(model: Any) -> dict[str, np.ndarray]:
    """Return name -> value of every parameter, in PyTorch's orientation; the bias of the logits for the two of it."""
    return {
        name: variable.numpy().T if is_transposed(variable) else variable.numpy()
        for name, variable in named_variables(model)
    }
