"""Text of small worlds, with gold answers, labels, spans and scores by construction.

``generate`` makes items for each task head, ``sentences`` plain paragraphs. The same arguments give the same items on
every machine and version of Python: each item is drawn from a generator of its own, seeded with a text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from random import Random
from typing import Any

from albert_export.errors import UnknownNameError
from tools.mini.worlds import choices, feelings, masks, order, passages, questions, similarity, tagging
from tools.mini.worlds.world import LENGTHS

SPLITS = ("train", "held_out", "new_patterns")
"""``held_out`` has names that training never sees; ``new_patterns`` patterns that it never sees, too."""

_MAKERS: Mapping[str, Callable[[Random, bool, bool, str], dict[str, Any]]] = {
    "question-answering": questions.item,
    "text-classification": feelings.item,
    "token-classification": tagging.item,
    "multiple-choice": choices.item,
    "fill-mask": masks.item,
    "pretraining": order.item,
    "feature-extraction": similarity.item,
}
TASKS = tuple(_MAKERS)


def _check(split: str, length: str) -> None:
    if split not in SPLITS:
        raise UnknownNameError("split", split, SPLITS)
    if length not in LENGTHS:
        raise UnknownNameError("length", length, tuple(LENGTHS))


def generate(task: str, split: str, count: int, seed: int, *, length: str = "normal") -> Iterator[dict[str, Any]]:
    """Items of one task, each with ``id``, ``pattern``, the keys of its pipeline's request, and the gold.

    Args:
        task: A task head, by the name that ``albert_export.tasks`` gives it.
        split: ``train``, ``held_out`` or ``new_patterns``.
        count: How many; the first ones do not depend on it.
        seed: Which ones.
        length: ``short``, ``normal`` (30 to 110 tokens, mostly) or ``long`` (up to about 380).

    Raises:
        UnknownNameError: No task, split or length of that name.
    """
    if task not in _MAKERS:
        raise UnknownNameError("task", task, TASKS)
    _check(split, length)
    make = _MAKERS[task]
    for number in range(count):
        rng = Random(f"{task}/{split}/{length}/{seed}/{number}")
        made = make(rng, split != "train", split == "new_patterns", length)
        yield {"id": f"{task}/{split}/{length}/{seed}/{number}", **made}


def sentences(split: str, count: int, seed: int, *, length: str = "normal") -> Iterator[str]:
    """Plain paragraphs of every kind.

    Raises:
        UnknownNameError: No split or length of that name.
    """
    _check(split, length)
    for number in range(count):
        rng = Random(f"sentences/{split}/{length}/{seed}/{number}")
        yield passages.passage(rng, split != "train", split == "new_patterns", length)[0]
