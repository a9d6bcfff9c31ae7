"""What a Flax model is given, made arrays of JAX; and what is refused before anything is computed."""

from __future__ import annotations

from albert_export.models import _flax_required  # noqa: F401

# isort: split
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from albert_export.config import AlbertConfig
from albert_export.errors import InputError
from albert_export.models import input_rules
from albert_export.models.input_rules import Given


def prepare(config: AlbertConfig, inputs: Mapping[str, Any], *, choices: bool) -> dict[str, jax.Array]:
    """Return the inputs as int32 arrays, checked where their numbers are known, so not while JAX traces.

    Args:
        config: Shape of the model.
        inputs: ``input_ids``, ``attention_mask``, ``token_type_ids`` and ``position_ids``; all but the first may be
            None, and come as defaults: 1, 0, and 0 … S-1.
        choices: Whether there is an axis of choices after the batch.

    Raises:
        InputError: No array of numbers, no ``input_ids``, a wrong rank, shape or dtype, an id outside its table, or a
            sequence over ``max_position_embeddings``.
    """
    arrays = {name: _array(name, value) for name, value in inputs.items() if value is not None}
    input_rules.check_one_given(arrays.get("input_ids"), None)
    if not any(isinstance(array, jax.core.Tracer) for array in arrays.values()):
        _check(config, {name: _given(array) for name, array in arrays.items()}, choices=choices)
    # a mask is cut down to whole numbers, in the reference too
    whole = {name: jnp.asarray(array.astype("int32")) for name, array in arrays.items()}
    ids = whole["input_ids"]
    defaults = {
        "attention_mask": lambda: jnp.ones_like(ids),
        "token_type_ids": lambda: jnp.zeros_like(ids),
        "position_ids": lambda: jnp.arange(ids.shape[-1], dtype=jnp.int32),
    }
    found = {name: whole[name] if name in whole else default() for name, default in defaults.items()}
    return {"input_ids": ids, **{name: jnp.broadcast_to(array, ids.shape) for name, array in found.items()}}


def _array(name: str, value: Any) -> Any:
    if isinstance(value, jax.Array):
        return value
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array of numbers", received=type(value).__name__) from error
    if array.dtype.kind not in "iufb":
        raise InputError(f"{name} must be an array of numbers", received=str(array.dtype))
    return array


def _given(array: Any) -> Given:
    def bounds() -> tuple[int, int]:
        # while JAX traces it would trace these too, though the numbers are known
        numbers = np.asarray(array)
        return int(numbers.min()), int(numbers.max())

    return Given(tuple(array.shape), str(array.dtype), bounds)


def _check(config: AlbertConfig, given: dict[str, Given], *, choices: bool) -> None:
    if choices:
        input_rules.check_choices(given)
        given = {
            name: Given((one.shape[0] * one.shape[1], *one.shape[2:]), one.dtype, one.bounds)
            for name, one in given.items()
        }
    input_rules.check_given(config, given)
