"""Facts about what people are: home, birth, work, what they can and like."""

from __future__ import annotations

from tools.mini.worlds.kinds import kind

KINDS = (
    kind(
        "lives",
        "p=person t=town",
        (
            "{p} lives in {t}.",
            "{p} has a small flat in {t}.",
            "{p:s} home is in {t}.",
            "{p} does not live in {t~} but in {t}.",
            "{p} shares a house in {t} with two friends.",
            "{t} is where {p} lives.",
            "{p} used to live in {t~}, but {p:his} home is now in {t}.",
            "{p} settled in {t} years ago and still lives there.",
            "Not {p~} but {p} lives in {t}.",
            "*{p} is at home in {t}.",
            "*{p} left {t~} long ago and lives in {t} now.",
        ),
        {
            "t": (
                "Where does {p} live?",
                "In which town does {p} live?",
                "Where is {p:s} home?",
                "Which town does {p} live in?",
                "What is the name of the town where {p} lives?",
                "*In what town is {p:s} home?",
            ),
            "p": ("Who lives in {t}?", "Who has a home in {t}?", "Whose home is in {t}?", "*Who is at home in {t}?"),
        },
        group="home",
    ),
    kind(
        "born",
        "p=person t=town d=date",
        (
            "{p} was born in {t} on {d}.",
            "{p} was born on {d} in {t}.",
            "On {d}, {p} was born in {t}.",
            "{p} came into the world in {t} on {d}.",
            "{p:s} life began in {t} on {d}.",
            "{p} is a native of {t} and was born on {d}.",
            "{p} was born in {t}, not in {t~}, on {d}.",
            "*{t} is where {p} was born on {d}.",
            "*The birth of {p:name} in {t} was on {d}.",
        ),
        {
            "t": (
                "Where was {p} born?",
                "In which town was {p} born?",
                "What is {p:s} place of birth?",
                "Where did {p:s} life begin?",
                "*In what town did {p} come into the world?",
            ),
            "d": (
                "When was {p} born?",
                "On what day was {p} born?",
                "What is {p:s} date of birth?",
                "When did {p} come into the world?",
                "*On which day did {p:s} life begin?",
            ),
            "p": ("Who was born in {t}?", "Who was born on {d}?", "Who comes from {t}?", "*Whose life began in {t}?"),
        },
        group="origin",
    ),
    kind(
        "works",
        "p=person f=firm",
        (
            "{p} works for {f}.",
            "{p} has a job at {f}.",
            "{f} employs {p:o}.",
            "{p} is employed by {f}.",
            "{p} has been with {f} for years.",
            "{p} turned down {f~} and works for {f}.",
            "{p} earns {p:his} money at {f}.",
            "Not {f~} but {f} gave {p:o} a job.",
            "{p} once worked for {f~}, but now {p:his} employer is {f}.",
            "*{p} is on the staff of {f}.",
            "*{f} pays {p:o} for {p:his} work.",
        ),
        {
            "f": (
                "Where does {p} work?",
                "Which firm does {p} work for?",
                "Who employs {p}?",
                "What is the name of {p:s} employer?",
                "Which company gave {p} a job?",
                "*At which firm is {p} employed?",
            ),
            "p": ("Who works for {f}?", "Who is employed by {f}?", "Whose employer is {f}?", "*Who has a job at {f}?"),
        },
        group="employer",
    ),
    kind(
        "job",
        "p=person j=job",
        (
            "{p} is {j:a}.",
            "{p} works as {j:a}.",
            "{p} became {j:a} after school.",
            "{p} is {j:a} by trade.",
            "{p} is not {j~:a} but {j:a}.",
            "{p} wanted to be {j~:a}, but became {j:a}.",
            "{p:s} job is that of {j:a}.",
            "{p} was trained as {j:a}.",
            "*{p} has worked as {j:a} for years.",
            "*By trade, {p} is {j:a}.",
        ),
        {
            "j": (
                "What is {p:s} job?",
                "What does {p} do for a living?",
                "What is {p} by trade?",
                "What does {p} work as?",
                "*What kind of job does {p} have?",
            ),
            "p": ("Who is {j:a}?", "Who works as {j:a}?", "Which person is {j:a}?", "*Who is {j:a} by trade?"),
        },
    ),
    kind(
        "speaks",
        "p=person l=language",
        (
            "{p} speaks {l}.",
            "{p} learned {l} as a child.",
            "{p} is learning {l}.",
            "{p} does not speak {l~}, but knows {l} well.",
            "{p} reads books in {l}.",
            "{p} can talk to guests in {l}.",
            "*{p} knows {l} better than any other foreign language.",
            "*{p} studies {l} in the evening.",
        ),
        {
            "l": (
                "Which language does {p} know?",
                "What language does {p} speak?",
                "Which foreign language can {p} use?",
                "*What is the foreign language that {p} knows?",
            ),
            "p": ("Who speaks {l}?", "Who knows {l}?", "Who can use {l}?", "*Which person speaks {l}?"),
        },
    ),
)
