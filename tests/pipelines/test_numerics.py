from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from albert_export.pipelines.numerics import log_sum_exp, normalised, sigmoid, softmax, top

vectors = hnp.arrays(np.float32, st.integers(1, 12), elements=st.floats(-100, 100, width=32))


def test_softmax_of_known_logits() -> None:
    np.testing.assert_allclose(softmax(np.log([1.0, 2.0, 7.0])), [0.1, 0.2, 0.7], rtol=1e-12)
    np.testing.assert_allclose(softmax([[0, 0], [0, np.log(3)]]), [[0.5, 0.5], [0.25, 0.75]])


def test_huge_logits_are_safe() -> None:
    np.testing.assert_array_equal(softmax([1e30, -1e30, 0.0]), [1, 0, 0])
    np.testing.assert_array_equal(sigmoid([1e30, -1e30, 0.0]), [1, 0, 0.5])
    assert log_sum_exp(np.array([1e6, 1e6])) == pytest.approx(1e6 + np.log(2))


@settings(deadline=None)
@given(vectors, st.floats(-50, 50))
def test_softmax_sums_to_one_and_ignores_a_shift(logits: np.ndarray, shift: float) -> None:
    scores = softmax(logits)
    assert scores.sum() == pytest.approx(1)
    assert scores.argmax() == logits.argmax() or np.isclose(scores.max(), scores[logits.argmax()])
    np.testing.assert_allclose(softmax(logits.astype(np.float64) + shift), scores, atol=1e-9)


@settings(deadline=None)
@given(vectors)
def test_sigmoid_of_the_opposite_is_the_rest(logits: np.ndarray) -> None:
    np.testing.assert_allclose(sigmoid(logits) + sigmoid(-logits), 1)


@settings(deadline=None)
@given(vectors)
def test_log_sum_exp_is_what_softmax_divides_by(logits: np.ndarray) -> None:
    values = logits.astype(np.float64)
    np.testing.assert_allclose(np.exp(values - log_sum_exp(values)), softmax(values), rtol=1e-9)


def test_top_prefers_the_earlier_of_equals() -> None:
    assert top([1, 3, 2, 3, 3], 3) == [1, 3, 4]
    assert top([1, 2], 9) == [1, 0]


def test_normalised_vectors_have_length_one_and_zeros_stay() -> None:
    np.testing.assert_allclose(normalised(np.array([[3, 4], [0, 0]], np.float32)), [[0.6, 0.8], [0, 0]])
    assert normalised(np.array([3, 4], np.float16)).dtype == np.float16
