"""The steps of a layer by the kind of operator: what each gives in the eager model, and by whose weight it is found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Part:
    """A value on the way through a layer.

    Attributes:
        kind: The kind of operator that makes it, for reports.
        module: Last names of the module whose weight it is found by.
        side: Whether it is what that module takes or gives.
    """

    kind: str
    module: str
    side: Literal["takes", "gives"]


#: In the order in which a layer computes.
LAYER = (
    Part("linear, query", "attention.query", "gives"),
    Part("linear, key", "attention.key", "gives"),
    Part("linear, value", "attention.value", "gives"),
    Part("attention: scores, mask, softmax", "attention.dense", "takes"),
    Part("linear, attention's output", "attention.dense", "gives"),
    Part("residual sum after attention", "attention.LayerNorm", "takes"),
    Part("LayerNorm after attention", "attention.LayerNorm", "gives"),
    Part("linear, into the feed-forward network", "ffn", "gives"),
    Part("activation", "ffn_output", "takes"),
    Part("linear, out of the feed-forward network", "ffn_output", "gives"),
    Part("residual sum after the feed-forward network", "full_layer_layer_norm", "takes"),
    Part("LayerNorm at the layer's end", "full_layer_layer_norm", "gives"),
)
#: What stands before the first layer.
EMBEDDINGS = (
    Part("look-up of embeddings and their sum", "embeddings.LayerNorm", "takes"),
    Part("LayerNorm of the embeddings", "embeddings.LayerNorm", "gives"),
    Part("linear, mapping of the embeddings", "encoder.embedding_hidden_mapping_in", "gives"),
)


def parts_of(layer: int) -> tuple[Part, ...]:
    """Return the parts of a layer, counted from 1; for 0 those of the embeddings."""
    return LAYER if layer else EMBEDDINGS


@contextmanager
def recorded(model: Any, layer: int) -> Iterator[Mapping[Part, Array]]:
    """Record what a torch model computes on the way through a layer, in the runs inside this block.

    Args:
        model: An eager torch ALBERT.
        layer: Counted from 1; 0 for the embeddings.

    Yields:
        What was recorded: part -> array ``[B,S,…]``, of the last inner layer of a group.
    """
    found: dict[Part, Array] = {}
    now = 0
    hooks = []

    def enter(*_: Any) -> None:
        nonlocal now
        now += 1

    def keep(part: Part, value: Any) -> None:
        if now == layer:
            found[part] = np.array(value.numpy())

    for name, module in model.named_modules():
        if name.endswith("albert_layer_groups") or ".albert_layer_groups." not in f".{name}":
            inside = False
        else:
            inside = True
            if name.rpartition(".")[0].endswith("albert_layer_groups"):
                hooks.append(module.register_forward_pre_hook(enter))
        for part in parts_of(layer):
            if inside is bool(layer) and f".{name}".endswith(f".{part.module}"):
                if part.side == "takes":
                    hooks.append(module.register_forward_pre_hook(lambda _, given, part=part: keep(part, given[0])))
                else:
                    hooks.append(module.register_forward_hook(lambda *of, part=part: keep(part, of[2])))
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()
