"""Calibration inputs that cannot be used are told in one line, with the fix, and alike for every target."""

from __future__ import annotations

import math

import pytest

from albert_export.errors import ExportError
from albert_export.graphs.calibration_inputs import check_finite, check_names, does_not_run, no_input


def test_names_must_be_those_of_the_model() -> None:
    check_names(["b", "a"], ("a", "b"))
    with pytest.raises(ExportError, match=r"must be a, b; received b, c; fix: give an array for each of them"):
        check_names(["c", "b"], ["b", "a"])
    with pytest.raises(ExportError, match="received none"):
        check_names([], ["a"])


@pytest.mark.parametrize("seen", [(-math.inf, 1.0), (0.0, math.inf), (math.nan, math.nan)])
def test_a_range_must_be_finite(seen: tuple[float, float]) -> None:
    assert check_finite("gelu", (-1.0, 2.0)) == (-1.0, 2.0)
    with pytest.raises(ExportError, match=r"must be finite.*of gelu; fix: mend the checkpoint"):
        check_finite("gelu", seen)


def test_every_error_has_a_fix_and_is_one_line() -> None:
    for error in (no_input(), does_not_run(RuntimeError("first\nlast"))):
        assert error.fix
        assert "\n" not in str(error)
    assert does_not_run(RuntimeError("first\nlast")).received == "last"
