"""What the PyTorch models refuse before they compute, in words; an index error from a kernel names no input."""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
import torch
from torch import Tensor

from albert_export.config import AlbertConfig
from albert_export.errors import InputError

_ID_DTYPES = (torch.int32, torch.int64)


def check_inputs(
    config: AlbertConfig,
    input_ids: Tensor | None,
    attention_mask: Tensor | None,
    token_type_ids: Tensor | None,
    position_ids: Tensor | None,
    head_mask: Tensor | None,
    inputs_embeds: Tensor | None,
) -> None:
    """Check the arguments of :meth:`AlbertModel.forward`; shapes and values only when nothing traces the call.

    A traced check would become part of the graph, and the artifact's runtime checks its inputs itself.

    Raises:
        InputError: Both or neither of ``input_ids`` and ``inputs_embeds``, a wrong rank, shape or dtype, an id outside
            its table, or a sequence over ``max_position_embeddings``.
    """
    if (input_ids is None) == (inputs_embeds is None):
        raise InputError(
            "exactly one of input_ids and inputs_embeds must be given",
            received="neither" if input_ids is None else "both",
        )
    given = input_ids if input_ids is not None else inputs_embeds
    assert given is not None
    if _is_traced(given):
        return
    if input_ids is not None:
        _check_rank("input_ids", input_ids, ("batch", "sequence"))
        _check_ids("input_ids", input_ids, config.vocab_size, "vocab_size")
    else:
        _check_rank("inputs_embeds", given, ("batch", "sequence", "embedding"))
        if given.shape[-1] != config.embedding_size:
            raise InputError(
                f"the last axis of inputs_embeds must be embedding_size = {config.embedding_size}",
                received=str(tuple(given.shape)),
            )
    B, S = given.shape[:2]
    if B == 0 or S == 0:
        raise InputError("a batch must hold at least one row of at least one token", received=str((B, S)))
    if position_ids is not None and tuple(position_ids.shape) not in {(B, S), (1, S), (S,)}:
        raise InputError(
            f"position_ids must have the shape {(B, S)} of the inputs, or one row for all",
            received=str(tuple(position_ids.shape)),
        )
    _check_length(config, S, position_ids)
    for name, tensor in (("attention_mask", attention_mask), ("token_type_ids", token_type_ids)):
        if tensor is not None and tuple(tensor.shape) not in {(B, S), (1, S)}:
            raise InputError(f"{name} must have the shape {(B, S)} of the inputs", received=str(tuple(tensor.shape)))
    if token_type_ids is not None:
        _check_ids("token_type_ids", token_type_ids, config.type_vocab_size, "type_vocab_size")
    if head_mask is not None:
        _check_head_mask(config, head_mask)


def check_choices(**inputs: Tensor | None) -> None:
    """Check that multiple-choice inputs have an axis of choices after the batch.

    Args:
        inputs: ``[B,N,S]`` each, ``inputs_embeds`` ``[B,N,S,E]``; None where not given.

    Raises:
        InputError: Another rank.
    """
    for name, tensor in inputs.items():
        if tensor is not None:
            axes = ("batch", "choices", "sequence")
            _check_rank(name, tensor, (*axes, "embedding") if name == "inputs_embeds" else axes)


def _is_traced(tensor: Tensor) -> bool:
    return (
        torch.compiler.is_compiling()  # torch.compile and torch.export
        or torch.jit.is_tracing()  # type: ignore[attr-defined]  # public, but not in its __all__
        or type(tensor) not in (Tensor, torch.nn.Parameter)  # fake, functional and proxy tensors hold no values
        or tensor.is_meta
        or torch._C._functorch.is_functorch_wrapped_tensor(tensor)  # inside vmap no value can be read
    )


def _check_rank(name: str, tensor: Tensor, axes: tuple[str, ...]) -> None:
    if tensor.dim() != len(axes):
        raise InputError(f"{name} must be [{', '.join(axes)}]", received=f"shape {tuple(tensor.shape)}")


def _check_ids(name: str, ids: Tensor, size: int, field: str) -> None:
    if ids.dtype not in _ID_DTYPES:
        raise InputError(f"{name} must be int64 or int32", received=str(ids.dtype))
    if ids.numel() == 0:
        return
    low, high = (int(value) for value in torch.aminmax(ids))
    if low < 0 or high >= size:
        raise InputError(f"{name} must lie in [0, {field}) = [0, {size})", received=low if low < 0 else high)


def _check_head_mask(config: AlbertConfig, head_mask: Tensor) -> None:
    # Of five axes, and after pruning, what fits depends on the layer: there torch has the last word.
    A, shape = config.num_attention_heads, tuple(head_mask.shape)
    if len(shape) not in {1, 2, 5} or (len(shape) < 5 and not config.pruned_heads and shape[-1] not in {1, A}):
        raise InputError(f"head_mask must be [heads] or [layers, heads], for {A} heads", received=str(shape))


def _check_length(config: AlbertConfig, S: int, position_ids: Tensor | None) -> None:
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
