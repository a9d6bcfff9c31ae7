from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.builtin import builtin_directory
from albert_export.config import AlbertConfig
from albert_export.errors import InputError
from albert_export.parity.cases import Case, build_cases
from albert_export.parity.checks import choose_case
from albert_export.parity.texts import PAIRS
from albert_export.tasks import get_task
from albert_export.tokenization import load_tokenizer
from tests.parity.conftest import TINY

QA = get_task("question-answering")
CHOICE = get_task("multiple-choice")
TRACED = {"batch": 2, "sequence": 16}
TRACED_CHOICES = {**TRACED, "choices": 3}
DYNAMIC = {"batch": None, "choices": None, "sequence": None}


def config(**changes: Any) -> AlbertConfig:
    return AlbertConfig(**{**TINY, "max_position_embeddings": 512, **changes})


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(builtin_directory("albert-seeded"))


def lengths(cases: tuple[Case, ...]) -> set[int]:
    return {case.shape[-1] for case in cases}


def named(cases: tuple[Case, ...], name: str) -> Case:
    return next(case for case in cases if case.name == name)


def test_a_dynamic_artifact_meets_every_kind_of_shape(tokenizer: Any) -> None:
    cases = build_cases(QA, config(), sizes=DYNAMIC, traced=TRACED, tokenizer=tokenizer)
    assert {1, 2, 16, 37, 512} <= lengths(cases)
    assert {1, 2, 3, 4} <= {case.shape[0] for case in cases}
    assert {case.padding for case in cases} == {"none", "right", "left", "mixed"}
    assert len({case.name for case in cases}) == len(cases)


def test_a_base_model_is_compared_on_little_more_than_a_thousand_tokens(tokenizer: Any) -> None:
    for task in (QA, CHOICE):
        cases = build_cases(task, config(), sizes=DYNAMIC, traced=TRACED, tokenizer=tokenizer)
        assert sum(case.inputs["input_ids"].size for case in cases) < 1500


def test_both_segments_occur_in_text_and_in_random_ids(tokenizer: Any) -> None:
    cases = build_cases(QA, config(), sizes=DYNAMIC, traced=TRACED, tokenizer=tokenizer)
    for name in ("text", "text-left-padded", "odd-length", "largest-length"):
        case = named(cases, name)
        real = case.inputs["attention_mask"].astype(bool)
        assert set(case.inputs["token_type_ids"][real].tolist()) == {0, 1}, name


def test_text_is_the_built_in_text(tokenizer: Any) -> None:
    case = named(build_cases(QA, config(), sizes=DYNAMIC, tokenizer=tokenizer), "text")
    decoded = tokenizer.decode(case.inputs["input_ids"][0], skip_special_tokens=True)
    assert decoded.startswith(PAIRS[0][0].lower().rstrip("?"))
    assert case.inputs["input_ids"][0, 0] == tokenizer.cls_token_id


def test_text_is_padded_on_the_side_the_case_names(tokenizer: Any) -> None:
    cases = build_cases(QA, config(), sizes=DYNAMIC, tokenizer=tokenizer)
    right, left = (named(cases, name).inputs["attention_mask"] for name in ("text", "text-left-padded"))
    assert (np.diff(right, axis=1) <= 0).all()
    assert (right[:, -1] == 0).any()
    assert (np.diff(left, axis=1) >= 0).all()
    assert (left[:, 0] == 0).any()
    hidden = named(cases, "text").inputs["input_ids"][right == 0]
    assert set(hidden.tolist()) == {tokenizer.pad_token_id}


@pytest.mark.parametrize("with_tokenizer", [True, False])
@pytest.mark.parametrize("length", [8, 12, 20, 32, 36, 128])
def test_text_of_a_fixed_length_is_padded_too(tokenizer: Any, length: int, with_tokenizer: bool) -> None:
    """The built-in texts fill the shorter of these lengths: one is cut, so that there is padding to be told apart."""
    sizes = {**DYNAMIC, "sequence": length}
    cases = build_cases(QA, config(), sizes=sizes, tokenizer=tokenizer if with_tokenizer else None)
    for case in cases:
        mask = case.inputs["attention_mask"]
        if case.padding == "right":
            assert (mask[:, -1] == 0).any()
            assert (np.diff(mask, axis=1) <= 0).all()
        if case.padding == "left":
            assert (mask[:, 0] == 0).any()
            assert (np.diff(mask, axis=1) >= 0).all()
    if with_tokenizer:
        ids = named(cases, "text").inputs["input_ids"][named(cases, "text").inputs["attention_mask"] == 1]
        assert (ids == tokenizer.sep_token_id).sum() == 4, "what is cut off is text, and not the end of a text"
    assert choose_case(cases).padding == "right"


@pytest.mark.parametrize("longest", [8, 16, 30])
def test_text_is_padded_in_a_model_of_few_positions(tokenizer: Any, longest: int) -> None:
    cases = build_cases(QA, config(max_position_embeddings=longest), sizes=DYNAMIC, tokenizer=tokenizer)
    assert (named(cases, "text").inputs["attention_mask"][:, -1] == 0).any()
    assert (named(cases, "text-left-padded").inputs["attention_mask"][:, 0] == 0).any()


def test_the_padding_case_has_every_kind_of_row() -> None:
    rows = named(build_cases(QA, config(), sizes=DYNAMIC), "padding").inputs["attention_mask"].tolist()
    length = len(rows[0])
    assert [1] + [0] * (length - 1) in rows
    assert [0] * length in rows
    assert [1] * length in rows
    assert any(row[0] == 0 and row[-1] == 1 for row in rows), "left"
    assert any(row[0] == 1 and row[-1] == 0 and sum(row) > 1 for row in rows), "right"
    assert any(row[0] == 1 and row[-1] == 1 and 0 in row for row in rows), "inner"


def test_real_places_padding_and_empty_rows_are_told_apart() -> None:
    mask = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1]])
    case = Case("case", {"input_ids": mask, "attention_mask": mask, "token_type_ids": mask}, "mixed")
    assert case.real(("batch", "sequence")).tolist() == mask.astype(bool).tolist()
    assert case.padded(("batch", "sequence")).tolist() == [[False, False, True], [False] * 3, [True, False, False]]
    assert case.real(("batch", "num_labels")).tolist() == [True, False, True]
    assert not case.padded(("batch", "num_labels")).any()


def test_ids_follow_the_seed() -> None:
    def ids(seed: int) -> list[list[int]]:
        cases = build_cases(QA, config(), sizes=DYNAMIC, seed=seed)
        return [case.inputs["input_ids"].ravel().tolist() for case in cases]

    assert ids(3) == ids(3)
    assert ids(3) != ids(4)


def test_multiple_choice_has_one_choice_and_several(tokenizer: Any) -> None:
    cases = build_cases(CHOICE, config(), sizes=DYNAMIC, traced=TRACED_CHOICES, tokenizer=tokenizer)
    assert {1, 2, 3, 4} <= {case.shape[1] for case in cases}
    assert (2, 3, 16) in {case.shape for case in cases}
    assert any(case.shape[0] > 1 and case.padding == "right" for case in cases), "a row alone needs company to leave"


@pytest.mark.parametrize("length", [1, 2, 9, 129, 512])
def test_a_fixed_length_holds_for_every_case(tokenizer: Any, length: int) -> None:
    cases = build_cases(QA, config(), sizes={**DYNAMIC, "sequence": length}, tokenizer=tokenizer)
    assert lengths(cases) == {length}
    assert sum(case.shape[0] for case in cases) <= 10
    if length >= 9:
        assert {"text", "text-left-padded", "full-length", "padding"} == {case.name for case in cases}


def test_a_fixed_number_of_choices_holds_for_every_case(tokenizer: Any) -> None:
    cases = build_cases(CHOICE, config(), sizes={**DYNAMIC, "choices": 5}, traced=TRACED_CHOICES, tokenizer=tokenizer)
    assert {case.shape[1] for case in cases} == {5}


def test_a_tokenizer_of_another_model_is_an_error(tokenizer: Any) -> None:
    with pytest.raises(InputError, match="vocab_size = 100"):
        build_cases(QA, config(vocab_size=100), sizes=DYNAMIC, tokenizer=tokenizer)


@settings(deadline=None, max_examples=60)
@given(
    longest=st.integers(1, 600),
    vocabulary=st.integers(1, 50),
    types=st.integers(1, 3),
    sequence=st.one_of(st.none(), st.integers(1, 600)),
    choices=st.one_of(st.none(), st.integers(1, 5)),
    task=st.sampled_from([QA, CHOICE]),
)
def test_any_model_can_run_its_cases(
    longest: int, vocabulary: int, types: int, sequence: int | None, choices: int | None, task: Any
) -> None:
    made = config(max_position_embeddings=longest, vocab_size=vocabulary, type_vocab_size=types, pad_token_id=0)
    sizes = {"sequence": None if sequence is None else min(sequence, longest), "choices": choices}
    cases = build_cases(task, made, sizes=sizes, traced=TRACED_CHOICES)
    assert cases
    for case in cases:
        ids, mask, segments = (case.inputs[name] for name in ("input_ids", "attention_mask", "token_type_ids"))
        assert {ids.dtype, mask.dtype, segments.dtype} == {np.dtype(np.int64)}
        assert ids.shape == mask.shape == segments.shape
        assert len(ids.shape) == len(task.inputs[0].axes)
        assert ids.shape[-1] <= longest
        assert ids.min() >= 0 and ids.max() < vocabulary
        assert segments.min() >= 0 and segments.max() < types
        assert set(np.unique(mask)) <= {0, 1}
    assert max(lengths(cases)) == (sizes["sequence"] or longest)
    assert any(case.real(("batch",)).any() for case in cases)
