"""How well a model does each task: the product's pipelines on items with gold answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export.parity.metric_formulas import counts, exact_match, micro_f1, spearman, word_f1

if TYPE_CHECKING:
    from albert_export.pipelines import Pipeline

Item = Mapping[str, Any]

#: Task -> its first figure, by which models are compared.
FIGURE = {
    "question-answering": "exact_match",
    "token-classification": "entity_f1",
    "text-classification": "accuracy",
    "multiple-choice": "accuracy",
    "fill-mask": "top5",
    "pretraining": "accuracy",
    "feature-extraction": "spearman",
}


def item_scores(task: str, pipeline: Pipeline[Any, Any, Any, Any], items: Sequence[Item]) -> list[dict[str, float]]:
    """Return the figures of each item by itself, for tasks whose figure is a mean over items."""
    if task == "question-answering":
        answers = pipeline.run([pipeline.request(item) for item in items])
        return [
            {"exact_match": exact_match(own.text, item["answers"]), "f1": word_f1(own.text, item["answers"])}
            for own, item in zip(answers, items, strict=True)
        ]
    if task == "text-classification":
        labels = pipeline.run([pipeline.request(item) for item in items])
        return [{"accuracy": float(own.label == item["label"])} for own, item in zip(labels, items, strict=True)]
    if task == "multiple-choice":
        choices = pipeline.run([pipeline.request(item) for item in items])
        return [{"accuracy": float(own.index == item["label"])} for own, item in zip(choices, items, strict=True)]
    if task == "fill-mask":
        fills = pipeline.run([pipeline.request(item) for item in items], pipeline.options(top_k=5))
        words = [[fill.token_str.strip() for fill in own] for own in fills]
        return [
            {
                "top1": float(own[0] in _lower(item["targets"])),
                "top5": float(bool(set(own) & set(_lower(item["targets"])))),
            }
            for own, item in zip(words, items, strict=True)
        ]
    orders = pipeline.run([pipeline.request(item) for item in items])
    return [
        {"accuracy": float((own.label == "swapped") == bool(item["label"]))}
        for own, item in zip(orders, items, strict=True)
    ]


def _lower(words: Sequence[str]) -> list[str]:
    return [word.lower() for word in words]


def figures(task: str, pipeline: Pipeline[Any, Any, Any, Any], items: Sequence[Item]) -> dict[str, float]:
    """Return a task's figures over items, each from 0 to 100.

    Args:
        task: Name of the head.
        pipeline: Its pipeline.
        items: Items with gold answers, at least two.
    """
    if task == "token-classification":
        found = pipeline.run([pipeline.request({"text": item["text"]}) for item in items])
        own = [{(entity.start, entity.end, entity.label) for entity in entities} for entities in found]
        gold = [{(entity["start"], entity["end"], entity["label"]) for entity in item["entities"]} for item in items]
        return {"entity_f1": 100 * micro_f1(np.asarray([counts(*pair) for pair in zip(own, gold, strict=True)]))}
    if task == "feature-extraction":
        options = pipeline.options(normalize=True)
        first, second = (
            pipeline.run([pipeline.request({"text": item[key]}) for item in items], options)
            for key in ("text", "text_pair")
        )
        cosines = [float(np.dot(one.vector, other.vector)) for one, other in zip(first, second, strict=True)]
        return {"spearman": 100 * spearman(np.asarray(cosines), np.asarray([float(item["score"]) for item in items]))}
    scores = item_scores(task, pipeline, items)
    return {name: 100 * float(np.mean([score[name] for score in scores])) for name in scores[0]}
