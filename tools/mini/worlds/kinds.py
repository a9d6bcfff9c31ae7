"""What a fact is: a kind with roles, the patterns that state it and the patterns that ask for each role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tools.mini.worlds.entities import Entity
from tools.mini.worlds.patterns import Pattern, parse_all


@dataclass(frozen=True)
class Kind:
    """A kind of fact.

    Attributes:
        name: Unique.
        group: A person has at most one fact of a group, so that no two facts answer one question.
        roles: Kind of entity by role; ``p`` is the person whom the fact is about.
        says: Patterns that state it, each naming ``p`` and any of the others.
        asks: Patterns of questions by the role asked for.
        asides: Patterns that share words with the questions and answer none; ``p`` and ``q`` are any two people.
    """

    name: str
    group: str
    roles: Mapping[str, str]
    says: tuple[Pattern, ...]
    asks: Mapping[str, tuple[Pattern, ...]]
    asides: tuple[Pattern, ...]


@dataclass(frozen=True)
class Fact:
    """One fact of a world: the value of each role."""

    kind: Kind
    values: Mapping[str, Entity]


def kind(name: str, roles: str, lines: str, *, group: str | None = None) -> Kind:
    """A kind as a row of a table.

    Args:
        name: Unique.
        roles: Such as ``p=person o=thing``.
        lines: Statements, one a line; then, after a line ``ask o:``, the questions for that role, and after a line
            ``aside:`` the asides.
        group: Which kinds exclude each other for one person; its own name by default.
    """
    sections: dict[str, list[str]] = {"says": []}
    section = "says"
    for line in filter(None, map(str.strip, lines.splitlines())):
        if line.endswith(":") and (line == "aside:" or line.startswith("ask ")):
            section = line.removeprefix("ask ").removesuffix(":")
            sections[section] = []
        else:
            sections[section].append(line)
    patterns = {section: parse_all(f"{name}.{section}", found) for section, found in sections.items()}
    return Kind(
        name,
        group or name,
        dict(role.split("=") for role in roles.split()),
        patterns.pop("says"),
        # What is left once these are taken are the questions.
        asides=patterns.pop("aside", ()),
        asks=patterns,
    )
