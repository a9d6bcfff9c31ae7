"""The learning rate and the optimiser of the training."""

from __future__ import annotations

import math

import torch
from torch import nn


def learning_rate(step: int, steps: int, *, peak: float, warmup: int) -> float:
    """Return the rate of a step: a rise to ``peak``, then half a cosine down to a fiftieth of it."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.02 + 0.98 * (1 + math.cos(math.pi * min(1.0, progress))) / 2)


def optimiser(model: nn.Module) -> torch.optim.AdamW:
    """Return AdamW; only matrices decay, biases, normalisations and embeddings do not."""
    decayed = [p for name, p in model.named_parameters() if p.dim() == 2 and "embeddings" not in name]
    chosen = {id(parameter) for parameter in decayed}
    others = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
    groups = [{"params": decayed, "weight_decay": 0.01}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-8, fused=True)
