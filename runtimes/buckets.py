"""Buckets of sequence lengths: a run is padded to the next of them, so that few shapes are ever compiled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from albert_export.errors import InputError
from albert_export.runtimes.input_checks import IntArray
from albert_export.runtimes.protocol import Array
from albert_export.tasks import TensorSpec

Buckets = Sequence[int] | str

#: The least power of two that is a bucket: a shorter run is not faster.
_LEAST_POWER = 16


def bucket_lengths(buckets: Buckets, *, longest: int, fixed: int | None) -> tuple[int, ...]:
    """Return the lengths in order; the longest that the model takes is always one.

    Args:
        buckets: Lengths, or ``powers`` for the powers of two from 16 on.
        longest: ``max_position_embeddings``.
        fixed: Sequence length that the artifact fixes, or None.

    Raises:
        InputError: They are neither, a length is none that the model takes, or the artifact takes one length only.
    """
    if fixed is not None:
        raise InputError(
            f"buckets serve artifacts that take any sequence; this one was exported with {fixed}",
            received=f"buckets={buckets}",
            fix="leave buckets out",
        )
    if buckets == "powers":
        powers = (1 << exponent for exponent in range(_LEAST_POWER.bit_length() - 1, longest.bit_length()))
        return tuple(sorted({*powers, longest}))
    lengths = [] if isinstance(buckets, str) or not isinstance(buckets, Iterable) else list(buckets)
    if not lengths or any(type(length) is not int or not 1 <= length <= longest for length in lengths):
        raise InputError(
            f'buckets must be "powers", or whole numbers from 1 to {longest}, which is max_position_embeddings',
            received=buckets,
            fix="buckets=[64, 128, 256], say",
        )
    return tuple(sorted({*lengths, longest}))


def pad(inputs: Mapping[str, IntArray], lengths: Sequence[int]) -> dict[str, IntArray]:
    """Return the inputs padded on the right to the next of ``lengths``, what was added masked.

    Inputs in which a row is masked whole come back as they are: such a row attends to all that is masked, and so would
    to what is added.
    """
    if not (inputs["attention_mask"] > 0).any(axis=-1).all():
        return dict(inputs)
    sequence = inputs["input_ids"].shape[-1]
    added = next(length for length in lengths if length >= sequence) - sequence
    if not added:
        return dict(inputs)
    return {name: np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, added)]) for name, array in inputs.items()}


def cut(output: Array, spec: TensorSpec, sequence: int) -> Array:
    """Return an output without the places that padding added."""
    if "sequence" not in spec.axes:
        return output
    return output[tuple(slice(sequence if axis == "sequence" else None) for axis in spec.axes)]
