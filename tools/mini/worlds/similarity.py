"""Similarity of meaning: the same fact in other words, a related one, or something else."""

from __future__ import annotations

from random import Random
from typing import Any

from tools.mini.worlds.entities import Entity
from tools.mini.worlds.facts import KINDS
from tools.mini.worlds.kinds import Kind
from tools.mini.worlds.patterns import Pattern, Telling, render, usable
from tools.mini.worlds.world import Builder

SCORES = (5, 5, 4, 3, 2, 1, 0, 0)
"""How often each score is drawn."""


def item(rng: Random, held_out: bool, new_patterns: bool, _length: str) -> dict[str, Any]:
    """Two sentences and how alike they are, from 0 to 5.

    5: the same fact in other words; 4: the same, and another fact about the person; 3: the same person and kind of
    fact, other values; 2: the same kind of fact about somebody else; 1: another fact about the same person; 0: neither
    person nor kind in common.
    """
    builder = Builder(rng, held_out)
    while True:
        wanted = rng.choice(SCORES)
        kind = rng.choice(KINDS)
        first = rng.choice(_plain(kind, new_patterns))
        values = _values(builder, kind)
        others = None if new_patterns else False
        if wanted >= 4:
            says = [say for say in _plain(kind, others) if set(say.roles) == set(first.roles)]
            second_values = values
        else:
            second_kind = kind if wanted >= 2 else rng.choice([one for one in KINDS if one.group != kind.group])
            says = _plain(second_kind, others)
            second_values = _values(builder, second_kind)
            if wanted in (1, 3):
                second_values["p"] = values["p"]
        says = [say for say in says if say.name != first.name]
        if says:
            second = rng.choice(says)
            telling = Telling(rng)
            telling.say(second, second_values)
            if wanted == 4:
                more = rng.choice([one for one in KINDS if one.group != kind.group])
                telling.say(rng.choice(_plain(more, others)), {**_values(builder, more), "p": values["p"]})
            return {
                "text": render(first, values, rng),
                "text_pair": telling.text,
                "score": float(wanted),
                "pattern": f"{first.name} {second.name}",
            }


def _plain(kind: Kind, reserved: bool | None) -> list[Pattern]:
    """Statements without decoys: with them, two sentences would differ in what is false, too."""
    return [say for say in usable(kind.says, reserved) if not say.decoys] or [
        say for say in kind.says if not say.decoys and not say.reserved
    ]


def _values(builder: Builder, kind: Kind) -> dict[str, Entity]:
    values: dict[str, Entity] = {"p": builder.draw("person")}
    for role, entity_kind in kind.roles.items():
        if role not in values:
            person = entity_kind == "person"
            values[role] = builder.person_like(not values["p"].male) if person else builder.draw(entity_kind)
    return values
