"""Short courses of events, step by step: what comes first, what follows, how it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.mini.worlds.patterns import Pattern, parse_all


@dataclass(frozen=True)
class Script:
    """A course of events.

    Attributes:
        name: Unique.
        roles: Kind of entity by role.
        steps: What happens in order; each step in several wordings. Only the first introduces things with *a*.
        reserved: Only for the split of new patterns.
    """

    name: str
    roles: dict[str, str]
    steps: tuple[tuple[Pattern, ...], ...]
    reserved: bool


def script(name: str, roles: str, *steps: Sequence[str], reserved: bool = False) -> Script:
    """A script as a row of a table."""
    return Script(
        name,
        dict(role.split("=") for role in roles.split()),
        tuple(parse_all(f"{name}.{number}.", step) for number, step in enumerate(steps)),
        reserved,
    )


SCRIPTS = (
    script(
        "broken_gift",
        "p=person q=person o=thing s=shop",
        ("{p} bought {o:a} at {s} for {q:name}.", "At {s}, {p} found {o:a} for {q:name}."),
        ("On the way home, {p} dropped it on the stones.", "{p} stumbled on the stairs and let it fall."),
        ("It broke into three pieces.", "After that it was broken."),
        ("So {p} went back and paid for a new one.", "In the end {p} had to buy another."),
    ),
    script(
        "rain",
        "p=person t=town",
        ("{p} walked through {t} without a coat.", "One morning {p} set out on foot from {t}."),
        ("After an hour it began to rain.", "Then dark clouds came and it started to rain."),
        ("{p} got wet to the skin.", "Soon {p:s} clothes were wet."),
        ("The next day {p} lay in bed with a cold.", "The rain had given {p:o} a bad cold."),
    ),
    script(
        "hungry",
        "p=person t=town s=shop",
        ("{p} came to {t} and had not eaten since the morning.", "{p} was hungry after the long way to {t}."),
        ("So {p} looked for a place to eat and found {s}.", "{p} saw the lights of {s} and went in."),
        ("There {p} ate a plate of soup and some bread.", "There {p} ordered soup with bread."),
        ("Then {p} paid and left.", "When the plate was empty, {p} paid the bill."),
    ),
    script(
        "lost_key",
        "p=person u=street q=person",
        ("{p} came home to {u} late at night.", "Late in the evening {p} stood before the door in {u}."),
        ("But the key was not in {p:s} pocket.", "{p} looked for the key and could not find it."),
        ("So {p} called {q:name}, who had a second key.", "{p} rang up {q:name} and asked for the other key."),
        ("Soon the door was open again.", "Half an hour later the door was open at last."),
    ),
    script(
        "new_job",
        "p=person f=firm t=town",
        ("{p} read that {f} was looking for people.", "{f} in {t} wanted more people, as {p} read in the paper."),
        ("{p} wrote a letter to the firm.", "So {p} sent the firm a letter."),
        ("A week later the firm asked {p:o} to come.", "Soon an answer came, and {p} was asked to come."),
        ("Now {p} has a desk there.", "Since then {p} has worked there."),
    ),
    script(
        "sick_animal",
        "p=person a=animal t=town",
        ("{p:s} {a:n} would not eat any more.", "One day {p} saw that the {a:n} was ill."),
        ("{p} took it to the vet in {t}.", "So {p} brought it to a vet in {t}."),
        ("The vet gave it some medicine.", "There it was given medicine."),
        ("After two days it was well again.", "The medicine helped, and it ate again."),
        reserved=True,
    ),
)
