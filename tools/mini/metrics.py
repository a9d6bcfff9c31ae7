"""Figures of answers against gold ones."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np


def normalised(answer: str) -> str:
    """Return an answer as SQuAD's evaluation compares it: lower case, no punctuation, no articles, single spaces."""
    kept = "".join(character for character in answer.lower() if character not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", kept).split())


def exact_match(answer: str, gold: Sequence[str]) -> float:
    """Return 1 where the answer is one of the accepted ones, else 0."""
    return float(normalised(answer) in {normalised(text) for text in gold})


def word_f1(answer: str, gold: Sequence[str]) -> float:
    """Return SQuAD's F1 of words, against the accepted answer that is nearest."""

    def against(text: str) -> float:
        own, other = normalised(answer).split(), normalised(text).split()
        common = sum((Counter(own) & Counter(other)).values())
        if not own or not other:
            return float(own == other)
        return 2 * common / (len(own) + len(other))

    return max(against(text) for text in gold)


def entity_f1(
    found: Sequence[Collection[tuple[int, int, str]]], gold: Sequence[Collection[tuple[int, int, str]]]
) -> float:
    """Return F1 of whole entities over all texts; one is right when start, end and kind are.

    Args:
        found: For each text the (start, end, kind) of its entities.
        gold: The true ones.
    """
    right = sum(len(set(own) & set(true)) for own, true in zip(found, gold, strict=True))
    total = sum(map(len, found)) + sum(map(len, gold))
    return 2 * right / total if total else 1.0


def spearman(values: Sequence[float], gold: Sequence[float]) -> float:
    """Return the rank correlation of two series, -1 to 1; equal values share their mean rank."""
    return float(np.corrcoef(_ranks(values), _ranks(gold))[0, 1])


def _ranks(values: Sequence[float]) -> np.ndarray:
    _, inverse, counts = np.unique(np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: np.ndarray = ((last - counts + 1 + last) / 2)[inverse]
    return ranks
