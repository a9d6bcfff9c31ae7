"""Flipped decisions in words: the token, word, label or choice, and the text around it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from albert_export import AlbertConfig
from albert_export.parity import flips
from albert_export.parity.cases import Case
from albert_export.parity.criteria import Pool, measure
from albert_export.parity.decisions import compare_decisions
from albert_export.parity.flips import FlippedDecision, tell_flips
from albert_export.tasks import get_task

WORDS = ("[CLS]", "Ada", "wrote", "notes", "[SEP]", "<pad>")
IDS = np.array([[0, 1, 2, 4], [0, 3, 4, 5]])
MASK = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])


class Words:
    """A tokenizer of six words."""

    def decode(self, ids: list[int]) -> str:
        return " ".join(WORDS[index] for index in ids)

    def convert_ids_to_tokens(self, index: int) -> str:
        return WORDS[index]


def told(task: str, exact: np.ndarray, got: np.ndarray, config: AlbertConfig, ids: np.ndarray = IDS,
         mask: np.ndarray = MASK, tokenizer: Any = None) -> tuple[FlippedDecision, ...]:  # fmt: skip
    row = get_task(task)
    spec = row.outputs[0]
    case = Case("text", {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}, "right")
    where = case.real(spec.axes)
    pool = measure("text", exact, exact.astype(np.float32), got, where)
    pool.decisions, found = compare_decisions(spec, config, exact, got, where)
    pool.flipped = [flips.Flip(f.margin, f.noise, f.place, f.expected, f.got, "text") for f in found]
    pools = {each.name: Pool() for each in row.outputs} | {spec.name: pool}
    return tell_flips(row, config, tokenizer, [case], pools)


def test_the_end_of_a_span_is_a_token_of_its_row() -> None:
    exact = np.array([[0.0, 3.0, 1.0, 0.0], [2.0, 1.0, 0.0, 9.0]])
    got = np.array([[0.0, 1.0, 3.0, 0.0], [2.0, 1.0, 0.0, 0.0]])
    (flip,) = told("question-answering", exact, got, AlbertConfig(), tokenizer=Words())
    assert (flip.output, flip.case, flip.row, flip.at) == ("start_logits", "text", 0, "")
    assert (flip.expected, flip.got, flip.margin) == ("token 1 Ada", "token 2 wrote", 2.0)
    assert flip.text == "[CLS] Ada wrote [SEP]"


def test_a_word_is_told_with_the_token_it_stands_at_and_no_padding() -> None:
    exact = np.zeros((2, 4, 6))
    exact[..., 2] = 1.0
    got = exact.copy()
    got[1, 1, 3] = 2.0
    config = AlbertConfig(vocab_size=6)
    (flip,) = told("fill-mask", exact, got, config, tokenizer=Words())
    assert (flip.row, flip.at, flip.expected, flip.got) == (1, "token 1 notes", "wrote", "notes")
    assert flip.text == "[CLS] notes [SEP]"
    (without,) = told("fill-mask", exact, got, config)
    assert (without.at, without.expected, without.text) == ("token 1 id 3", "id 2", "")


def test_labels_have_their_names() -> None:
    config = AlbertConfig(id2label={0: "good", 1: "bad"})
    exact, got = np.array([[1.0, 0.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0]])
    (flip,) = told("text-classification", exact, got, config, tokenizer=Words())
    assert (flip.row, flip.at, flip.expected, flip.got) == (1, "", "good", "bad")
    several = AlbertConfig(id2label={0: "good", 1: "bad"}, problem_type="multi_label_classification")
    (flip,) = told("text-classification", np.array([[1.0, -0.5]] * 2), np.array([[1.0, -0.5], [1.0, 0.5]]), several)
    assert (flip.row, flip.at, flip.expected, flip.got) == (1, "bad", "does not hold", "holds")


def test_a_choice_is_told_with_the_row_of_the_right_one() -> None:
    ids, mask = IDS[None], MASK[None]
    exact, got = np.array([[0.0, 1.0]]), np.array([[1.0, 0.0]])
    (flip,) = told("multiple-choice", exact, got, AlbertConfig(), ids, mask, Words())
    assert (flip.expected, flip.got, flip.text) == ("choice 1", "choice 0", "[CLS] notes [SEP]")


def test_those_with_the_widest_margins_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flips, "MOST_TOLD", 1)
    exact = np.array([[0.0, 1.0, 0.0, 0.0], [5.0, 1.0, 0.0, 0.0]])
    (flip,) = told("question-answering", exact, -exact, AlbertConfig())
    assert (flip.row, flip.margin) == (1, 4.0)
