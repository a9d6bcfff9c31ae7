"""Our pipelines on the logits of transformers' pipelines, against its results (tests/golden/record_pipelines.py).

The recorded logits are found by the ids of their row: that they are found at all shows that texts are tokenized and
cut into windows alike.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.pipelines.fill_mask import FillMaskPipeline
from albert_export.pipelines.question_answering import QuestionAnsweringPipeline
from albert_export.pipelines.text_classification import TextClassificationPipeline
from albert_export.pipelines.token_classification import TokenClassificationPipeline
from albert_export.tokenization import AlbertTokenizerFast
from tests.pipelines.conftest import PlayedRuntime, config

RECORDED = json.loads((Path(__file__).parents[1] / "golden" / "pipelines.json").read_text(encoding="utf-8"))
LABELS = {int(index): name for index, name in RECORDED["labels"].items()}


def played(task: str, names: list[str], rows: list[dict[str, Any]], **fields: Any) -> PlayedRuntime:
    """Play recorded logits; for fill-mask those of its masks only."""
    by_ids = {tuple(row["ids"]): {name: np.array(row[name]) / 1000 for name in names} for row in rows}

    def compute(input_ids: np.ndarray, attention_mask: np.ndarray, token_type_ids: np.ndarray) -> dict[str, np.ndarray]:
        outputs: dict[str, list[np.ndarray]] = {name: [] for name in names}
        for ids, mask in zip(input_ids, attention_mask, strict=True):
            length = int(mask.sum())
            logits = by_ids[tuple(ids[:length].tolist())]
            for name in names:
                full = logits[name]
                if task == "fill-mask":
                    full = np.zeros((len(ids), logits[name].shape[-1]))
                    full[np.flatnonzero(ids == 4)] = logits[name]
                elif task != "text-classification":
                    full = np.concatenate([full, np.zeros((len(ids) - length, *full.shape[1:]))])
                outputs[name].append(full)
        return {name: np.stack(arrays).astype(np.float32) for name, arrays in outputs.items()}

    return PlayedRuntime(task, compute, config=config(**fields))


def visible(text: str, start: int, end: int) -> tuple[int, int]:
    """Their offsets have the space before a word; ours do not."""
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())


QA = RECORDED["question-answering"]
ONE_WINDOW = [case for case in QA["cases"] if "max_seq_len" not in case["options"]]
SEVERAL_WINDOWS = [case for case in QA["cases"] if "max_seq_len" in case["options"]]


@pytest.mark.parametrize("case", ONE_WINDOW, ids=lambda case: f"{case['question']} {case['options']}")
def test_answers_of_one_window_are_theirs(tokenizer: AlbertTokenizerFast, case: dict[str, Any]) -> None:
    pipe = QuestionAnsweringPipeline(
        played("question-answering", ["start_logits", "end_logits"], QA["rows"]), tokenizer
    )
    found = pipe(case["question"], case["context"], **case["options"])
    expected: dict[tuple[int, int], float] = {}
    for answer in case["answers"]:  # a span with and without the space before it is one answer of ours
        expected.setdefault(visible(case["context"], answer["start"], answer["end"]), answer["score"])
    assert len(expected) >= 3
    for answer, (place, score) in zip(found, expected.items(), strict=False):
        assert (answer.start, answer.end) == place
        assert answer.text == case["context"][slice(*place)]
        assert answer.score == pytest.approx(score, rel=1e-4)


@pytest.mark.parametrize("case", SEVERAL_WINDOWS, ids=lambda case: case["question"])
def test_several_windows_are_cut_like_theirs(tokenizer: AlbertTokenizerFast, case: dict[str, Any]) -> None:
    runtime = played("question-answering", ["start_logits", "end_logits"], QA["rows"])
    answers = QuestionAnsweringPipeline(runtime, tokenizer)(case["question"], case["context"], **case["options"])
    assert answers[0].text
    assert sum(shape[0] for shape in runtime.shapes) > 1


NER = RECORDED["token-classification"]


@pytest.mark.parametrize("case", NER["cases"], ids=lambda case: f"{case['text'][:12]} {case['options']}")
def test_entities_are_theirs(tokenizer: AlbertTokenizerFast, case: dict[str, Any]) -> None:
    text, options = case["text"], case["options"]
    alone = "▁" in tokenizer.tokenize(text)
    if options["aggregation"] in ("first", "average", "max") and alone:
        # They take the space before a word for a word of its own; ours is part of the word, so that these differ.
        options = {**options, "aggregation": "simple"}
        case = next(each for each in NER["cases"] if each["text"] == text and each["options"] == options)
    pipe = TokenClassificationPipeline(
        played("token-classification", ["logits"], NER["rows"], id2label=LABELS), tokenizer
    )
    found = pipe(text, **options)
    expected = [
        (entity["label"], *visible(text, entity["start"], entity["end"]), entity["score"])
        for entity in case["entities"]
        if options["aggregation"] == "none" or text[entity["start"] : entity["end"]].strip()
    ]
    assert [(entity.label, entity.start, entity.end) for entity in found if entity.start < entity.end] == [
        entity[:3] for entity in expected if entity[1] < entity[2]
    ]
    scores = [entity.score for entity in found if entity.start < entity.end]
    np.testing.assert_allclose(scores, [entity[3] for entity in expected if entity[1] < entity[2]], rtol=1e-4)
    if options["aggregation"] == "none":
        assert [(token.index, token.token) for token in found] == [
            (entity["index"], entity["token"]) for entity in case["entities"]
        ]


def test_some_recorded_sentence_has_words_alike() -> None:
    """Or `first`, `average` and `max` would be compared nowhere."""
    words = [case for case in NER["cases"] if case["options"]["aggregation"] == "first"]
    assert any("Lovelace" not in case["text"] and "Babbage" in case["text"] for case in words)


CLASSIFIED = RECORDED["text-classification"]


@pytest.mark.parametrize("case", CLASSIFIED["cases"], ids=lambda case: f"{case['problem_type'][:6]} {case['texts']}")
def test_labels_are_theirs(tokenizer: AlbertTokenizerFast, case: dict[str, Any]) -> None:
    problem = case["problem_type"]
    rows = [row for row in CLASSIFIED["rows"] if row["problem_type"] == problem]
    runtime = played("text-classification", ["logits"], rows, id2label=LABELS, problem_type=problem)
    found = TextClassificationPipeline(runtime, tokenizer)(case["texts"], top_k=len(LABELS))
    assert [label.label for label in found] == [label["label"] for label in case["labels"]]
    np.testing.assert_allclose(
        [label.score for label in found], [label["score"] for label in case["labels"]], rtol=1e-4
    )


MASKED = RECORDED["fill-mask"]


@pytest.mark.parametrize("case", MASKED["cases"], ids=lambda case: f"{case['text']} {case['options']}")
def test_fills_are_theirs(tokenizer: AlbertTokenizerFast, case: dict[str, Any]) -> None:
    pipe = FillMaskPipeline(played("fill-mask", ["logits"], MASKED["rows"]), tokenizer)
    found = pipe(case["text"], **case["options"])
    several = found if isinstance(found[0], list) else [found]
    for fills, theirs in zip(several, case["fills"], strict=True):
        assert [(fill.token, fill.token_str) for fill in fills] == [(t["token"], t["token_str"]) for t in theirs]
        np.testing.assert_allclose([fill.score for fill in fills], [t["score"] for t in theirs], rtol=1e-4)
    if case["sequences"] is not None:
        assert [fill.sequence for fill in several[0]] == case["sequences"]
