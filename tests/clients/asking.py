"""What a client is asked of a bundle, and what ours answers: as text, or as the ids and outputs of single runs."""

from __future__ import annotations

import re
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

import albert_export
from tests.clients.bundles import Form
from tests.clients.questions import PLAIN, questions

#: The records that a client gets, and ours: an answer, or a dict of outputs, to each.
Asked = tuple[list[dict[str, Any]], list[dict[str, Any]]]

#: Rows of one run, where the file's are not fixed: several, so that some are padded.
ROWS = 4

#: Questions of each set, where some are left out.
MORE = 30

#: Most tokens of an answer in Task Library.
LONGEST_SPAN = 32


def texts(bundle: Path, task: str, form: Form) -> Asked:
    """Return the questions as text, and what our pipeline answers."""
    records = questions(task)
    with albert_export.pipeline(bundle, target=form.target, precision=form.precision) as pipeline:
        return records, [PLAIN[task](pipeline, record) for record in records]


def shown_texts(bundle: Path, task: str, form: Form) -> Asked:
    """The same for transformers.js, which leaves out of its answers what decodes to nothing.

    That is an unknown token, and a space alone: it labels neither, and looks for no answer where an unknown one stands.
    """
    tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))

    def shown(text: str) -> list[bool]:
        return [tokenizer.decode([number]) != "" for number in tokenizer.encode(text, add_special_tokens=False).ids]

    records, ours = texts(bundle, task, form)
    if task == "token-classification":
        for record, our in zip(records, ours, strict=True):
            kept = shown(record["text"])
            our.update({key: [one for one, is_shown in zip(our[key], kept, strict=True) if is_shown] for key in our})
    if task != "question-answering":
        return records, ours
    unknown = tokenizer.token_to_id("<unk>")
    known = [unknown not in tokenizer.encode(record["context"]).ids for record in records]
    return list(compress(records, known)), list(compress(ours, known))


def whole_answers(bundle: Path, task: str, form: Form) -> Asked:
    """Return the questions, some of long and odd texts too, and our pipeline's answers as an app gets them."""
    records = questions(task)
    contexts = [record["context"] for record in records if "context" in record]
    odd = (
        "(Ravencliff) is a town.\n",
        "“Ravencliff”\n\nis  where she lives. ",
        "Zoe\u0308, of Ravencliff, lives there.",
    )
    records += [{"question": "Where does she live? ", "context": text} for text in (*odd, "\n".join(contexts[:6]))]
    with albert_export.pipeline(bundle, target=form.target, precision=form.precision) as pipeline:
        answers = [pipeline(record) for record in records]
    return records, [
        {"text": each.text, "start": each.start, "score": each.score, "none": each.no_answer_score} for each in answers
    ]


def plain_texts(bundle: Path, task: str, form: Form) -> Asked:
    """The same for clients with tokenizers of their own.

    They keep accents, know no second quotation mark, and do not cut a comma off the digit before it.
    """
    records, ours = texts(bundle, task, form)
    plain = [is_plain(record) for record in records]
    return list(compress(records, plain)), list(compress(ours, plain))


def rows(bundle: Path, task: str, form: Form) -> Asked:
    """Return the ids that our pipeline feeds its runtime on all questions, and the outputs of that runtime."""
    fed: list[dict[str, Any]] = []
    gave: list[dict[str, Any]] = []
    with albert_export.pipeline(bundle, target=form.target, precision=form.precision) as pipeline:
        run = pipeline.runtime.run

        def recorded(**inputs: Any) -> Any:
            outputs = run(**inputs)
            fed.append({name: np.asarray(array).tolist() for name, array in inputs.items()})
            gave.append({name: np.asarray(array, np.float32).tolist() for name, array in outputs.items()})
            return outputs

        pipeline.runtime.run = recorded
        pipeline.run([pipeline.request(record) for record in questions(task)], batch_size=ROWS)
    return fed, gave


def spans(bundle: Path, task: str, form: Form) -> Asked:
    """Return plain questions, and the best answers with their logits, widened to what stands between spaces.

    Task Library widens like that, and gives the sum of the logits of an answer's first and last token. It looks at the
    five likeliest of each only, so that questions are left out whose best answer has others.
    """
    kept, answers = [], []
    with albert_export.pipeline(bundle, target=form.target, precision=form.precision) as pipeline:
        run, gave = pipeline.runtime.run, []

        def recorded(**inputs: Any) -> Any:
            gave.append((inputs, run(**inputs)))
            return gave[-1][1]

        pipeline.runtime.run = recorded
        for record in filter(is_plain, questions(task, each=MORE)):
            answer = pipeline(record, align_to_words=False, max_answer_len=LONGEST_SPAN)
            ((inputs, outputs),) = gave
            gave.clear()
            text = _between_spaces(record["context"], answer.start, answer.end)
            logit, is_found = _best_logit(inputs, outputs)
            if is_found:
                kept.append(record)
                answers.append({"text": text, "logit": logit})
    return kept, answers


def is_plain(record: dict[str, Any]) -> bool:
    """Whether a record has ASCII letters only, and none of the signs that tokenizers write or cut in several ways."""
    return all(text.isascii() and not re.search(r'["`]|[0-9],', text) for text in record.values())


def _between_spaces(context: str, start: int, end: int) -> str:
    before = context[:start].rpartition(" ")[2]
    after = context[end:].partition(" ")[0]
    return before + context[start:end] + after


def _best_logit(inputs: dict[str, Any], outputs: dict[str, Any]) -> tuple[float, bool]:
    """Return the best span's sum of logits, and whether its ends are among the five likeliest tokens for them."""
    starts, ends = (np.asarray(outputs[name][0], np.float64) for name in ("start_logits", "end_logits"))
    context = np.flatnonzero(np.asarray(inputs["token_type_ids"][0]) * np.asarray(inputs["attention_mask"][0]))[:-1]
    sums = {
        (first, last): starts[first] + ends[last]
        for first in context
        for last in range(first, min(first + LONGEST_SPAN, context[-1] + 1))
    }
    first, last = max(sums, key=lambda span: sums[span])
    return float(sums[first, last]), first in np.argsort(starts)[-5:] and last in np.argsort(ends)[-5:]
