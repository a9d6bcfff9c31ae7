"""What sentences are about: people, places, firms, things, dates, each with the forms its name takes in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from tools.mini.worlds import names, words


@dataclass(frozen=True)
class Entity:
    """One value that fills a slot.

    Attributes:
        kind: What it is: ``person``, ``town``, ``thing``, …
        forms: Text by form; ``""`` is the form that a bare slot takes.
        label: Its label in token classification, or None.
        male: Which pronouns a person takes; None for all else.
    """

    kind: str
    forms: Mapping[str, str] = field(hash=False)
    label: str | None = None
    male: bool | None = None

    @property
    def name(self) -> str:
        """The form that a bare slot takes; for a person, given and family name."""
        return self.forms[""]


PRONOUNS = {
    True: {"he": "he", "him": "him", "his": "his", "hers": "his", "himself": "himself"},
    False: {"he": "she", "him": "her", "his": "her", "hers": "hers", "himself": "herself"},
}


def article(noun: str) -> str:
    """``a`` or ``an``, as English pronounces the noun."""
    vowel = noun[0].lower() in "aeio" or (noun[0] in "uU" and not noun.lower().startswith(("uni", "use", "uku")))
    return "an" if (vowel and not noun.startswith(("eu", "one", "once"))) or noun.startswith("hour") else "a"


def _noun(kind: str, noun: str) -> Entity:
    return Entity(kind, {"": f"the {noun}", "a": f"{article(noun)} {noun}", "n": noun})


def _adjective(kind: str, text: str) -> Entity:
    return Entity(kind, {"": text, "a": f"{article(text)} {text}"})


def person(rng: Random, held_out: bool, male: bool | None = None) -> Entity:
    """A person; four in five have a family name too."""
    is_male = rng.random() < 0.5 if male is None else male
    given = names.given_name(rng, held_out, is_male)
    forms = {"": given, "given": given, **PRONOUNS[is_male]}
    if rng.random() < 0.7:
        forms[""] = f"{given} {names.family_name(rng, held_out)}"
    return Entity("person", forms, "PER", is_male)


def _plain(kind: str, text: str, label: str | None = None) -> Entity:
    return Entity(kind, {"": text}, label)


def town(rng: Random, held_out: bool) -> Entity:
    """A town."""
    return _plain("town", names.town_name(rng, held_out), "LOC")


def street(rng: Random, held_out: bool) -> Entity:
    """A street."""
    return _plain("street", names.street_name(rng, held_out), "LOC")


def firm(rng: Random, held_out: bool) -> Entity:
    """A firm."""
    return _plain("firm", names.firm_name(rng, held_out), "ORG")


def shop(rng: Random, held_out: bool) -> Entity:
    """A shop or inn."""
    return _plain("shop", names.shop_name(rng, held_out), "ORG")


def thing(rng: Random, _held_out: bool) -> Entity:
    """Something that can be carried, bought and lost, mostly with an adjective."""
    noun = rng.choice(words.THINGS)
    return _noun("thing", f"{rng.choice(words.THING_ADJECTIVES)} {noun}" if rng.random() < 0.6 else noun)


def job(rng: Random, _held_out: bool) -> Entity:
    """A profession."""
    return _noun("job", rng.choice(words.JOBS))


def animal(rng: Random, _held_out: bool) -> Entity:
    """A pet or farm animal."""
    noun = rng.choice(words.ANIMALS)
    return _noun("animal", f"{rng.choice(words.ANIMAL_ADJECTIVES)} {noun}" if rng.random() < 0.5 else noun)


def room(rng: Random, _held_out: bool) -> Entity:
    """A room or a spot in a house."""
    return _noun("room", rng.choice(words.ROOMS))


def building(rng: Random, _held_out: bool) -> Entity:
    """A public building or place in a town."""
    return _noun("building", rng.choice(words.BUILDINGS))


def vehicle(rng: Random, _held_out: bool) -> Entity:
    """What one travels by; the bare form has no article."""
    noun = rng.choice(words.VEHICLES)
    return Entity("vehicle", {"": noun, "the": f"the {noun}"})


def _listed(kind: str, choices: tuple[str, ...]) -> Callable[[Random, bool], Entity]:
    def make(rng: Random, _held_out: bool) -> Entity:
        return _plain(kind, rng.choice(choices))

    return make


def date(rng: Random, _held_out: bool, first_year: int = 1990, last_year: int = 2029) -> Entity:
    """A day with or without its year, in one of several ways to write it; reads well after ``on``."""
    day, month, year = rng.randint(1, 28), rng.choice(words.MONTHS), rng.randint(first_year, last_year)
    ordinal = f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"
    text = rng.choice(
        (
            f"{day} {month} {year}",
            f"{month} {day}, {year}",
            f"{day} {month}",
            f"{month} {day}",
            f"the {ordinal} of {month}",
            f"{month} {ordinal}",
        )
    )
    return _plain("date", text, "DATE")


def brother(rng: Random, held_out: bool) -> Entity:
    """A man or boy who is only named: no sentence is about him."""
    return _plain("brother", names.given_name(rng, held_out, male=True), "PER")


def hotel(rng: Random, held_out: bool) -> Entity:
    """A hotel."""
    return _plain("hotel", names.hotel_name(rng, held_out), "ORG")


def pet_name(rng: Random, held_out: bool) -> Entity:
    """The name of an animal; it has no label, as only people's names have one."""
    return _plain("pet_name", names.pet_name(rng, held_out))


def numeric_date(rng: Random, _held_out: bool) -> Entity:
    """A date in figures, as forms and labels have it."""
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1950, 2029)
    text = rng.choice((f"{year}-{month:02}-{day:02}", f"{day:02}.{month:02}.{year}", f"{month}/{day}/{year}"))
    return _plain("numeric_date", text, "DATE")


def year(rng: Random, _held_out: bool) -> Entity:
    """A year; reads well after ``in``."""
    return _plain("year", str(rng.randint(1960, 2024)), "DATE")


def month(rng: Random, _held_out: bool) -> Entity:
    """A month, with or without its year; reads well after ``in``."""
    text = rng.choice(words.MONTHS)
    return _plain("month", f"{text} {rng.randint(1950, 2029)}" if rng.random() < 0.5 else text, "DATE")


def weekday(rng: Random, _held_out: bool) -> Entity:
    """A day of the week; reads well after ``on``."""
    return _plain("weekday", rng.choice(words.WEEKDAYS), "DATE")


def clock(rng: Random, _held_out: bool) -> Entity:
    """A time of day; reads well after ``at``."""
    hour = rng.randint(1, 12)
    exact = f"{rng.randint(6, 22)}:{rng.randrange(0, 60, 5):02}"
    spoken = f"{rng.choice(('half past', 'a quarter past', 'a quarter to'))} {words.NUMBERS[hour]}"
    return _plain("clock", rng.choice((exact, spoken, f"{words.NUMBERS[hour]} o'clock")))


def number(rng: Random, _held_out: bool) -> Entity:
    """A number from two up, as a word or in figures."""
    if rng.random() < 0.6:
        return _plain("number", words.NUMBERS[rng.randint(2, 12)])
    return _plain("number", str(rng.randint(13, 400)))


def price(rng: Random, _held_out: bool) -> Entity:
    """A sum of money."""
    return _plain("price", f"{rng.randint(2, 950)} {rng.choice(('euros', 'dollars', 'pounds', 'crowns'))}")


MAKERS: Mapping[str, Callable[[Random, bool], Entity]] = {
    "person": person,
    "town": town,
    "street": street,
    "firm": firm,
    "shop": shop,
    "thing": thing,
    "job": job,
    "animal": animal,
    "room": room,
    "building": building,
    "vehicle": vehicle,
    "date": date,
    "birthday": lambda rng, held_out: date(rng, held_out, 1930, 2004),
    "numeric_date": numeric_date,
    "pet_name": pet_name,
    "brother": brother,
    "hotel": hotel,
    "age": lambda rng, _held_out: _plain("age", str(rng.randint(14, 97))),
    "small_number": lambda rng, _held_out: _plain("small_number", words.NUMBERS[rng.randint(2, 9)]),
    "year": year,
    "month": month,
    "weekday": weekday,
    "clock": clock,
    "number": number,
    "price": price,
    "goods": _listed("goods", words.GOODS),
    "food": _listed("food", words.FOODS),
    "language": _listed("language", words.LANGUAGES),
    "instrument": lambda rng, _held_out: _noun("instrument", rng.choice(words.INSTRUMENTS)),
    "sport": _listed("sport", words.SPORTS),
    "topic": _listed("topic", words.TOPICS),
    "good": lambda rng, _held_out: _adjective("good", rng.choice(words.GOOD)),
    "bad": lambda rng, _held_out: _adjective("bad", rng.choice(words.BAD)),
    "glad": _listed("glad", words.GLAD),
    "sad": _listed("sad", words.SAD),
    "furniture": lambda rng, _held_out: _noun("furniture", rng.choice(words.FURNITURE)),
    "hobby": _listed("hobby", words.HOBBIES),
    "subject": _listed("subject", words.SUBJECTS),
    "colour": _listed("colour", words.COLOURS),
    "illness": _listed("illness", words.ILLNESSES),
}
"""One maker for each kind of slot; each takes the generator and whether names come from the held-out side."""
