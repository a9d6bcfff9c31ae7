"""What the TensorFlow models are built of: linear, embedding and normalisation layers, dropout, activations.

Keras holds the variables, so that ``fit``, ``trainable`` and saving see them. A layer inside a model is called as plain
Python under a name scope, not through ``keras.layers.Layer.__call__``: that one copies lists of arguments, rewrites
the errors that pass through it, and takes as long as a small layer does. It is for the models, whose users expect it.

Attributes carry the names of the PyTorch models, so that the way to a variable is its canonical name
(:func:`named_weights`). The one difference is a linear layer's ``weight``, which lies as ``[in, out]``.
"""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import keras
import tensorflow as tf

Dtype: TypeAlias = "str | keras.DTypePolicy"


# TFLite's converter makes its one GELU operator of just these operators. tf.nn.gelu writes such too, but rounds its
# constants to float32 whatever the dtype: in float64 its ninth digit is wrong.
def _gelu(x: tf.Tensor) -> tf.Tensor:
    return 0.5 * x * (1.0 + tf.math.erf(x / tf.constant(math.sqrt(2), x.dtype)))


def _gelu_new(x: tf.Tensor) -> tf.Tensor:
    """GELU by its tanh approximation (Hendrycks and Gimpel, arXiv:1606.08415, section 2)."""
    cubed = tf.constant(0.044715, x.dtype) * tf.pow(x, 3)
    return 0.5 * x * (1.0 + tf.tanh(math.sqrt(2 / math.pi) * (x + cubed)))


def _silu(x: tf.Tensor) -> tf.Tensor:
    return x * tf.sigmoid(x)  # tf.nn.silu brings a gradient of its own, which graphs carry as further operators


_ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "gelu": _gelu,
    "gelu_new": _gelu_new,
    "relu": tf.nn.relu,
    "silu": _silu,
    "swish": _silu,
}


def activation(hidden_act: str | Callable[[Any], Any]) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return the function that ``AlbertConfig.hidden_act`` names, or is."""
    if callable(hidden_act):
        return hidden_act
    return _ACTIVATIONS[hidden_act]


def dropout(x: tf.Tensor, rate: float, training: bool | None) -> tf.Tensor:
    """Drop a share ``rate`` of the numbers and scale up the others, in training; else return ``x`` itself."""
    return tf.nn.dropout(x, rate) if training and rate else x


def size(tensor: tf.Tensor, axis: int) -> int | tf.Tensor:
    """Return one dimension: a number where it is known, which keeps the graph free of arithmetic, else a tensor."""
    known = tensor.shape[axis]
    return tf.shape(tensor)[axis] if known is None else known


class TFLayer(keras.layers.Layer):  # type: ignore[misc]  # keras is untyped
    """A part of a model; subclasses make all their variables, as zeros, in their constructors.

    Args:
        dtype: Keras dtype policy or dtype name.
        name: Name scope of the layer's operators.
    """

    def __init__(self, dtype: Dtype, name: str) -> None:
        super().__init__(dtype=dtype, name=name)
        self.built = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the layer on tensors, under its name scope."""
        with tf.name_scope(self.name):
            return self.call(*args, **kwargs)

    def zeros(self, name: str, *shape: int) -> keras.Variable:
        """Return a new trainable variable; models fill it later, from a checkpoint or at random."""
        return self.add_weight(name=name, shape=shape, initializer="zeros")

    def replace(self, name: str, value: tf.Tensor) -> None:
        """Put a new variable of another shape in the place of the one of that name."""
        trainable = getattr(self, name).trainable
        delattr(self, name)
        variable = self.zeros(name, *value.shape)
        variable.assign(value)
        variable.trainable = trainable
        setattr(self, name, variable)


class Linear(TFLayer):
    """``[…, narrow]`` to ``[…, wide]``; the weight is ``[in, out]``, the transpose of PyTorch's."""

    def __init__(self, narrow: int, wide: int, dtype: Dtype, name: str) -> None:
        super().__init__(dtype, name)
        self.weight = self.zeros("weight", narrow, wide)
        self.bias = self.zeros("bias", wide)

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return x·W + b."""
        # not folded to two axes and back: one multiplication, one FULLY_CONNECTED in TFLite, no slower
        return tf.matmul(x, self.weight) + self.bias


class Embedding(TFLayer):
    """A table ``[rows, width]``: ids of any shape to one further axis."""

    def __init__(self, rows: int, width: int, dtype: Dtype, name: str) -> None:
        super().__init__(dtype, name)
        self.weight = self.zeros("weight", rows, width)

    def call(self, ids: tf.Tensor) -> tf.Tensor:
        """Return the rows."""
        return tf.gather(self.weight, ids)


class LayerNorm(TFLayer):
    """Normalisation of the last axis, with the variance from centred numbers, in float32 at least."""

    def __init__(self, width: int, epsilon: float, dtype: Dtype, name: str) -> None:
        super().__init__(dtype, name)
        self.weight = self.zeros("weight", width)
        self.bias = self.zeros("bias", width)
        self.epsilon = epsilon

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Return (x - mean) / sqrt(variance + epsilon) · w + b."""
        wide = x if x.dtype.size >= 4 else tf.cast(x, tf.float32)
        centred = wide - tf.reduce_mean(wide, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        return tf.cast(centred * tf.math.rsqrt(variance + self.epsilon), x.dtype) * self.weight + self.bias


def named_weights(layer: keras.layers.Layer, prefix: str = "") -> Iterator[tuple[str, keras.Variable]]:
    """Yield (name, variable) for every weight, each once, named and ordered as PyTorch's ``named_parameters``.

    :func:`albert_export.checkpoints.matching.canonical_name` adds the prefix that a bare model's names lack.
    """
    public = {attribute: value for attribute, value in vars(layer).items() if not attribute.startswith("_")}
    for attribute, value in public.items():
        if isinstance(value, keras.Variable):
            yield prefix + attribute, value
    for attribute, value in public.items():
        for place, item in enumerate(value) if isinstance(value, list) else [("", value)]:
            if isinstance(item, keras.layers.Layer):
                yield from named_weights(item, f"{prefix}{attribute}.{place}.".replace("..", "."))
