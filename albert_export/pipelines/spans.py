"""From start and end logits to the spans of a text: the arithmetic of extractive question answering."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from albert_export.pipelines.numerics import Logits, log_sum_exp


@dataclass(frozen=True)
class WindowLogits:
    """The logits of one window.

    Attributes:
        start: Logits of the first token of the answer, ``[S]``; position 0 is [CLS], which stands for no answer.
        end: Logits of its last token, ``[S]``.
        context: Positions, within the window, of the tokens that an answer may have; ascending, without gaps.
        origin: For each of them its token in the whole text.
    """

    start: Logits
    end: Logits
    context: npt.NDArray[np.int64]
    origin: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """Tokens of the whole text, first and last, with the natural logarithm of their probability."""

    first: int
    last: int
    log_score: float


class Spans:
    """All spans of all windows of one text, scored against each other.

    A span's score is P(start) · P(end). Both are softmax over the context tokens of *all* windows and [CLS], so that
    a span of one window competes with those of the others by its logits, as in BERT's SQuAD evaluation (Devlin et
    al. 2019, section 4.2). With one window this is the score of transformers' pipeline; with several, theirs
    normalises each window by itself, where a window without the answer is sure of its best wrong span.

    No answer is the span from [CLS] to [CLS]; of several windows the one that is least sure of it counts, since one
    window with an answer is enough (section 4.3).

    Args:
        windows: At least one window.
        max_tokens: Most tokens of an answer.
    """

    def __init__(self, windows: Sequence[WindowLogits], max_tokens: int) -> None:
        self._windows = windows
        self._max_tokens = max_tokens
        null = min(windows, key=lambda window: float(window.start[0]) + float(window.end[0]))
        self._log_starts = _log_total([window.start[window.context] for window in windows], null.start[0])
        self._log_ends = _log_total([window.end[window.context] for window in windows], null.end[0])
        #: Natural logarithm of the probability that there is no answer.
        self.log_null = float(null.start[0]) - self._log_starts + float(null.end[0]) - self._log_ends

    def best(self) -> Iterator[Span]:
        """Yield the spans, the best first; of equals the one that begins first, then the shorter.

        A span that lies in two windows comes twice.
        """
        firsts, lengths, scores = (
            np.concatenate(parts) for parts in zip(*map(self._spans, self._windows), strict=True)
        )
        for index in np.lexsort((lengths, firsts, -scores)):
            first = int(firsts[index])
            yield Span(first, first + int(lengths[index]) - 1, float(scores[index]))

    def _spans(self, window: WindowLogits) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """First token, length and score of every span of one window."""
        starts = np.asarray(window.start[window.context], dtype=np.float64) - self._log_starts
        ends = np.asarray(window.end[window.context], dtype=np.float64) - self._log_ends
        count = len(window.context)
        lengths = range(1, min(self._max_tokens, count) + 1)
        scores = [starts[: count - length + 1] + ends[length - 1 :] for length in lengths]
        firsts = [window.origin[: count - length + 1] for length in lengths]
        widths = [np.full(count - length + 1, length) for length in lengths]
        return np.concatenate(firsts), np.concatenate(widths), np.concatenate(scores)


def _log_total(contexts: Sequence[Logits], null: Any) -> float:
    return log_sum_exp(np.concatenate([*contexts, [null]]).astype(np.float64))
