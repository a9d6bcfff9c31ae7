"""Masked words: one word of a paragraph that its surroundings give away."""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import Any

from tools.mini.worlds import passages

_WORD = re.compile(r"[A-Za-z]+")
_FUNCTION_WORDS = """
    a an the in on at to of for with by from and but not as is was has did does had it he she him her his who where when
    than into there then be been would will could after before so they them their
    """
PREDICTABLE = frozenset(_FUNCTION_WORDS.split())
"""Words that grammar and meaning of a sentence give away, with their part of speech, or nearly so."""
REPEATED_SHARE = 0.3
"""How many items mask a word that stands in the paragraph once more."""


def item(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any]:
    """A text with one word masked: a function word, or one that is said twice."""
    while True:
        text, pattern = passages.passage(rng, held_out, new_patterns, length)
        places = list(_WORD.finditer(text))
        counts = Counter(place[0] for place in places)
        if rng.random() < REPEATED_SHARE:
            # In lower case only: a name may be several pieces of the vocabulary.
            chosen = [one for one in places if len(one[0]) > 3 and one[0].islower() and counts[one[0]] > 1]
        else:
            chosen = [one for one in places if one[0].lower() in PREDICTABLE]
        if chosen:
            place = rng.choice(chosen)
            masked = f"{text[: place.start()]}[MASK]{text[place.end() :]}"
            return {"text": masked, "targets": [place[0].lower()], "pattern": pattern}
