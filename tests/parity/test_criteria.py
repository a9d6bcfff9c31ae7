from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export import AlbertConfig
from albert_export.errors import UnknownNameError
from albert_export.parity.criteria import CRITERIA, Criterion, Flip, Pool, criterion_for, measure
from albert_export.parity.decisions import compare_decisions
from albert_export.tasks import get_task

EVERYWHERE = np.ones((2, 3), dtype=bool)


def test_the_limit_is_a_multiple_of_the_noise_and_a_fraction_of_the_scale() -> None:
    pool = Pool(count=4, e0=2e-7, _squares=36.0)
    assert pool.scale == 3.0
    assert Criterion(noise_factor=4.0, scale_factor=1e-6).limit(pool) == pytest.approx(8e-7 + 3e-6)


def test_the_page_on_parity_tells_the_factors_that_are_used() -> None:
    page = (Path(__file__).parents[2] / "docs" / "parity.md").read_text(encoding="utf-8")
    used = CRITERIA["fp32"]
    assert f"{used.noise_factor:g} * e0 + {used.scale_factor:g} * scale".replace("1e-06", "1e-6") in page


def test_a_precision_without_a_criterion_is_an_error_that_lists_those_with_one() -> None:
    assert criterion_for("fp32") is CRITERIA["fp32"]
    with pytest.raises(UnknownNameError, match="fp32"):
        criterion_for("int2")


def test_the_figures_of_one_batch() -> None:
    exact = np.array([[3.0, -4.0], [0.0, 5.0]])
    single = np.array([[3.5, -4.0], [0.0, 5.0]], dtype=np.float32)
    got = np.array([[3.0, -4.25], [0.0, 5.0]], dtype=np.float32)
    pool = measure("a case", exact, single, got, np.ones((2,), dtype=bool))
    assert (pool.count, pool.e0, pool.error, pool.worst_case) == (4, 0.5, 0.25, "a case")
    assert pool.scale == pytest.approx(math.sqrt(50 / 4))
    assert pool.spread == pytest.approx(math.sqrt((50 - 4**2 / 4) / 4))  # less the mean, which is 1
    assert pool.snr_db == pytest.approx(10 * math.log10(46 / 0.0625))


def test_only_the_chosen_places_count() -> None:
    exact = np.zeros((2, 3))
    got = np.array([[0, 0, 7.0], [0, 0.5, 7.0]])
    where = np.array([[True, True, False], [True, True, False]])
    pool = measure("case", exact, exact, got, where)
    assert (pool.count, pool.error) == (4, 0.5)
    assert measure("case", exact, exact, got, np.zeros((2, 3), dtype=bool)) == Pool()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_number_that_is_not_finite_is_an_infinite_error_whatever_comes_later(bad: float) -> None:
    exact = np.ones((2, 3))
    got = exact.copy()
    got[1, 1] = bad
    pool = measure("bad", exact, exact, got, EVERYWHERE)
    assert pool.error == math.inf
    assert pool.snr_db == -math.inf
    pool.add(measure("good", exact, exact, exact, EVERYWHERE))
    assert (pool.error, pool.worst_case) == (math.inf, "bad")


def test_signal_to_noise_at_its_ends() -> None:
    zero, one = np.zeros((2, 3)), np.ones((2, 3))
    assert measure("exact", one, one, one, EVERYWHERE).snr_db == math.inf
    assert measure("no signal", zero, zero, one, EVERYWHERE).snr_db == -math.inf
    assert math.isnan(measure("nothing at all", zero, zero, zero, EVERYWHERE).snr_db)


@settings(deadline=None)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 2**32 - 1))
def test_pooling_batches_is_measuring_them_as_one(rows: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    parts = [generator.standard_normal((3, count, 2)) for count in rows]
    pooled = Pool()
    for index, (exact, single, got) in enumerate(parts):
        pooled.add(measure(f"case {index}", exact, single, got, np.ones(len(exact), dtype=bool)))
    exact, single, got = np.concatenate(parts, axis=1)
    whole = measure(pooled.worst_case, exact, single, got, np.ones(len(exact), dtype=bool))
    assert (pooled.count, pooled.e0, pooled.error) == (whole.count, whole.e0, whole.error)
    assert pooled.scale == pytest.approx(whole.scale)
    assert pooled.snr_db == pytest.approx(whole.snr_db)


def test_a_lower_precision_is_judged_by_its_energy_direction_and_decisions() -> None:
    criterion = Criterion(0.0, 1.0, least_snr_db=20.0, least_cosine=0.99, most_flips=0.1)
    generator = np.random.default_rng(0)
    exact = generator.standard_normal((50, 40))
    near = measure("near", exact, exact, exact + 0.05 * generator.standard_normal(exact.shape), np.ones(50, bool))
    assert criterion.passes(near)
    assert near.snr_db == pytest.approx(26, abs=1)
    noisy = measure("noisy", exact, exact, exact + 0.2 * generator.standard_normal(exact.shape), np.ones(50, bool))
    assert noisy.error < criterion.limit(noisy)
    assert not criterion.passes(noisy)
    near.flipped = [Flip(near.error / 2, 0.0)]  # a tie: either answer is as good
    assert criterion.passes(near)
    near.flipped = [Flip(near.error * 1.5, 0.0)]
    assert not criterion.passes(near)


@pytest.mark.parametrize(("precision", "noise", "most"), [("fp16", 0.01, 0), ("bf16", 0.09, 6)])
def test_one_place_with_unrelated_scores_is_a_miss_nearly_always(precision: str, noise: float, most: int) -> None:
    """In bf16, unrelated scores of few labels are now and then as near as rounding makes them."""
    passed = 0
    spec, config = get_task("token-classification").outputs[0], AlbertConfig(num_labels=9)
    everywhere = np.ones(400, bool)
    for seed in range(60):
        generator = np.random.default_rng(seed)
        exact = generator.standard_normal((400, 9))
        got = exact + noise * generator.standard_normal(exact.shape)
        got[0] = -np.roll(exact[0], 1)
        pool = measure("case", exact, exact, got, everywhere, by_entry=True)
        pool.decisions, pool.flipped = compare_decisions(spec, config, exact, got, everywhere)
        passed += criterion_for(precision).passes(pool)
    assert passed <= most


def test_a_flip_is_clear_by_the_noise_around_it_up_to_one_and_a_half_times_the_output_s() -> None:
    exact = np.random.default_rng(5).standard_normal((50, 40))
    errors = np.full_like(exact, 0.1)
    errors[0, 0] = 10.0  # largest: no margin of this test is above it
    pool = measure("case", exact, exact, exact + errors, np.ones(50, bool))
    noise = float(np.sqrt((errors**2).mean()))
    for around, clear_from in ((0.0, 6.0), (0.5, 6.0), (1.25, 7.5), (50.0, 9.0)):
        pool.flipped = [Flip(clear_from * noise * side, around * noise) for side in (0.99, 1.01)]
        assert pool.clear_flips == 1


@pytest.mark.parametrize("spoil", [lambda x: 0.5 * x, lambda x: -x, np.zeros_like])
def test_a_lower_precision_does_not_excuse_another_output(spoil: Any) -> None:
    exact = np.random.default_rng(1).standard_normal((8, 8))
    pool = measure("case", exact, exact, spoil(exact), np.ones(8, bool))
    for precision in ("fp16", "int8", "int4"):
        assert not criterion_for(precision).passes(pool)


@pytest.mark.parametrize("precision", [name for name, criterion in CRITERIA.items() if criterion.lossy])
def test_no_figure_of_a_criterion_is_implied_by_another(precision: str) -> None:
    """At the least SNR the cosine is sqrt(1 - r^2) at least: a limit below it could never fail."""
    criterion = criterion_for(precision)
    assert criterion.least_snr_db is not None
    implied = math.sqrt(1 - 10 ** (-criterion.least_snr_db / 10))
    assert criterion.least_cosine is None or criterion.least_cosine > implied
    exact = np.random.default_rng(6).standard_normal((60, 40))
    aside = np.random.default_rng(7).standard_normal((60, 40))
    unit = exact / np.sqrt((exact**2).mean())
    aside -= unit * (aside * unit).mean()
    # The error that leaves the least cosine of all with that much energy: the sum is at a right angle to it.
    share = math.sqrt(1 - implied**2)
    error = share * (math.sqrt(1 - share**2) * aside / np.sqrt((aside**2).mean()) - share * unit)
    pool = measure("case", exact, exact, exact + error * np.sqrt((exact**2).mean()), np.ones(60, bool))
    assert pool.cosine == pytest.approx(implied, abs=2e-3)


@pytest.mark.parametrize("gain", [0.56, 0.7, 1.4, 1.44])
@pytest.mark.parametrize("precision", [name for name, criterion in CRITERIA.items() if criterion.lossy])
def test_an_output_that_is_stretched_is_a_miss_though_it_points_the_right_way(precision: str, gain: float) -> None:
    """Cosine 1 and no decision otherwise, and at 7 dB even the energy passes: only the gain can tell."""
    exact = np.random.default_rng(8).standard_normal((60, 40)) + 5.0
    pool = measure("case", exact, exact, gain * exact - 2.0, np.ones(60, bool), by_entry=True)
    assert (pool.gain, pool.cosine) == (pytest.approx(gain), pytest.approx(1.0))
    assert not criterion_for(precision).passes(pool)


def test_of_few_numbers_the_gain_is_luck() -> None:
    """Of seven numbers, noise that is allowed stretches them now and then; what is stretched without noise is not."""
    criterion, refused = criterion_for("int8"), 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        exact = generator.standard_normal((7, 1))
        pool = measure("case", exact, exact, exact + 0.25 * generator.standard_normal((7, 1)), np.ones(7, bool))
        refused += not abs(pool.gain - 1) <= criterion.gain_limit(pool)
        stretched = measure("case", exact, exact, 1.2 * exact, np.ones(7, bool))
        assert not criterion.passes(stretched)
    assert refused <= 2
    assert criterion_for("fp32").gain_limit(Pool()) == math.inf


def test_noise_and_an_offset_are_no_gain() -> None:
    generator = np.random.default_rng(9)
    exact = generator.standard_normal((200, 40))
    got = exact + 0.3 * generator.standard_normal(exact.shape) + 0.1
    pool = measure("case", exact, exact, got, np.ones(200, bool), by_entry=True)
    assert pool.gain == pytest.approx(1.0, abs=0.02)
    assert math.isnan(measure("flat", np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)), EVERYWHERE).gain)


def test_an_offset_that_every_answer_has_hides_nothing() -> None:
    """As a bias gives it: it is right even where everything before it is wrong."""
    exact = -8 + 2 * np.random.default_rng(2).standard_normal((40, 30))
    everywhere = np.ones(40, bool)
    constant = measure("case", exact, exact, np.full_like(exact, -8.0), everywhere, by_entry=True)
    assert constant.snr_db < 1
    assert constant.cosine == 0.0
    near = measure("case", exact, exact, exact + 0.1, everywhere, by_entry=True)
    assert near.cosine == pytest.approx(1.0)
    assert near.spread == pytest.approx(2.0, rel=0.1)
    for precision in ("fp16", "bf16", "int8", "int4"):
        assert not criterion_for(precision).passes(constant)
    assert criterion_for("int8").passes(near)


def test_the_mean_is_that_of_each_entry_over_all_cases() -> None:
    generator = np.random.default_rng(3)
    means = 10 * generator.standard_normal(6)
    exact = means + generator.standard_normal((50, 6))
    whole = measure("all", exact, exact, exact, np.ones(50, bool), by_entry=True)
    parts = Pool(_sums=np.zeros(6), _sums_got=np.zeros(6))
    for start in range(0, 50, 10):
        part = exact[start : start + 10]
        parts.add(measure("part", part, part, part, np.ones(10, bool), by_entry=True))
    assert whole.spread == pytest.approx(1.0, rel=0.2) == parts.spread
    assert measure("all", exact, exact, exact, np.ones(50, bool)).spread > 3


def test_too_many_flips_are_a_miss_however_near_they_were() -> None:
    criterion = criterion_for("int8")
    exact = np.random.default_rng(4).standard_normal((50, 40))
    pool = measure("case", exact, exact, exact + 0.01, np.ones(50, bool))
    pool.decisions, pool.flipped = 100, [Flip(0.0, 0.0)] * 25
    assert criterion.passes(pool)
    pool.flipped = [Flip(0.0, 0.0)] * 26
    assert not criterion.passes(pool)


def test_a_row_alone_is_held_to_a_limit_of_its_own() -> None:
    pool = Pool(count=4, e0=0.0, _squares=4.0)
    assert criterion_for("int8").row_limit(pool) == pytest.approx(0.2)
    assert criterion_for("int8").limit(Pool(count=10**6, _squares=1e6)) == pytest.approx(3.0)
    # Four numbers: twice sqrt(2 ln 4) at 7 dB.
    assert criterion_for("int8").limit(pool) == pytest.approx(2 * 1.6651 * 0.44668, rel=1e-4)
    assert criterion_for("fp32").row_limit(pool) == criterion_for("fp32").limit(pool)
