"""What is right for each task: the gold answers of a line of data, and how the pipeline's are scored by them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from albert_export.errors import InputError
from albert_export.parity import metric_formulas as formulas
from albert_export.parity.data import Dataset
from albert_export.parity.metric_formulas import Floats
from albert_export.parity.scoring import AnyPipeline, Figure, Record, Scorer, share
from albert_export.pipelines.base import Job
from albert_export.pipelines.fill_mask import FillMaskOptions, FillMaskPipeline, mask_positions, target_ids
from albert_export.pipelines.numerics import Logits
from albert_export.pipelines.requests import PairRequest, TextRequest
from albert_export.pipelines.text_classification import problem_type
from albert_export.runtimes import Runtime

#: Characters of a wrong value that an error shows.
_SHOWN_CHARACTERS = 200


class QuestionAnswering(Scorer):
    """Exact match and word F1 as SQuAD has them; "no answer" may be one where an item accepts none."""

    task = "question-answering"

    def __init__(self, runtime: Runtime, tokenizer: Any, data: Dataset) -> None:
        super().__init__(runtime, tokenizer, data)
        unanswerable = any(_accepted(item.record) == [] for item in data.items)
        self.options = self.pipeline.options(handle_impossible_answer=unanswerable)

    def _gold(self, record: Record) -> Sequence[str]:
        accepted = _accepted(record)
        if not isinstance(accepted, list) or not all(isinstance(text, str) for text in accepted):
            raise _no_gold(record, "answers", "a list of the texts that are accepted, or an empty one")
        return accepted or [""]

    def _values(self, gold: Sequence[str], results: Sequence[Any]) -> tuple[float, ...]:
        answer = results[0].text
        return formulas.exact_match(answer, gold), formulas.word_f1(answer, gold)

    def _figures(self, values: Floats) -> tuple[Figure, ...]:
        exact, f1 = values.mean(axis=0)
        return share("exact match", exact), share("F1", f1)

    def _worth(self, values: Floats) -> Floats:
        worth: Floats = values.sum(axis=1)
        return worth


def _accepted(record: Record) -> Any:
    """The accepted answers, also in SQuAD's own form, an object with a list of texts."""
    answers = record.get("answers")
    return answers.get("text") if isinstance(answers, dict) else answers


class _Accuracy(Scorer):
    """How often the answer is the right one."""

    def _figures(self, values: Floats) -> tuple[Figure, ...]:
        return (share("accuracy", float(values.mean())),)

    def _worth(self, values: Floats) -> Floats:
        right: Floats = values[:, 0]
        return right


class TextClassification(_Accuracy):
    """Accuracy; F1 of all labels where a text can have several; in a regression the correlation of ranks."""

    task = "text-classification"

    def __init__(self, runtime: Runtime, tokenizer: Any, data: Dataset) -> None:
        super().__init__(runtime, tokenizer, data)
        self.kind = problem_type(self.config)
        if self.kind == "regression" and self.config.num_labels != 1:
            raise InputError(
                "a metric of a regression needs a head of one number",
                received=self.config.num_labels,
                fix="give no data",
            )

    def _gold(self, record: Record) -> Any:
        if self.kind == "regression":
            return _number(record, "label")
        names = self.config.id2label
        if self.kind == "multi_label_classification":
            labels = record.get("labels")
            if not isinstance(labels, list):
                raise _no_gold(record, "labels", "a list of labels")
            return {_label(record, "labels", label, names) for label in labels}
        return _label(record, "label", record.get("label"), names)

    def _values(self, gold: Any, results: Sequence[Any]) -> tuple[float, ...]:
        if self.kind == "regression":
            return results[0].score, gold
        if self.kind == "multi_label_classification":
            return formulas.counts({label.label for label in results[0]}, gold)
        return (float(results[0].label == gold),)

    def _figures(self, values: Floats) -> tuple[Figure, ...]:
        if self.kind == "regression":
            return (_rank_correlation(values),)
        if self.kind == "multi_label_classification":
            return (share("F1", formulas.micro_f1(values)),)
        return super()._figures(values)

    def _worth(self, values: Floats) -> Floats:
        if self.kind == "regression":
            return np.zeros(len(values))
        return _right_less_wrong(values)


class TokenClassification(Scorer):
    """F1 of entities: one counts where its characters and its label are right (as CoNLL 2003 has it)."""

    task = "token-classification"

    def _gold(self, record: Record) -> set[tuple[int, int, str]]:
        entities = record.get("entities")
        text = record.get("text")
        if not isinstance(entities, list):
            raise _no_gold(record, "entities", "a list of objects with start, end and label")
        length = len(text) if isinstance(text, str) else 0
        known = sorted({name.removeprefix("B-").removeprefix("I-") for name in self.config.id2label.values()} - {"O"})
        found = set()
        for entity in entities:
            place = entity if isinstance(entity, dict) else {}
            start, end, label = place.get("start"), place.get("end"), place.get("label")
            if type(start) is not int or type(end) is not int or not 0 <= start < end <= length or label not in known:
                raise InputError(
                    f"entities must have start and end within the text, and a label of {', '.join(known)}",
                    received=ascii(entity)[:_SHOWN_CHARACTERS],
                )
            found.add((start, end, str(label)))
        return found

    def _values(self, gold: set[tuple[int, int, str]], results: Sequence[Any]) -> tuple[float, ...]:
        return formulas.counts({(entity.start, entity.end, entity.label) for entity in results[0]}, gold)

    def _figures(self, values: Floats) -> tuple[Figure, ...]:
        return (share("entity F1", formulas.micro_f1(values)),)

    def _worth(self, values: Floats) -> Floats:
        return _right_less_wrong(values)


class MultipleChoice(_Accuracy):
    """Accuracy."""

    task = "multiple-choice"

    def _gold(self, record: Record) -> int:
        label, choices = record.get("label"), record.get("choices")
        count = len(choices) if isinstance(choices, list) else 0
        if type(label) is not int or not 0 <= label < max(count, 1):
            raise _no_gold(record, "label", "the number of the right choice, from 0")
        return label

    def _values(self, gold: int, results: Sequence[Any]) -> tuple[float, ...]:
        return (float(results[0].index == gold),)


class Pretraining(_Accuracy):
    """Accuracy of the order of two texts."""

    task = "pretraining"

    def _gold(self, record: Record) -> str:
        label = record.get("label")
        if type(label) is not int or label not in (0, 1):
            raise _no_gold(record, "label", "0 for texts in order, 1 for swapped ones")
        if not isinstance(record.get("text_pair"), str) or not record["text_pair"]:
            raise _no_gold(record, "text_pair", "the second text")
        return ("in order", "swapped")[label]

    def _values(self, gold: str, results: Sequence[Any]) -> tuple[float, ...]:
        return (float(results[0].label == gold),)


class FeatureExtraction(Scorer):
    """Correlation of the ranks of the cosines of two texts' vectors with those of their similarity."""

    task = "feature-extraction"

    def _gold(self, record: Record) -> float:
        return _number(record, "score")

    def _jobs(self, record: Record, gold: Any) -> list[Job[Any, Any]]:  # noqa: ARG002
        if "text_pair" not in record:
            raise _no_gold(record, "text_pair", "the text that the first is compared with")
        texts = [self.pipeline.request({"text": record.get("text")}), PairRequest(record["text_pair"])]
        return [self.pipeline.prepare(text, self.options) for text in texts]

    def _values(self, gold: float, results: Sequence[Any]) -> tuple[float, ...]:
        return formulas.cosine(*results), gold

    def _figures(self, values: Floats) -> tuple[Figure, ...]:
        return (_rank_correlation(values),)

    def _worth(self, values: Floats) -> Floats:
        return np.zeros(len(values))


class MaskedWords(FillMaskPipeline):
    """The pipeline with another last step: where the words that were masked come among all, and how probable they are.

    A job's ``targets`` are these words, one for each mask.
    """

    def _finish(self, job: Job[TextRequest, FillMaskOptions], kept: list[Logits]) -> Any:
        words = job.options.targets or ()
        tokens = [int(target_ids(self.tokenizer, [word])[0]) for word in words]
        return [formulas.place_and_log(logits, token) for logits, token in zip(kept[0], tokens, strict=True)]


class FillMask(Scorer):
    """How often the masked word is the likeliest, or among the five likeliest, and its perplexity."""

    task = "fill-mask"

    def _pipeline(self, runtime: Runtime, tokenizer: Any) -> AnyPipeline:
        return MaskedWords(runtime, tokenizer)

    def _gold(self, record: Record) -> Sequence[str]:
        targets = record.get("targets")
        if not isinstance(targets, list) or not targets or not all(isinstance(word, str) for word in targets):
            raise _no_gold(record, "targets", "a list of the words that were masked")
        return targets

    def _jobs(self, record: Record, gold: Sequence[str]) -> list[Job[Any, Any]]:
        (job,) = [self.pipeline.prepare(self.pipeline.request(record), self.pipeline.options(targets=gold))]
        masks = mask_positions(job.encoded, self.pipeline.tokenizer.mask_token_id)
        if len(masks) != len(gold):
            raise InputError(
                "targets must be one word for each mask", received=f"{len(gold)} for {len(masks)}", fix="give as many"
            )
        return [job]

    def _values(self, gold: Sequence[str], results: Sequence[Any]) -> tuple[float, ...]:
        places, logs = zip(*results[0], strict=True)
        return float(sum(p < 1 for p in places)), float(sum(p < 5 for p in places)), float(sum(logs)), float(len(gold))

    def _figures(self, values: Floats) -> tuple[Figure, ...]:
        best, among_five, logs, masks = values.sum(axis=0)
        surprise = formulas.perplexity(float(logs / masks))
        return (
            share("top-1", best / masks),
            share("top-5", among_five / masks),
            # In points: the geometric mean of the probabilities of the right words, which is what perplexity inverts.
            Figure("perplexity", surprise, 100 / surprise, counted=False),
        )

    def _worth(self, values: Floats) -> Floats:
        worth: Floats = values[:, 0] + values[:, 1]
        return worth


#: Task -> its metrics.
SCORERS: dict[str, type[Scorer]] = {
    scorer.task: scorer
    for scorer in (
        FeatureExtraction,
        Pretraining,
        FillMask,
        TextClassification,
        MultipleChoice,
        TokenClassification,
        QuestionAnswering,
    )
}


def _right_less_wrong(values: Floats) -> Floats:
    """Of rows of counts, what was found rightly less what was not; of rows of one number, that number."""
    worth: Floats = values[:, 0] - values[:, 1:].sum(axis=1)
    return worth


def _rank_correlation(values: Floats) -> Figure:
    return share("Spearman", formulas.spearman(values[:, 0], values[:, 1]), counted=False)


def _label(record: Record, key: str, label: Any, names: Mapping[int, str]) -> str:
    """Return the name of a label that is given by name or by number."""
    if type(label) is int and label in names:
        return names[label]
    if isinstance(label, str) and label in names.values():
        return label
    raise _no_gold(record, key, f"of {', '.join(names.values())}")


def _number(record: Record, key: str) -> float:
    value = record.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise _no_gold(record, key, "a finite number")
    return float(value)


def _no_gold(record: Record, key: str, what: str) -> InputError:
    received = ascii(record[key]) if key in record else f"no {key} among {', '.join(map(str, record)) or 'no keys'}"
    return InputError(f"{key} must be {what}", received=received[:_SHOWN_CHARACTERS])
