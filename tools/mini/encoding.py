"""Items of the generated worlds as token ids and labels.

Every task becomes the same thing: rows of ids and segments, one, two (similarity) or four (choices) to an item, with a
label for each token where the task labels tokens and two numbers for each item where it labels items.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from albert_export.tokenization import AlbertTokenizerFast

#: Tasks in the order in which their numbers stand in batches. ``words`` are plain paragraphs to mask words of.
TASKS = (
    "question-answering",
    "token-classification",
    "text-classification",
    "multiple-choice",
    "fill-mask",
    "pretraining",
    "feature-extraction",
    "words",
)
#: Rows of ids that one item has, where it is not one.
ROWS = {"multiple-choice": 4, "feature-extraction": 2}

TEXT_LABELS = ("negative", "neutral", "positive")
ENTITY_KINDS = ("PER", "LOC", "ORG", "DATE")
TOKEN_LABELS = ("O", *(f"{place}-{kind}" for kind in ENTITY_KINDS for place in "BI"))

#: Label of a token that counts in no loss.
IGNORED = -100


@dataclass(frozen=True)
class Rows:
    """Encoded items of one task.

    Attributes:
        task: One of :data:`TASKS`.
        ids: Token ids of all rows, one after the other, ``[tokens]`` int16.
        types: Their segments, ``[tokens]`` int8.
        tokens: Their labels, ``[tokens]`` int16, or ``[0]`` where the task labels no tokens.
        starts: First token of each row, and the end of the last, ``[rows + 1]`` int64.
        labels: Two numbers an item, ``[items,2]`` float32: the first and last token of an answer, or a label (class,
            choice, order, score) and 0.
        spell: Part of the training over which the items are spread.
    """

    task: str
    ids: npt.NDArray[np.int16]
    types: npt.NDArray[np.int8]
    tokens: npt.NDArray[np.int16]
    starts: npt.NDArray[np.int64]
    labels: npt.NDArray[np.float32]
    spell: tuple[float, float] = (0.0, 1.0)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def rows_per_item(self) -> int:
        """Rows of ids that one item has."""
        return ROWS.get(self.task, 1)

    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of the longest row of each item, ``[items]``."""
        longest: npt.NDArray[np.int64] = np.diff(self.starts).reshape(-1, self.rows_per_item).max(axis=1)
        return longest


def texts_of(task: str, item: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    """Return the texts, or pairs of texts, that an item has the model read, one a row."""
    if task == "question-answering":
        return [(item["question"], item["context"])]
    if task == "multiple-choice":
        return [(item["prompt"], choice) for choice in item["choices"]]
    if task == "pretraining":
        return [(item["text"], item["text_pair"])]
    if task == "feature-extraction":
        return [(item["text"], None), (item["text_pair"], None)]
    return [(item["text"], None)]


def encode_items(tokenizer: AlbertTokenizerFast, task: str, items: Iterable[Mapping[str, Any]]) -> Rows:
    """Encode items; those that do not fit 512 tokens, or whose answer is not where it should be, are an error.

    Args:
        tokenizer: The vocabulary.
        task: One of :data:`TASKS`.
        items: Items as the worlds make them; of ``words``, records with ``text``.
    """
    listed = list(items)
    pairs = [pair for item in listed for pair in texts_of(task, item)]
    encodings = tokenizer.backend_tokenizer.encode_batch(
        [text if pair is None else (text, pair) for text, pair in pairs]
    )
    starts = np.zeros(len(encodings) + 1, dtype=np.int64)
    np.cumsum([len(encoding) for encoding in encodings], out=starts[1:])
    if len(encodings) and np.diff(starts).max() > 512:
        raise ValueError(f"an item of {task} has {np.diff(starts).max()} tokens; at most 512 fit the model")
    each = ROWS.get(task, 1)
    labels = np.zeros((len(listed), 2), dtype=np.float32)
    tokens: list[npt.NDArray[np.int16]] = []
    for number, item in enumerate(listed):
        encoding = encodings[number * each]
        if task == "question-answering":
            labels[number] = answer_tokens(encoding, item["answer_start"], item["answers"][0])
        elif task == "token-classification":
            tokens.append(entity_labels(encoding, item["entities"]))
        elif task == "fill-mask":
            tokens.append(mask_label(tokenizer, encoding, item["targets"][0]))
        elif task != "words":
            labels[number, 0] = _label(task, item)
    return Rows(
        task,
        _flat([encoding.ids for encoding in encodings], np.int16),
        _flat([encoding.type_ids for encoding in encodings], np.int8),
        np.concatenate(tokens) if tokens else np.zeros(0, np.int16),
        starts,
        labels,
    )


def _flat(parts: Sequence[Sequence[int]], dtype: Any) -> npt.NDArray[Any]:
    return np.fromiter((value for part in parts for value in part), dtype=dtype)


def _label(task: str, item: Mapping[str, Any]) -> float:
    if task == "text-classification":
        return TEXT_LABELS.index(item["label"])
    return float(item["score"] if task == "feature-extraction" else item["label"])


def answer_tokens(encoding: Any, start: int, answer: str) -> tuple[int, int]:
    """Return the first and the last token of an answer in the second text of an encoded pair.

    Args:
        encoding: Of the ``tokenizers`` library.
        start: First character of the answer in the second text.
        answer: The answer as it is written there.

    Raises:
        ValueError: No token lies there.
    """
    end = start + len(answer)
    inside = [
        token
        for token, (owner, (first, last)) in enumerate(zip(encoding.sequence_ids, encoding.offsets, strict=True))
        if owner == 1 and last > start and first < end and last > first
    ]
    if not inside:
        raise ValueError(f"no token of the context lies at character {start}, where the answer {answer!r} should be")
    return inside[0], inside[-1]


def entity_labels(encoding: Any, entities: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.int16]:
    """Return a label of :data:`TOKEN_LABELS` for each token: B for the first of an entity, I for the others.

    A word that the vocabulary spells begins with the space before it as a token of its own. That is its first token,
    whose label the pipeline takes for the word, so it has the B. What the tokenizer put around the text counts in no
    loss.
    """
    labels = np.zeros(len(encoding), dtype=np.int16)
    for token, owner in enumerate(encoding.sequence_ids):
        if owner is None:
            labels[token] = IGNORED
    for entity in entities:
        begin = TOKEN_LABELS.index(f"B-{entity['label']}")
        inside = [
            token
            for token, (first, last) in enumerate(encoding.offsets)
            if labels[token] != IGNORED and last > entity["start"] and first < entity["end"]
        ]
        if encoding.tokens[inside[0] - 1] == "▁":
            inside.insert(0, inside[0] - 1)
        labels[inside] = begin + 1
        labels[inside[0]] = begin
    return labels


def mask_label(tokenizer: AlbertTokenizerFast, encoding: Any, target: str) -> npt.NDArray[np.int16]:
    """Return the label of each token: the masked word's piece at the mask, nothing elsewhere.

    A word that is several pieces of the vocabulary is nothing that one mask could stand for: it has no label.
    """
    pieces = tokenizer.backend_tokenizer.encode(target, add_special_tokens=False).ids
    ids = np.asarray(encoding.ids)
    labels = np.full(len(ids), IGNORED, dtype=np.int16)
    if len(pieces) == 1:
        labels[ids == tokenizer.mask_token_id] = pieces[0]
    return labels
