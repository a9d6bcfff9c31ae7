"""Changing the size of layers of a living model: pruned heads, grown or shrunk vocabularies."""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
from collections.abc import Sequence

import torch
from torch import nn


def prune_linear(layer: nn.Linear, kept: Sequence[int], *, dim: int) -> nn.Linear:
    """Return ``layer`` with only the rows (``dim=0``: outputs) or columns (``dim=1``: inputs) in ``kept``.

    The result is trainable where ``layer`` was, and on its device in its dtype.
    """
    index = torch.tensor(kept, dtype=torch.long, device=layer.weight.device)
    bias = layer.bias if dim == 1 else layer.bias[index]
    weight = layer.weight.index_select(dim, index)
    pruned = nn.Linear(weight.shape[1], weight.shape[0], device="meta").train(layer.training)
    pruned.weight = nn.Parameter(weight.detach().clone(), layer.weight.requires_grad)
    pruned.bias = nn.Parameter(bias.detach().clone(), layer.bias.requires_grad)
    return pruned
