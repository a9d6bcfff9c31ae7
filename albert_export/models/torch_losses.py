"""The heads' training losses, as transformers 4.37.2 computes them."""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
import torch.nn.functional as F
from torch import Tensor

from albert_export.config import AlbertConfig

#: Label of a token that counts in no loss.
IGNORED = -100


def token_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the mean cross-entropy over all rows whose label is not :data:`IGNORED`; NaN when none is left.

    Args:
        logits: ``[…, C]``, floating.
        labels: Class indices, as many as ``logits`` has rows.
    """
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), ignore_index=IGNORED)


def span_loss(start_logits_BS: Tensor, end_logits_BS: Tensor, start_B: Tensor, end_B: Tensor) -> Tensor:
    """Return the mean of the cross-entropies of an answer's first and last position.

    Positions are clamped to ``[0, S]``; ``S``, a position cut off with the text, counts in no loss.

    Args:
        start_logits_BS: Scores of the first position, ``[B,S]``.
        end_logits_BS: Scores of the last position, ``[B,S]``.
        start_B: First positions, ``[B]`` or ``[B,1]``.
        end_B: Last positions, ``[B]`` or ``[B,1]``.
    """
    S = start_logits_BS.shape[1]

    def one(logits_BS: Tensor, positions: Tensor) -> Tensor:
        if positions.dim() > 1:
            positions = positions.squeeze(-1)
        return F.cross_entropy(logits_BS, positions.clamp(0, S), ignore_index=S)

    return (one(start_logits_BS, start_B) + one(end_logits_BS, end_B)) / 2


def classification_loss(logits_BC: Tensor, labels: Tensor, config: AlbertConfig) -> Tensor:
    """Return the loss of ``config.problem_type``, inferring it from the labels and writing it back when it is None.

    Mean squared error for ``regression`` (one label), cross-entropy for ``single_label_classification`` (whole
    numbers), binary cross-entropy for ``multi_label_classification`` (floating labels ``[B,C]``).

    Args:
        logits_BC: Scores, ``[B,C]``.
        labels: ``[B]`` or, for several values or labels at once, ``[B,C]``.
        config: Gives ``num_labels`` and ``problem_type``; the latter is set when it was None.
    """
    if config.problem_type is None:
        if config.num_labels == 1:
            config.problem_type = "regression"
        elif labels.is_floating_point() or labels.is_complex():
            config.problem_type = "multi_label_classification"
        else:
            config.problem_type = "single_label_classification"
    if config.problem_type == "regression":
        if config.num_labels == 1:
            return F.mse_loss(logits_BC.squeeze(), labels.squeeze())
        return F.mse_loss(logits_BC, labels)
    if config.problem_type == "single_label_classification":
        return token_loss(logits_BC, labels)
    return F.binary_cross_entropy_with_logits(logits_BC, labels)
