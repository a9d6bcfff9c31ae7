"""Token classification: the names and dates of a paragraph, tagged by construction."""

from __future__ import annotations

from random import Random
from typing import Any

from tools.mini.worlds import world as worlds
from tools.mini.worlds.notices import NOTICES
from tools.mini.worlds.patterns import Mark, Telling, usable


def entities(marks: list[Mark]) -> list[dict[str, Any]]:
    """The labelled spans of a text in order; a pronoun or description is none."""
    return [
        {"start": mark.start, "end": mark.end, "label": mark.entity.label}
        for mark in sorted(marks, key=lambda mark: mark.start)
        if mark.entity.label and mark.named
    ]


def item(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any]:
    """One text with its entities: facts of a world, notices, or some of both."""
    while True:
        names: list[str] = []
        builder = worlds.Builder(rng, held_out)
        telling = Telling(rng)
        if rng.random() < 0.45:
            world, builder = worlds.build(rng, held_out, length if length == "long" else "short")
            telling, told = worlds.tell(builder, world, new_patterns)
            names += [one.pattern.name for one in told]
        for _ in range(rng.randint(0 if names else 2, 14 if length == "long" else 4)):
            notice = rng.choice(NOTICES)
            pattern = rng.choice(usable(notice.says, new_patterns))
            telling.say(pattern, {role: builder.draw(kind) for role, kind in notice.roles.items()})
            names.append(pattern.name)
        found = entities(telling.marks)
        # A text without a name could stand in both splits.
        if any(one["label"] != "DATE" for one in found):
            return {"text": telling.text, "entities": found, "pattern": " ".join(names)}
