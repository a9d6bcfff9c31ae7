"""What a fact is: a kind with roles, the patterns that state it and the patterns that ask for each role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    """

    name: str
    group: str
    roles: Mapping[str, str]
    says: tuple[Pattern, ...]
    asks: Mapping[str, tuple[Pattern, ...]]


@dataclass(frozen=True)
class Fact:
    """One fact of a world: the value of each role."""

    kind: Kind
    values: Mapping[str, Entity]


def kind(
    name: str, roles: str, says: Sequence[str], asks: Mapping[str, Sequence[str]], group: str | None = None
) -> Kind:
    """A kind as a row of a table.

    Args:
        name: Unique.
        roles: Such as ``p=person o=thing``.
        says: Lines of statements.
        asks: Lines of questions by role.
        group: Which kinds exclude each other for one person; its own name by default.
    """
    return Kind(
        name,
        group or name,
        dict(role.split("=") for role in roles.split()),
        parse_all(f"{name}.s", says),
        {role: parse_all(f"{name}.{role}", lines) for role, lines in asks.items()},
    )
