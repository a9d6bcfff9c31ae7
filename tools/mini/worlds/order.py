"""Sentence order: two segments of one course of events, as they were told or swapped."""

from __future__ import annotations

from random import Random
from typing import Any

from tools.mini.worlds.patterns import Pattern, Telling
from tools.mini.worlds.scripts import SCRIPTS, Script
from tools.mini.worlds.world import Builder


def draw(rng: Random, held_out: bool, new_patterns: bool) -> tuple[Script, dict[str, Any], list[Pattern]]:
    """A script with its values and one wording of each step."""
    builder = Builder(rng, held_out)
    script = rng.choice([one for one in SCRIPTS if one.reserved == new_patterns])
    values: dict[str, Any] = {"p": builder.draw("person")}
    for role, kind in script.roles.items():
        if role not in values:
            values[role] = builder.person_like(not values["p"].male) if kind == "person" else builder.draw(kind)
    return script, values, [rng.choice(step) for step in script.steps]


def item(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any]:
    """Two consecutive segments, and whether they stand in order."""
    script, values, steps = draw(rng, held_out, new_patterns)
    telling = Telling(rng)
    spans = [telling.say(step, values) for step in steps]
    # The first step names everybody: a segment that begins there is clearly the first.
    cut = rng.randint(1, len(spans) - 1)
    first = telling.text[: spans[cut - 1][1]]
    second = telling.text[spans[cut][0] :]
    label = rng.randrange(2)
    pair = (second, first) if label else (first, second)
    return {"text": pair[0], "text_pair": pair[1], "label": label, "pattern": f"{script.name}.{cut}"}
