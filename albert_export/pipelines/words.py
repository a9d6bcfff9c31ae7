"""Where the words of a text begin and end."""

from __future__ import annotations

import unicodedata
from itertools import groupby

from albert_export.pipelines.encoding import Encoded

#: Scripts written without spaces between words, by the ranges of their letters: there a run of letters is no word.
_NO_SPACES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x2E80, 0x9FFF),  # CJK radicals, kana, bopomofo, ideographs and extension A
    (0xF900, 0xFAFF),  # CJK compatibility ideographs
    (0xFF66, 0xFF9F),  # halfwidth kana
    (0x20000, 0x3FFFF),  # CJK extensions B and later
)

#: With the apostrophe that is typed, and the one that is printed.
_POSSESSIVES = ("'s", "\N{RIGHT SINGLE QUOTATION MARK}s")


def whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen the characters ``[start, end)`` to whole words, and take white space off their ends.

    A token may begin or end inside a word; an answer does not. A word is a run of letters, digits and marks of a
    script that puts spaces between words.
    """
    start, end = trimmed(text, start, end)
    if start == end:
        return start, end
    while start > 0 and _in_word(text[start - 1]) and _in_word(text[start]):
        start -= 1
    while end < len(text) and _in_word(text[end - 1]) and _in_word(text[end]):
        end += 1
    return start, end


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """Take white space off both ends of the characters ``[start, end)``."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _in_word(character: str) -> bool:
    in_word = character.isalnum() or unicodedata.category(character) in ("Mn", "Mc")  # marks stand apart in NFD text
    return in_word and not _is_spaceless(character)


def _begins_spaceless(part: str) -> bool:
    return any(_is_spaceless(character) for character in part.lstrip()[:1])


def _is_spaceless(character: str) -> bool:
    code = ord(character)
    return any(low <= code <= high for low, high in _NO_SPACES)


def word_starts(text: str, encoded: Encoded, sequence: int = 0) -> list[bool]:
    """Say for each token of a text whether it begins a word.

    Words are those of the tokenizer, which a SentencePiece vocabulary knows by the white space between them: the
    comma of ``Berlin,`` would be part of Berlin's word and take its label. Labelled corpora set punctuation at the
    ends of a word apart, and so does this. They set a possessive ``'s`` apart as well, as in ``Ada's book``; so does
    this where a token begins with its apostrophe. Other apostrophes, as in ``O'Brien``, are part of the word. In a
    script without spaces a whole sentence would be a word: there each token is one.
    """
    starts: list[bool] = []
    for _, group in groupby(encoded.text_range(sequence), key=lambda token: encoded.word_ids[token]):
        starts += _starts_within([text[slice(*encoded.offsets[token])] for token in group])
    return starts


def _starts_within(parts: list[str]) -> list[bool]:
    """Say for each token of one of the tokenizer's words whether it begins a word of ours."""
    edges = [_is_edge(part) for part in parts]
    before = next((index for index, edge in enumerate(edges) if not edge), len(parts))
    behind = next((index for index in range(len(parts), before, -1) if not edges[index - 1]), before)
    possessive = _possessive(parts, before, behind)
    starts = []
    for index, part in enumerate(parts):
        if index in (0, possessive) or index >= max(behind, before + 1):
            starts.append(True)
        elif index <= before:
            # What stands behind punctuation is apart from it; a token without text, the space before a word, is not.
            starts.append(bool(parts[index - 1].strip()))
        else:
            starts.append(_begins_spaceless(part))
    return starts


def _possessive(parts: list[str], before: int, behind: int) -> int | None:
    """Return the token that begins the possessive ending of the word in ``[before, behind)``, or None."""
    for index in range(behind - 1, before, -1):
        if "".join(parts[index:behind]).lower() in _POSSESSIVES:  # a headline may be in capitals
            return index
    return None


def _is_edge(part: str) -> bool:
    return all(character.isspace() or unicodedata.category(character)[0] in "PS" for character in part)
