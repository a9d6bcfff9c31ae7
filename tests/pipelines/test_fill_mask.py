from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from albert_export.errors import InputError
from albert_export.pipelines.fill_mask import FillMaskPipeline, best_tokens
from albert_export.tokenization import AlbertTokenizerFast
from tests.pipelines.conftest import PlayedRuntime, config


def word_id(tokenizer: AlbertTokenizerFast, word: str) -> int:
    (index,) = tokenizer(word, add_special_tokens=False)["input_ids"]
    return int(index)


def guessing(tokenizer: AlbertTokenizerFast, *, most: int = 512, **sizes: int) -> FillMaskPipeline:
    """A mask becomes ``sea`` with 9, ``city`` with 8, and the token before it with 7; other positions are noise."""

    def compute(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> dict[str, np.ndarray]:
        logits = np.random.default_rng(0).normal(0, 1, (*input_ids.shape, 2000)).astype(np.float32)
        for row, position in np.argwhere(input_ids == 4):
            logits[row, position] = -3
            logits[row, position, input_ids[row, position - 1]] = 7
            logits[row, position, word_id(tokenizer, "city")] = 8
            logits[row, position, word_id(tokenizer, "sea")] = 9
        return {"logits": logits}

    runtime = PlayedRuntime("fill-mask", compute, config=config(max_position_embeddings=most), sizes=sizes)
    return FillMaskPipeline(runtime, tokenizer)


def test_best_tokens_of_hand_made_logits() -> None:
    logits = np.log([1.0, 5.0, 1.0, 3.0])
    assert [token for token, _ in best_tokens(logits, 3)] == [1, 3, 0]
    assert [score for _, score in best_tokens(logits, 9)] == pytest.approx([0.5, 0.3, 0.1, 0.1])
    among = best_tokens(logits, 2, np.array([2, 3, 0]))
    assert [token for token, _ in among] == [3, 2]
    assert [score for _, score in among] == pytest.approx([0.3, 0.1])  # among all tokens, not among the targets


def test_one_mask(tokenizer: AlbertTokenizerFast) -> None:
    found = guessing(tokenizer)("the city by the [MASK].", top_k=3)
    assert [fill.token_str for fill in found] == ["sea", "city", "the"]
    assert found[0].token == word_id(tokenizer, "sea")
    assert found[0].sequence == "the city by the sea."
    assert found[0].score > found[1].score > found[2].score
    assert found[0].to_dict().keys() == {"token", "token_str", "score", "sequence"}
    assert len(guessing(tokenizer)("the [MASK]")) == 5


def test_several_masks_are_several_lists(tokenizer: AlbertTokenizerFast) -> None:
    first, second = guessing(tokenizer)("by the [MASK] in [MASK]", top_k=3)
    assert [fill.token_str for fill in first] == ["sea", "city", "the"]
    assert [fill.token_str for fill in second] == ["sea", "city", "in"]
    assert first[0].sequence == "by the sea in[MASK]" or first[0].sequence == "by the sea in [MASK]"


def test_targets(tokenizer: AlbertTokenizerFast) -> None:
    pipe = guessing(tokenizer)
    found = pipe("by the [MASK]", targets=["days", "city", "days"])
    assert [fill.token_str for fill in found] == ["city", "days"]
    everything = pipe("by the [MASK]", top_k=2)
    assert found[0].score == everything[1].score
    piece = pipe("by the [MASK]", targets=["▁sea"])  # as the vocabulary writes it
    assert [fill.token_str for fill in piece] == ["sea"]


def test_of_a_long_text_the_model_sees_the_part_around_the_mask(
    tokenizer: AlbertTokenizerFast, caplog: pytest.LogCaptureFixture
) -> None:
    pipe = guessing(tokenizer, most=24)
    for before, behind in ((100, 100), (0, 100), (100, 0), (3, 40)):
        text = "in " * before + "by the [MASK]" + " days" * behind
        found = pipe(text, top_k=3)
        assert [fill.token_str for fill in found] == ["sea", "city", "the"]
        assert found[0].sequence == ("in " * before + "by the sea" + " days" * behind)
    assert {shape[1] for shape in pipe.runtime.shapes} == {24}  # type: ignore[attr-defined]
    assert caplog.messages[0] == "1 of 1 texts had more than 24 tokens and were cut"


def test_masks_too_far_apart(tokenizer: AlbertTokenizerFast) -> None:
    pipe = guessing(tokenizer, most=24)
    assert len(pipe("the [MASK]" + " in" * 20 + " [MASK]" + " in" * 90)) == 2
    with pytest.raises(InputError, match="masks of a text must lie within 22 tokens; received 23 tokens"):
        pipe("the [MASK]" + " in" * 21 + " [MASK]" + " in" * 90)


def test_a_text_alone_equals_the_text_in_a_list(tokenizer: AlbertTokenizerFast) -> None:
    pipe = guessing(tokenizer)
    texts = ["by the [MASK]", "[MASK]", "the [MASK] of the [MASK] in the days of the city"]
    assert pipe(texts, batch_size=2) == [pipe(text) for text in texts]
    assert pipe([{"text": texts[0]}]) == [pipe(texts[0])]


def test_fixed_shapes(tokenizer: AlbertTokenizerFast, caplog: pytest.LogCaptureFixture) -> None:
    pipe = guessing(tokenizer, batch=2, sequence=10)
    with caplog.at_level(logging.ERROR):
        found = pipe(["by the [MASK]", "in " * 20 + "[MASK]", "[MASK]"])
    assert [fills[0].token_str for fills in found] == ["sea"] * 3
    assert set(pipe.runtime.shapes) == {(2, 10)}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("call", "options", "part"),
    [
        ("no mask here", {}, "text must have the mask token [MASK]"),
        ("", {}, "text must have the mask token [MASK]"),
        ("the [MASK]", {"targets": "sea"}, "targets must be a list of words"),
        ("the [MASK]", {"targets": []}, "targets must be a list of words"),
        ("the [MASK]", {"targets": ["lovelace of the sea"]}, "a target must be one token of the vocabulary"),
        ("the [MASK]", {"targets": ["\U00020000"]}, "a target must be one token"),
        ("the [MASK]", {"targets": [3]}, "targets must be a list of words"),
        ("the [MASK]", {"targets": 3}, "targets must be a list of words"),
        ("the [MASK]", {"top_k": 0}, "top_k must be a whole number"),
        (7, {}, "text must be a string"),
    ],
)
def test_bad_input(tokenizer: AlbertTokenizerFast, call: Any, options: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError) as caught:
        guessing(tokenizer)(call, **options)
    assert part in str(caught.value)
