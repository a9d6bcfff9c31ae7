"""When the PyTorch models check their arguments by :mod:`albert_export.models.input_rules`."""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
import torch
from torch import Tensor

from albert_export.config import AlbertConfig
from albert_export.errors import InputError
from albert_export.models import input_rules
from albert_export.models.input_rules import Given


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
    input_rules.check_one_given(input_ids, inputs_embeds)
    first = input_ids if input_ids is not None else inputs_embeds
    assert first is not None
    if _is_traced(first):
        return
    tensors = {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "token_type_ids": token_type_ids,
        "position_ids": position_ids,
        "inputs_embeds": inputs_embeds,
    }
    input_rules.check_given(config, {name: _given(tensor) for name, tensor in tensors.items()})
    if head_mask is not None:
        _check_head_mask(config, head_mask)


def check_choices(**inputs: Tensor | None) -> None:
    """Check that multiple-choice inputs have an axis of choices after the batch.

    Args:
        inputs: ``[B,N,S]`` each, ``inputs_embeds`` ``[B,N,S,E]``; None where not given.

    Raises:
        InputError: Another rank.
    """
    input_rules.check_choices({name: _given(tensor) for name, tensor in inputs.items()})


def _given(tensor: Tensor | None) -> Given | None:
    if tensor is None:
        return None
    known = tensor

    def bounds() -> tuple[int, int]:
        low, high = torch.aminmax(known)
        return int(low), int(high)

    return Given(tuple(tensor.shape), str(tensor.dtype), bounds)


def _is_traced(tensor: Tensor) -> bool:
    return (
        torch.compiler.is_compiling()  # torch.compile and torch.export
        or torch.jit.is_tracing()  # type: ignore[attr-defined]  # public, but not in its __all__
        or type(tensor) not in (Tensor, torch.nn.Parameter)  # fake, functional and proxy tensors hold no values
        or tensor.is_meta
        or torch._C._functorch.is_functorch_wrapped_tensor(tensor)  # inside vmap no value can be read
    )


def _check_head_mask(config: AlbertConfig, head_mask: Tensor) -> None:
    # Of five axes, and after pruning, what fits depends on the layer: there torch has the last word.
    A, shape = config.num_attention_heads, tuple(head_mask.shape)
    if len(shape) not in {1, 2, 5} or (len(shape) < 5 and not config.pruned_heads and shape[-1] not in {1, A}):
        raise InputError(f"head_mask must be [heads] or [layers, heads], for {A} heads", received=str(shape))
