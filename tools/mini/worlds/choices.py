"""Multiple choice: how a story goes on, or what is true of it."""

from __future__ import annotations

from random import Random
from typing import Any

from tools.mini.worlds import order, questions
from tools.mini.worlds import world as worlds
from tools.mini.worlds.entities import Entity
from tools.mini.worlds.patterns import Telling, render

FACT_SHARE = 0.2
"""How many items ask for a fact; the others ask how a story goes on."""


def item(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any]:
    """A prompt with four choices, one of them right."""
    while True:
        if rng.random() < FACT_SHARE:
            made = _fact(rng, held_out, new_patterns, length)
        else:
            made = _story(rng, held_out, new_patterns)
        if made is None or len(set(made["choices"])) < 4:
            continue
        right = made["choices"][0]
        rng.shuffle(made["choices"])
        return {**made, "label": made["choices"].index(right)}


def _fact(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any] | None:
    """A paragraph with a question; the choices are of one kind, and as many as possible stand in the paragraph."""
    world, builder = worlds.build(rng, held_out, "long" if length == "long" else "short")
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
    """The beginning of a story; the wrong choices come from other stories, or say again how this one began."""
    builder = worlds.Builder(rng, held_out)
    script, values = order.draw(builder, new_patterns)
    telling = Telling(rng)
    steps = order.wordings(rng, script)
    cut = rng.randint(1, len(steps) - 1)
    for step in steps[:cut]:
        telling.say(step, values)
    prompt = telling.text
    start, end = telling.say(steps[cut], values)
    choices = [telling.text[start:end]]
    if rng.random() < 0.3:
        choices.append(render(rng.choice([one for one in script.steps[0] if one is not steps[0]]), values, rng))
    others = [one for one in order.SCRIPTS if one.name != script.name and one.reserved <= new_patterns]
    for other in rng.sample(others, 4 - len(choices)):
        borrowed: dict[str, Entity] = dict(values)
        for role, kind in other.roles.items():
            # People and things of this story take part in the wrong endings, too.
            if role not in borrowed or borrowed[role].kind != kind:
                borrowed[role] = builder.person_like(not values["p"].male) if kind == "person" else builder.draw(kind)
        telling = Telling(rng)
        telling.say(steps[0], values)
        start, end = telling.say(rng.choice(other.steps[rng.randint(1, len(other.steps) - 1)]), borrowed)
        choices.append(telling.text[start:end])
    return {"prompt": prompt, "choices": choices, "pattern": f"{script.name}.{cut}"}
