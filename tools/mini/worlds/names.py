"""Names of people, towns, firms and shops, each on exactly one side of the split.

A name is on the held-out side or on the training side by a checksum of its own letters, whatever list or rule it comes
from, so that no name can be on both sides. Most names are composed, so that there are far more than a small model can
remember and it has to copy them instead.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager
from contextvars import ContextVar
from random import Random

from tools.mini.worlds import name_parts as parts

HELD_OUT_SHARE = 6
"""One name in this many is held out."""


def is_held_out(name: str) -> bool:
    """Whether a name may only occur in the held-out splits. A function of its letters alone."""
    return zlib.crc32(name.lower().encode()) % HELD_OUT_SHARE == 0


def listed_and_held_out() -> set[str]:
    """The listed names of people and towns that may only occur in the held-out splits, in small letters."""
    lists = (parts.MALE, parts.FEMALE, parts.FAMILIES, parts.TOWNS)
    return {name.lower() for names in lists for name in names if is_held_out(name)}


MOST_DRAWN = 10_000
"""Draws after which a maker has no name that would do."""

_REFUSED: ContextVar[Set[str]] = ContextVar("refused", default=frozenset())


@contextmanager
def refusing(words: Set[str]) -> Iterator[None]:
    """Let no maker draw a name, inside, that is one of these words in small letters.

    A name is on one side as a whole. A word of it may be a name by itself on the other side, as a hotel's may be a
    town's.
    """
    token = _REFUSED.set(words)
    try:
        yield
    finally:
        _REFUSED.reset(token)


def _on_side(draw: Callable[[], str], held_out: bool) -> str:
    refused = _REFUSED.get()
    for _ in range(MOST_DRAWN):
        name = draw()
        if is_held_out(name) == held_out and name not in parts.NO_NAMES and name.lower() not in refused:
            return name
    raise ValueError(f"of {MOST_DRAWN} names such as {name} none is on the right side and not refused")


def _join(*pieces: str) -> str:
    """Pieces as one word, without a letter three times in a row or a vowel doubled at a seam."""
    word = ""
    for piece in pieces:
        if word and piece and word[-1] == piece[0] and word[-1] in "aeiouy":
            piece = piece[1:]
        word += piece
    return word


def given_name(rng: Random, held_out: bool, male: bool) -> str:
    """A given name: about two in five from a hand-written list, the others composed."""

    def draw() -> str:
        if rng.random() < 0.4:
            return rng.choice(parts.MALE if male else parts.FEMALE)
        ending = rng.choice(parts.MALE_ENDINGS if male else parts.FEMALE_ENDINGS)
        if rng.random() < 0.4:
            return _join(rng.choice(parts.ONSETS), ending).capitalize()
        return _join(rng.choice(parts.ONSETS), rng.choice(parts.MIDDLES), ending).capitalize()

    return _on_side(draw, held_out)


def family_name(rng: Random, held_out: bool) -> str:
    """A family name: listed, of two English parts, or of syllables."""

    def draw() -> str:
        chance = rng.random()
        if chance < 0.3:
            return rng.choice(parts.FAMILIES)
        if chance < 0.7:
            return _join(rng.choice(parts.FAMILY_HEADS), rng.choice(parts.FAMILY_TAILS)).capitalize()
        return _join(
            rng.choice(parts.ONSETS), rng.choice(parts.MIDDLES), rng.choice(parts.SURNAME_ENDINGS)
        ).capitalize()

    return _on_side(draw, held_out)


def town_name(rng: Random, held_out: bool) -> str:
    """A town: listed, composed of two parts, of syllables, or with a word such as Port before it."""

    def draw() -> str:
        chance = rng.random()
        if chance < 0.15:
            return rng.choice(parts.TOWNS)
        if chance < 0.3:
            before = rng.choice(parts.TOWN_FORENAMES)
            return before + " " + _join(rng.choice(parts.ONSETS), rng.choice(parts.TOWN_ENDINGS)).capitalize()
        if chance < 0.8:
            return _join(rng.choice(parts.TOWN_HEADS), rng.choice(parts.TOWN_TAILS)).capitalize()
        return _join(rng.choice(parts.ONSETS), rng.choice(parts.MIDDLES), rng.choice(parts.TOWN_ENDINGS)).capitalize()

    return _on_side(draw, held_out)


def street_name(rng: Random, held_out: bool) -> str:
    """A street, such as Quarry Lane."""
    return _on_side(
        lambda: (
            f"{rng.choice(parts.STREET_HEADS) if rng.random() < 0.5 else family_name(rng, held_out)}"
            f" {rng.choice(parts.STREET_KINDS)}"
        ),
        held_out,
    )


def firm_name(rng: Random, held_out: bool) -> str:
    """A firm: adjective and noun, a family's name, or a made-up word, often with a trade after it."""

    def draw() -> str:
        chance = rng.random()
        if chance < 0.4:
            return f"{rng.choice(parts.FIRM_ADJECTIVES)} {rng.choice(parts.FIRM_NOUNS)}"
        if chance < 0.65:
            return f"{family_name(rng, held_out)} {rng.choice(parts.FIRM_FAMILY_TAILS)}"
        made_up = _join(rng.choice(parts.ONSETS), rng.choice(parts.FIRM_ENDINGS)).capitalize()
        return made_up if chance < 0.8 else f"{made_up} {rng.choice(parts.FIRM_TRADES)}"

    return _on_side(draw, held_out)


def shop_name(rng: Random, held_out: bool) -> str:
    """A shop or inn, such as Copper Kettle Books."""

    def draw() -> str:
        head = f"{rng.choice(parts.SHOP_ADJECTIVES)} {rng.choice(parts.SHOP_NOUNS)}"
        return head if rng.random() < 0.4 else f"{head} {rng.choice(parts.SHOP_KINDS)}"

    return _on_side(draw, held_out)


def hotel_name(rng: Random, held_out: bool) -> str:
    """A hotel, such as Hotel Marena or Grand Hotel."""

    def draw() -> str:
        if rng.random() < 0.5:
            return f"Hotel {_join(rng.choice(parts.ONSETS), rng.choice(parts.TOWN_ENDINGS)).capitalize()}"
        return f"{rng.choice(parts.HOTEL_HEADS)} {rng.choice(parts.HOTEL_KINDS)}"

    return _on_side(draw, held_out)


def pet_name(rng: Random, held_out: bool) -> str:
    """The name of an animal; no person has one of these."""
    return _on_side(lambda: rng.choice(parts.PETS), held_out)
