"""Checking what a caller gives to ``Runtime.run``, before a native library meets it.

A runtime's own errors name nodes of a graph; worse, an id outside the vocabulary or a mask value other than 0 and 1
can give numbers that look like an answer. Every runtime therefore checks its inputs here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albert_export.errors import InputError
from albert_export.positions import POSITIONS
from albert_export.tasks import DYNAMIC_AXES, TensorSpec

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig

IntArray = npt.NDArray[np.integer[Any]]

#: Input that may be left out -> the value every element then has: all tokens are real, all in the first segment.
FILLED_IN: Mapping[str, int] = {"attention_mask": 1, "token_type_ids": 0}


def check_inputs(
    received: Mapping[str, Any], specs: Sequence[TensorSpec], sizes: Mapping[str, int | None], config: AlbertConfig
) -> dict[str, IntArray]:
    """Return every input of ``specs`` as a contiguous array of the declared dtype, or say what is wrong.

    Args:
        received: Name -> array, nested lists, or anything numpy converts (a CPU torch tensor, say). Any whole-number
            dtype is taken, since every value is checked against its range; ``attention_mask`` may also be bool.
            ``attention_mask`` and ``token_type_ids`` may be absent or None: see :data:`FILLED_IN`. Of ``positions``,
            absence means all, in order.
        specs: The inputs of the artifact; ``dtype`` is what the artifact takes.
        sizes: Dynamic axis -> the size the artifact fixes it to, or None where any size will do.
        config: Gives ``vocab_size``, ``type_vocab_size`` and ``max_position_embeddings``.

    Raises:
        InputError: A name is unknown, ``input_ids`` is absent, or a dtype, rank, shape or value breaks its rule.
    """
    names = [spec.name for spec in specs]
    _check_names(received, names)
    given = {name: value for name, value in received.items() if value is not None}
    if "input_ids" not in given:
        raise InputError(
            "input_ids must be given", received=", ".join(given) or "no input", fix="run(input_ids=…) with int64 ids"
        )
    arrays = {spec.name: _as_array(spec, given[spec.name]) for spec in specs if spec.name in given}
    ids = arrays["input_ids"]
    positions = {POSITIONS: _positions(arrays.pop(POSITIONS, None), ids)} if POSITIONS in names else {}
    for name, array in arrays.items():
        if array.shape != ids.shape:
            raise InputError(
                "all inputs must have the shape of input_ids",
                received=f"input_ids {list(ids.shape)}, {name} {list(array.shape)}",
                fix="take all inputs from one call of the tokenizer",
            )
    _check_sizes(ids.shape, specs[names.index("input_ids")].axes, sizes, config)
    limits = {"input_ids": config.vocab_size, "attention_mask": 2, "token_type_ids": config.type_vocab_size}
    for name, array in arrays.items():
        _check_values(name, array, limits[name])
    arrays |= positions
    return {
        spec.name: np.ascontiguousarray(arrays[spec.name], dtype=spec.dtype)
        if spec.name in arrays
        else np.full(ids.shape, FILLED_IN[spec.name], dtype=spec.dtype)
        for spec in specs
    }


def _positions(asked: IntArray | None, ids: IntArray) -> IntArray:
    """Return the positions ``[B,P]`` that are asked for: all where nothing is said."""
    if asked is None:
        return np.broadcast_to(np.arange(ids.shape[-1]), ids.shape)
    if len(asked) != len(ids):
        raise InputError(
            f"{POSITIONS} must have a row for each row of input_ids",
            received=f"input_ids {list(ids.shape)}, {POSITIONS} {list(asked.shape)}",
            fix="repeat a position in rows where fewer are wanted",
        )
    _check_values(POSITIONS, asked, ids.shape[-1])
    return asked


def _check_names(received: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in received:
        if name not in names:
            near = get_close_matches(name.lower(), names, n=1, cutoff=0.4)
            fix = f"did you mean {near[0]}?" if near else "leave it out"
            if name == POSITIONS:
                fix = "leave it out, or export fill-mask with positions"
            raise InputError(f"inputs must be among {', '.join(names)}", received=name, fix=fix)


def _as_array(spec: TensorSpec, value: Any) -> IntArray:
    """Convert one input; check its rank, that it is not empty, and its dtype."""
    try:
        array: npt.NDArray[Any] = np.asarray(value)
    except ValueError:
        raise InputError(
            f"{spec.name} must be a rectangular array",
            received="rows of different lengths",
            fix="repeat a position in rows where fewer are wanted"
            if spec.name == POSITIONS
            else "pad the rows to one length and give an attention_mask with 0 for the padding",
        ) from None
    except (TypeError, RuntimeError) as error:  # a tensor on a GPU, or one that requires gradients
        raise InputError(
            f"{spec.name} must be something numpy converts to an array",
            received=f"{type(value).__name__}: {error}",
            fix="give a numpy array",
        ) from None
    axes = [str(axis) for axis in spec.axes]
    if array.ndim != len(axes):
        raise InputError(
            f"{spec.name} must have the {len(axes)} axes [{', '.join(axes)}]",
            received=f"shape {list(array.shape)}",
            fix=f"add a batch axis: {spec.name}[None]" if array.ndim == len(axes) - 1 else f"reshape {spec.name}",
        )
    if array.size == 0:
        raise InputError(
            f"every axis of {spec.name} must have at least one element",
            received=f"shape {list(array.shape)}",
            fix="leave positions out for all"
            if spec.name == POSITIONS
            else "leave empty batches out; an empty text is still [CLS] [SEP]",
        )
    if array.dtype.kind not in "iu" and not (array.dtype.kind == "b" and spec.name == "attention_mask"):
        raise InputError(
            f"{spec.name} must hold whole numbers (int32 or int64)",
            received=f"dtype {array.dtype}",
            fix=f'{spec.name}.astype("int64")'
            if array.dtype.kind in "fb" and hasattr(value, "astype")
            else f"give {spec.name} as whole numbers",
        )
    return array


def _check_sizes(
    shape: tuple[int, ...], axes: Sequence[str | int], sizes: Mapping[str, int | None], config: AlbertConfig
) -> None:
    for size, axis in zip(shape, axes, strict=True):
        fixed = sizes.get(axis) if axis in DYNAMIC_AXES and isinstance(axis, str) else None
        if fixed is not None and size != fixed:
            raise InputError(
                f"{axis} must be {fixed}: this artifact was exported with that size",
                received=f"input_ids of shape {list(shape)}",
                fix=f"pad or cut to {fixed}, or export without --{axis}",
            )
        if axis == "sequence" and size > config.max_position_embeddings:
            raise InputError(
                f"a sequence must have at most max_position_embeddings = {config.max_position_embeddings} tokens",
                received=f"input_ids of shape {list(shape)}",
                fix="truncate the text, or cut it into overlapping windows as the pipelines do",
            )


def _check_values(name: str, array: IntArray, limit: int) -> None:
    if array.min() >= 0 and array.max() < limit:
        return
    position = tuple(int(index) for index in np.argwhere((array < 0) | (array >= limit))[0])
    rule, fix = {
        "input_ids": (
            f"token ids must be from 0 to vocab_size - 1 = {limit - 1}",
            "use the tokenizer of this bundle",
        ),
        "attention_mask": ("attention_mask must be 1 for tokens and 0 for padding", "give a mask of 0 and 1"),
        "token_type_ids": (
            f"token_type_ids must be from 0 to type_vocab_size - 1 = {limit - 1}",
            "give 0 for the first segment and 1 for the second",
        ),
        POSITIONS: (
            f"{POSITIONS} must be from 0 to sequence - 1 = {limit - 1}",
            "count the tokens of the row from 0, padding too",
        ),
    }[name]
    raise InputError(rule, received=f"{array[position]} at {name}{list(position)}", fix=fix)
