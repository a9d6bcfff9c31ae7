from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.pipelines.encoding import encode
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
        ("it's", ["it's"]),
        ("tabs\tand\nlines", ["tabs", "and", "lines"]),
    ],
)
def test_punctuation_at_the_ends_of_a_word_stands_apart(
    tokenizer: AlbertTokenizerFast, text: str, expected: list[str]
) -> None:
    assert words(tokenizer, text) == expected


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
