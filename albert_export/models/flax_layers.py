"""What the Flax models are built of: linear, embedding and normalisation layers, activations."""

from __future__ import annotations

from albert_export.models import _flax_required  # noqa: F401

# isort: split
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from albert_export.config import AlbertConfig

#: Anything that names a dtype.
Dtype = Any


def _gelu(x: jax.Array) -> jax.Array:
    return 0.5 * x * (1.0 + lax.erf(x * math.sqrt(0.5)))


def _gelu_new(x: jax.Array) -> jax.Array:
    """GELU by its tanh approximation (Hendrycks and Gimpel, arXiv:1606.08415, section 2)."""
    return 0.5 * x * (1.0 + jnp.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _silu(x: jax.Array) -> jax.Array:
    return x * lax.logistic(x)


_ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "gelu": _gelu,
    "gelu_new": _gelu_new,
    "relu": nn.relu,
    "silu": _silu,
    "swish": _silu,
}


def activation(hidden_act: str | Callable[[Any], Any]) -> Callable[[jax.Array], jax.Array]:
    """Return the function that ``AlbertConfig.hidden_act`` names, or is."""
    if callable(hidden_act):
        return hidden_act
    return _ACTIVATIONS[hidden_act]


def linear(config: AlbertConfig, wide: int, dtype: Dtype, *, use_bias: bool = True) -> nn.Dense:
    """Return a linear layer to ``wide`` features; its ``kernel`` is ``[in, out]``."""
    return nn.Dense(wide, use_bias=use_bias, dtype=dtype, kernel_init=nn.initializers.normal(config.initializer_range))


def layer_norm(config: AlbertConfig, dtype: Dtype) -> nn.LayerNorm:
    """Return a normalisation of the last axis, which computes in float32 at least."""
    return nn.LayerNorm(epsilon=config.layer_norm_eps, dtype=dtype, use_fast_variance=False)


class Embedding(nn.Module):
    """A table ``[rows, width]``: ids of any shape to one further axis.

    ``flax.linen.Embed`` marks ids outside the table with NaN, in operations of their own. They are refused before here,
    and traced ones are trusted.
    """

    rows: int
    width: int
    initializer_range: float

    def setup(self) -> None:
        """Make the table."""
        initial = nn.initializers.normal(self.initializer_range)
        self.embedding = self.param("embedding", initial, (self.rows, self.width))

    def __call__(self, ids: jax.Array) -> jax.Array:
        """Return the rows."""
        return jnp.take(self.embedding, ids, axis=0, mode="clip")
