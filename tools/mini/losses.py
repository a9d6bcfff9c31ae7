"""The losses of a batch of several tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from tools.mini.encoding import IGNORED

if TYPE_CHECKING:
    from tools.mini.batches import Batch
    from tools.mini.model import MiniModel

#: Weight of one item's loss.
WEIGHTS = {
    "question-answering": 1.5,
    "token-classification": 2.5,
    "text-classification": 1.2,
    "multiple-choice": 1.5,
    "pretraining": 1.0,
    "feature-extraction": 1.0,
    "masks": 0.4,
    "hints": 0.7,
}
#: Weight of the loss of a round before the last, for what is read off tokens.
EARLY = 0.3
#: Sharpness of the ranking of similarities.
SHARPNESS = 20.0


def batch_losses(model: MiniModel, batch: Batch) -> dict[str, Tensor]:
    """Return the sum of each task's losses over its items, unweighted, in the batch; masked words under ``masks``."""
    ids, types, mask, positions = (
        torch.from_numpy(array) for array in (batch.ids, batch.types, batch.mask, batch.positions)
    )
    states = model.states(ids, types, mask, positions)
    last, middle, late = states[-1], states[len(states) // 2 - 1], states[len(states) * 2 // 3 - 1]
    losses: dict[str, Tensor] = {}
    pooled: list[tuple[float, Tensor]] = []
    if not {"text-classification", "multiple-choice", "pretraining"}.isdisjoint(batch.rows):
        # By the mean of all tokens, too: it shows them what [CLS] needs before [CLS] has learnt where to look.
        means_B1D = mean_vectors(last, mask).unsqueeze(1)
        pooled = [(1.0, model.pooled(last)), (EARLY, model.pooled(late)), (EARLY, model.pooled(means_B1D))]
    # Heads read all rows and the task's are taken from what they give: every shape of matrices is compiled for anew.
    for task, rows in batch.rows.items():
        if task in ("words", "fill-mask"):
            continue
        index = torch.from_numpy(rows)
        labels = torch.from_numpy(batch.labels[task])
        if task == "question-answering":
            allowed = (types[index] == 1) & (mask[index] == 1)
            early = [(EARLY, state) for state in states[len(states) // 2 - 1 : -1 : 2]]
            terms = [
                weight * _spans(model.heads[task](state)[index].float(), allowed, labels)
                for weight, state in [(1.0, last), *early]
            ]
        elif task == "token-classification":
            tags = torch.from_numpy(batch.tokens)[index]
            terms = [
                weight * _sum_of_means(model.heads[task](state)[index].float(), tags)
                for weight, state in ((1.0, last), (EARLY, middle))
            ]
        elif task == "feature-extraction":
            terms = [_similarity(last[index], mask[index], labels[:, 0])]
        else:
            head = model.sop_classifier if task == "pretraining" else model.heads[task]
            terms = [weight * _choices(head(vectors)[index].float(), labels) for weight, vectors in pooled]
        losses[task] = torch.stack(terms).sum()
    hints = torch.from_numpy(batch.hints)
    known = hints != IGNORED
    if known.any():
        rounds = (min(1, len(states) - 1), len(states) // 2 - 1, len(states) * 2 // 3 - 1)
        losses["hints"] = torch.stack(
            [
                _hint(model.hints[layer](states[number]).float().squeeze(-1), hints[..., layer])
                for layer, number in enumerate(rounds)
            ]
        ).sum()
    words = torch.from_numpy(batch.words)
    hidden = words != IGNORED
    if hidden.any():
        # Between their mean in each row and their sum, which would drown what else the encoder has to learn.
        in_row = hidden.sum(1, keepdim=True).expand_as(words)[hidden]
        each = F.cross_entropy(_predictions(model, last, hidden), words[hidden], reduction="none")
        losses["masks"] = (each / in_row.sqrt()).sum()
    return losses


def _predictions(model: MiniModel, last_BSD: Tensor, hidden_BS: Tensor) -> Tensor:
    """Return the scores of all pieces at each hidden word, of as many words as fill a multiple of 64."""
    places_N = hidden_BS.flatten().nonzero().squeeze(1)
    filled = F.pad(places_N, (0, -len(places_N) % 64))
    scores_NV: Tensor = model.predictions(last_BSD.flatten(0, 1)[filled])[: len(places_N)]
    return scores_NV.float()


def _spans(scores_BS2: Tensor, allowed_BS: Tensor, labels_B2: Tensor) -> Tensor:
    # Only [CLS] beside the context: the answers of the pipeline are taken from there.
    allowed_BS = allowed_BS.clone()
    allowed_BS[:, 0] = True
    scores_BS2 = scores_BS2.masked_fill(~allowed_BS.unsqueeze(-1), -1e4)
    places_B2 = labels_B2.long()
    return (
        F.cross_entropy(scores_BS2[..., 0], places_B2[:, 0], reduction="sum")
        + F.cross_entropy(scores_BS2[..., 1], places_B2[:, 1], reduction="sum")
    ) / 2


def _choices(scores_BC: Tensor, labels_B2: Tensor) -> Tensor:
    """Return the loss of rows by their classes, or of items by their rows, where a row has one score."""
    if scores_BC.shape[1] == 1:
        scores_BC = scores_BC.view(len(labels_B2), -1)
    return F.cross_entropy(scores_BC, labels_B2[:, 0].long(), reduction="sum")


def _sum_of_means(scores_BSC: Tensor, tags_BS: Tensor) -> Tensor:
    each_BS = F.cross_entropy(scores_BSC.transpose(1, 2), tags_BS, ignore_index=IGNORED, reduction="none")
    weight_BS = torch.where(tags_BS > 0, 2.0, 1.0) * (tags_BS != IGNORED)
    return 1.5 * ((each_BS * weight_BS).sum(1) / weight_BS.sum(1)).sum()


def mean_vectors(hidden_BSD: Tensor, mask_BS: Tensor) -> Tensor:
    """Return the mean of the hidden states of each row's tokens, ``[B,D]``."""
    weight_BS1 = mask_BS.unsqueeze(-1).to(torch.float32)
    # A row that only fills a batch up has no token.
    mean_BD: Tensor = (hidden_BSD.float() * weight_BS1).sum(1) / weight_BS1.sum(1).clamp(min=1)
    return mean_BD


def _similarity(hidden_BSD: Tensor, mask_BS: Tensor, scores_B: Tensor) -> Tensor:
    vectors_PD = F.normalize(mean_vectors(hidden_BSD, mask_BS), dim=-1)
    cosines_B = (vectors_PD[0::2] * vectors_PD[1::2]).sum(-1)
    distance = ((cosines_B - scores_B / 5) ** 2).sum()
    # Pairs of pairs in the wrong order cost most; the loss of CoSENT.
    gaps = SHARPNESS * (cosines_B[:, None] - cosines_B[None, :])
    wrong = gaps[scores_B[:, None] < scores_B[None, :] - 0.25]
    ranking = torch.logsumexp(torch.cat((wrong, wrong.new_zeros(1))), 0)
    return 4 * distance + 0.1 * len(scores_B) * ranking


def _hint(scores_BS: Tensor, hints_BS: Tensor) -> Tensor:
    known_BS = hints_BS != IGNORED
    truth_BS = hints_BS.clamp(min=0).float()
    each_BS = F.binary_cross_entropy_with_logits(scores_BS, truth_BS, reduction="none") * known_BS
    return (each_BS.sum(1) / known_BS.sum(1).clamp(min=1)).sum()
