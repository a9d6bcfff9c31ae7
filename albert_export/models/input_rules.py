"""What the models refuse before they compute, in words, whatever the framework; a kernel's error names no input."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from albert_export.config import AlbertConfig
from albert_export.errors import InputError

_ID_DTYPES = ("int32", "int64")


@dataclass(frozen=True)
class Given:
    """One argument of a call.

    Attributes:
        shape: Its shape.
        dtype: Its dtype, as the framework prints it.
        bounds: Returns its least and its greatest number; not called for an empty one.
    """

    shape: tuple[int, ...]
    dtype: str
    bounds: Callable[[], tuple[int, int]]


def check_one_given(input_ids: object, inputs_embeds: object) -> None:
    """Check that exactly one of the two was given.

    Raises:
        InputError: Both or neither.
    """
    if (input_ids is None) == (inputs_embeds is None):
        raise InputError(
            "exactly one of input_ids and inputs_embeds must be given",
            received="neither" if input_ids is None else "both",
        )


def check_given(config: AlbertConfig, given: Mapping[str, Given | None]) -> None:
    """Check shapes, dtypes and ids.

    Args:
        config: Shape of the model.
        given: ``input_ids`` or ``inputs_embeds``, and ``attention_mask``, ``token_type_ids`` and ``position_ids`` where
            they were given.

    Raises:
        InputError: A wrong rank, shape or dtype, an id outside its table, or a sequence over
            ``max_position_embeddings``.
    """
    ids, embeds = given.get("input_ids"), given.get("inputs_embeds")
    if ids is not None:
        check_rank("input_ids", ids, ("batch", "sequence"))
        _check_ids("input_ids", ids, config.vocab_size, "vocab_size")
        B, S = ids.shape
    else:
        assert embeds is not None
        check_rank("inputs_embeds", embeds, ("batch", "sequence", "embedding"))
        if embeds.shape[-1] != config.embedding_size:
            raise InputError(
                f"the last axis of inputs_embeds must be embedding_size = {config.embedding_size}",
                received=str(embeds.shape),
            )
        B, S = embeds.shape[:2]
    if B == 0 or S == 0:
        raise InputError("a batch must hold at least one row of at least one token", received=str((B, S)))
    positions = given.get("position_ids")
    if positions is not None and positions.shape not in {(B, S), (1, S), (S,)}:
        raise InputError(
            f"position_ids must have the shape {(B, S)} of the inputs, or one row for all",
            received=str(positions.shape),
        )
    _check_length(config, S, positions)
    for name in ("attention_mask", "token_type_ids"):
        tensor = given.get(name)
        if tensor is not None and tensor.shape not in {(B, S), (1, S)}:
            raise InputError(f"{name} must have the shape {(B, S)} of the inputs", received=str(tensor.shape))
    types = given.get("token_type_ids")
    if types is not None:
        _check_ids("token_type_ids", types, config.type_vocab_size, "type_vocab_size")


def check_rank(name: str, given: Given, axes: tuple[str, ...]) -> None:
    """Check that an argument has as many axes as ``axes``.

    Raises:
        InputError: It has not.
    """
    if len(given.shape) != len(axes):
        raise InputError(f"{name} must be [{', '.join(axes)}]", received=f"shape {given.shape}")


def check_choices(given: Mapping[str, Given | None]) -> None:
    """Check that multiple-choice inputs have an axis of choices after the batch.

    Args:
        given: ``[B,N,S]`` each, ``inputs_embeds`` ``[B,N,S,E]``; None where not given.

    Raises:
        InputError: Another rank.
    """
    for name, tensor in given.items():
        if tensor is not None:
            axes = ("batch", "choices", "sequence")
            check_rank(name, tensor, (*axes, "embedding") if name == "inputs_embeds" else axes)


def _check_ids(name: str, ids: Given, size: int, field: str) -> None:
    if ids.dtype.removeprefix("torch.") not in _ID_DTYPES:
        raise InputError(f"{name} must be int64 or int32", received=ids.dtype)
    if 0 in ids.shape:
        return
    low, high = ids.bounds()
    if low < 0 or high >= size:
        raise InputError(f"{name} must lie in [0, {field}) = [0, {size})", received=low if low < 0 else high)


def _check_length(config: AlbertConfig, S: int, position_ids: Given | None) -> None:
    longest = config.max_position_embeddings
    if position_ids is not None:
        _check_ids("position_ids", position_ids, longest, "max_position_embeddings")
    # explicit positions may repeat, so that an absolute model then takes any length
    if longest < S and (position_ids is None or config.position_embedding_type != "absolute"):
        raise InputError(
            f"a sequence must have at most max_position_embeddings = {longest} tokens",
            received=S,
            fix="truncate the text, or split it with a stride",
        )
