"""The comparison of a client's answers with ours notices what it must."""

from __future__ import annotations

import math

import numpy as np
import pytest

from albert_export.parity.criteria import criterion_for
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


@pytest.mark.parametrize(("noise_db", "noticed"), [(40.0, False), (20.0, True), (-math.inf, True)])
def test_outputs_are_held_to_a_criterion_over_all_runs(noise_db: float, noticed: bool) -> None:
    chance = np.random.default_rng(0)
    ours = [{"logits": chance.normal(size=(4, 3)) + np.array([5.0, 0.0, -5.0])} for _ in range(50)]
    scale = math.nan if noise_db == -math.inf else 10.0 ** (-noise_db / 20)
    theirs = [{"logits": run["logits"] + scale * chance.normal(size=(4, 3))} for run in ours]
    lines = differences(theirs, ours, tolerance=criterion_for("fp16"))
    assert [line.partition(":")[0] for line in lines] == ["logits"] * noticed


def test_outputs_of_other_names_or_shapes_are_noticed() -> None:
    ours = [{"logits": [[1.0, 2.0]]}]
    for theirs in ({"logit": [[1.0, 2.0]]}, {"logits": [[1.0]]}, {}):
        assert differences([theirs], ours, tolerance=criterion_for("fp16")) != []
