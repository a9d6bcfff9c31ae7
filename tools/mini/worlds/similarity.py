"""Similarity of meaning: the same fact in other words, a related one, or something else."""

from __future__ import annotations

from random import Random
from typing import Any

from tools.mini.worlds.facts import KINDS
from tools.mini.worlds.kinds import Kind
from tools.mini.worlds.patterns import render, usable
from tools.mini.worlds.world import Builder


def item(rng: Random, held_out: bool, new_patterns: bool, length: str) -> dict[str, Any]:
    """Two sentences and how alike they are, from 0 to 5.

    5: the same fact in other words; 3: the same person and kind of fact, another value; 2: the same kind of fact about
    somebody else; 1: another fact about the same person; 0: neither person nor kind in common.
    """
    builder = Builder(rng, held_out)
    kind = rng.choice(KINDS)
    score = rng.choice((5.0, 5.0, 3.0, 2.0, 1.0, 0.0))
    says = [say for say in kind.says if not say.decoys]
    values = _values(builder, kind)
    first = rng.choice([say for say in usable(says, new_patterns)] or says)
    second_kind = kind if score >= 2 else rng.choice([one for one in KINDS if one.group != kind.group])
    if score == 5:
        others = [say for say in usable(says, None if new_patterns else False) if say.name != first.name]
        others = [say for say in others if set(say.roles) == set(first.roles)] or others
        second, other = rng.choice(others), values
    else:
        candidates = [say for say in second_kind.says if not say.decoys]
        second = rng.choice(usable(candidates, None if new_patterns else False))
        other = _values(builder, second_kind)
        if score in (1.0, 3.0):
            other = {**other, "p": values["p"]}
    return {
        "text": render(first, values, rng),
        "text_pair": render(second, other, rng),
        "score": score,
        "pattern": f"{first.name} {second.name}",
    }


def _values(builder: Builder, kind: Kind) -> dict[str, Any]:
    return {role: builder.draw(entity_kind) for role, entity_kind in kind.roles.items()}
