"""Sentence order: two segments of one course of events, as they were told or swapped."""

from __future__ import annotations

from random import Random
from typing import Any

from tools.mini.worlds import scripts_home, scripts_town
from tools.mini.worlds.entities import Entity
from tools.mini.worlds.patterns import Pattern, Telling
from tools.mini.worlds.scripts import Script
from tools.mini.worlds.world import Builder

SCRIPTS: tuple[Script, ...] = (*scripts_home.SCRIPTS, *scripts_town.SCRIPTS)


def draw(builder: Builder, new_patterns: bool) -> tuple[Script, dict[str, Entity]]:
    """A script with its values; a second person differs in pronouns from the first."""
    script = builder.rng.choice([one for one in SCRIPTS if one.reserved == new_patterns])
    values = {"p": builder.draw("person")}
    for role, kind in script.roles.items():
        if role not in values:
            values[role] = builder.person_like(not values["p"].male) if kind == "person" else builder.draw(kind)
    return script, values


def wordings(rng: Random, script: Script) -> list[Pattern]:
    """One wording of each step."""
    return [rng.choice(step) for step in script.steps]


def item(rng: Random, held_out: bool, new_patterns: bool, _length: str) -> dict[str, Any]:
    """Two consecutive segments, and whether they stand in order.

    Mostly the first tells the beginning, and pronouns of the second point back to it. Else names are used throughout,
    and only what happens shows the order.
    """
    while True:
        script, values = draw(Builder(rng, held_out), new_patterns)
        telling = Telling(rng, pronouns=0.85 if rng.random() < 0.6 else 0.0)
        spans = [telling.say(step, values) for step in wordings(rng, script)]
        begin = 0 if telling.pronouns or rng.random() < 0.7 else 1
        cut = rng.randint(begin + 1, len(spans) - 1)
        end = rng.randint(cut, len(spans) - 1)
        first = telling.text[spans[begin][0] : spans[cut - 1][1]]
        second = telling.text[spans[cut][0] : spans[end][1]]
        shown = [
            mark.entity.label for mark in telling.marks if spans[begin][0] <= mark.start < spans[end][1] and mark.named
        ]
        # An item without a name could stand in both splits.
        if any(label in ("PER", "LOC", "ORG") for label in shown):
            label = rng.randrange(2)
            pair = (second, first) if label else (first, second)
            return {
                "text": pair[0],
                "text_pair": pair[1],
                "label": label,
                "pattern": f"{script.name}.{begin}{cut}{end}",
            }
