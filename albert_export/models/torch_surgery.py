"""Filling and reshaping single layers: fresh weights, pruned heads, grown or shrunk vocabularies."""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
from collections.abc import Sequence

import torch
from torch import nn


def initialise(module: nn.Module, name: str, *, std: float) -> None:
    """Fill one parameter of ``module`` itself as the reference does, from torch's global generator.

    Weights of linear layers and embeddings are normal with deviation ``std``, the row of the padding token zero;
    weights of normalisations are 1, everything else 0.

    Args:
        module: The layer.
        name: The parameter's name in it.
        std: ``initializer_range``.
    """
    parameter = module.get_parameter(name)
    with torch.no_grad():
        if name == "weight" and isinstance(module, nn.Linear | nn.Embedding):
            parameter.normal_(0, std)
            if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                parameter[module.padding_idx].zero_()
        else:
            parameter.fill_(1.0 if name == "weight" and isinstance(module, nn.LayerNorm) else 0.0)


def prune_linear(layer: nn.Linear, kept: Sequence[int], *, dim: int) -> nn.Linear:
    """Return ``layer`` with only the rows (``dim=0``: outputs) or columns (``dim=1``: inputs) in ``kept``.

    The result is trainable where ``layer`` was, on its device and in its dtype.
    """
    index = torch.tensor(kept, dtype=torch.long, device=layer.weight.device)
    bias = layer.bias if dim == 1 else layer.bias[index]
    return _linear(layer, layer.weight.index_select(dim, index), bias)


def resize_embedding(layer: nn.Embedding, rows: int, *, std: float) -> nn.Embedding:
    """Return ``layer`` with ``rows`` rows: the first ones kept, further ones fresh."""
    padding = layer.padding_idx if layer.padding_idx is not None and layer.padding_idx < rows else None
    resized = nn.Embedding(rows, layer.embedding_dim, padding_idx=padding, device="meta").train(layer.training)
    resized.weight = _resized(layer.weight, rows, std)
    return resized


def resize_decoder(layer: nn.Linear, rows: int, *, std: float) -> nn.Linear:
    """Return ``layer`` with ``rows`` outputs: the first ones kept, the weights of further ones fresh, their bias 0."""
    return _linear(layer, _resized(layer.weight, rows, std), _resized(layer.bias, rows, 0.0))


def _resized(parameter: torch.Tensor, rows: int, std: float) -> nn.Parameter:
    kept = min(rows, parameter.shape[0])
    resized = parameter.new_empty((rows, *parameter.shape[1:]))
    with torch.no_grad():
        resized[:kept] = parameter[:kept]
        resized[kept:].normal_(0, std)
    return nn.Parameter(resized, parameter.requires_grad)


def _linear(like: nn.Linear, weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta").train(like.training)
    layer.weight = nn.Parameter(weight.detach().clone(), like.weight.requires_grad)
    layer.bias = nn.Parameter(bias.detach().clone(), like.bias.requires_grad)
    return layer
