"""Labels, words and entities from hand-made scores."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.pipelines.encoding import Encoded
from albert_export.pipelines.entities import Piece, group_entities, label_pieces, most_context

NAMES = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC", 4: "I-LOC"}


def piece(label: str, start: int, end: int, score: float = 1.0) -> Piece:
    return Piece(label, score, start, end)


def entities(text: str, *labels: str) -> list[tuple[str, str]]:
    """Entities of words between spaces."""
    pieces, start = [], 0
    for word, label in zip(text.split(" "), labels, strict=True):
        pieces.append(piece(label, start, start + len(word)))
        start += len(word) + 1
    return [(entity.label, entity.text) for entity in group_entities(text, pieces) if entity.label != "O"]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ("B-PER I-PER O B-LOC", [("PER", "Ada Lovelace"), ("LOC", "London")]),
        ("B-PER B-PER O O", [("PER", "Ada"), ("PER", "Lovelace")]),
        ("I-PER I-PER O O", [("PER", "Ada Lovelace")]),
        ("B-PER I-LOC O O", [("PER", "Ada"), ("LOC", "Lovelace")]),
        ("PER PER O LOC", [("PER", "Ada Lovelace"), ("LOC", "London")]),
        ("B-PER O O I-PER", [("PER", "Ada"), ("PER", "London")]),
        ("O O O O", []),
        ("B-PER I-PER I-PER I-PER", [("PER", "Ada Lovelace in London")]),
    ],
)
def test_grouping(labels: str, expected: list[tuple[str, str]]) -> None:
    assert entities("Ada Lovelace in London", *labels.split()) == expected


def test_an_entity_has_the_mean_score_and_its_own_characters() -> None:
    text = "in  New York."
    found = group_entities(text, [piece("B-LOC", 2, 7, 0.5), piece("I-LOC", 7, 12, 1.0)])
    assert [entity.to_dict() for entity in found] == [
        {"label": "LOC", "score": 0.75, "text": "New York", "start": 4, "end": 12}
    ]


def test_a_space_names_nothing() -> None:
    assert group_entities("a b", [piece("B-LOC", 1, 2), piece("B-PER", 1, 1)]) == []


def labelled(aggregation: str) -> list[str]:
    # One word of three tokens, sure to different degrees, and one of a single token.
    scores = np.array(
        [
            [0.10, 0.60, 0.10, 0.10, 0.10],  # B-PER
            [0.40, 0.02, 0.50, 0.04, 0.04],  # I-PER
            [0.01, 0.01, 0.01, 0.02, 0.95],  # I-LOC, the surest
            [0.90, 0.02, 0.02, 0.03, 0.03],  # O
        ]
    )
    offsets = [(0, 3), (3, 5), (5, 9), (9, 14)]
    pieces = label_pieces(scores, offsets, [True, False, False, True], NAMES, aggregation)
    return [f"{each.label} {each.score:.2f} {each.start}-{each.end}" for each in pieces]


@pytest.mark.parametrize(
    ("aggregation", "expected"),
    [
        ("none", ["B-PER 0.60 0-3", "I-PER 0.50 3-5", "I-LOC 0.95 5-9", "O 0.90 9-14"]),
        ("simple", ["B-PER 0.60 0-3", "I-PER 0.50 3-5", "I-LOC 0.95 5-9", "O 0.90 9-14"]),
        ("first", ["B-PER 0.60 0-9", "O 0.90 9-14"]),
        ("max", ["I-LOC 0.95 0-9", "O 0.90 9-14"]),
        ("average", ["I-LOC 0.36 0-9", "O 0.90 9-14"]),  # (0.10 + 0.04 + 0.95) / 3
    ],
)
def test_the_label_of_a_word(aggregation: str, expected: list[str]) -> None:
    assert labelled(aggregation) == expected


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(list(NAMES.values())), st.integers(1, 4)), min_size=1, max_size=12))
def test_entities_are_in_order_and_apart(words: list[tuple[str, int]]) -> None:
    text = " ".join("x" * length for _, length in words)
    pieces, start = [], 0
    for label, length in words:
        pieces.append(piece(label, start, start + length))
        start += length + 1
    found = group_entities(text, pieces)
    assert "".join(entity.text for entity in found).replace(" ", "") == text.replace(" ", "")
    for before, after in pairwise(found):
        assert before.end <= after.start
        assert before.label != after.label or any(
            label.startswith("B-") and p.start == after.start for (label, _), p in zip(words, pieces, strict=True)
        )
    for entity in found:
        assert text[entity.start : entity.end] == entity.text


def text_of(length: int) -> Encoded:
    total = length + 2
    return Encoded(list(range(total)), [0] * total, [None, *[0] * length, None], [None] * total, [(0, 0)] * total)


def test_a_token_is_read_where_it_has_most_context() -> None:
    windows = text_of(10).windows(0, 8, 2)  # tokens 0-5 and 4-9
    number, position = most_context(windows)
    assert number.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    assert position.tolist() == [1, 2, 3, 4, 5, 2, 3, 4, 5, 6]


def test_of_windows_with_the_same_context_the_first_is_read() -> None:
    windows = text_of(9).windows(0, 8, 3)  # tokens 0-5 and 3-8: token 4 has one neighbour on a side in either
    number, _ = most_context(windows)
    assert number.tolist() == [0, 0, 0, 0, 0, 1, 1, 1, 1]
    windows = text_of(10).windows(0, 9, 3)  # tokens 0-6 and 4-9: token 5 has one in either
    number, _ = most_context(windows)
    assert number.tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]


@settings(deadline=None)
@given(st.integers(0, 60), st.integers(6, 20), st.integers(0, 20))
def test_every_token_is_read_once_and_is_itself(length: int, most: int, overlap: int) -> None:
    encoded = text_of(length)
    windows = encoded.windows(0, most, overlap)
    read = [windows[number].input_ids[place] for number, place in zip(*most_context(windows), strict=True)]
    assert read == list(range(1, length + 1))
