"""The comparison of a client's answers with ours notices what it must."""

from __future__ import annotations

import math

import pytest

from tests.clients.comparing import differences

OURS = [{"text": "in São Paulo", "score": 0.25}, {"scores": {"yes": 0.5, "no": 0.5}}, {"labels": ["O", "B-PER"]}]


def test_equal_answers_are_equal() -> None:
    theirs = [{"text": "in sao paulo", "score": 0.2501}, *OURS[1:]]
    assert differences(theirs, OURS, tolerance=1e-3) == []


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        (0, {"text": "in Sao Paulo", "score": 0.2521}),
        (0, {"text": "São Paulo", "score": 0.25}),
        (0, {"text": "in São Paulo", "score": math.nan}),
        (0, {"text": "in São Paulo"}),
        (1, {"scores": {"yes": 0.5, "maybe": 0.5}}),
        (2, {"labels": ["O"]}),
        (2, {"labels": ["O", "I-PER"]}),
        (2, {"labels": ["O", 0.0]}),
    ],
)
def test_another_answer_is_noticed(number: int, answer: object) -> None:
    theirs = [*OURS[:number], answer, *OURS[number + 1 :]]
    (line,) = differences(theirs, OURS, tolerance=1e-3)
    assert line.startswith(f"question {number}: ")


def test_only_tokens_that_are_as_good_change_places() -> None:
    ours = [{"tokens": ["old", "new", "red"], "scores": [0.3, 0.2004, 0.2]}]
    swapped = [{"tokens": ["old", "red", "blue"], "scores": [0.3, 0.2003, 0.2001]}]
    assert differences(swapped, ours, tolerance=1e-3) == []
    for tokens, scores in (
        (["old", "new", "blue"], [0.3, 0.2004, 0.21]),
        (["new", "old", "red"], [0.3, 0.2004, 0.2]),
        (["old", "new"], [0.3, 0.2004]),
        (["old", "new", "red"], [0.3, 0.2004, math.nan]),
    ):
        assert differences([{"tokens": tokens, "scores": scores}], ours, tolerance=1e-3) != []


def test_a_missing_answer_is_noticed() -> None:
    assert differences(OURS[1:], OURS, tolerance=1.0) == ["2 answers to 3 questions"]
