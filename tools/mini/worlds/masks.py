"""Masked words: one word of a paragraph that its surroundings give away."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from tools.mini.worlds import passages

_WORD = re.compile(r"[A-Za-z]+")
PREDICTABLE = frozenset(
    [
        "a",
        "an",
        "the",
        "in",
        "on",
        "at",
        "to",
        "of",
        "for",
        "with",
        "by",
        "from",
        "and",
        "but",
        "not",
        "as",
        "is",
        "was",
        "has",
        "did",
        "does",
        "had",
        "it",
        "he",
        "she",
        "him",
        "her",
        "his",
        "its",
        "for",
        "who",
        "where",
        "when",
        "than",
        "into",
        "there",
        "then",
    ]
)


def item(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any]:
    """A text with one word masked."""
    while True:
        text, pattern = passages.passage(rng, held_out, new_patterns, length)
        places = [match for match in _WORD.finditer(text) if match[0].lower() in PREDICTABLE and match.start() > 0]
        if places:
            place = rng.choice(places)
            masked = f"{text[: place.start()]}[MASK]{text[place.end() :]}"
            return {"text": masked, "targets": [place[0].lower()], "pattern": pattern}
