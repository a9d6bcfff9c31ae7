"""Decisions: which place, word, label or sign an output chooses, and the margin of those that flip."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from albert_export import AlbertConfig
from albert_export.parity.criteria import Flip
from albert_export.parity.decisions import compare_decisions
from albert_export.tasks import TensorSpec, get_task

CONFIG = AlbertConfig(num_labels=3)


def output(task: str, place: int = 0) -> TensorSpec:
    return get_task(task).outputs[place]


@pytest.mark.parametrize(
    ("task", "shape"),
    [
        ("question-answering", (2, 4)),
        ("multiple-choice", (2, 4)),
        ("text-classification", (2, 3)),
        ("token-classification", (2, 4, 3)),
        ("fill-mask", (2, 4, 11)),
    ],
)
def test_equal_outputs_flip_nothing_and_a_changed_one_flips_with_its_margin(task: str, shape: tuple[int, ...]) -> None:
    generator = np.random.default_rng(0)
    exact = generator.standard_normal(shape)
    spec = output(task)
    real = np.ones(shape if spec.axes[-1] in ("sequence", "choices") else shape[:-1], bool)
    count, flipped = compare_decisions(spec, CONFIG, exact, exact.astype(np.float32), real)
    assert (count, flipped) == (int(np.prod(shape[:-1])), [])
    got = exact.copy()
    row = got.reshape(-1, shape[-1])[0]
    second, best = np.sort(row)[-2:]
    row[row.argmin()] = best + 1.0
    count, flipped = compare_decisions(spec, CONFIG, exact, got, real)
    assert [flip.margin for flip in flipped] == [pytest.approx(best - second)]
    assert flipped[0].noise == 0.0


def test_what_the_mask_hides_is_not_chosen() -> None:
    exact = np.array([[1.0, 2.0, 9.0], [3.0, 1.0, 0.0], [5.0, 5.0, 5.0]])
    got = np.array([[1.0, 2.0, 0.0], [3.0, 1.0, 8.0], [9.0, 0.0, 0.0]])
    real = np.array([[True, True, False], [True, True, False], [False, False, False]])
    assert compare_decisions(output("question-answering"), CONFIG, exact, got, real) == (2, [])
    real[1, 2] = True
    assert compare_decisions(output("question-answering"), CONFIG, exact, got, real) == (2, [Flip(2.0, 0.0)])


def test_each_of_several_labels_is_a_decision_by_its_sign() -> None:
    config = AlbertConfig(num_labels=3, problem_type="multi_label_classification")
    exact, got = np.array([[1.0, -0.5, 0.25]]), np.array([[2.0, 0.1, -0.1]])
    count, flipped = compare_decisions(output("text-classification"), config, exact, got, np.array([True]))
    assert (count, [flip.margin for flip in flipped]) == (3, [0.5, 0.25])
    # The errors are 1, 0.6 and 0.35: each label's noise is that of the two others.
    assert [flip.noise for flip in flipped] == [
        pytest.approx(((1 + 0.35**2) / 2) ** 0.5),
        pytest.approx(((1 + 0.6**2) / 2) ** 0.5),
    ]


@pytest.mark.parametrize(
    ("spec", "config"),
    [(output("feature-extraction"), CONFIG), (output("text-classification"), AlbertConfig(num_labels=1))],
)
def test_vectors_and_numbers_decide_nothing(spec: TensorSpec, config: Any) -> None:
    exact = np.array([[1.0]])
    assert compare_decisions(spec, config, exact, -exact, np.array([True])) == (0, [])
