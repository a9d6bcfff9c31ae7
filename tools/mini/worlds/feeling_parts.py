"""Clauses by feeling, and the ways to join two of them."""

from __future__ import annotations

from tools.mini.worlds.patterns import parse_all

ROLES = {"p": "person", "o": "thing", "f": "firm", "s": "shop", "t": "town", "q": "person", "w": "weekday", "d": "date"}
"""What the slots of clauses take."""

# A clause begins with its subject, has no full stop, and is about p. Pronouns are fixed so that clauses can be joined.
CLAUSES = {
    "positive": parse_all(
        "feel.positive.",
        (
            "{p} was happy with {o} from {s}",
            "{p} loved the days in {t}",
            "{p} was not disappointed by {f}",
            "{p} was proud of {p:his} work at {f}",
            "{p} thought that {t} was a wonderful town",
            "the staff of {s} made {p:o} feel welcome",
            "{p} enjoyed every hour in {t}",
            "nothing at {s} could be better, {p} said",
            "*{p} was delighted with {s}",
            "*{p} was never unhappy in {t}",
        ),
    ),
    "negative": parse_all(
        "feel.negative.",
        (
            "{p} was angry about {o} from {s}",
            "{p} hated the days in {t}",
            "{p} was not happy with {f}",
            "{p} was ashamed of {p:his} work at {f}",
            "{p} thought that {t} was a terrible town",
            "the staff of {s} made {p:o} feel small",
            "{p} did not enjoy one hour in {t}",
            "nothing at {s} was any good, {p} said",
            "*{p} was furious with {s}",
            "*{p} was never happy in {t}",
        ),
    ),
    "neutral": parse_all(
        "feel.neutral.",
        (
            "{p} put {o} on the table",
            "{p} works for {f} in {t}",
            "{p} went to {s} on {w}",
            "{s} opens at nine on {w}",
            "{p} was neither pleased nor annoyed by {s}",
            "{p} took the train to {t} on {d}",
            "{p} has no opinion about {f}",
            "*{p} has an appointment at {f} on {w}",
            "*{p} did not say what {p:he} thought of {s}",
        ),
    ),
}
# {1} is the first clause, {2} the second, which decides.
JOINS_TURNING = parse_all(
    "feel.turn.",
    (
        "although {1}, in the end {2}.",
        "at first {1}, but in the end {2}.",
        "{1}, but later {2}.",
        "{1}. Then everything changed: {2}.",
        "*{1} for a while, yet at last {2}.",
    ),
)
LABELS = ("negative", "neutral", "positive")
