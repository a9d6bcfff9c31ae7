"""Text classification: whether a short text is negative, neutral or positive, by the way it is put together."""

from __future__ import annotations

from random import Random
from typing import Any

from tools.mini.worlds.feeling_parts import CLAUSES, JOINS_TURNING, LABELS, ROLES
from tools.mini.worlds.patterns import Pattern, Telling, as_pronoun, parse, renamed, splice, usable
from tools.mini.worlds.world import Builder

_PLAIN = parse("feel.plain", "{1}.")


def _values(builder: Builder, pattern: Pattern) -> dict[str, Any]:
    return {role: builder.draw(ROLES[role.removesuffix("2")]) for role in pattern.roles}


def _second(rng: Random, clause: Pattern) -> Pattern:
    """A clause as the second of a text: about the same person, mostly about another thing."""
    if rng.random() < 0.6:
        clause = renamed(clause, {role: f"{role}2" for role in clause.roles if role != "p"})
    return as_pronoun(clause, "p") if rng.random() < 0.8 else clause


def item(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any]:
    """One text with its label; where it turns, the label is that of how it ends.

    A long text has more neutral sentences before the one that decides.
    """
    builder = Builder(rng, held_out)
    label = rng.choice(LABELS)
    clause = rng.choice(usable(CLAUSES[label], new_patterns))
    pattern = splice(_PLAIN, {"1": clause})
    if label != "neutral" and rng.random() < 0.5:
        opposite = "negative" if label == "positive" else "positive"
        first = rng.choice(usable(CLAUSES[opposite], new_patterns if rng.random() < 0.5 else False))
        join = rng.choice(usable(JOINS_TURNING, new_patterns))
        pattern = splice(join, {"1": first, "2": _second(rng, clause)})
    telling = Telling(rng)
    values = _values(builder, pattern)
    lead = rng.randint(8, 14) if length == "long" else rng.choice((0, 0, 1, 1, 2))
    for _ in range(lead):
        neutral = rng.choice(usable(CLAUSES["neutral"], False))
        said = splice(_PLAIN, {"1": neutral})
        telling.say(said, {**_values(builder, said), **({"p": values["p"]} if "p" in values else {})})
    telling.say(pattern, values)
    return {"text": telling.text, "label": label, "pattern": pattern.name}
