"""Text classification: whether a short text is negative, neutral or positive, by the way it is put together."""

from __future__ import annotations

from random import Random
from typing import Any

from tools.mini.worlds.entities import Entity
from tools.mini.worlds.feeling_parts import CLAUSES, JOINS, LABELS, ROLES
from tools.mini.worlds.patterns import Pattern, Telling, as_pronoun, renamed, splice, usable
from tools.mini.worlds.world import Builder

_OPPOSITE = {"negative": "positive", "positive": "negative"}


def _values(builder: Builder, pattern: Pattern, known: dict[str, Entity]) -> dict[str, Entity]:
    """Values for the slots of a pattern; the second person differs in pronouns from the first."""
    values = dict(known)
    for role in pattern.roles:
        if role not in values:
            kind = ROLES[role.removesuffix("2")]
            first = values.get("p")
            alike = kind == "person" and first is not None
            values[role] = builder.person_like(not first.male) if alike and first else builder.draw(kind)
    return values


def _join(rng: Random, join: Pattern, first: Pattern, second: Pattern) -> Pattern:
    """Two clauses about the same person, mostly about different things; whichever is told later has pronouns."""
    if rng.random() < 0.6:
        second = renamed(second, {role: f"{role}2" for role in second.roles if role != "p"})
    earlier, later = (first, second) if join.roles[0] == "1" else (second, first)
    if "p" in earlier.roles:
        later = as_pronoun(later, "p")
    first, second = (earlier, later) if join.roles[0] == "1" else (later, earlier)
    return splice(join, {"1": first, "2": second})


def _composed(rng: Random, label: str, new_patterns: bool) -> Pattern:
    others = None if new_patterns else False
    clause = rng.choice(usable(CLAUSES[label], new_patterns))
    chance = rng.random()
    if chance < 0.65:
        turning = chance < 0.45 and label != "neutral"
        firsts = usable(CLAUSES[_OPPOSITE[label] if turning else label], others)
        first = rng.choice([one for one in firsts if one.name != clause.name])
        return _join(rng, rng.choice(usable(JOINS["turning" if turning else "adding"], others)), first, clause)
    return splice(rng.choice(usable(JOINS["plain"], others)), {"1": clause})


def item(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any]:
    """One text with its label; where it turns, the label is that of how it ends.

    Neutral sentences may stand before the ones that decide; a long text has many.
    """
    builder = Builder(rng, held_out)
    label = rng.choice(LABELS)
    person = {"p": builder.draw("person")}
    telling = Telling(rng)
    for _ in range(rng.randint(8, 14) if length == "long" else rng.choice((0, 0, 1, 1, 2))):
        neutral = splice(JOINS["plain"][0], {"1": rng.choice(usable(CLAUSES["neutral"], False))})
        telling.say(neutral, _values(builder, neutral, person))
    pattern = _composed(rng, label, new_patterns)
    telling.say(pattern, _values(builder, pattern, person))
    return {"text": telling.text, "label": label, "pattern": pattern.name}
