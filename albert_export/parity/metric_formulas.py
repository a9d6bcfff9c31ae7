"""The arithmetic of task metrics: what one answer is worth, and what all of them are together."""

from __future__ import annotations

import math
import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def plain_answer(text: str) -> str:
    """Return an answer as SQuAD compares it: lowercase, without punctuation, articles and surplus white space.

    Source: the evaluation script of SQuAD 2.0 (Rajpurkar et al. 2018), ``normalize_answer``.
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, accepted: Sequence[str]) -> float:
    """Return 1 where the answer is one of the accepted ones, as SQuAD compares them, else 0."""
    return float(any(plain_answer(answer) == plain_answer(text) for text in accepted))


def word_f1(answer: str, accepted: Sequence[str]) -> float:
    """Return the best F1, 0 to 1, of the words of an answer against those of an accepted one.

    Where one of the two has no words, as "no answer" has none, it is 1 if neither has. Source: as
    :func:`plain_answer`, ``compute_f1``.
    """
    return max(_word_f1(plain_answer(answer).split(), plain_answer(text).split()) for text in accepted)


def _word_f1(answer: Sequence[str], accepted: Sequence[str]) -> float:
    if not answer or not accepted:
        return float(answer == accepted)
    common = (Counter(answer) & Counter(accepted)).total()
    return 2 * common / (len(answer) + len(accepted))


def counts(found: set[Any], expected: set[Any]) -> tuple[float, float, float]:
    """Return how many were found rightly, found wrongly, and not found."""
    right = len(found & expected)
    return float(right), float(len(found) - right), float(len(expected) - right)


def micro_f1(values: Floats) -> float:
    """Return F1, 0 to 1, of all that was found in all items together: entities as CoNLL counts them, or labels.

    Args:
        values: ``[items, 3]``, rows of :func:`counts`.

    Returns:
        2·TP / (2·TP + FP + FN); 1 where there was nothing to find and nothing was found.
    """
    right, wrong, missed = values.sum(axis=0)
    return float(2 * right / (2 * right + wrong + missed)) if right + wrong + missed else 1.0


def spearman(first: Floats, second: Floats) -> float:
    """Return the correlation, -1 to 1, of the ranks of two lists of numbers; equal numbers share their mean rank.

    0 where one of the lists has one number only, in all its places: it ranks nothing.
    """
    one, other = (_ranks(values) - (len(values) - 1) / 2 for values in (first, second))
    scale = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / scale if scale else 0.0


def _ranks(values: Floats) -> Floats:
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(sizes)
    means: Floats = (ends - 1 + ends - sizes) / 2
    return means[group]


def cosine(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Return the cosine of the angle between two vectors ``[D]``, in float64; 0 where one has no length."""
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    scale = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / scale if scale else 0.0


def perplexity(mean_log: float) -> float:
    """Return exp of minus the mean natural logarithm of the right words' probabilities; infinite past all numbers."""
    try:
        return math.exp(-mean_log)
    except OverflowError:
        return math.inf


def place_and_log(logits: npt.NDArray[np.floating[Any]], token: int) -> tuple[int, float]:
    """Return the place of a token among all, 0 for the best, and the natural logarithm of its probability.

    Args:
        logits: ``[V]``, finite. Of equal ones that which comes first is better, as everywhere in the pipelines.
        token: Its id.
    """
    values = logits.astype(np.float64)
    own = values[token]
    place = int((values > own).sum() + (values[:token] == own).sum())
    peak = values.max()
    return place, float(own - peak - np.log(np.exp(values - peak).sum()))
