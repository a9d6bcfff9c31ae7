"""The learning rate and the optimisers of the training."""

from __future__ import annotations

import math

import torch
from torch import nn

#: Fewest rows and columns of a matrix that Muon turns: those with a row for each label stay with AdamW.
LEAST_TURNED = 32


def learning_rate(step: int, steps: int, *, peak: float, warmup: int) -> float:
    """Return the rate of a step: a rise to ``peak``, then half a cosine down to a fiftieth of it."""
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * (0.02 + 0.98 * (1 + math.cos(math.pi * min(1.0, progress))) / 2)


class Optimisers:
    """AdamW for everything, and from some step on Muon for the larger matrices.

    Muon (Jordan et al., 2024) takes a step of one length in every direction of a matrix, and teaches more a token;
    its steps are scaled to the length of AdamW's (Liu et al., arXiv:2502.16982, section 2.2), so that both keep to one
    rate. A model that begins with it is slow to find how an answer is looked up, so it takes over once that is found.

    Args:
        model: What is trained. Biases, normalisations and embeddings do not decay.
        muon: The first step that is Muon's, counted from 0; None for none.
    """

    def __init__(self, model: nn.Module, muon: int | None = None) -> None:
        decayed = [p for name, p in model.named_parameters() if p.dim() == 2 and "embeddings" not in name]
        self._turned = [parameter for parameter in decayed if min(parameter.shape) >= LEAST_TURNED]
        own = {id(parameter) for parameter in self._turned}
        matrices = {id(parameter) for parameter in decayed}
        self._muon = muon
        self._done = 0
        self._optimisers: list[torch.optim.Optimizer] = [
            _adamw(self._turned, 0.01),
            _adamw([parameter for parameter in decayed if id(parameter) not in own], 0.01),
            _adamw([parameter for parameter in model.parameters() if id(parameter) not in matrices], 0.0),
        ]

    def step(self, rate: float) -> None:
        """Take one step at a rate, and forget the gradients."""
        if self._done == self._muon:
            self._optimisers[0] = torch.optim.Muon(self._turned, weight_decay=0.01, adjust_lr_fn="match_rms_adamw")
        self._done += 1
        for optimiser in self._optimisers:
            for group in optimiser.param_groups:
                group["lr"] = rate
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)


def _adamw(parameters: list[nn.Parameter], decay: float) -> torch.optim.AdamW:
    return torch.optim.AdamW(parameters, lr=0.0, weight_decay=decay, betas=(0.9, 0.98), eps=1e-8, fused=True)
