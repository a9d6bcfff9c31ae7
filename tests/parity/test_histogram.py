"""Counting errors by size."""

from __future__ import annotations

import numpy as np
import pytest

from albert_export.parity import histogram as module
from albert_export.parity.histogram import Histogram, count_errors, histogram, no_errors


def test_a_bin_holds_what_is_from_its_lower_end_to_below_twice_it() -> None:
    errors = np.array([0.0, 1.0, 1.5, -1.999, 2.0, 0.25, 0.0])
    assert histogram(count_errors(errors)) == Histogram(zeros=2, first=-2, counts=(1, 0, 3, 1))


def test_nothing_and_zeros_have_no_bins() -> None:
    assert histogram(no_errors()) == Histogram()
    assert histogram(count_errors(np.zeros((2, 3)))) == Histogram(zeros=6)


def test_what_is_not_finite_is_in_no_bin_and_the_extremes_in_the_outermost() -> None:
    found = histogram(count_errors(np.array([np.nan, np.inf, 1e-300, 1e300])))
    assert (found.first, found.counts[0], found.counts[-1], sum(found.counts)) == (module.LEAST, 1, 1, 2)
    assert found.first + len(found.counts) == module.MOST


def test_counts_add_up_whatever_they_are_cut_into(monkeypatch: pytest.MonkeyPatch) -> None:
    errors = np.random.default_rng(0).standard_normal((7, 11))
    whole = count_errors(errors)
    assert whole.sum() == errors.size
    assert (count_errors(errors[:3]) + count_errors(errors[3:]) == whole).all()
    monkeypatch.setattr(module, "_AT_ONCE", 5)
    assert (count_errors(errors) == whole).all()
