"""Sentence patterns with slots, and their rendering with marks of what stands where.

A pattern is a line of English with slots: ``{p}`` takes the value of role ``p``, ``{o:a}`` its form ``a``. For people,
``{p}`` may come out as a pronoun where the reader knows who is meant, as may ``{p:o}`` (object) and ``{p:s}``
(possessive); ``{p:he}``, ``{p:him}``, ``{p:his}`` always do, and ``{p:name}`` never. ``{p~}`` takes a decoy: another
value of the kind of role ``p``. A leading ``*`` reserves the pattern for the split of new patterns.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from tools.mini.worlds.entities import Entity

_SLOT = re.compile(r"\{(\w+~?)(?::(\w+))?\}")
_PRONOUN_OF_FORM = {"": "he", "o": "him", "s": "his"}
_PRONOUN_FORMS = frozenset(("he", "him", "his", "hers", "himself"))


@dataclass(frozen=True)
class Slot:
    """A place for the value of a role, in one of its forms."""

    role: str
    form: str


@dataclass(frozen=True)
class Pattern:
    """A parsed pattern.

    Attributes:
        name: Unique, such as ``works.says3``.
        pieces: Literal text and slots in turn.
        roles: The roles named, in order of first use, without decoys.
        decoys: The roles of which a decoy is named.
        reserved: Only for the split of new patterns.
    """

    name: str
    pieces: tuple[str | Slot, ...]
    roles: tuple[str, ...]
    decoys: tuple[str, ...]
    reserved: bool


def parse(name: str, line: str) -> Pattern:
    """The pattern that a line of a table stands for."""
    reserved = line.startswith("*")
    text = line.removeprefix("*")
    pieces: list[str | Slot] = []
    end = 0
    for match in _SLOT.finditer(text):
        if match.start() > end:
            pieces.append(text[end : match.start()])
        pieces.append(Slot(match[1], match[2] or ""))
        end = match.end()
    if end < len(text):
        pieces.append(text[end:])
    named = list(dict.fromkeys(piece.role for piece in pieces if isinstance(piece, Slot)))
    return Pattern(
        name,
        tuple(pieces),
        tuple(role for role in named if not role.endswith("~")),
        tuple(role.removesuffix("~") for role in named if role.endswith("~")),
        reserved,
    )


def parse_all(prefix: str, lines: Sequence[str]) -> tuple[Pattern, ...]:
    """Each line of a table as a pattern, numbered after ``prefix``."""
    return tuple(parse(f"{prefix}{number}", line) for number, line in enumerate(lines))


def usable(patterns: Sequence[Pattern], reserved: bool | None) -> list[Pattern]:
    """Those that are reserved, those that are not, or (None) all."""
    return [pattern for pattern in patterns if reserved is None or pattern.reserved == reserved]


@dataclass(frozen=True)
class Mark:
    """Where a value stands in a text.

    Attributes:
        start, end: Characters; the article of a noun is inside.
        entity: The value.
        named: False for a pronoun or a description such as *the baker*.
    """

    start: int
    end: int
    entity: Entity
    named: bool


class Telling:
    """A text under way: what it says so far, what stands where, and who the reader has in mind.

    Args:
        rng: Decides between full and given names.
        pronouns: How likely a person in mind is called by a pronoun, from 0 to 1.
    """

    def __init__(self, rng: Random, pronouns: float = 0.85) -> None:
        self.rng = rng
        self.pronouns = pronouns
        self.text = ""
        self.marks: list[Mark] = []
        self.in_mind: list[Entity] = []
        self.descriptions: dict[str, str] = {}
        self._named: set[str] = set()
        self._given_only = rng.random() < 0.5

    def say(self, pattern: Pattern, values: Mapping[str, Entity], *, before: str = " ") -> tuple[int, int]:
        """Append one rendered pattern; returns where it stands (start, end)."""
        if self.text:
            self.text += before
        start = len(self.text)
        spoken: list[Entity] = []
        used: set[str] = set()
        for piece in pattern.pieces:
            if isinstance(piece, str):
                self._append(piece)
                continue
            entity = values[piece.role]
            if entity.kind != "person":
                self._mark(entity.forms[piece.form], entity, True)
                continue
            self._person(entity, piece.form, first=entity.name not in used)
            if entity.name not in used:
                used.add(entity.name)
                spoken.append(entity)
        self.in_mind = spoken or self.in_mind
        return start, len(self.text)

    def _person(self, entity: Entity, form: str, first: bool) -> None:
        if form in _PRONOUN_FORMS:
            self._mark(entity.forms[form], entity, False)
            return
        tail = "'s" if form == "s" else ""
        alike = [other for other in self.in_mind if other.male == entity.male]
        if first and form != "name" and entity.name in self._named:
            described = self.descriptions.get(entity.name)
            if described and self.rng.random() < 0.25:
                self._mark(described, entity, False)
                self._append(tail)
                return
            if [other.name for other in alike] == [entity.name] and self.rng.random() < self.pronouns:
                self._mark(entity.forms[_PRONOUN_OF_FORM[form]], entity, False)
                return
        short = entity.name in self._named and self._given_only
        self._mark(entity.forms["given"] if short else entity.name, entity, True)
        self._append(tail)
        self._named.add(entity.name)

    def _mark(self, text: str, entity: Entity, named: bool) -> None:
        start = len(self.text)
        self._append(text)
        self.marks.append(Mark(start, len(self.text), entity, named))

    def _append(self, text: str) -> None:
        if text and (not self.text or self.text.endswith((". ", "! ", "? "))):
            text = text[0].upper() + text[1:]
        self.text += text


def render(pattern: Pattern, values: Mapping[str, Entity], rng: Random) -> str:
    """One pattern by itself, people by their full names."""
    telling = Telling(rng, pronouns=0.0)
    telling.say(pattern, values)
    return telling.text


def as_pronoun(pattern: Pattern, role: str) -> Pattern:
    """The pattern with one person called by pronouns throughout."""
    pieces = tuple(
        Slot(piece.role, _PRONOUN_OF_FORM.get(piece.form, piece.form))
        if isinstance(piece, Slot) and piece.role == role
        else piece
        for piece in pattern.pieces
    )
    return replace(pattern, pieces=pieces)


def splice(join: Pattern, parts: Mapping[str, Pattern]) -> Pattern:
    """A pattern whose slots ``{1}``, ``{2}`` … are patterns themselves, as one pattern."""
    pieces: list[str | Slot] = []
    for piece in join.pieces:
        pieces.extend(parts[piece.role].pieces if isinstance(piece, Slot) and piece.role in parts else (piece,))
    named = dict.fromkeys(piece.role for piece in pieces if isinstance(piece, Slot))
    name = "+".join((join.name, *(part.name for part in parts.values())))
    return Pattern(name, tuple(pieces), tuple(named), (), join.reserved or any(p.reserved for p in parts.values()))


def renamed(pattern: Pattern, roles: Mapping[str, str]) -> Pattern:
    """The pattern with other names for some of its roles."""
    pieces = tuple(
        Slot(roles.get(piece.role, piece.role), piece.form) if isinstance(piece, Slot) else piece
        for piece in pattern.pieces
    )
    return replace(pattern, pieces=pieces, roles=tuple(roles.get(role, role) for role in pattern.roles))
