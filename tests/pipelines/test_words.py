from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.pipelines.encoding import Encoded, encode
from albert_export.pipelines.words import trimmed, whole_words, word_starts
from albert_export.tokenization import AlbertTokenizerFast


@pytest.mark.parametrize(
    ("text", "part", "whole"),
    [
        ("in Berlin.", "erli", "Berlin"),
        ("in Berlin.", " Berlin", "Berlin"),
        ("in Berlin.", ".", "."),
        ("in (Berlin) now", "erlin", "Berlin"),
        ("it cost $3.50 then", "3", "3"),
        ("jean-baptiste", "bap", "baptiste"),
        ("Ada Lovelace wrote", "da Love", "Ada Lovelace"),
        ("北京是中国的首都", "中国", "中国"),
        ("東京は", "東", "東"),
        ("Zoë Müller", "ülle", "Müller"),
        ("Zoe\u0308 M", "oe", "Zoe\u0308"),
        ("กรุงเทพ", "กรุง", "กรุง"),
        ("Москва и", "оскв", "Москва"),
        ("a  b", "  ", ""),
    ],
)
def test_widening_to_whole_words(text: str, part: str, whole: str) -> None:
    start = text.index(part)
    first, end = whole_words(text, start, start + len(part))
    assert text[first:end] == whole


@settings(deadline=None)
@given(st.text(max_size=30), st.integers(0, 30), st.integers(0, 30))
def test_widening_never_loses_what_was_there_but_white_space(text: str, a: int, b: int) -> None:
    start, end = sorted((min(a, len(text)), min(b, len(text))))
    trim_start, trim_end = trimmed(text, start, end)
    assert text[trim_start:trim_end] == text[start:end].strip()
    first, last = whole_words(text, start, end)
    assert first <= trim_start
    assert last >= trim_end
    assert whole_words(text, first, last) == (first, last)
    if trim_start == trim_end:
        assert first == last


def words(tokenizer: AlbertTokenizerFast, text: str) -> list[str]:
    encoded = encode(tokenizer, text)
    groups: list[list[int]] = []
    for token, begins in zip(encoded.text_range(0), word_starts(text, encoded), strict=True):
        if begins:
            groups.append([])
        groups[-1].append(token)
    return [text[encoded.offsets[group[0]][0] : encoded.offsets[group[-1]][1]].strip() for group in groups]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada Lovelace wrote.", ["Ada", "Lovelace", "wrote", "."]),
        ("in (Berlin), now", ["in", "(", "Berlin", ")", ",", "now"]),
        ("the jean-baptiste house", ["the", "jean-baptiste", "house"]),
        ("it's", ["it", "'s"]),
        ("tabs\tand\nlines", ["tabs", "and", "lines"]),
    ],
)
def test_punctuation_at_the_ends_of_a_word_stands_apart(
    tokenizer: AlbertTokenizerFast, text: str, expected: list[str]
) -> None:
    assert words(tokenizer, text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ada's book", ["Ada", "'s", "book"]),
        ("Ada’s book", ["Ada", "’s", "book"]),
        ("in James's.", ["in", "James", "'s", "."]),
        ("by Ada’s, too", ["by", "Ada", "’s", ",", "too"]),
        ("by (Ada's)", ["by", "(", "Ada", "'s", ")"]),
        ("O'Brien wrote", ["O'Brien", "wrote"]),
        ("an O'Brien's book", ["an", "O'Brien", "'s", "book"]),
        ("an Ada's-like book", ["an", "Ada's-like", "book"]),
        ("they don't", ["they", "don't"]),
    ],
)
def test_a_possessive_ending_is_a_word_of_its_own(
    tokenizer: AlbertTokenizerFast, text: str, expected: list[str]
) -> None:
    assert words(tokenizer, text) == expected


@pytest.mark.parametrize(
    ("pieces", "starts"),
    [
        (["Ada", "'s"], [True, True]),
        (["Ada", "'", "s", ","], [True, True, False, True]),
        (["Ada'", "s"], [True, False]),  # no token begins with the apostrophe
        (["Ad", "a's"], [True, False]),
        (["'s"], [True]),
    ],
)
def test_a_possessive_ending_is_apart_where_the_tokens_allow_it(pieces: list[str], starts: list[bool]) -> None:
    text = "".join(pieces)
    ends = [len("".join(pieces[: count + 1])) for count in range(len(pieces))]
    offsets = list(zip([0, *ends], ends, strict=False))
    count = len(pieces)
    assert word_starts(text, Encoded([7] * count, [0] * count, [0] * count, [0] * count, offsets)) == starts


def test_punctuation_alone_is_words(tokenizer: AlbertTokenizerFast) -> None:
    found = words(tokenizer, "a .,? b")
    assert "".join(found) == "a.,?b"
    assert (found[0], found[-1]) == ("a", "b")
    assert len(found) > 3


def test_each_sign_of_a_script_without_spaces_is_a_word(tokenizer: AlbertTokenizerFast) -> None:
    found = [word for word in words(tokenizer, "in 中文") if word]
    assert found == ["in", "中", "文"]


def test_word_pieces_have_words_of_their_own(word_pieces: AlbertTokenizerFast) -> None:
    assert words(word_pieces, "berlins, 北京.") == ["berlins", ",", "北", "京", "."]


def test_no_text_has_no_words(tokenizer: AlbertTokenizerFast) -> None:
    assert word_starts("", encode(tokenizer, "")) == []
