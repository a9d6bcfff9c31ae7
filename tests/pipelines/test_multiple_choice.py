from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from albert_export.errors import InputError
from albert_export.pipelines.multiple_choice import MultipleChoicePipeline, choose
from albert_export.tokenization import AlbertTokenizerFast
from tests.pipelines.conftest import PlayedRuntime, config


def measuring(tokenizer: AlbertTokenizerFast, **sizes: int) -> MultipleChoicePipeline:
    """A choice is as good as it is long, and the prompt counts for nothing."""

    def compute(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> dict[str, np.ndarray]:
        return {"logits": (attention_mask * token_type_ids).sum(-1).astype(np.float32)}

    runtime = PlayedRuntime("multiple-choice", compute, config=config(max_position_embeddings=24), sizes=sizes)
    return MultipleChoicePipeline(runtime, tokenizer)


def test_probabilities_of_hand_made_logits() -> None:
    choice = choose(np.log([1.0, 6.0, 3.0]), ["a", "b", "c"])
    assert (choice.index, choice.text) == (1, "b")
    assert choice.scores == pytest.approx((0.1, 0.6, 0.3))
    assert choice.score == choice.scores[1]
    assert choice.to_dict() == {"index": 1, "text": "b", "score": choice.score, "scores": list(choice.scores)}
    assert choose(np.zeros(3), ["a", "b", "c"]).index == 0


CHOICES = ["the sea", "the city by the sea", "days"]


def test_the_best_choice(tokenizer: AlbertTokenizerFast) -> None:
    choice = measuring(tokenizer)("by", CHOICES)
    assert (choice.index, choice.text) == (1, "the city by the sea")
    # 5, 2 and 1 tokens and a [SEP] each
    assert np.log(choice.scores[1] / choice.scores[0]) == pytest.approx(3)
    assert np.log(choice.scores[1] / choice.scores[2]) == pytest.approx(4)


@pytest.mark.parametrize("sizes", [{}, {"choices": 2}, {"batch": 2, "choices": 3}, {"sequence": 20}, {"batch": 1}])
@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_prompts_with_different_numbers_of_choices(
    tokenizer: AlbertTokenizerFast, sizes: dict[str, int], batch_size: int
) -> None:
    pipe = measuring(tokenizer, **sizes)
    alone = measuring(tokenizer)
    prompts, choices = ["by the sea", "in", "the days of"], [CHOICES, CHOICES[:2], [*CHOICES, "of"]]
    found = pipe(prompts, choices, batch_size=batch_size)
    assert [choice.index for choice in found] == [1, 1, 1]
    assert [len(choice.scores) for choice in found] == [3, 2, 4]
    for prompt, own, choice in zip(prompts, choices, found, strict=True):
        assert choice.scores == pytest.approx(alone(prompt, own).scores)
    fixed = {"batch": 0, "choices": 1, "sequence": 2}
    for shape in pipe.runtime.shapes:  # type: ignore[attr-defined]
        assert all(shape[fixed[axis]] == size for axis, size in sizes.items())


def test_records(tokenizer: AlbertTokenizerFast) -> None:
    pipe = measuring(tokenizer)
    record = {"prompt": "by", "choices": CHOICES}
    assert pipe(record) == pipe("by", CHOICES)
    assert pipe([record, record]) == [pipe("by", CHOICES)] * 2
    assert pipe([]) == []


def test_a_long_prompt_is_cut_and_the_log_says_so(
    tokenizer: AlbertTokenizerFast, caplog: pytest.LogCaptureFixture
) -> None:
    choice = measuring(tokenizer)("the " * 50, CHOICES)
    assert choice.index == 1
    assert caplog.messages == ["1 of 1 texts had more than 24 tokens and were cut"]


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (("by",), "choices must be a list of at least two texts"),
        (("by", ["one"]), "choices must be a list of at least two texts"),
        (("by", "one"), "choices must be a list of at least two texts"),
        (("by", ["one", None]), "choices[1] must be a string; received NoneType"),
        ((3, ["one", "two"]), "prompt must be a string"),
        ((["a", "b"], [["one", "two"]]), "lists of one length; received 2 and 1"),
        (({"prompt": "by"},), "add choices"),
    ],
)
def test_bad_input(tokenizer: AlbertTokenizerFast, call: tuple[Any, ...], part: str) -> None:
    with pytest.raises(InputError) as caught:
        measuring(tokenizer)(*call)
    assert part in str(caught.value)
