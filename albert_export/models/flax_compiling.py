"""Compiling Flax models, so that a call takes no longer than its arithmetic, and equal models are compiled once."""

from __future__ import annotations

from albert_export.models import _flax_required  # noqa: F401

# isort: split
import json
from functools import partial
from typing import Any

import jax
from flax import linen as nn

from albert_export.config import AlbertConfig


class Module:
    """A linen module that is equal to any other that computes the same, so that they are compiled once."""

    def __init__(self, module: nn.Module, config: AlbertConfig) -> None:
        fields = {name: value for name, value in vars(module).items() if name not in ("config", "parent", "name")}
        plain = tuple(sorted((name, repr(value)) for name, value in fields.items() if not name.startswith("_")))
        self.module = module
        self._key = (type(module), plain, config.hidden_act, json.dumps(config.to_dict(), default=str, sort_keys=True))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Module) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@partial(jax.jit, static_argnums=(0, 4, 5, 6))
def apply(
    static: Module,
    params: dict[str, Any],
    inputs: dict[str, Any],
    dropout_rng: jax.Array | None,
    train: bool,
    output_attentions: bool,
    output_hidden_states: bool,
) -> Any:
    """Return the output object of a module; compiled once for each shape of inputs, and what else they depend on.

    Args:
        static: The module.
        params: Its parameters.
        inputs: All four, int32.
        dropout_rng: Random key of dropout.
        train: Whether to drop out.
        output_attentions: Whether to return attention probabilities.
        output_hidden_states: Whether to return every layer's output.
    """
    options: dict[str, Any] = {
        "deterministic": not train,
        "output_attentions": output_attentions,
        "output_hidden_states": output_hidden_states,
    }
    rngs = {} if dropout_rng is None else {"dropout": dropout_rng}
    return static.module.apply({"params": params}, rngs=rngs, **inputs, **options)
