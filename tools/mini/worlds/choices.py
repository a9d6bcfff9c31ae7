"""Multiple choice: how a story goes on, or what is true of it."""

from __future__ import annotations

from random import Random
from typing import Any

from tools.mini.worlds import order, questions
from tools.mini.worlds import world as worlds
from tools.mini.worlds.patterns import Telling, render
from tools.mini.worlds.scripts import SCRIPTS

FACT_SHARE = 0.4
"""How many items ask for a fact; the others ask how a story goes on."""


def item(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any]:
    """A prompt with four choices, one of them right."""
    while True:
        made = _fact(rng, held_out, new_patterns, length) if rng.random() < FACT_SHARE else None
        made = made or _story(rng, held_out, new_patterns)
        choices, right = made["choices"], made["choices"][0]
        if len(set(choices)) == 4:
            rng.shuffle(choices)
            return {**made, "label": choices.index(right)}


def _fact(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any] | None:
    world, builder = worlds.build(rng, held_out, length)
    chosen = questions.choose(rng, world, new_patterns)
    if chosen is None:
        return None
    index, role, ask, say = chosen
    fact = world.facts[index]
    telling, _ = worlds.tell(builder, world, None if new_patterns else False, {index: say})
    kind = fact.kind.roles[role]
    right = fact.values[role].name
    named = [mark.entity.name for mark in telling.marks if mark.entity.kind == kind and mark.entity.name != right]
    wrong = list(dict.fromkeys(named))
    rng.shuffle(wrong)
    wrong = wrong[:3]
    while len(wrong) < 3:
        wrong.append(builder.draw(kind).name)
    prompt = f"{telling.text} {render(ask, fact.values, rng)}"
    return {"prompt": prompt, "choices": [right, *wrong], "pattern": f"{say.name} {ask.name}"}


def _story(rng: Random, held_out: bool, new_patterns: bool) -> dict[str, Any]:
    script, values, steps = order.draw(rng, held_out, new_patterns)
    telling = Telling(rng)
    cut = rng.randint(1, len(steps) - 1)
    for step in steps[:cut]:
        telling.say(step, values)
    prompt = telling.text
    start, end = telling.say(steps[cut], values)
    right = telling.text[start:end]
    wrong = []
    for other in rng.sample([one for one in SCRIPTS if one.name != script.name and one.reserved <= new_patterns], 3):
        builder = worlds.Builder(rng, held_out)
        borrowed = {role: builder.draw(kind) for role, kind in other.roles.items()} | {"p": values["p"]}
        telling = Telling(rng)
        telling.say(steps[0], values)
        at, end = telling.say(rng.choice(other.steps[rng.randint(1, len(other.steps) - 1)]), borrowed)
        wrong.append(telling.text[at:end])
    return {"prompt": prompt, "choices": [right, *wrong], "pattern": f"{script.name}.{cut}"}
