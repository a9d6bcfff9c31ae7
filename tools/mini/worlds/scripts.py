"""Short courses of events, step by step: what comes first, what follows, how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tools.mini.worlds.patterns import Pattern, parse_all


@dataclass(frozen=True)
class Script:
    """A course of events.

    Attributes:
        name: Unique.
        roles: Kind of entity by role; ``p`` is the person whom it is about.
        steps: What happens in order; each step in several wordings. Only the first introduces people and things.
        reserved: Only for the split of new patterns.
    """

    name: str
    roles: Mapping[str, str]
    steps: tuple[tuple[Pattern, ...], ...]
    reserved: bool


def script(name: str, roles: str, lines: str, *, reserved: bool = False) -> Script:
    """A script as a row of a table.

    Args:
        name: Unique.
        roles: Such as ``p=person o=thing``.
        lines: A step a line; a line after ``|`` is another wording of the step before it.
        reserved: Only for the split of new patterns.
    """
    steps: list[list[str]] = []
    for line in map(str.strip, lines.strip().splitlines()):
        if line.startswith("|"):
            steps[-1].append(line.removeprefix("|").strip())
        else:
            steps.append([line])
    return Script(
        name,
        dict(role.split("=") for role in roles.split()),
        tuple(parse_all(f"{name}.{number}.", wordings) for number, wordings in enumerate(steps)),
        reserved,
    )
