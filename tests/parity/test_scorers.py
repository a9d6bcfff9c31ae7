"""The metrics of each task through the product's pipelines, on models whose answers the test chose."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from albert_export.errors import InputError
from albert_export.parity.data import Dataset, Item
from albert_export.parity.metrics import score
from albert_export.parity.scorers import SCORERS
from albert_export.parity.scoring import Scores
from albert_export.runtimes import Runtime
from albert_export.tasks import TASKS
from albert_export.tokenization import AlbertTokenizerFast
from tests.pipelines.conftest import PlayedRuntime, config
from tests.pipelines.conftest import tokenizer as tokenizer  # a fixture
from tests.pipelines.test_fill_mask import guessing
from tests.pipelines.test_question_answering import pointing
from tests.pipelines.test_token_classification import naming

CONTEXT = "Ada Lovelace wrote the notes, and Charles Babbage drew the engine."


def dataset(*records: dict[str, Any]) -> Dataset:
    return Dataset(
        "mine.jsonl", "ab" * 32, tuple(Item(2 * number + 1, record) for number, record in enumerate(records))
    )


def figures(scores: Scores) -> dict[str, float]:
    return {figure.name: round(figure.value, 4) for figure in scores.figures}


def answering(compute: Any, task: str, **fields: Any) -> Runtime:
    return PlayedRuntime(task, compute, config=config(**fields))


def holds(tokenizer: AlbertTokenizerFast, word: str) -> Any:
    """A function from ids ``[..., S]`` to whether a row has the word, ``[...]``."""
    (token,) = tokenizer(word, add_special_tokens=False)["input_ids"]
    return lambda ids: (ids == token).any(axis=-1)


def test_every_task_has_metrics() -> None:
    assert set(SCORERS) == {task.name for task in TASKS}


def asked(question: str, *answers: str) -> dict[str, Any]:
    return {"question": question, "context": CONTEXT, "answers": list(answers)}


def test_questions(tokenizer: AlbertTokenizerFast) -> None:
    runtime = pointing(tokenizer, "Charles", "Babbage").runtime
    data = dataset(
        asked("Who drew?", "charles babbage."),
        asked("Who was it?", "Babbage"),
        {**asked("Who wrote?"), "answers": {"text": ["Ada Lovelace"], "answer_start": [0]}},
    )
    scores = score(runtime, tokenizer, data)
    assert figures(scores) == {"exact match": pytest.approx(100 / 3, abs=1e-3), "F1": pytest.approx(500 / 9, abs=1e-3)}
    assert scores.worth == pytest.approx((2.0, 2 / 3, 0.0))
    assert all(figure.counted for figure in scores.figures)


def test_a_file_with_questions_without_an_answer_lets_the_model_say_so(tokenizer: AlbertTokenizerFast) -> None:
    sure_of_none = pointing(tokenizer, "Charles", "Babbage", null=60.0).runtime
    with_none = dataset(asked("Who?", "Charles Babbage"), asked("Why?"))
    assert figures(score(sure_of_none, tokenizer, with_none))["exact match"] == 50.0
    assert figures(score(sure_of_none, tokenizer, dataset(asked("Who?", "Charles Babbage"))))["exact match"] == 100.0


def test_a_fixed_length_cuts_contexts_into_windows(tokenizer: AlbertTokenizerFast) -> None:
    played = pointing(tokenizer, "Charles", "Babbage").runtime
    assert isinstance(played, PlayedRuntime)
    score(played, tokenizer, dataset(asked("Who?", "Charles Babbage")), max_length=24)
    assert played.shapes[0][1] <= 24
    assert played.shapes[0][0] > 1


def test_labels(tokenizer: AlbertTokenizerFast) -> None:
    good = holds(tokenizer, "good")

    def compute(input_ids: Any, **_: Any) -> dict[str, Any]:
        return {"logits": np.where(good(input_ids)[:, None], [0.0, 3.0], [3.0, 0.0]).astype(np.float32)}

    runtime = answering(compute, "text-classification", id2label={0: "BAD", 1: "GOOD"})
    data = dataset(
        {"text": "a good book", "label": "GOOD"},
        {"text": "a long book", "label": 0},
        {"text": "a long book", "label": "GOOD"},
        {"text": "a good book", "text_pair": "and long", "label": "GOOD"},
    )
    scores = score(runtime, tokenizer, data)
    assert figures(scores) == {"accuracy": 75.0}
    assert scores.worth == (1.0, 1.0, 0.0, 1.0)


def test_several_labels_at_once_and_a_number(tokenizer: AlbertTokenizerFast) -> None:
    good, long = holds(tokenizer, "good"), holds(tokenizer, "long")

    def both(input_ids: Any, **_: Any) -> dict[str, Any]:
        return {"logits": 8 * np.stack([good(input_ids), long(input_ids)], axis=-1).astype(np.float32) - 4}

    several = answering(
        both, "text-classification", id2label={0: "GOOD", 1: "LONG"}, problem_type="multi_label_classification"
    )
    data = dataset(
        {"text": "a good long book", "labels": ["GOOD"]}, {"text": "a long book", "labels": ["LONG", "GOOD"]}
    )
    assert figures(score(several, tokenizer, data)) == {"F1": pytest.approx(100 * 4 / 6, abs=1e-3)}

    def length(input_ids: Any, attention_mask: Any, **_: Any) -> dict[str, Any]:
        return {"logits": attention_mask.sum(axis=1, keepdims=True).astype(np.float32)}

    number = answering(length, "text-classification", num_labels=1)
    data = dataset(*({"text": "the book " * count, "label": 1.5 * count} for count in (3, 1, 2)))
    (figure,) = score(number, tokenizer, data).figures
    assert (figure.name, figure.value, figure.counted) == ("Spearman", pytest.approx(100.0), False)


def test_entities(tokenizer: AlbertTokenizerFast) -> None:
    words = {"Charles": ("B-PER", "I-PER"), "Babbage": ("I-PER", "I-PER"), "London": ("B-LOC", "I-LOC")}
    runtime = naming(tokenizer, words).runtime
    text = "the engine of Charles Babbage, in old London."
    person = {"start": 14, "end": 29, "label": "PER"}
    data = dataset(
        {"text": text, "entities": [person, {"start": 38, "end": 44, "label": "LOC"}]},
        {"text": text, "entities": [person, {"start": 34, "end": 44, "label": "LOC"}]},
        {"text": "the engine", "entities": []},
    )
    scores = score(runtime, tokenizer, data)
    # Three of four are right; the fourth is found with other characters.
    assert figures(scores) == {"entity F1": 75.0}
    assert scores.worth == (2.0, -1.0, 0.0)


def test_choices(tokenizer: AlbertTokenizerFast) -> None:
    good = holds(tokenizer, "good")
    runtime = answering(lambda input_ids, **_: {"logits": good(input_ids).astype(np.float32)}, "multiple-choice")
    choices = ["a long book", "a good book", "a book"]
    data = dataset(
        {"prompt": "She read", "choices": choices, "label": 1},
        {"prompt": "He read", "choices": choices[:2], "label": 0},
    )
    assert figures(score(runtime, tokenizer, data)) == {"accuracy": 50.0}


def test_sentence_order(tokenizer: AlbertTokenizerFast) -> None:
    good = holds(tokenizer, "good")

    def compute(input_ids: Any, **_: Any) -> dict[str, Any]:
        swapped = good(input_ids).astype(np.float32)
        return {
            "prediction_logits": np.zeros((*input_ids.shape, 2000), np.float32),
            "sop_logits": np.stack([1 - swapped, swapped], axis=-1),
        }

    runtime = answering(compute, "pretraining")
    data = dataset(
        {"text": "It was good.", "text_pair": "He read it.", "label": 1},
        {"text": "He read it.", "text_pair": "It was long.", "label": 0},
        {"text": "He read it.", "text_pair": "It was long.", "label": 1},
    )
    assert figures(score(runtime, tokenizer, data)) == {"accuracy": pytest.approx(200 / 3, abs=1e-3)}


def test_masked_words(tokenizer: AlbertTokenizerFast) -> None:
    """The model's first word is ``sea``, its second ``city``, its third what stands before the mask; noise is less."""
    runtime = guessing(tokenizer).runtime
    data = dataset(
        {"text": "the city by the [MASK].", "targets": ["sea"]},
        {"text": "the [MASK] by the [MASK].", "targets": ["city", "sea"]},
        {"text": "the city by the [MASK].", "targets": ["book"]},
    )
    scores = score(runtime, tokenizer, data)
    found = figures(scores)
    assert (found["top-1"], found["top-5"]) == (50.0, 75.0)
    shares = np.exp([9.0, 8.0, 9.0, -3.0]) / (np.exp([9, 8, 7]).sum() + 1997 * np.exp(-3.0))
    assert found["perplexity"] == pytest.approx(np.exp(-np.log(shares).mean()), rel=1e-3)
    perplexity = scores.figures[2]
    assert perplexity.points == pytest.approx(100 / perplexity.value)
    assert not perplexity.counted


def test_similarity(tokenizer: AlbertTokenizerFast) -> None:
    def compute(input_ids: Any, attention_mask: Any, **_: Any) -> dict[str, Any]:
        hidden = np.eye(2000, dtype=np.float32)[input_ids]
        return {"last_hidden_state": hidden, "pooler_output": hidden[:, 0]}

    runtime = answering(compute, "feature-extraction", hidden_size=2000)
    data = dataset(
        {"text": "a good book", "text_pair": "a good book", "score": 5.0},
        {"text": "a good book", "text_pair": "a good city", "score": 3.5},
        {"text": "a good book", "text_pair": "she was by the sea", "score": 0},
    )
    assert figures(score(runtime, tokenizer, data)) == {"Spearman": pytest.approx(100.0)}


WRONG = [
    ("question-answering", {"question": "Who?", "context": CONTEXT}, "answers must be a list"),
    ("question-answering", {**asked("Who?"), "answers": "Ada"}, "answers must be a list"),
    ("question-answering", {"contxt": CONTEXT, "question": "Who?", "answers": ["Ada"]}, "rename contxt to context"),
    ("text-classification", {"text": "a book", "label": "FINE"}, "label must be of LABEL_0, LABEL_1; received 'FINE'"),
    ("text-classification", {"text": "a book", "lable": 1}, "label must be .*; received no label among text, lable"),
    ("text-classification", {"label": 1}, "keys text; received label"),
    ("token-classification", {"text": "a book"}, "entities must be a list"),
    ("token-classification", {"text": "a", "entities": [{"start": 0, "end": 2, "label": "X"}]}, "within the text"),
    (
        "multiple-choice",
        {"prompt": "a", "choices": ["b", "c"], "label": 2},
        "label must be the number of the right choice",
    ),
    ("multiple-choice", {"prompt": "a", "choices": ["b"], "label": 0}, "choices must be a list of at least two"),
    ("pretraining", {"text": "a", "text_pair": "b", "label": True}, "label must be 0 .* or 1|label must be 0 for"),
    ("pretraining", {"text": "a [MASK]", "label": 0}, "text_pair must be the second text; received no text_pair"),
    ("feature-extraction", {"text": "a", "text_pair": "b", "score": "high"}, "score must be a finite number"),
    ("feature-extraction", {"text": "a", "score": 1}, "text_pair must be the text"),
    ("fill-mask", {"text": "a [MASK]"}, "targets must be a list"),
    (
        "fill-mask",
        {"text": "a [MASK] [MASK]", "targets": ["sea"]},
        "targets must be one word for each mask; received 1 for 2",
    ),
    ("fill-mask", {"text": "a book", "targets": ["sea"]}, "must have the mask token"),
    ("fill-mask", {"text": "a [MASK]", "targets": ["antidisestablishmentarianism"]}, "one token of the vocabulary"),
]


@pytest.mark.parametrize(("task", "record", "told"), WRONG, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_wrong_with_a_line_is_told_with_file_line_and_key(
    tokenizer: AlbertTokenizerFast, task: str, record: dict[str, Any], told: str
) -> None:
    def compute(**_: Any) -> dict[str, Any]:
        raise AssertionError("nothing runs before all lines of a batch are read")

    with pytest.raises(InputError, match=told) as caught:
        score(answering(compute, task), tokenizer, dataset(record))
    assert str(caught.value).startswith("mine.jsonl, line 1: ")
    assert "\n" not in str(caught.value)


def test_a_regression_of_several_numbers_has_no_metric(tokenizer: AlbertTokenizerFast) -> None:
    runtime = answering(lambda **_: {}, "text-classification", num_labels=3, problem_type="regression")
    with pytest.raises(InputError, match="a head of one number; received 3"):
        score(runtime, tokenizer, dataset({"text": "a", "label": 1.0}))
