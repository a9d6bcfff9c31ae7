"""Question answering: one fact of a world is asked about, its answer a span of the paragraph."""

from __future__ import annotations

from random import Random
from typing import Any

from tools.mini.worlds import world as worlds
from tools.mini.worlds.entities import Entity
from tools.mini.worlds.kinds import Fact
from tools.mini.worlds.patterns import Mark, Pattern, Telling, render, usable


def answers(entity: Entity, shown: str) -> list[str]:
    """Texts that count as the answer, the one in the paragraph first."""
    if entity.kind == "person":
        return list(dict.fromkeys((shown, entity.name, entity.forms["given"])))
    return list(dict.fromkeys((shown, *entity.forms.values())))


def choose(rng: Random, world: worlds.World, new_patterns: bool) -> tuple[int, str, Pattern, Pattern] | None:
    """A fact by index, the role asked for, the question and the statement; None where every draw was ambiguous."""
    # The asked-about fact has a reserved statement, a reserved question, or both.
    which = rng.choice(((True, True), (True, False), (False, True))) if new_patterns else (False, False)
    for _ in range(30):
        index = rng.randrange(len(world.facts))
        fact = world.facts[index]
        role = rng.choice(list(fact.kind.asks))
        asks, says = usable(fact.kind.asks[role], which[1]), usable(fact.kind.says, which[0])
        if not asks or not says:
            continue
        ask = rng.choice(asks)
        given = [one for one in ask.roles if one != role]
        says = [say for say in says if role in say.roles and all(one in say.roles for one in given)]
        if says and worlds.is_unique(fact, role, given, world.facts):
            return index, role, ask, rng.choice(says)
    return None


def answer_mark(telling: Telling, start: int, end: int, entity: Entity) -> Mark | None:
    """Where a value is named: in the sentence itself, or before it where the sentence has a pronoun."""
    inside = [m for m in telling.marks if m.named and m.entity is entity and start <= m.start < end]
    if inside:
        return inside[0]
    earlier = [m for m in telling.marks if m.named and m.entity is entity and m.start < start]
    return earlier[-1] if earlier else None


def item(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any]:
    """One question with its context and answers."""
    while True:
        world, builder = worlds.build(rng, held_out, length)
        chosen = choose(rng, world, new_patterns)
        if chosen is None:
            continue
        index, role, ask, say = chosen
        telling, told = worlds.tell(builder, world, None if new_patterns else False, {index: say})
        fact: Fact = world.facts[index]
        place = next(one for one in told if one.fact is fact)
        mark = answer_mark(telling, place.start, place.end, fact.values[role])
        if mark is None:
            continue
        shown = telling.text[mark.start : mark.end]
        return {
            "question": render(ask, fact.values, rng),
            "context": telling.text,
            "answers": answers(fact.values[role], shown),
            "answer_start": mark.start,
            "pattern": f"{say.name} {ask.name}",
        }
