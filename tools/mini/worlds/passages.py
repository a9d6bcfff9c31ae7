"""Plain paragraphs of every kind, for the vocabulary and for masked words."""

from __future__ import annotations

from random import Random

from tools.mini.worlds import feelings, order, questions, tagging
from tools.mini.worlds import world as worlds
from tools.mini.worlds.patterns import Telling


def passage(rng: Random, held_out: bool, new_patterns: bool, length: str) -> tuple[str, str]:
    """A paragraph and the names of its patterns: facts, sometimes with a question, a story, notices, feelings."""
    chance = rng.random()
    if chance < 0.4:
        world, builder = worlds.build(rng, held_out, length)
        telling, told = worlds.tell(builder, world, new_patterns)
        return telling.text, " ".join(one.pattern.name for one in told)
    if chance < 0.5:
        asked = questions.item(rng, held_out, new_patterns, length)
        return f"{asked['context']} {asked['question']} {asked['answers'][0]}.", asked["pattern"]
    if chance < 0.7:
        script, values = order.draw(worlds.Builder(rng, held_out), new_patterns)
        telling = Telling(rng)
        for step in order.wordings(rng, script):
            telling.say(step, values)
        return telling.text, script.name
    made = (tagging if chance < 0.85 else feelings).item(rng, held_out, new_patterns, length)
    return made["text"], made["pattern"]
