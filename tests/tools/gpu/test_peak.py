"""The peak of matrix products, measured on the CPU with small ones."""

from __future__ import annotations

import pytest

from tools.gpu.peak_worker import best_of


@pytest.mark.parametrize("framework", ["torch", "jax"])
def test_products_are_timed_in_either_framework(framework: str) -> None:
    asked = {"framework": framework, "device": "cpu", "sizes": [64, 128], "seconds": 0.01}
    for precision in ("fp32", "bf16"):
        found = best_of(precision, asked)
        assert found["size"] in (64, 128) and 0 < found["tflops"] < 1000, found


def test_a_size_that_does_not_fit_leaves_the_smaller_ones() -> None:
    asked = {"framework": "torch", "device": "cpu", "sizes": [32, 10**8], "seconds": 0.001}
    assert best_of("fp32", asked)["size"] == 32
    none = best_of("fp32", {**asked, "sizes": [10**8]})
    assert set(none) == {"error"} and "\n" not in none["error"]
