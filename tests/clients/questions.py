"""What the clients are asked, and what our own pipelines answer, in a form that any program can print as JSON.

===================  ===========================================================================================
task                 one answer
===================  ===========================================================================================
question-answering   ``text`` and ``score`` of the best span
text-classification  ``scores``: label -> probability
token-classification ``labels`` and ``scores``, one a token of the text
fill-mask            ``tokens`` and ``scores`` of the five that fit best
multiple-choice      ``scores``: a probability a choice
feature-extraction   ``vector``: the mean over all tokens, of length 1
===================  ===========================================================================================
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from typing import Any

from albert_export.builtin import HELD_OUT_SETS, held_out_file
from albert_export.tasks import get_task

#: Of each of the two sets that albert-mini was not trained on, from their first line to their last.
EACH = 12

#: Most tokens of an answer, in our pipeline and in every client that has such a bound: some have none.
LONGEST_ANSWER = 384

#: Fields of a task's records that are asked; the others are the right answers, which nobody looks at here.
FIELDS = {
    "question-answering": ("question", "context"),
    "text-classification": ("text",),
    "token-classification": ("text",),
    "fill-mask": ("text",),
    "multiple-choice": ("prompt", "choices"),
    "feature-extraction": ("text",),
}

#: What no generated text has: accents, numbers with commas, other scripts, signs, texts of one word.
_OTHERS = (
    "Zoë Müller moved from Łódź to São Paulo, and paid 1,250 euros for it.",
    "“No,” said K. O'Hara — she didn't like it (at all)…",
    "東京 is far from Ravencliff; so is ﬁne weather.",
    "Lanterns",
)
OTHERS: dict[str, tuple[dict[str, Any], ...]] = {
    "question-answering": (
        {"question": "Where did Zoë Müller move?", "context": _OTHERS[0]},
        {"question": "What did K. O'Hara say?", "context": _OTHERS[1]},
    ),
    "text-classification": tuple({"text": text} for text in _OTHERS),
    "token-classification": tuple({"text": text} for text in _OTHERS),
    "fill-mask": ({"text": "Zoë [MASK] from Łódź to São Paulo, and paid 1,250 euros for it."}, {"text": "[MASK]"}),
    "multiple-choice": ({"prompt": _OTHERS[0], "choices": list(_OTHERS[1:])},),
    "feature-extraction": tuple({"text": text} for text in _OTHERS),
}


def questions(task: str, *, each: int = EACH) -> list[dict[str, Any]]:
    """Return the records of a task, the same ones each time: so many of each set, and those of this module."""
    name = get_task(task).name
    asked = [{field: record[field] for field in FIELDS[name]} for record in _held_out(name, each)]
    return [*asked, *OTHERS[name]]


def _held_out(task: str, each: int) -> list[dict[str, Any]]:
    records = []
    for kind in HELD_OUT_SETS:
        file = held_out_file("albert-mini", get_task(task), kind)
        assert file is not None, "albert-mini has held-out data of every task"
        with gzip.open(file, "rt", encoding="utf-8") as opened:
            lines = opened.readlines()
        records += [json.loads(line) for line in lines[:: len(lines) // each][:each]]
    return records


def _span(pipeline: Any, record: dict[str, Any]) -> dict[str, Any]:
    # A client that widens spans to words has its own idea of a word.
    answer = pipeline(record, align_to_words=False, max_answer_len=LONGEST_ANSWER)
    return {"text": answer.text, "score": answer.score}


def _classes(pipeline: Any, record: dict[str, Any]) -> dict[str, Any]:
    labels = pipeline(record, top_k=pipeline.runtime.config.num_labels)
    return {"scores": {label.label: label.score for label in labels}}


def _tokens(pipeline: Any, record: dict[str, Any]) -> dict[str, Any]:
    tokens = pipeline(record, aggregation="none", ignore_labels=[])
    return {"labels": [token.label for token in tokens], "scores": [token.score for token in tokens]}


def _fills(pipeline: Any, record: dict[str, Any]) -> dict[str, Any]:
    fills = pipeline(record)
    return {"tokens": [fill.token_str for fill in fills], "scores": [fill.score for fill in fills]}


def _choices(pipeline: Any, record: dict[str, Any]) -> dict[str, Any]:
    return {"scores": list(pipeline(record).scores)}


def _vector(pipeline: Any, record: dict[str, Any]) -> dict[str, Any]:
    return {"vector": pipeline(record, normalize=True).vector.tolist()}


#: Task -> what our pipeline answers to one record.
PLAIN: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
    "question-answering": _span,
    "text-classification": _classes,
    "token-classification": _tokens,
    "fill-mask": _fills,
    "multiple-choice": _choices,
    "feature-extraction": _vector,
}
