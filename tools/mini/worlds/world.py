"""Small worlds: a few people with facts of the same kinds, and their telling as a paragraph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from tools.mini.worlds.entities import MAKERS, Entity, person
from tools.mini.worlds.facts import KINDS
from tools.mini.worlds.kinds import Fact, Kind
from tools.mini.worlds.patterns import Pattern, Telling, usable

LENGTHS: Mapping[str, tuple[int, int]] = {"short": (2, 5), "normal": (3, 7), "long": (9, 17)}
"""Fewest and most facts of a paragraph, by length."""


@dataclass(frozen=True)
class World:
    """People and the facts about them."""

    people: tuple[Entity, ...]
    facts: tuple[Fact, ...]


@dataclass(frozen=True)
class Told:
    """A fact as it stands in a text: by which pattern, from where to where."""

    fact: Fact
    pattern: Pattern
    start: int
    end: int


class Builder:
    """Draws values so that no two in one world share a name.

    Args:
        rng: All decisions.
        held_out: Which side of the split names come from.
    """

    def __init__(self, rng: Random, held_out: bool) -> None:
        self.rng = rng
        self.held_out = held_out
        self._taken: set[str] = set()

    def draw(self, kind: str) -> Entity:
        """A value of a kind, whose words no other value has unless nearly all of the kind are taken."""
        return self.draw_new(kind) or MAKERS[kind](self.rng, self.held_out)

    def draw_new(self, kind: str) -> Entity | None:
        """A value of a kind whose words no other value has, or None where none was found."""
        for _ in range(40):
            entity = MAKERS[kind](self.rng, self.held_out)
            if self._free(entity):
                return entity
        return None

    def people(self, count: int) -> tuple[Entity, ...]:
        """People with different names."""
        return tuple(self.draw("person") for _ in range(count))

    def person_like(self, male: bool) -> Entity:
        """A person with the pronouns asked for."""
        while True:
            entity = person(self.rng, self.held_out, male)
            if self._free(entity):
                return entity

    def _free(self, entity: Entity) -> bool:
        """Take an entity's words unless another has them.

        Nobody shares a given or family name. A lamp without an adjective is the only lamp of its world, because *the
        lamp* would be the red lamp, too; a red and a blue one may meet.
        """
        name = entity.name.lower().removeprefix("the ")
        checked = taken = {name}
        if entity.label == "PER":
            checked = taken = set(name.split())
        elif entity.kind in ("thing", "animal"):
            *adjective, noun = name.split()
            checked, taken = ({name, noun}, {name, f"some {noun}"}) if adjective else ({noun, f"some {noun}"},) * 2
        if self._taken & checked:
            return False
        self._taken |= taken
        return True


def build(rng: Random, held_out: bool, length: str, kinds: Sequence[Kind] = KINDS) -> tuple[World, Builder]:
    """A world with facts of few kinds, each about several people."""
    builder = Builder(rng, held_out)
    fewest, most = LENGTHS[length]
    wanted = rng.randint(fewest, most)
    people = builder.people(max(2, min(7, round(wanted / 2.2) + rng.randint(0, 1))))
    facts: list[Fact] = []
    had: set[tuple[str, str]] = set()
    while len(facts) < wanted:
        kind = rng.choice(kinds)
        chosen = [one for one in people if (one.name, kind.group) not in had]
        if not chosen:
            continue
        rng.shuffle(chosen)
        for one in chosen[: rng.randint(2, 4)]:
            if (one.name, kind.group) in had:
                continue
            # A second person of a fact counts too: somebody who was sold a lamp must not have bought another.
            free = [other for other in people if (other.name, kind.group) not in had and other is not one]
            fact = _fact(builder, kind, one, free, facts)
            if fact is None:
                continue
            had.update((value.name, kind.group) for value in fact.values.values() if value.kind == "person")
            facts.append(fact)
    return World(people, tuple(facts[:most])), builder


def _fact(builder: Builder, kind: Kind, about: Entity, people: Sequence[Entity], facts: Sequence[Fact]) -> Fact | None:
    """A fact about a person, or None where no value is left that another fact does not have."""
    rng = builder.rng
    values: dict[str, Entity] = {"p": about}
    alike = [fact for fact in facts if fact.kind.name == kind.name]
    for role, entity_kind in kind.roles.items():
        if role in values:
            continue
        if entity_kind == "person":
            # Two people of one sentence differ in gender where that is possible, so that pronouns are clear.
            others = [one for one in people if one not in values.values() and one.male != about.male]
            values[role] = rng.choice(others) if others and rng.random() < 0.7 else builder.person_like(not about.male)
        elif alike and len(kind.roles) > 2 and rng.random() < 0.15:
            values[role] = rng.choice(alike).values[role]
        else:
            drawn = builder.draw_new(entity_kind)
            if drawn is None:
                return None
            values[role] = drawn
    return Fact(kind, values)


def is_unique(fact: Fact, asked: str, given: Sequence[str], facts: Sequence[Fact]) -> bool:
    """Whether the values of the roles ``given`` leave one answer for the role ``asked``."""
    return not any(
        other.kind.name == fact.kind.name
        and all(other.values[role].name == fact.values[role].name for role in given)
        and other.values[asked].name != fact.values[asked].name
        for other in facts
    )


def decoys(builder: Builder, world: World, fact: Fact, pattern: Pattern) -> dict[str, Entity]:
    """Values for the decoys of a pattern: false, and often true of somebody else."""
    drawn: dict[str, Entity] = {}
    for role in pattern.decoys:
        if fact.kind.roles[role] == "person":
            present = [one.name for one in fact.values.values()]
            others = [one for one in world.people if one.name not in present and one.male != fact.values[role].male]
        else:
            others = [
                other.values[role]
                for other in world.facts
                if other.kind.name == fact.kind.name and other.values[role].name != fact.values[role].name
            ]
        if others and builder.rng.random() < 0.6:
            value = builder.rng.choice(others)
        elif fact.kind.roles[role] == "person":
            value = builder.person_like(not fact.values[role].male)
        else:
            value = builder.draw(fact.kind.roles[role])
        drawn[f"{role}~"] = value
    return drawn


def tell(
    builder: Builder,
    world: World,
    reserved: bool | None = False,
    forced: Mapping[int, Pattern] | None = None,
    before: str = " ",
) -> tuple[Telling, list[Told]]:
    """A world as a paragraph.

    Args:
        builder: The one that built it.
        world: Whose facts are told, in an order drawn here: person by person, or mixed.
        reserved: Which patterns state them; None for all.
        forced: The pattern of a fact, by its index, where the caller has chosen it.
        before: What stands between two sentences.

    Returns:
        The text, and each fact where it stands.
    """
    rng = builder.rng
    order = list(range(len(world.facts)))
    rng.shuffle(order)
    if rng.random() < 0.6:
        turn = {one.name: position for position, one in enumerate(rng.sample(world.people, len(world.people)))}
        order.sort(key=lambda index: turn[world.facts[index].values["p"].name])
    telling = Telling(rng)
    told: list[Told] = []
    pairs = [(one, other) for one in world.people for other in world.people if one.male != other.male]
    asides = rng.randint(0, max(1, len(order) // 4)) if pairs else 0
    aside_at = {rng.randrange(len(order)) for _ in range(asides)}
    for place, index in enumerate(order):
        fact = world.facts[index]
        lines = usable(rng.choice(world.facts).kind.asides, False)
        if place in aside_at and lines:
            telling.say(rng.choice(lines), dict(zip("pq", rng.choice(pairs), strict=True)), before=before)
        pattern = (forced or {}).get(index) or rng.choice(usable(fact.kind.says, reserved))
        start, end = telling.say(pattern, {**fact.values, **decoys(builder, world, fact, pattern)}, before=before)
        told.append(Told(fact, pattern, start, end))
        if fact.kind.name == "job":
            telling.descriptions[fact.values["p"].name] = fact.values["j"].name
    return telling, told
