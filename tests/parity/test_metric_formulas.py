"""What an answer is worth: by the published definitions, on examples that can be checked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from albert_export.parity import metric_formulas as formulas


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("The Eiffel Tower", "eiffel tower"),
        ("  a   cat's tail. ", "cats tail"),
        ("an apple, the pear", "apple pear"),
        ("theatre", "theatre"),
        ("1,500", "1500"),
        ("The", ""),
    ],
)
def test_answers_are_compared_as_squad_compares_them(text: str, plain: str) -> None:
    assert formulas.plain_answer(text) == plain


def test_exact_match_is_with_any_of_the_accepted_answers() -> None:
    assert formulas.exact_match("the Notes.", ["a letter", "notes"]) == 1.0
    assert formulas.exact_match("notes of Ada", ["a letter", "notes"]) == 0.0
    assert formulas.exact_match("", [""]) == 1.0
    assert formulas.exact_match("Ada", [""]) == 0.0


@pytest.mark.parametrize(
    ("answer", "accepted", "expected"),
    [
        ("Ada Lovelace", ["Ada Lovelace"], 1.0),
        ("Ada", ["Ada Lovelace"], 2 / 3),
        ("old old town", ["old town"], 0.8),
        ("Babbage", ["Ada Lovelace", "Charles Babbage"], 2 / 3),
        ("Turing", ["Ada Lovelace"], 0.0),
        ("", [""], 1.0),
        ("Ada", [""], 0.0),
        ("the", ["Ada"], 0.0),
    ],
)
def test_word_f1(answer: str, accepted: list[str], expected: float) -> None:
    assert formulas.word_f1(answer, accepted) == pytest.approx(expected)


def test_micro_f1_counts_over_all_items_together() -> None:
    first = formulas.counts({(0, 3, "PER"), (5, 9, "LOC")}, {(0, 3, "PER")})
    second = formulas.counts({(0, 3, "ORG")}, {(0, 3, "PER"), (4, 6, "LOC")})
    assert (first, second) == ((1.0, 1.0, 0.0), (0.0, 1.0, 2.0))
    # 2·1 / (2·1 + 2 + 2); the mean over items would be (2/3 + 0) / 2.
    assert formulas.micro_f1(np.array([first, second])) == pytest.approx(1 / 3)
    assert formulas.micro_f1(np.zeros((4, 3))) == 1.0
    assert formulas.micro_f1(np.array([[0.0, 0.0, 1.0]])) == 0.0


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2, 3, 4, 5], [10, 20, 30, 40, 50], 1.0),
        ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.8),
        ([1, 2, 2, 4], [1, 3, 2, 4], 9 / math.sqrt(90)),
        ([7, 7, 7], [1, 2, 3], 0.0),
    ],
)
def test_spearman(first: list[float], second: list[float], expected: float) -> None:
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    assert formulas.spearman(one, other) == pytest.approx(expected)
    assert formulas.spearman(np.exp(one), other) == pytest.approx(expected), "ranks alone count"


def test_cosine_and_perplexity() -> None:
    assert formulas.cosine(np.float32([1, 0]), np.float32([1, 1])) == pytest.approx(math.sqrt(0.5))
    assert formulas.cosine([0.0, 0.0], [1.0, 1.0]) == 0.0
    assert formulas.perplexity(math.log(0.25)) == pytest.approx(4.0)
    assert formulas.perplexity(-1e9) == math.inf


def test_the_place_of_a_token_and_its_probability() -> None:
    logits = np.log(np.float32([1.0, 5.0, 1.0, 3.0]))
    found = [formulas.place_and_log(logits, token) for token in range(4)]
    assert [place for place, _ in found] == [2, 0, 3, 1]  # of equals the first, as in best_tokens
    assert [math.exp(log) for _, log in found] == pytest.approx([0.1, 0.5, 0.1, 0.3])
    far = np.float32([0.0, 2000.0])
    assert formulas.place_and_log(far, 0) == (1, -2000.0)
