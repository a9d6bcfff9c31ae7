"""Question answering through the real tokenizer, with logits that point at words the test chose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from albert_export.errors import BundleError, InputError
from albert_export.pipelines.encoding import encode
from albert_export.pipelines.question_answering import (
    Answer,
    QuestionAnsweringOptions,
    QuestionAnsweringPipeline,
    best_answers,
)
from albert_export.pipelines.spans import Spans, WindowLogits
from albert_export.tokenization import AlbertTokenizerFast
from tests.pipelines.conftest import PlayedRuntime, by_token, config

CONTEXT = "Ada Lovelace wrote the notes in 1843, and Charles Babbage drew the engine."
FILLER = "and so it was in the old days of the city by the sea. "


def ids_of(tokenizer: AlbertTokenizerFast, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def pointing(
    tokenizer: AlbertTokenizerFast, first: str, last: str, *, null: float = -5.0, **settings: Any
) -> QuestionAnsweringPipeline:
    """A model that begins the answer at the first token of ``first`` and ends it at the last of ``last``."""
    starts = by_token({ids_of(tokenizer, first)[0]: 8.0, 2: null}, -2.0)
    ends = by_token({ids_of(tokenizer, last)[-1]: 8.0, 2: null}, -2.0)

    def compute(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> dict[str, np.ndarray]:
        # Padding and the question are tempting: a pipeline that reads them answers from there.
        tempting = np.where(attention_mask == 0, 50.0, np.where(token_type_ids == 0, 30.0, 0.0))
        tempting[:, 0] = 0
        return {
            "start_logits": (starts(input_ids) + tempting).astype(np.float32),
            "end_logits": (ends(input_ids) + tempting).astype(np.float32),
        }

    own = ("max_position_embeddings", "task_specific_params")
    fields = {key: settings.pop(key) for key in list(settings) if key in own}
    runtime = PlayedRuntime("question-answering", compute, config=config(**fields), sizes=settings.pop("sizes", None))
    return QuestionAnsweringPipeline(runtime, tokenizer)


def test_the_answer_is_in_the_contexts_own_characters(tokenizer: AlbertTokenizerFast) -> None:
    qa = pointing(tokenizer, "Charles", "Babbage")
    answer = qa(question="Who drew the engine?", context=CONTEXT)
    assert isinstance(answer, Answer)
    assert answer.text == "Charles Babbage"
    assert CONTEXT[answer.start : answer.end] == answer.text
    assert not answer.no_answer
    assert answer.to_dict() == {
        "text": "Charles Babbage",
        "score": answer.score,
        "start": answer.start,
        "end": answer.end,
        "no_answer_score": answer.no_answer_score,
    }


def test_the_score_is_the_product_of_the_two_probabilities(tokenizer: AlbertTokenizerFast) -> None:
    qa = pointing(tokenizer, "1843", "1843")
    tokens = ids_of(tokenizer, CONTEXT)
    year = ids_of(tokenizer, "1843")
    assert tokens.count(year[0]) == tokens.count(year[-1]) == 1  # or the sum below would not be this
    answer = qa("When?", CONTEXT)
    total = math.exp(8) + (len(tokens) - 1) * math.exp(-2) + math.exp(-5)
    assert answer.text == "1843"
    assert answer.score == pytest.approx((math.exp(8) / total) ** 2, rel=1e-6)
    assert answer.no_answer_score == pytest.approx((math.exp(-5) / total) ** 2, rel=1e-6)


def test_a_part_of_a_word_is_widened_to_the_word(tokenizer: AlbertTokenizerFast) -> None:
    pieces = tokenizer.convert_ids_to_tokens(ids_of(tokenizer, "Lovelace"))
    assert len(pieces) > 2  # or there would be no part of it
    inside = pointing(tokenizer, "Lovelace", "wrote")
    middle = ids_of(tokenizer, "Lovelace")[-1]
    starts = by_token({middle: 8.0}, -2.0)
    inside.runtime.compute = lambda input_ids, **_: {  # type: ignore[attr-defined]
        "start_logits": starts(input_ids),
        "end_logits": starts(input_ids),
    }
    context = "the notes of Lovelace, in print"
    whole = inside("Whose?", context)
    part = inside("Whose?", context, align_to_words=False)
    assert whole.text == "Lovelace"
    assert part.text != "Lovelace"
    assert "Lovelace".endswith(part.text)


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_a_long_context_is_read_in_windows(tokenizer: AlbertTokenizerFast, batch_size: int) -> None:
    qa = pointing(tokenizer, "Charles", "Babbage")
    context = FILLER * 30 + CONTEXT + " " + FILLER * 40
    answer = qa("Who drew it?", context, max_seq_len=64, doc_stride=20, batch_size=batch_size)
    assert answer.text == "Charles Babbage"
    assert answer.start == context.index("Charles")
    shapes = qa.runtime.shapes  # type: ignore[attr-defined]
    assert sum(shape[0] for shape in shapes) > 10
    assert all(shape[1] <= 64 and shape[0] <= batch_size for shape in shapes)


def test_the_default_window_is_384_tokens_or_what_the_model_takes(tokenizer: AlbertTokenizerFast) -> None:
    context = FILLER * 100
    for most, width in ((512, 384), (100, 100)):
        qa = pointing(tokenizer, "sea", "sea", max_position_embeddings=most)
        qa("Where?", context)
        assert max(shape[1] for shape in qa.runtime.shapes) == width  # type: ignore[attr-defined]


def test_one_span_in_two_windows_is_one_answer(tokenizer: AlbertTokenizerFast) -> None:
    qa = pointing(tokenizer, "Charles", "Babbage")
    context = FILLER * 3 + CONTEXT + " " + FILLER * 3
    answers = qa("Who?", context, top_k=20, max_seq_len=64, doc_stride=30)
    places = [(answer.start, answer.end) for answer in answers]
    assert len(places) == len(set(places)) == 20
    assert answers[0].text == "Charles Babbage"
    scores = [answer.score for answer in answers]
    assert scores == sorted(scores, reverse=True)


def test_a_span_seen_twice_has_the_better_of_its_scores(tokenizer: AlbertTokenizerFast) -> None:
    encoded = encode(tokenizer, "Where?", "the city by the sea")
    sea = encoded.text_range(1)[-1]
    first, second = (
        WindowLogits(np.array([0.0, logit]), np.array([0.0, logit]), np.array([1]), np.array([sea]))
        for logit in (1.0, 3.0)
    )
    for windows in ([first, second], [second, first]):
        spans = Spans(windows, 15)
        (answer,) = best_answers("the city by the sea", encoded, spans, QuestionAnsweringOptions(top_k=5))
        total = math.exp(0) + math.exp(1) + math.exp(3)
        assert answer.text == "sea"
        assert answer.score == pytest.approx((math.exp(3) / total) ** 2)


def test_top_k_is_a_list_also_of_one_and_never_more_than_there_are(tokenizer: AlbertTokenizerFast) -> None:
    qa = pointing(tokenizer, "sea", "sea")
    assert [answer.text for answer in qa("Where?", CONTEXT + " sea", top_k=1)] == ["sea"]
    few = qa("Where?", "sea", top_k=50)
    assert [answer.text for answer in few] == ["sea"]


@pytest.mark.parametrize(("null", "expected"), [(-5.0, "Charles Babbage"), (20.0, "")])
def test_no_answer_where_it_may_be_one(tokenizer: AlbertTokenizerFast, null: float, expected: str) -> None:
    qa = pointing(tokenizer, "Charles", "Babbage", null=null)
    answer = qa("Who?", CONTEXT, handle_impossible_answer=True)
    assert answer.text == expected
    assert answer.no_answer == (expected == "")
    if answer.no_answer:
        assert (answer.start, answer.end, answer.score) == (0, 0, answer.no_answer_score)
    assert qa("Who?", CONTEXT).text == "Charles Babbage"  # where it may not be, the best span it is


def test_the_threshold_moves_no_answer(tokenizer: AlbertTokenizerFast) -> None:
    # The best span has 8 + 8, no answer 9 + 9: apart by 2.
    qa = pointing(tokenizer, "Charles", "Babbage", null=9.0)
    for threshold, empty in ((0.0, True), (1.99, True), (2.01, False), (-5, True)):
        answers = qa("Who?", CONTEXT, top_k=2, handle_impossible_answer=True, no_answer_threshold=threshold)
        assert answers[0].no_answer == empty
        assert {answer.text for answer in answers} == {"", "Charles Babbage"}


def test_one_window_with_an_answer_is_enough(tokenizer: AlbertTokenizerFast) -> None:
    """Windows without the answer are sure that there is none; that of the window with it counts."""
    qa = pointing(tokenizer, "Charles", "Babbage")
    charles = ids_of(tokenizer, "Charles")[0]
    plain = qa.runtime.compute  # type: ignore[attr-defined]

    def compute(input_ids: np.ndarray, **rest: np.ndarray) -> dict[str, np.ndarray]:
        outputs: dict[str, np.ndarray] = plain(input_ids, **rest)
        without = ~(input_ids == charles).any(axis=1)
        for logits in outputs.values():
            logits[without, 0] = 30
        return outputs

    qa.runtime.compute = compute  # type: ignore[attr-defined]
    context = FILLER * 30 + CONTEXT + " " + FILLER * 30
    answer = qa("Who?", context, max_seq_len=64, handle_impossible_answer=True)
    assert answer.text == "Charles Babbage"
    assert answer.no_answer_score < 1e-6


def test_ways_of_calling(tokenizer: AlbertTokenizerFast) -> None:
    qa = pointing(tokenizer, "Charles", "Babbage")
    one = qa("Who?", CONTEXT)
    record = {"question": "Who?", "context": CONTEXT}
    assert qa(record) == one
    assert qa([record, record]) == [one, one]
    assert qa(["Who?", "Who?"], CONTEXT) == [one, one]
    assert qa("Who?", [CONTEXT, CONTEXT]) == [one, one]
    assert qa(["Who?"], [CONTEXT]) == [one]
    assert qa(question=("Who?",), context=CONTEXT) == [one]
    assert qa([]) == []
    assert [len(answers) for answers in qa([record], top_k=3)] == [3]


def test_a_question_alone_and_in_a_list_gets_the_same(tokenizer: AlbertTokenizerFast) -> None:
    qa = pointing(tokenizer, "Charles", "Babbage")
    contexts = [CONTEXT, FILLER * 20 + CONTEXT, "Charles, no, Babbage. " + FILLER, "nobody of that name"]
    together = qa("Who?", contexts, max_seq_len=48, batch_size=3)
    assert together == [qa("Who?", context, max_seq_len=48) for context in contexts]


def test_fixed_shapes(tokenizer: AlbertTokenizerFast) -> None:
    qa = pointing(tokenizer, "Charles", "Babbage", sizes={"batch": 3, "sequence": 40})
    long = FILLER * 8 + CONTEXT
    answers = qa("Who?", [CONTEXT, long], batch_size=8)
    assert [answer.text for answer in answers] == ["Charles Babbage", "Charles Babbage"]
    assert set(qa.runtime.shapes) == {(3, 40)}  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (("", CONTEXT), "question must not be empty"),
        (("Who?", "  \n"), "context must not be empty"),
        (("Who?", None), "context must be a string; received NoneType"),
        ((7, CONTEXT), "question must be a string; received int"),
        (("Who?", "\u200b"), "context must not be empty"),
        (("Who?", "\u0301"), "context must have text that the tokenizer keeps"),
        (("Who\ud800?", CONTEXT), "question must be valid Unicode"),
        ((["a", "b"], [CONTEXT]), "question and context must be lists of one length; received 2 and 1"),
        (({"question": "Who?"},), "must have the keys question, context; received question; fix: add context"),
        (({"question": "Who?", "contxt": CONTEXT},), "fix: rename contxt to context"),
        (({"question": "Who?", "context": CONTEXT}, CONTEXT), "records hold their own context"),
        ((["Who?", {"question": "Who?"}], None), "an input must be an object"),
    ],
)
def test_bad_texts(tokenizer: AlbertTokenizerFast, call: tuple[Any, ...], part: str) -> None:
    with pytest.raises(InputError) as caught:
        pointing(tokenizer, "Charles", "Babbage")(*call)
    assert part in str(caught.value)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"top_k": 0}, "top_k must be a whole number of at least 1"),
        ({"top_k": True}, "top_k must be"),
        ({"max_answer_len": 0}, "max_answer_len must be"),
        ({"doc_stride": -1}, "doc_stride must be"),
        ({"max_seq_len": 513}, "max_seq_len must be at most 512"),
        ({"no_answer_threshold": math.nan}, "finite number"),
        ({"handle_impossible_answer": 1}, "True or False"),
        ({"batch_size": 0}, "batch_size must be"),
        ({"topk": 3}, "did you mean top_k?"),
        ({"question_first": 3}, "options must be among"),
    ],
)
def test_bad_options(tokenizer: AlbertTokenizerFast, options: dict[str, Any], part: str) -> None:
    with pytest.raises(InputError) as caught:
        pointing(tokenizer, "Charles", "Babbage")("Who?", CONTEXT, **options)
    assert part in str(caught.value)


def test_a_question_that_leaves_no_room(tokenizer: AlbertTokenizerFast) -> None:
    qa = pointing(tokenizer, "Charles", "Babbage")
    with pytest.raises(InputError, match="within 64 tokens, for an answer of 15; received a question of 47 tokens"):
        qa(" ".join(["the"] * 47), FILLER * 20, max_seq_len=64)
    assert qa(" ".join(["the"] * 46), FILLER * 20 + CONTEXT, max_seq_len=64).text == "Charles Babbage"
    assert (
        qa(" ".join(["the"] * 47), "Charles Babbage", max_seq_len=64).text == "Charles Babbage"
    )  # one window needs no more


def test_an_artifact_that_computes_nan_is_no_answer(tokenizer: AlbertTokenizerFast) -> None:
    qa = pointing(tokenizer, "Charles", "Babbage", null=math.nan)
    with pytest.raises(BundleError, match="finite numbers"):
        qa("Who?", CONTEXT)


def test_closing_closes_the_runtime(tokenizer: AlbertTokenizerFast) -> None:
    with pointing(tokenizer, "Charles", "Babbage") as qa:
        pass
    assert qa.runtime.closed


def test_the_models_own_options_are_the_defaults(tokenizer: AlbertTokenizerFast) -> None:
    params = {"question-answering": {"max_answer_len": 2, "num_beams": 4, "top_k": 3}, "translation": {"prefix": "x"}}
    qa = pointing(tokenizer, "Ada", "notes", task_specific_params=params)
    own = qa(question="Who?", context=CONTEXT)
    told = pointing(tokenizer, "Ada", "notes")(question="Who?", context=CONTEXT, max_answer_len=2)
    assert own == told != pointing(tokenizer, "Ada", "notes")(question="Who?", context=CONTEXT)
    assert qa.options() == QuestionAnsweringOptions(max_answer_len=2), "top_k makes a list, which no caller asked for"
    assert isinstance(own, Answer)
    assert qa.options(max_answer_len=30).max_answer_len == 30, "what a call says comes first"


@pytest.mark.parametrize("params", [{"question-answering": 3}, {"question-answering": {}}, ["x"], None])
def test_options_of_a_model_that_has_none(tokenizer: AlbertTokenizerFast, params: Any) -> None:
    assert pointing(tokenizer, "Ada", "notes", task_specific_params=params).options() == QuestionAnsweringOptions()


def test_a_models_option_against_its_rule_is_told_when_it_opens(tokenizer: AlbertTokenizerFast) -> None:
    params = {"question-answering": {"max_answer_len": 0}}
    with pytest.raises(BundleError, match=r"task_specific_params\.question-answering in config\.json: max_answer_len"):
        pointing(tokenizer, "Ada", "notes", task_specific_params=params)
