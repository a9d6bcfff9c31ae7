"""From a score for each token and label to entities with characters: the arithmetic of token classification."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from albert_export.pipelines.encoding import Ids, Window
from albert_export.pipelines.numerics import Floats
from albert_export.pipelines.words import trimmed

#: How tokens become entities.
AGGREGATIONS = ("none", "simple", "first", "average", "max")


@dataclass(frozen=True)
class Entity:
    """Neighbouring tokens that name one thing.

    Attributes:
        label: Their label, without ``B-`` or ``I-``.
        score: Mean probability of their labels, 0 to 1.
        text: ``source[start:end]``, just as it is written there.
        start: First character in the source text.
        end: The character after the last.
    """

    label: str
    score: float
    text: str
    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class TokenLabel:
    """One token with its label, for ``aggregation="none"``.

    Attributes:
        label: Name of the likeliest label, as in the configuration.
        score: Its probability, 0 to 1.
        token: The token of the vocabulary.
        index: Its position in the whole encoded text, where [CLS] is 0.
        start: First character in the source text.
        end: The character after the last.
    """

    label: str
    score: float
    token: str
    index: int
    start: int
    end: int

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class Piece:
    """One or several tokens with one label, before entities are grouped."""

    label: str
    score: float
    start: int
    end: int


def most_context(windows: Sequence[Window], sequence: int = 0) -> tuple[Ids, Ids]:
    """Choose for each token of a text the window that shows most of the text on both its sides.

    Args:
        windows: All windows of one text.
        sequence: Which of its texts.

    Returns:
        For each token of the text, in order: the number of the window, and the position in it. Of equal windows the
        first.
    """
    whole = windows[0].encoded.text_range(sequence)
    best = np.full(len(whole), -1)
    chosen, position = np.zeros(len(whole), dtype=np.int64), np.zeros(len(whole), dtype=np.int64)
    for number, window in enumerate(windows):
        places = window.positions(sequence)
        tokens = window.origin[places] - whole.start
        steps = np.arange(len(places))
        context = np.minimum(steps, steps[::-1])
        better = context > best[tokens]
        best[tokens[better]] = context[better]
        chosen[tokens[better]] = number
        position[tokens[better]] = places[better]
    return chosen, position


def label_pieces(
    scores: Floats,
    offsets: Sequence[tuple[int, int]],
    starts: Sequence[bool],
    names: Mapping[int, str],
    aggregation: str,
) -> list[Piece]:
    """Give each token, or each word, its label.

    Args:
        scores: Probabilities, ``[tokens, labels]``.
        offsets: Characters of each token.
        starts: Whether each token begins a word.
        names: Names of the labels.
        aggregation: ``none`` and ``simple``: each token by itself. Of a word, ``first``: the label of its first
            token; ``max``: the label of the token that is surest; ``average``: the best of the mean scores.
    """
    if aggregation in ("none", "simple"):
        groups = [range(index, index + 1) for index in range(len(offsets))]
    else:
        firsts = [index for index, begins in enumerate(starts) if begins]
        groups = [range(first, end) for first, end in zip(firsts, [*firsts[1:], len(offsets)], strict=True)]
    pieces = []
    for group in groups:
        rows = scores[group.start : group.stop]
        if aggregation == "average":
            row = rows.mean(axis=0)
        elif aggregation == "max":
            row = rows[rows.max(axis=1).argmax()]
        else:
            row = rows[0]
        label = int(row.argmax())
        pieces.append(Piece(names[label], float(row[label]), offsets[group[0]][0], offsets[group[-1]][1]))
    return pieces


def group_entities(text: str, pieces: Sequence[Piece]) -> list[Entity]:
    """Put neighbours of one kind together; ``B-`` begins a new entity, and so does another kind.

    A label without ``B-`` or ``I-`` continues its like, as if it had ``I-``.
    """
    groups: list[list[Piece]] = []
    for piece in pieces:
        begins, kind = _split(piece.label)
        if groups and not begins and _split(groups[-1][-1].label)[1] == kind:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    entities = []
    for group in groups:
        start, end = trimmed(text, group[0].start, group[-1].end)
        if start < end:  # a space token by itself names nothing
            score = float(np.mean([piece.score for piece in group]))
            entities.append(Entity(_split(group[0].label)[1], score, text[start:end], start, end))
    return entities


def _split(label: str) -> tuple[bool, str]:
    """``B-PER`` -> (True, ``PER``)."""
    return label.startswith("B-"), label[2:] if label[:2] in ("B-", "I-") else label
