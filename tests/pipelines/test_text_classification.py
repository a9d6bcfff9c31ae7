from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from albert_export.errors import InputError
from albert_export.pipelines.text_classification import (
    Classification,
    TextClassificationOptions,
    TextClassificationPipeline,
    classify,
    problem_type,
)
from albert_export.tokenization import AlbertTokenizerFast
from tests.pipelines.conftest import PlayedRuntime, config

NAMES = {0: "bad", 1: "so so", 2: "good"}
OPTIONS = TextClassificationOptions()


def test_single_label_is_the_best_by_softmax() -> None:
    found = classify(np.log([1.0, 2.0, 7.0]), config(id2label=NAMES), OPTIONS)
    assert isinstance(found, Classification)
    assert found.label == "good"
    assert found.score == pytest.approx(0.7)
    assert found.to_dict() == {"label": "good", "score": found.score}


def test_of_equals_the_first() -> None:
    found = classify(np.zeros(3), config(id2label=NAMES), OPTIONS)
    assert isinstance(found, Classification)
    assert found.label == "bad"


def test_top_k_ranks() -> None:
    found = classify(np.log([1.0, 2.0, 7.0]), config(id2label=NAMES), TextClassificationOptions(top_k=2))
    assert isinstance(found, list)
    assert [label.label for label in found] == ["good", "so so"]
    assert [label.score for label in found] == pytest.approx([0.7, 0.2])
    everything = classify(np.zeros(3), config(id2label=NAMES), TextClassificationOptions(top_k=99))
    assert isinstance(everything, list)
    assert len(everything) == 3


@pytest.mark.parametrize(
    ("threshold", "expected"), [(0.5, ["good", "bad"]), (0.9, ["good"]), (0.0, ["good", "bad", "so so"]), (1.0, [])]
)
def test_several_labels_by_sigmoid(threshold: float, expected: list[str]) -> None:
    several = config(id2label=NAMES, problem_type="multi_label_classification")
    found = classify(np.log([3.0, 0.25, 19.0]), several, TextClassificationOptions(threshold=threshold))
    assert isinstance(found, list)
    assert [label.label for label in found] == expected
    ranked = classify(np.log([3.0, 0.25, 19.0]), several, TextClassificationOptions(top_k=3))
    assert isinstance(ranked, list)
    assert [label.score for label in ranked] == pytest.approx([0.95, 0.75, 0.2])


def test_a_regression_is_the_number_itself() -> None:
    found = classify(np.array([3.25], np.float32), config(num_labels=1), OPTIONS)
    assert found == Classification("LABEL_0", 3.25)


def test_a_regression_of_several_numbers_keeps_their_order() -> None:
    several = config(id2label=NAMES, problem_type="regression")
    found = classify(np.array([-1.5, 9.0, 2.0]), several, OPTIONS)
    assert found == [Classification("bad", -1.5), Classification("so so", 9.0), Classification("good", 2.0)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"num_labels": 1}, "regression"),
        ({"num_labels": 3}, "single_label_classification"),
        ({"num_labels": 3, "problem_type": "multi_label_classification"}, "multi_label_classification"),
        ({"num_labels": 1, "problem_type": "single_label_classification"}, "single_label_classification"),
    ],
)
def test_the_kind_of_problem(fields: dict[str, Any], expected: str) -> None:
    assert problem_type(config(**fields)) == expected


def counting(tokenizer: AlbertTokenizerFast, **sizes: int) -> TextClassificationPipeline:
    """Label 0 gets the number of tokens, label 1 of those in the second segment, label 2 the id after [CLS]."""

    def compute(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> dict[str, np.ndarray]:
        counts = [attention_mask.sum(1), (attention_mask * token_type_ids).sum(1), input_ids[:, 1]]
        return {"logits": np.stack(counts, axis=1).astype(np.float32)}

    settings = config(id2label=NAMES, problem_type="regression", max_position_embeddings=16)
    runtime = PlayedRuntime("text-classification", compute, config=settings, sizes=sizes)
    return TextClassificationPipeline(runtime, tokenizer)


def numbers(found: list[Classification]) -> list[float]:
    return [label.score for label in found]


def test_a_text_alone_equals_the_text_in_a_list(tokenizer: AlbertTokenizerFast) -> None:
    pipe = counting(tokenizer)
    texts = ["the sea", "", "the city by the sea in the old days", "x", "the notes of the engine"]
    assert pipe(texts, batch_size=2) == [pipe(text) for text in texts]
    assert numbers(pipe("")) == [2, 0, 3]  # [CLS] [SEP]


def test_pairs(tokenizer: AlbertTokenizerFast) -> None:
    pipe = counting(tokenizer)
    pair = pipe("the sea", "the city by")
    assert numbers(pair)[:2] == [8, 4]
    assert pipe({"text": "the sea", "text_pair": "the city by"}) == pair
    assert pipe(["the sea"], ["the city by"]) == [pair]
    assert pipe("the sea", ["the city by"]) == [pair]
    assert pipe("the sea", "") == pipe("the sea")


def test_a_long_text_is_cut_and_the_log_says_so(
    tokenizer: AlbertTokenizerFast, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = counting(tokenizer)
    with caplog.at_level(logging.WARNING, "albert_export"):
        assert numbers(pipe(["the " * 40, "the sea"])[0])[0] == 16
    assert caplog.messages == ["1 of 2 texts had more than 16 tokens and were cut"]
    caplog.clear()
    pipe("the sea")
    assert caplog.messages == []


def test_fixed_shapes(tokenizer: AlbertTokenizerFast) -> None:
    pipe = counting(tokenizer, batch=2, sequence=8)
    texts = ["the sea", "the", "the city by the sea in the old days"]
    assert [numbers(found)[0] for found in pipe(texts)] == [4, 3, 8]
    assert set(pipe.runtime.shapes) == {(2, 8)}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("call", "options", "part"),
    [
        ((None,), {}, "text must be a string; received NoneType"),
        (("a", 3), {}, "text_pair must be a string; received int"),
        ((["a", 3],), {}, "text must be a string; received int"),
        (("a",), {"top_k": 1.5}, "top_k must be a whole number"),
        (("a",), {"threshold": 1.5}, "threshold must be from 0 to 1"),
        (("a",), {"top": 3}, "did you mean top_k?"),
        (({"txt": "a"},), {}, "rename txt to text"),
        (({"text": "a", "text_pairs": "b"},), {}, "rename text_pairs to text_pair"),
    ],
)
def test_bad_input(tokenizer: AlbertTokenizerFast, call: tuple[Any, ...], options: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError) as caught:
        counting(tokenizer)(*call, **options)
    assert part in str(caught.value)
