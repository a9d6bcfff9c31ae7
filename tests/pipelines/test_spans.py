"""Spans from hand-made logits, against the definition written out in loops."""

from __future__ import annotations

import math
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.pipelines.spans import Span, Spans, WindowLogits


def window(start: list[float], end: list[float], first: int, count: int, origin: int) -> WindowLogits:
    """``count`` context tokens from position ``first`` on, the first of which is token ``origin`` of the text."""
    return WindowLogits(
        np.array(start, np.float32),
        np.array(end, np.float32),
        np.arange(first, first + count),
        np.arange(origin, origin + count),
    )


def test_the_best_span_and_its_score() -> None:
    # [CLS] q [SEP] a b c [SEP]; with logits that are logarithms the probabilities can be read off.
    start = np.log([2, 50, 50, 1, 4, 1, 50]).tolist()  # context and [CLS] sum to 8
    end = np.log([1, 50, 50, 1, 2, 6, 50]).tolist()  # to 10
    spans = Spans([window(start, end, 3, 3, 10)], 15)
    first = next(spans.best())
    assert (first.first, first.last) == (11, 12)
    assert math.exp(first.log_score) == pytest.approx(4 / 8 * 6 / 10)
    assert math.exp(spans.log_null) == pytest.approx(2 / 8 * 1 / 10)


def test_a_span_never_ends_before_it_starts() -> None:
    spans = Spans([window([0, 0, 9, 0], [0, 9, 0, 0], 1, 3, 1)], 15)
    ranked = [(span.first, span.last) for span in spans.best()]
    assert all(first <= last for first, last in ranked)
    assert len(ranked) == 6
    assert (2, 1) not in ranked


def test_the_longest_answer_is_bounded() -> None:
    spans = Spans([window([0, 9, 0, 0, 0], [0, 0, 0, 0, 9], 1, 4, 1)], 3)
    assert max(span.last - span.first + 1 for span in spans.best()) == 3


def test_of_equals_the_earlier_and_then_the_shorter() -> None:
    spans = Spans([window([0] * 4, [0] * 4, 1, 3, 5)], 15)
    assert [(span.first, span.last) for span in spans.best()] == [(5, 5), (5, 6), (5, 7), (6, 6), (6, 7), (7, 7)]


def test_windows_compete_by_their_logits() -> None:
    # Normalised by itself the first window would be sure of its span; against the second it has next to nothing.
    sure_of_itself = window([0, 1, -9], [0, 1, -9], 1, 2, 1)
    with_answer = window([0, 5, 4], [0, 5, 4], 1, 2, 3)
    spans = Spans([sure_of_itself, with_answer], 15)
    best = next(spans.best())
    assert (best.first, best.last) == (3, 3)
    total = math.exp(0) + math.exp(1) + math.exp(-9) + math.exp(5) + math.exp(4)
    assert math.exp(best.log_score) == pytest.approx((math.exp(5) / total) ** 2, rel=1e-6)


def test_no_answer_is_of_the_window_that_is_least_sure_of_it() -> None:
    without = window([8, 0], [8, 0], 1, 1, 1)
    with_answer = window([-2, 3], [-1, 3], 1, 1, 2)
    spans = Spans([without, with_answer], 15)
    starts = math.exp(-2) + math.exp(0) + math.exp(3)
    ends = math.exp(-1) + math.exp(0) + math.exp(3)
    assert math.exp(spans.log_null) == pytest.approx(math.exp(-2) / starts * math.exp(-1) / ends)
    assert spans.log_null < next(spans.best()).log_score


def by_definition(windows: list[WindowLogits], max_tokens: int) -> tuple[list[tuple[float, int, int]], float]:
    null = min(windows, key=lambda each: float(each.start[0]) + float(each.end[0]))
    totals = []
    for name in ("start", "end"):
        logits = [float(getattr(each, name)[place]) for each in windows for place in each.context]
        totals.append(sum(math.exp(logit) for logit in [*logits, float(getattr(null, name)[0])]))
    spans = []
    for each in windows:
        for i, a in enumerate(each.context):
            for j, b in enumerate(each.context):
                if i <= j < i + max_tokens:
                    score = math.exp(each.start[a]) / totals[0] * math.exp(each.end[b]) / totals[1]
                    spans.append((score, int(each.origin[i]), int(each.origin[j])))
    return spans, math.exp(null.start[0]) / totals[0] * math.exp(null.end[0]) / totals[1]


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(1, 7), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_spans_are_those_of_the_definition(count: int, length: int, max_tokens: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    windows = []
    for index in range(count):
        logits = generator.normal(0, 4, (2, length + 3)).astype(np.float32)
        windows.append(window(logits[0].tolist(), logits[1].tolist(), 2, length, 2 + index * 3))
    spans = Spans(windows, max_tokens)
    found = list(spans.best())
    expected, null = by_definition(windows, max_tokens)
    assert math.exp(spans.log_null) == pytest.approx(null, rel=1e-6)
    assert len(found) == len(expected)
    assert sorted((span.first, span.last) for span in found) == sorted((first, last) for _, first, last in expected)
    scores = [math.exp(span.log_score) for span in found]
    assert scores == sorted(scores, reverse=True)
    np.testing.assert_allclose(scores, sorted((score for score, _, _ in expected), reverse=True), rtol=1e-5)
    assert sum(scores) <= 1 + 1e-9 if count == 1 else True


def test_spans_are_made_only_as_far_as_asked() -> None:
    spans = Spans([window([0.0, 1.0, 2.0], [0.0, 1.0, 2.0], 1, 2, 1)], 15)
    assert list(islice(spans.best(), 1)) == [Span(2, 2, pytest.approx(next(spans.best()).log_score))]
