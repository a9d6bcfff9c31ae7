"""Before and after: how far a metric fell, and whether it may."""

from __future__ import annotations

import pytest

from albert_export.errors import InputError
from albert_export.parity.data import Dataset, Item
from albert_export.parity.metrics import MetricResult, allowed_drop, check_can_fall, compare, lost_items
from albert_export.parity.scoring import Figure, Scores


def scores(*figures: Figure, worth: tuple[float, ...] = ()) -> Scores:
    return Scores(figures, worth)


def accuracy(right: int, of: int = 200) -> Figure:
    return Figure("accuracy", 100 * right / of, 100 * right / of)


@pytest.mark.parametrize(
    ("before", "after", "max_drop", "ok"),
    [
        (190, 190, 0.0, True),
        (190, 189, 0.0, False),
        (190, 195, 0.0, True),
        (190, 189, 0.5, True),
        (190, 188, 0.5, False),
        (37, 36, 0.5, True),
    ],
)
def test_a_drop_passes_up_to_what_is_allowed(before: int, after: int, max_drop: float, ok: bool) -> None:
    (result,) = compare(scores(accuracy(before)), scores(accuracy(after)), max_drop)
    assert result.ok is ok
    assert result.drop == pytest.approx((before - after) / 2)
    assert (result.before, result.after) == (before / 2, after / 2)


def test_full_precision_loses_nothing_unless_it_may() -> None:
    assert [allowed_drop(precision, None) for precision in ("fp32", "fp16", "bf16", "int8", "int4")] == [
        0,
        0.5,
        0.5,
        0.5,
        0.5,
    ]
    assert allowed_drop("fp32", 1.5) == allowed_drop("int8", 1.5) == 1.5
    assert allowed_drop("int8", 0) == 0


def test_rounding_is_no_drop_of_a_figure_made_of_rounded_numbers() -> None:
    before, after = (Figure("Spearman", value, value, counted=False) for value in (88.123456, 88.123401))
    (result,) = compare(scores(before), scores(after), 0.0)
    assert (result.drop, result.ok) == (0.0, True)
    (result,) = compare(scores(before), scores(Figure("Spearman", 88.11, 88.11, counted=False)), 0.0)
    assert (result.drop, result.ok) == (0.01, False)


def test_perplexity_falls_as_the_probability_that_it_inverts() -> None:
    before, after = (Figure("perplexity", value, 100 / value, counted=False) for value in (4.0, 5.0))
    (result,) = compare(scores(before), scores(after), 0.5)
    assert (result.before, result.after, result.drop, result.ok) == (4.0, 5.0, 5.0, False)
    assert compare(scores(after), scores(before), 0.0)[0].ok


@pytest.mark.parametrize(
    "figure",
    [
        accuracy(0),
        Figure("perplexity", 1e9, 1e-7, counted=False),
        Figure("Spearman", 0.0, 0.0, counted=False),
    ],
)
def test_a_metric_that_cannot_fall_judges_nothing(figure: Figure) -> None:
    data = Dataset("mine.jsonl", "", (Item(1, {}),))
    assert compare(scores(figure), scores(figure), 0.0)[0].ok, "so it would pass whatever the artifact answers"
    with pytest.raises(
        InputError, match=f"{figure.name} of the eager model .* on 1 item.* of mine.jsonl; fix: give lines"
    ):
        check_can_fall(scores(accuracy(150), figure), data)
    for fine in (accuracy(1), Figure("Spearman", -12.0, -12.0, counted=False)):
        check_can_fall(scores(fine), data)


def test_the_items_that_got_worse_are_named() -> None:
    items = (Item(1, {"id": "a"}), Item(2, {}), Item(5, {"id": 7}))
    data = Dataset("mine", "", items)
    assert lost_items(scores(worth=(1, 1, 2)), scores(worth=(1, 0, 1.5)), data) == ("line 2", "7")


def test_one_line_says_it_all() -> None:
    told = MetricResult("exact match", 93.333, 91.667, 1.666, 0.5).told()
    assert told == "exact match 93.33 before, 91.67 after: a drop of 1.67 points, at most 0.50 allowed"
