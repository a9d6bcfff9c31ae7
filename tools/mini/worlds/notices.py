"""Sentences of reports and notices, rich in names and dates; nobody asks about them."""

from __future__ import annotations

from tools.mini.worlds.kinds import kind

NOTICES = (
    kind(
        "opening",
        "f=firm t=town d=date m=month y=year p=person",
        (
            "{f} opened a new office in {t} on {d}.",
            "In {m}, {f} will open a factory near {t}.",
            "{p:name} has led {f} since {y}.",
            "{f} was founded in {t} in {y} by {p:name}.",
            "*A new office of {f} opened in {t} on {d}.",
            "*{p:name} founded {f} in {y}, in a garage in {t}.",
        ),
        {},
    ),
    kind(
        "meeting",
        "p=person q=person t=town u=street d=numeric_date w=weekday",
        (
            "{p:name} and {q:name} met in {t} on {w}.",
            "Date: {d}. Present: {p:name}, {q:name}.",
            "The meeting with {p:name} is on {w} in {u}.",
            "{q:name} of {u}, {t}, signed the letter on {d}.",
            "*On {w}, {p:name} will meet {q:name} in {u}.",
            "*Signed in {t}, {d}, {p:name}.",
        ),
        {},
    ),
    kind(
        "plain",
        "o=thing j=job b=building",
        (
            "The weather was fine, and nobody thought of {o}.",
            "{b} was closed, so {j} went home.",
            "A young {j:n} stood in front of {b}.",
            "*Nobody at {b} had seen {o}.",
        ),
        {},
    ),
)
