"""Facts about where things are and what happened to them, and about animals."""

from __future__ import annotations

from tools.mini.worlds.kinds import kind

KINDS = (
    kind(
        "lost",
        "p=person o=thing b=building",
        """
        {p} lost {p:his} {o:n} at {b}.
        {p} left {p:his} {o:n} behind at {b}.
        At {b}, {p} could not find {p:his} {o:n} any more.
        {p:s} {o:n} got lost at {b}.
        {p} thought that {p:his} {o:n} was at {b~}, but {p:he} had left it at {b}.
        {p} did not lose {o~} at {b} but {o}.
        {p} went home from {b} without {p:his} {o:n}.
        *{p} forgot {p:his} {o:n} at {b}.
        *After the visit to {b}, {p:s} {o:n} was gone.
        ask o:
        What did {p} lose?
        What did {p} leave at {b}?
        What got lost at {b}?
        What could {p} not find?
        *What did {p} forget?
        ask b:
        Where did {p} lose {p:his} {o:n}?
        Where was {p:s} {o:n} left?
        Where did {p} leave {o}?
        *At what place did {p} forget {p:his} {o:n}?
        ask p:
        Who lost {o}?
        Who left something at {b}?
        Whose {o:n} got lost?
        *Who forgot something at {b}?
        aside:
        {q:name} helped {p:name} to look for what was lost.
        """,
    ),
    kind(
        "found",
        "p=person o=thing b=building d=date",
        """
        {p} found {o:a} near {b} on {d}.
        On {d}, {p} found {o:a} in front of {b}.
        {p} picked up {o:a} behind {b} on {d}.
        On {d}, {p} walked past {b} and saw {o:a} lying there.
        Not {p~:name} but {p:name} found {o} near {b} on {d}.
        {p} was looking for {o~}, but on {d} found {o:a} near {b}.
        *There was {o:a} in front of {b} when {p} came by on {d}.
        *{p} came upon {o:a} behind {b} on {d}.
        ask o:
        What did {p} find?
        What did {p} find near {b}?
        What was lying at {b}?
        *What did {p} pick up?
        ask b:
        Where did {p} find {o}?
        Near which building did {p} find {o}?
        Where was {o} lying?
        *At what place did {p} pick up {o}?
        ask d:
        When did {p} find {o}?
        On which day did {p} find {o}?
        When was {o} found?
        *On what day did {p} pick up {o}?
        ask p:
        Who found {o}?
        Who picked up {o}?
        By whom was {o} found?
        *Who came upon {o}?
        aside:
        {q:name} told {p:name} that nobody finds anything near such a building.
        """,
    ),
    kind(
        "put",
        "p=person o=thing r=room v=room",
        """
        {p} put {o} in {r}, but later took it to {v}.
        {p} first kept {o} in {r}. Then {p:he} moved it to {v}.
        {p} carried {o} from {r} to {v}.
        {p:s} {o:n} was in {r} before {p:he} brought it to {v}.
        At first {p} had {o} in {r}; now it is in {v}.
        From {r}, {p} brought {o} to {v}.
        {o} had been in {r} until {p} put it in {v}.
        *{p} took {o} out of {r} and put it in {v}.
        *{o} stood in {r}. Later {p} carried it to {v}.
        ask r:
        Where was {o} first?
        Where did {p} put {o} first?
        From where did {p} take {o}?
        *In which room was {o} before?
        ask v:
        Where is {o} now?
        Where did {p} take {o}?
        Where did {p} put {o} in the end?
        *In which room is {o} now?
        ask o:
        What did {p} bring to {v}?
        What was first in {r}?
        What did {p} carry to {v}?
        *What did {p} take from {r} to {v}?
        ask p:
        Who put {o} in {v}?
        Who took {o} to {v}?
        Who carried {o}?
        *Who brought {o} from {r} to {v}?
        aside:
        {q:name} asked {p:name} where everything was and who put it there.
        """,
    ),
    kind(
        "repaired",
        "p=person o=thing q=person w=weekday",
        """
        {p} repaired {o} for {q:name} on {w}.
        On {w}, {p} mended {q:s} {o:n}.
        {q:name} brought {p:o} {o:a} that was broken, and it was mended on {w}.
        {p} could not mend {o~}, but on {w} {p:he} repaired {o} of {q:name}.
        {q:name} could use {o} again, for {p:name} had repaired it on {w}.
        It was not {p~:name} who repaired {o} for {q:name} on {w}. It was {p:name}.
        *{p} spent {w} mending {q:s} {o:n}.
        *Thanks to {p:name}, {q:s} {o:n} was whole again on {w}.
        ask o:
        What did {p} repair?
        What did {p} mend for {q}?
        What was repaired on {w}?
        *Which thing of {q} did {p} mend?
        ask q:
        For whom did {p} repair {o}?
        Whose {o:n} was repaired by {p}?
        *For whom did {p} mend {o}?
        ask p:
        Who repaired {o}?
        Who mended {o} for {q}?
        By whom was {o} repaired?
        *Who repaired {q:s} {o:n}?
        ask w:
        When did {p} repair {o}?
        On which day was {o} mended?
        When did {p} mend {o} for {q}?
        *On what day was {q:s} {o:n} repaired?
        aside:
        {q:name} does not believe that {p:name} can mend or repair anything.
        """,
    ),
    kind(
        "won",
        "p=person o=thing h=sport y=year",
        """
        {p} won {o:a} in {h} in {y}.
        In {y}, {p} was the best in {h} and got {o:a}.
        {p} came first in {h} in {y}, and the prize was {o:a}.
        The prize for {h} in {y} was {o:a}, and {p} won it.
        {p} came last in {h~}, but in {h} {p:he} won {o:a}. That was in {y}.
        Not {p~:name} but {p:name} won {o} in {h} in {y}.
        *For coming first in {h} in {y}, {p} was given {o:a}.
        *{o:a} was {p:s} prize in {h} in {y}.
        ask o:
        What did {p} win?
        What was {p:s} prize?
        What was the prize for {h}?
        *What did {p} get for coming first in {h}?
        ask h:
        In which sport did {p} win?
        In what was {p} the best?
        In which sport was {p} first?
        *For what did {p} get {o}?
        ask y:
        When did {p} win {o}?
        In which year did {p} win?
        When was {p} the best in {h}?
        *In what year was {p} first in {h}?
        ask p:
        Who won {o}?
        Who was the best in {h}?
        Who came first in {h}?
        *Who got the prize for {h}?
        aside:
        {q:name} wants to win a prize too, as {p:name} did once.
        """,
    ),
    kind(
        "broke",
        "p=person o=thing r=room",
        """
        {p} broke {o} in {r}.
        In {r}, {p} dropped {o}, and it broke.
        {o} fell out of {p:s} hands in {r} and broke.
        {p} did not break {o~} in {r} but {o}.
        It was in {r}, not in {r~}, that {p} broke {o}.
        In {r}, {p:name} stumbled over {o}. Now it is broken.
        Not {p~:name} but {p:name} broke {o} in {r}.
        *{p} let {o} fall in {r}, and now it is broken.
        *{o} is broken because {p} was careless in {r}.
        ask o:
        What did {p} break?
        What did {p} drop?
        What broke in {r}?
        *What is broken because of {p}?
        ask r:
        Where did {p} break {o}?
        In which room did {o} break?
        Where was {o} broken?
        *Where did {p} let {o} fall?
        ask p:
        Who broke {o}?
        Who let {o} fall?
        By whom was {o} broken?
        *Because of whom is {o} broken?
        aside:
        {q:name} warned {p:name} not to break or drop anything.
        """,
    ),
    kind(
        "has_animal",
        "p=person a=animal n=pet_name",
        """
        {p} has {a:a} called {n}.
        {p} keeps {a:a} whose name is {n}.
        {p:s} {a:n} is called {n}.
        {n} is the name of {p:s} {a:n}.
        {p} wanted to name {p:his} {a:n} {n~}, but it is called {n}.
        {p} does not have {a~:a} but {a:a}, and calls it {n}.
        {p} got {a:a} last year and named it {n}.
        *{p} owns {a:a} that goes by the name of {n}.
        *{p:s} {a:n} listens to the name of {n}.
        ask a:
        What animal does {p} have?
        Which animal does {p} keep?
        What animal is {n}?
        *What kind of animal does {p} own?
        ask n:
        What is {p:s} {a:n} called?
        What is the name of {p:s} {a:n}?
        What did {p} call {p:his} {a:n}?
        *What did {p} name {p:his} {a:n}?
        ask p:
        Who has {a:a}?
        Who keeps {a:a}?
        Whose animal is called {n}?
        Whose {a:n} is called {n}?
        *Who owns {n}?
        aside:
        {q:name} asked {p:name} for the name of a good vet.
        """,
    ),
    kind(
        "counts",
        "p=person g=goods r=room n=number",
        """
        {p} keeps {n} {g} in {r}.
        There are {n} {g} in {p:s} {r:n}.
        In {r}, {p} has {n} {g}.
        {p} has {n} {g} in {r}, not {n~}.
        {p} once had {n~} {g}, but now there are {n} in {r}.
        {p} did not find {g~} in {r} but {n} {g}.
        *{p} looked into {r} and counted {n} {g}.
        *{n} {g} are waiting in {p:s} {r:n}.
        ask n:
        How many {g} does {p} have?
        How many {g} does {p} keep in {r}?
        How many {g} are there in {p:s} {r:n}?
        *What number of {g} does {p} keep?
        ask g:
        What does {p} keep in {r}?
        What is there in {p:s} {r:n}?
        What did {p} find in {r}?
        *What are the things in {p:s} {r:n}?
        ask r:
        Where does {p} keep {p:his} {g}?
        Where are {p:s} {g}?
        In which room does {p} have the {g}?
        *Where does {p} have {n} {g}?
        ask p:
        Who keeps {g}?
        Who has {n} {g}?
        Who keeps {g} in {r}?
        *Whose {r:n} is full of {g}?
        aside:
        {q:name} never counts how many things {p:name} has.
        """,
    ),
    kind(
        "painted",
        "p=person o=furniture c=colour",
        """
        {p} painted {o} {c}.
        {p} made {o} {c} with a little paint.
        {o} has been {c} since {p} painted it.
        {p} did not paint {o} {c~} but {c}.
        {p} painted {o} {c~} at first, but then {c}.
        {p} wanted to paint {o~} {c}, but painted {o}.
        *{p} took {c} paint and a brush and started on {o}.
        *With {c} paint, {p} made {o} look like new.
        ask c:
        What colour did {p} paint {o}?
        What colour is {o} now?
        In which colour did {p} paint {o}?
        *Which colour did {p} take for {o}?
        ask o:
        What did {p} paint?
        What did {p} paint {c}?
        What is {c} now?
        *What did {p} make {c}?
        ask p:
        Who painted {o}?
        Who made {o} {c}?
        By whom was {o} painted?
        *Who took a brush and painted {o}?
        aside:
        {q:name} likes to paint, but {p:name} does not like any colour.
        """,
    ),
)
