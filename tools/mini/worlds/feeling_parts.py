"""Clauses by feeling, and the ways to join two of them.

A clause begins with its subject, has no full stop and is about ``p``. Its slots besides people and places take words of
feeling: ``gd`` and ``bd`` what a thing is like, ``gl`` and ``sd`` how a person feels.
"""

from __future__ import annotations

from tools.mini.worlds.patterns import Pattern, parse_all

LABELS = ("negative", "neutral", "positive")

ROLES = {
    "p": "person",
    "q": "person",
    "o": "thing",
    "f": "firm",
    "s": "shop",
    "t": "town",
    "w": "weekday",
    "d": "date",
    "e": "food",
    "h": "hotel",
    "b": "building",
    "k": "clock",
    "n": "small_number",
    "x": "price",
    "j": "job",
    "c": "colour",
    "v": "vehicle",
    "gd": "good",
    "bd": "bad",
    "gl": "glad",
    "sd": "sad",
}
"""What the slots of clauses take."""


def _lines(name: str, text: str) -> tuple[Pattern, ...]:
    return parse_all(name, [line.strip() for line in text.strip().splitlines()])


CLAUSES = {
    "positive": _lines(
        "feel.positive",
        """
        {p} was {gl} with {o} from {s}
        {p} was very {gl} with the service at {s}
        {p} was glad to work for {f}
        {p} found {t} {gd}
        {p} had {gd:a} time in {t}
        the stay at {h} was {gd} for {p:o}
        {p} loved the days in {t}
        {p} liked {e} at {s} so much that {p:he} asked for more
        {p} was not {sd} with {f} at all
        {p} was never {sd} in {t}
        {p} had no reason to complain about {s}
        {p} could not be more {gl} with {h}
        {p} was proud of {p:his} work at {f}
        {p} thought that {t} was {gd:a} town
        the people of {s} made {p:o} feel welcome
        {p} enjoyed every hour in {t}
        nothing at {s} could be better, {p} said
        {p} told everybody how {gd} {h} was
        {p} thanked {q:name} for {gd:a} evening
        {q:name} made {p:o} laugh all evening
        {p} would go back to {h} at any time
        {p} smiled when {q:name} came to {t}
        {p} said that {e} at {s} did not taste {bd} but {gd}
        {p} did not find {o} {bd}; {p:he} found it {gd}
        there was nothing {bd} about {h}, {p} wrote
        {p} gave {s} five stars out of five
        {p} fell in love with {t}
        {f} was {gd:a} place to work for {p:o}
        {p} danced for joy when {f} called
        {p} was far from {sd} with what {q:name} had done
        the days at {h} were anything but {bd}, {p} said
        {p} was looking forward to {t} and could not wait
        *{p} was more than {gl} with {s}
        *{p} had nothing but {gd} hours at {h}
        *{p} was not in the least {sd} with {o}
        *{q:name} found {p:o} {gl} and laughing in {t}
        *{p} called {o} from {s} {gd}
        *the work at {f} made {p:o} {gl}
        """,
    ),
    "negative": _lines(
        "feel.negative",
        """
        {p} was {sd} with {o} from {s}
        {p} was very {sd} with the service at {s}
        {p} was sad to work for {f}
        {p} found {t} {bd}
        {p} had {bd:a} time in {t}
        the stay at {h} was {bd} for {p:o}
        {p} hated the days in {t}
        {p} disliked {e} at {s} so much that {p:he} sent it back
        {p} was not {gl} with {f} at all
        {p} was never {gl} in {t}
        {p} had every reason to complain about {s}
        {p} could not be less {gl} with {h}
        {p} was ashamed of {p:his} work at {f}
        {p} thought that {t} was {bd:a} town
        the people of {s} made {p:o} feel small
        {p} did not enjoy one hour in {t}
        nothing at {s} was any good, {p} said
        {p} told everybody how {bd} {h} was
        {p} blamed {q:name} for {bd:a} evening
        {q:name} made {p:o} cry that evening
        {p} would never go back to {h}
        {p} wept when {q:name} left {t}
        {p} said that {e} at {s} did not taste {gd} but {bd}
        {p} did not find {o} {gd}; {p:he} found it {bd}
        there was nothing {gd} about {h}, {p} wrote
        {p} gave {s} one star out of five
        {p} lost all hope in {t}
        {f} was {bd:a} place to work for {p:o}
        {p} cried with rage when {f} called
        {p} was far from {gl} with what {q:name} had done
        the days at {h} were anything but {gd}, {p} said
        {p} was afraid of {t} and did not want to go
        *{p} was less than {gl} with {s}
        *{p} had nothing but {bd} hours at {h}
        *{p} was not in the least {gl} with {o}
        *{q:name} found {p:o} {sd} and crying in {t}
        *{p} called {o} from {s} {bd}
        *the work at {f} made {p:o} {sd}
        """,
    ),
    "neutral": _lines(
        "feel.neutral",
        """
        {p} put {o} on the table
        {p} worked for {f} in {t}
        {p} went to {s} on {w}
        {s} opened at {k} on {w}
        {p} was neither {gl} nor {sd} with {s}
        {p} took {v:the} to {t} on {d}
        {p} had no opinion about {f}
        {p} lived in {t} and worked as {j:a}
        {p} bought {o:a} at {s} for {x}
        {p} stayed at {h} for {n} nights
        the office of {f} in {t} was on the second floor
        {p} met {q:name} in front of {b} at {k}
        {p} asked {q:name} for the price of {e} at {s}
        {p} painted the door of {s} {c}
        {p} was {j:a} from {t}
        {p} wrote to {f} on {d}
        {p} said that {h} had {n} floors
        {p} cooked {e} for {q:name} on {w}
        {p} found {t} neither {gd} nor {bd}
        {p} moved from {t} to another town on {d}
        {v:the} from {t} came at {k}
        {p} did not say whether {e} tasted {gd} or {bd}
        {p} carried {o} from {b} to {s}
        {q:name} lent {p:o} {o:a} on {w}
        {p} was at {b} until {k}
        {p} had {n} keys for the rooms of {h}
        {p} was asked whether {p:he} was {gl}, but gave no answer to {q:name}
        {f} had {n} offices in {t}, {p} read
        {p} ordered {e} at {s} and paid {x}
        {p} looked for {b} in {t} and found it
        {p} thought neither well nor ill of {f}
        {p} wanted to know if {q:name} found {h} {bd}
        *{p} had an appointment with {j:a} at {f} on {w}
        *{p} did not tell {q:name} what {p:he} thought of {s}
        *{p} read that {b} in {t} closed at {k}
        *{p} was neither {sd} nor {gl} when {q:name} came
        *{p} sent {o:a} to {q:name} on {d}
        *{p} lived in {t} for {n} years
        """,
    ),
}

# {1} is the first clause, {2} the second, which decides.
JOINS = {
    "turning": _lines(
        "feel.turn",
        """
        although {1}, in the end {2}.
        at first {1}, but in the end {2}.
        {1}, but later {2}.
        {1}. Then everything changed: {2}.
        {1}, but {2}.
        {2}, although at first {1}.
        {2}, even though {1}.
        while at the beginning {1}, soon {2}.
        it is not true that {1}. On the contrary, {2}.
        {1}. However, {2}.
        {1}. That changed: {2}.
        even though {1}, {2}.
        *{1} for a while, yet at last {2}.
        *at the beginning {1}. Later, however, {2}.
        """,
    ),
    "adding": _lines(
        "feel.add",
        """
        {1}, and {2}.
        {1}. Also, {2}.
        {1}, and later {2}.
        {1}; {2}.
        {1}. Besides, {2}.
        *first {1}, and then {2}.
        """,
    ),
    "plain": _lines(
        "feel.plain",
        """
        {1}.
        in short, {1}.
        everybody knows that {1}.
        last week {1}.
        we heard that {1}.
        as far as we know, {1}.
        *it seems that {1}.
        """,
    ),
}
"""Ways to tell one clause or two: of opposite feelings, of one feeling, or alone."""
