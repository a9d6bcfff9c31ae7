"""Weights as the reference's TensorFlow models store them, seen as everything else here is: PyTorch's names and shapes.

Their files are ``tf_model.h5`` and, with ``safe_serialization=True``, ``model.safetensors``. Linear weights lie as
``[in, out]``, and the masked-word head has two biases.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from albert_export.checkpoints.names import TIED_DECODER_BIAS, keras_name, name_of_keras, row_of
from albert_export.checkpoints.safetensors_file import LazyTensors

T = TypeVar("T")
Shape = tuple[int, ...]


@dataclass(frozen=True)
class _Stored:
    """How one weight is stored: its name, whether it lies transposed, and what is meant when it is all zeros."""

    name: str
    transposed: bool
    if_zeros: str | None = None


def is_keras(names: Iterable[str]) -> bool:
    """Return whether a file with these names holds what a TensorFlow model of the reference wrote."""
    return any(name_of_keras(name) is not None for name in names)


def canonical_shapes(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return canonical name -> shape in PyTorch's orientation, sorted, for stored name -> shape.

    Names that are not ALBERT's stay as they are.
    """
    return {
        name: shapes[stored.name][::-1] if stored.transposed else shapes[stored.name]
        for name, stored in _stored(shapes).items()
    }


def canonical_tensors(tensors: Mapping[str, T], shapes: Mapping[str, Shape]) -> Mapping[str, T]:
    """Return canonical name -> tensor in PyTorch's orientation, a view of the stored one, for stored name -> tensor.

    Args:
        tensors: numpy arrays or torch tensors; each is asked for when it is needed.
        shapes: Stored name -> shape.
    """
    places = _stored(shapes)

    def load(name: str) -> Any:
        stored = places[name]
        tensor: Any = tensors[stored.name]
        if stored.if_zeros is not None and not tensor.any():
            tensor = tensors[stored.if_zeros]
        return tensor.T if stored.transposed else tensor

    return LazyTensors(places, load)


def _stored(shapes: Mapping[str, Shape]) -> dict[str, _Stored]:
    found = {}
    for stored, shape in shapes.items():
        name = name_of_keras(stored) or stored
        row = row_of(name)
        found[name] = _Stored(stored, row is not None and row.linear and len(shape) == 2)
    # Of the two biases the reference's logits use the decoder's. It leaves that at zeros, though, when it loads
    # safetensors of a PyTorch model, which hold the other alone: then the other is what the weights were trained with.
    second, first = TIED_DECODER_BIAS
    if keras_name(second) in shapes:
        decoders, heads = found.pop(second).name, str(keras_name(first))
        same_shape = shapes.get(heads) == shapes[decoders]
        found[first] = _Stored(decoders, False, if_zeros=heads if same_shape else None)
    return dict(sorted(found.items()))
