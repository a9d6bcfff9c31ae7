"""Facts about what people did or will do at some time: journeys, visits, meetings, calls, letters."""

from __future__ import annotations

from tools.mini.worlds.kinds import kind

KINDS = (
    kind(
        "trip",
        "p=person t=town v=vehicle m=month",
        """
        {p} went to {t} by {v} in {m}.
        In {m}, {p} travelled to {t} by {v}.
        {p} took {v:the} to {t} in {m}.
        {p} spent some days in {t} in {m} and went there by {v}.
        {p} wanted to see {t~}, but in {m} went to {t} by {v}.
        {p} did not go to {t} by {v~}; in {m} {p:he} took {v:the}.
        In {m}, {p} packed a bag and took {v:the} to {t}.
        *{p} saw {t} in {m}, after a long way by {v}.
        *In {m}, {v:the} brought {p:o} to {t}.
        ask t:
        Where did {p} travel?
        Where did {p} travel in {m}?
        Which town did {p} go to by {v}?
        Where did {p} spend some days?
        *To which town did {p} travel?
        ask v:
        How did {p} travel to {t}?
        How did {p} get to {t}?
        By what did {p} go to {t}?
        *What did {p} take to get to {t}?
        ask m:
        When did {p} go to {t}?
        When was {p} in {t}?
        In which month did {p} travel to {t}?
        *When did {p} see {t}?
        ask p:
        Who travelled to {t}?
        Who travelled to {t} in {m}?
        Who took {v:the} to {t}?
        *Who spent some days in {t}?
        aside:
        {q:name} would like to travel where {p:name} went.
        """,
        group="journey",
    ),
    kind(
        "leaves",
        "p=person t=town k=clock w=weekday",
        """
        {p} leaves for {t} at {k} on {w}.
        On {w} at {k}, {p} will set out for {t}.
        {p:s} train to {t} goes at {k} on {w}.
        {p} has to be at the station at {k} on {w} to get to {t}.
        {p} wanted to leave for {t} at {k~}, but the train goes at {k} on {w}.
        {p} will not leave for {t~} but for {t}, on {w} at {k}.
        *At {k} on {w}, {p} will be on the way to {t}.
        *{p} has a ticket to {t} for {w} at {k}.
        ask t:
        Where is {p} going?
        Where does {p:s} train go?
        Which town does {p} leave for?
        *Where will {p} go on {w}?
        ask k:
        At what time does {p} leave?
        When does {p:s} train go?
        At what time does {p} leave for {t}?
        *What time is {p:s} train?
        ask w:
        On which day does {p} leave for {t}?
        On what day does {p} leave?
        On which day does {p:s} train go?
        *On which day will {p} be on the way to {t}?
        ask p:
        Who leaves for {t}?
        Who leaves on {w}?
        Whose train goes to {t}?
        *Who has a ticket to {t}?
        aside:
        {q:name} asked {p:name} when the train leaves.
        """,
        group="journey",
    ),
    kind(
        "visited",
        "p=person q=person t=town d=date",
        """
        {p} visited {q:name} in {t} on {d}.
        On {d}, {p} went to see {q:name} in {t}.
        {q:name} had a visit from {p:o} in {t} on {d}.
        {p} called on {q:name} in {t} on {d}.
        {p} wanted to visit {q~:name}, but on {d} went to see {q:name} in {t}.
        It was in {t}, not in {t~}, that {p} visited {q:name} on {d}.
        *On {d}, {p} stood at {q:s} door in {t}.
        *{q:name} welcomed {p:o} in {t} on {d}.
        ask q:
        Who did {p} visit?
        Who did {p} go to see in {t}?
        Whom did {p} visit on {d}?
        *Who had a visit from {p}?
        ask t:
        Where did {p} visit {q}?
        In which town did {p} see {q}?
        Where was {p} on {d}?
        *In what town did {p} call on {q}?
        ask d:
        When did {p} visit {q}?
        On which day did {p} go to see {q}?
        When was {p} in {t}?
        *On what day did {p} call on {q}?
        ask p:
        Who visited {q}?
        Who went to see {q}?
        Who went to {t} on {d}?
        *From whom did {q} have a visit?
        aside:
        {q:name} does not like to be visited by {p:name}.
        """,
        group="journey",
    ),
    kind(
        "meets",
        "p=person q=person b=building k=clock",
        """
        {p} will meet {q:name} at {b} at {k}.
        {p} is meeting {q:name} in front of {b} at {k}.
        At {k}, {p} will meet {q:name} at {b}.
        {p} and {q:name} will see each other at {b} at {k}.
        {q:name} is going to wait for {p:o} at {b} at {k}.
        {p} will not meet {q:name} at {b~} but at {b}, at {k}.
        {p} was to meet {q:name} at {k~}, but now it will be at {k} at {b}.
        *{p} has a date with {q:name} at {b} at {k}.
        *At {k}, {q:name} will be there to meet {p:o} at {b}.
        ask q:
        Who will {p} meet?
        Who will {p} meet at {b}?
        Who is going to meet {p}?
        *With whom does {p} have a date?
        ask b:
        Where will {p} meet {q}?
        Where are {p} and {q} going to meet?
        At which place will {p} meet {q}?
        *Where does {p} have a date with {q}?
        ask k:
        At what time will {p} meet {q}?
        When will {p} meet {q}?
        At what time will {p} be at {b}?
        *What time is {p:s} date with {q}?
        ask p:
        Who will meet {q}?
        Who will be at {b} at {k}?
        Who is going to meet {q}?
        *Who has a date with {q}?
        aside:
        {q:name} asked {p:name} where they could meet.
        """,
        group="appointment",
    ),
    kind(
        "phoned",
        "p=person q=person k=clock z=topic",
        """
        {p} called {q:name} at {k} to talk about {z}.
        At {k}, {p} phoned {q:name} about {z}.
        {q:name} had a call from {p:o} at {k}. It was about {z}.
        {p} rang up {q:name} at {k} and spoke about {z}.
        {p} did not call {q~:name} but {q:name} at {k}. They spoke about {z}.
        {p} called {q:name} at {k}, not about {z~} but about {z}.
        *At {k}, {q:s} telephone rang: it was {p:name}, who spoke about {z}.
        *{p} was on the telephone with {q:name} at {k} because of {z}.
        ask q:
        Who did {p} call?
        Whom did {p} phone at {k}?
        Who had a call from {p}?
        *With whom did {p} speak about {z}?
        ask k:
        At what time did {p} call {q}?
        When did {p} call {q}?
        When did {p} phone {q}?
        *At what time did {p} speak with {q}?
        ask z:
        What did {p} call {q} about?
        What did {p} talk about?
        What was {p:s} call about?
        *What did {p} speak about with {q}?
        ask p:
        Who called {q}?
        Who phoned {q} at {k}?
        Who called about {z}?
        *From whom did {q} have a call?
        aside:
        {q:name} never answers when {p:name} calls.
        """,
        group="speech",
    ),
    kind(
        "wrote",
        "p=person q=person d=date z=topic",
        """
        {p} wrote {q:name} a letter about {z} on {d}.
        On {d}, {p} wrote to {q:name} about {z}.
        {q:name} got a letter from {p:o} that was written on {d}. It was about {z}.
        {p} sent {q:name} a letter on {d} and told {q:him} about {z}.
        {p} wrote on {d} to {q:name}, not to {q~:name}, about {z}.
        {p} began to write about {z~}, but {p:his} letter of {d} to {q:name} was about {z}.
        *{p:s} letter of {d} told {q:name} about {z}.
        *On {d}, {p} took a pen and wrote {q:name} all about {z}.
        ask q:
        Who did {p} write to?
        To whom did {p} write about {z}?
        Who got a letter from {p}?
        *To whom did {p} send a letter?
        ask d:
        When did {p} write to {q}?
        On which day did {p} write about {z}?
        When did {p} send {q} a letter?
        *On what day did {p} write {p:his} letter?
        ask z:
        What did {p} write about?
        What did {p} write to {q} about?
        What was {p:s} letter about?
        *What did {q} learn from the letter of {p}?
        ask p:
        Who wrote to {q}?
        Who wrote about {z}?
        Who sent {q} a letter?
        *From whom did {q} get a letter?
        aside:
        {q:name} never answers the letters of {p:name}.
        """,
    ),
    kind(
        "concert",
        "p=person i=instrument b=building d=date",
        """
        {p} played {i} at {b} on {d}.
        On {d}, {p} gave a concert on {i} at {b}.
        People at {b} heard {p:o} play {i} on {d}.
        There was music at {b} on {d}, with {p:name} on {i}.
        {p} was to play at {b~}, but the concert on {i} was at {b} on {d}.
        {p} did not play {i~} at {b} on {d} but {i}.
        *On {d}, {p} came to {b} with {i} and played for an hour.
        *{b} was full on {d} when {p} played {i}.
        ask i:
        What did {p} play at {b}?
        Which instrument did {p} play on {d}?
        On what did {p} give a concert?
        *On which instrument could people hear {p}?
        ask b:
        Where did {p} play {i}?
        Where did {p} give a concert?
        Where was {p:s} concert?
        *At what place did {p} play on {d}?
        ask d:
        When did {p} play at {b}?
        On which day was {p:s} concert?
        When was there music at {b}?
        *On what day did {p} play {i}?
        ask p:
        Who played {i} at {b}?
        Who gave a concert at {b}?
        Who played on {d}?
        *Whose concert was at {b}?
        aside:
        {q:name} was late for a concert, and {p:name} had to wait.
        """,
        group="music",
    ),
    kind(
        "talk",
        "p=person k=subject t=town w=weekday",
        """
        {p} will give a talk on {k} in {t} on {w}.
        On {w}, {p} speaks about {k} in {t}.
        People in {t} can hear {p:o} speak about {k} on {w}.
        {p:s} talk on {k} in {t} is on {w}.
        {p} does not speak about {k~} but about {k} in {t} on {w}.
        {p} was invited to {t~}, but will speak about {k} in {t} on {w}.
        *On {w}, {p} has an hour in {t} to speak about {k}.
        *{t} expects {p:o} on {w} for a talk on {k}.
        ask k:
        What will {p} speak about?
        What is {p:s} talk about?
        On which subject will {p} give a talk?
        *Which subject does {p} speak about in {t}?
        ask t:
        Where will {p} give a talk?
        In which town does {p} speak?
        Where is {p:s} talk?
        *In what town can one hear {p}?
        ask w:
        When will {p} give a talk?
        On which day does {p} speak about {k}?
        When is {p:s} talk?
        *On what day can one hear {p} speak?
        ask p:
        Who will give a talk in {t}?
        Who speaks about {k}?
        Whose talk is on {w}?
        *Whom can people in {t} hear?
        aside:
        {q:name} was told by {p:name} when to speak and when not.
        """,
        group="speech",
    ),
    kind(
        "appointment",
        "p=person j=job k=clock w=weekday",
        """
        {p} has an appointment with {j} on {w} at {k}.
        On {w} at {k}, {p} has to see {j}.
        {j} expects {p:o} on {w} at {k}.
        {p} must be with {j} at {k} on {w}.
        {p} will not see {j~} but {j} on {w} at {k}.
        {p} wanted to come at {k~}, but {j} will see {p:him} at {k} on {w}.
        *{j} has time for {p:name} on {w} at {k}.
        *On {w}, {p} goes to {j} and has to be there at {k}.
        ask j:
        With whom does {p} have an appointment?
        Who does {p} have to see?
        Who expects {p}?
        *Who has time for {p}?
        ask k:
        At what time is {p:s} appointment?
        What time does {j} expect {p}?
        At what time must {p} see {j}?
        *What time does {p} have to be there?
        ask w:
        On which day is {p:s} appointment?
        On what day must {p} see {j}?
        When does {j} expect {p}?
        *On which day does {p} go to {j}?
        ask p:
        Who has an appointment with {j}?
        Who has to see {j}?
        Who is expected by {j}?
        *For whom does {j} have time?
        aside:
        {q:name} came too late to an appointment, as {p:name} often does.
        """,
        group="appointment",
    ),
    kind(
        "stays",
        "p=person s=hotel t=town n=small_number",
        """
        {p} is staying at {s} in {t} for {n} nights.
        For {n} nights, {p} has a room at {s} in {t}.
        {p} booked a room at {s} in {t} for {n} nights.
        In {t}, {p} sleeps at {s}. {p:he} will leave after {n} nights.
        {p} wanted a room at {s~}, but is staying at {s} in {t} for {n} nights.
        {p} will be at {s} in {t} for {n} nights, not for {n~}.
        *{s} in {t} has {p:o} as a guest for {n} nights.
        *{p} has paid for {n} nights at {s} in {t}.
        ask s:
        Where is {p} staying?
        In which hotel does {p} have a room?
        Which hotel did {p} choose?
        *At which hotel is {p} a guest?
        ask t:
        In which town is {p} staying?
        In which town is {s}?
        Where is {s}?
        *In what town does {p} have a room?
        ask n:
        How many nights is {p} staying?
        For how many nights does {p} have a room?
        How many nights will {p} be in {t}?
        *For how many nights is {p} a guest?
        ask p:
        Who is staying at {s}?
        Who has a room at {s}?
        Who is staying in {t}?
        *Who is a guest at {s}?
        aside:
        {q:name} told {p:name} that every hotel and every room was full.
        """,
    ),
)
