"""Facts about things that change hands: bought, sold, lent, lost, found, given."""

from __future__ import annotations

from tools.mini.worlds.kinds import kind

KINDS = (
    kind(
        "bought",
        "p=person o=thing s=shop m=price",
        (
            "{p} bought {o:a} at {s} for {m}.",
            "{p} went to {s} and bought {o:a} for {m}.",
            "At {s}, {p} paid {m} for {o:a}.",
            "{p} found {o:a} at {s} and took it home for {m}.",
            "{p~} did not buy {o} at {s}; {p} did, for {m}.",
            "{p} looked at {o~:a}, but then bought {o:a} at {s}.",
            "{p} did not buy {o~:a} at {s} but {o:a}.",
            "{s} sold {p:o} {o:a} for {m}.",
            "*{p} came home from {s} with {o:a} that cost {m}.",
            "*{o:a} for {m} was all that {p} bought at {s}.",
        ),
        {
            "o": (
                "What did {p} buy?",
                "What did {p} get at {s}?",
                "What did {s} sell to {p}?",
                "What did {p} pay {m} for?",
                "*What did {p} take home from {s}?",
            ),
            "s": (
                "Where did {p} buy {o}?",
                "Which shop sold {o} to {p}?",
                "In which shop did {p} find {o}?",
                "*Which shop did {p} get {o} from?",
            ),
            "m": (
                "How much did {p} pay for {o}?",
                "What did {o} cost?",
                "How much was {o}?",
                "*What was the price of {o}?",
            ),
            "p": ("Who bought {o}?", "Who paid for {o}?", "Who went to {s} and bought {o}?", "*Who got {o} at {s}?"),
        },
    ),
    kind(
        "lent",
        "p=person q=person o=thing w=weekday",
        (
            "{p} lent {q:name} {o:a} on {w}.",
            "On {w}, {p} lent {o:a} to {q:name}.",
            "{q:name} borrowed {o:a} from {p:o} on {w}.",
            "{p} did not lend {o} to {p~:name}; {q:name} got it on {w}.",
            "{p} let {q:name} use {p:his} {o:n} on {w}.",
            "*{q:name} came on {w} to borrow {o:a} from {p:o}.",
        ),
        {
            "o": ("What did {p} lend to {q}?", "What did {q} borrow from {p}?", "*What did {q} get from {p} on {w}?"),
            "q": (
                "Who borrowed {o} from {p}?",
                "To whom did {p} lend {o}?",
                "Who did {p} lend {o} to?",
                "*Who could use {p:s} {o:n}?",
            ),
            "p": (
                "Who lent {q} {o}?",
                "From whom did {q} borrow {o}?",
                "Who did {q} borrow {o} from?",
                "*Who let {q} use {o}?",
            ),
            "w": (
                "When did {p} lend {o} to {q}?",
                "On which day did {q} borrow {o}?",
                "*On what day did {p} lend {o}?",
            ),
        },
        group="transfer",
    ),
    kind(
        "lost",
        "p=person o=thing b=building",
        (
            "{p} lost {p:his} {o:n} at {b}.",
            "{p} left {p:his} {o:n} behind at {b}.",
            "At {b}, {p} could not find {p:his} {o:n} any more.",
            "{p:s} {o:n} got lost at {b}.",
            "{p} thought that {p:his} {o:n} was at {b~}, but {p:he} had left it at {b}.",
            "*{p} forgot {p:his} {o:n} at {b}.",
        ),
        {
            "o": ("What did {p} lose?", "What did {p} leave at {b}?", "What was lost at {b}?", "*What did {p} forget?"),
            "b": (
                "Where did {p} lose {p:his} {o:n}?",
                "Where was {p:s} {o:n} left?",
                "*At what place did {p} forget {p:his} {o:n}?",
            ),
            "p": ("Who lost {o}?", "Who left something at {b}?", "*Who forgot something at {b}?"),
        },
    ),
    kind(
        "has_animal",
        "p=person a=animal n=pet_name",
        (
            "{p} has {a:a} called {n}.",
            "{p} keeps {a:a} whose name is {n}.",
            "{p:s} {a:n} is called {n}.",
            "{n} is the name of {p:s} {a:n}.",
            "{p} wanted to name {p:his} {a:n} {n~}, but it is called {n}.",
            "*{p} owns {a:a} that listens to the name of {n}.",
        ),
        {
            "a": ("What animal does {p} have?", "Which animal does {p} keep?", "*What kind of animal is {n}?"),
            "n": (
                "What is {p:s} {a:n} called?",
                "What is the name of {p:s} {a:n}?",
                "*What did {p} name {p:his} {a:n}?",
            ),
            "p": ("Who has {a:a}?", "Who keeps {a:a}?", "Whose animal is called {n}?", "*Who owns {n}?"),
        },
    ),
)
