"""Sentences of reports, notices and letters, rich in names and dates; nobody asks about them."""

from __future__ import annotations

from tools.mini.worlds.kinds import kind

NOTICES = (
    kind(
        "firm_news",
        "p=person q=person f=firm g=firm t=town d=date m=month y=year",
        """
        {f} opened a new office in {t} on {d}.
        In {m}, {f} will open a factory near {t}.
        {p:name} has led {f} since {y}.
        {f} was founded in {t} in {y} by {p:name}.
        {f} bought {g} in {m} and closed its office in {t}.
        {p:name} of {f} met {q:name} of {g} in {t}.
        In {t}, {f} and {g} signed a contract on {d}.
        Since {m}, {p:name} has been working for {g}, which has its seat in {t}.
        A spokesman of {f}, {p:name}, said that the plant in {t} would close in {y}.
        {g} lost money in {y}, while {f} earned more than ever.
        The shares of {f} fell on {d}, those of {g} rose.
        *A new office of {f} opened in {t} on {d}.
        *{p:name} founded {f} in {y}, in a garage in {t}.
        *On {d}, {g} was bought by {f}.
        """,
    ),
    kind(
        "meeting",
        "p=person q=person t=town u=street d=numeric_date w=weekday m=month f=firm",
        """
        {p:name} and {q:name} met in {t} on {w}.
        Date: {d}. Present: {p:name}, {q:name}.
        The meeting with {p:name} is on {w} in {u}.
        {q:name} of {u}, {t}, signed the letter on {d}.
        Dear {p:name}, please come to {t} on {w}.
        The next meeting will be in {m}, at the office of {f} in {u}.
        {p:name} could not come on {w}, so {q:name} spoke for {f}.
        Minutes of {d}: {q:name} asked for more time, {p:name} said no.
        *On {w}, {p:name} will meet {q:name} in {u}.
        *Signed in {t}, {d}, {p:name}.
        """,
    ),
    kind(
        "life",
        "p=person q=person t=town u=town d=date e=date y=year m=month",
        """
        {p:name} was born in {t} on {d}.
        {p:name} ({d}, {t}) was a friend of {q:name}.
        {p:name} died in {u} on {e}, aged eighty.
        In {y}, {p:name} left {t} for {u}.
        {p:name} and {q:name} were married in {t} in {m}.
        {q:name}, the daughter of {p:name}, grew up in {u}.
        {p:name} went to school in {t} and moved to {u} in {y}.
        From {y} on, {p:name} lived in {u} with {q:name}.
        *Born in {t} in {y}, {p:name} came to {u} as a child.
        *The wedding of {p:name} and {q:name} in {u} was on {e}.
        """,
    ),
    kind(
        "shops",
        "p=person q=person s=shop x=shop u=street t=town w=weekday d=date f=firm",
        """
        {s} in {u} is closed on {w}.
        {p:name} opened {s} in {u} and sold it to {q:name}.
        The owner of {s}, {p:name}, comes from {t}.
        You will find {s} in {u}, next to {x}.
        On {d}, {s} moved from {u} to another street in {t}.
        {q:name} buys everything at {s} and nothing at {x}.
        {f} wants to build a hotel in {u}, where {s} used to be.
        Since {d}, bread at {x} has been cheaper than at {s}.
        *In {u}, next to {x}, {p:name} has opened {s}.
        *{s} will be open again on {w}, says {p:name}.
        """,
    ),
    kind(
        "travel",
        "p=person q=person t=town u=town w=weekday d=date k=clock n=hotel v=street",
        """
        The train from {t} to {u} leaves at {k}.
        {p:name} took the night train from {t} to {u}.
        {p:name} and {q:name} stayed at {n} in {t}.
        On {w}, the road between {t} and {u} will be closed.
        {n} stands in {v}, the longest street of {t}.
        It is a long way from {t} to {u}.
        From {d} on, buses will not stop in {v} any more.
        {q:name} wrote a postcard from {u} on {d}.
        *Between {t} and {u}, {p:name} fell asleep.
        *Buses to {u} stop in {v} on {w} only.
        """,
    ),
    kind(
        "letters",
        "p=person q=person t=town d=numeric_date e=date w=weekday f=firm u=street",
        """
        {t}, {d}. Dear {p:name}, thank you for your letter.
        Please send the parcel to {p:name}, {u}, {t}.
        Yours, {q:name}. {t}, {e}.
        Your order of {d} was sent to {u}.
        This letter of {e} was written by {p:name} to {q:name}.
        From: {p:name}. To: {q:name}. Date: {d}.
        {p:name}, a clerk at {f}, answered on {w}.
        The bill of {f} is dated {d}.
        *To {p:name} in {t}: {q:name} of {f} has answered on {d}.
        *{f} sent {p:name} a bill on {e}.
        """,
    ),
    kind(
        "town_news",
        "p=person q=person t=town u=street w=weekday d=date y=year m=month f=firm",
        """
        {t} has a new mayor, {p:name}.
        People in {t} voted for {p:name} and against {q:name} on {d}.
        The bridge in {t} was built in {y}.
        A fire broke out in {u} on {w}.
        {t} celebrates its birthday in {m}.
        In {y}, half of {t} was under water.
        {p:name} saved {q:name} from the river in {t}.
        The police of {t} are looking for {p:name}.
        {f} will pay for a new school in {t}.
        It snowed in {t} on {d}, for the first time since {y}.
        *Since {y}, {t} has had no mayor better than {p:name}.
        *A school in {u} will be built by {f}, the mayor of {t} said on {w}.
        """,
    ),
    kind(
        "sports",
        "p=person q=person t=town u=town d=date y=year w=weekday",
        """
        {p:name} beat {q:name} in {t} on {d}.
        {t} won against {u} on {w}.
        {p:name} ran the race in {t} faster than {q:name}.
        {q:name} has played for {u} since {y}.
        The team from {t} lost its captain, {p:name}.
        {p:name} scored twice against {u}, and {q:name} once.
        *In {t}, {q:name} was beaten by {p:name}.
        *Since {y}, {t} has never lost against {u}.
        """,
    ),
    kind(
        "arts",
        "p=person q=person t=town y=year d=date m=month f=firm",
        """
        {p:name} wrote a book about {t}.
        A painting by {p:name} was sold in {t} in {y}.
        The new film by {q:name} opens in {m}.
        {p:name} and {q:name} will sing in {t} on {d}.
        In {y}, {p:name} painted a portrait of {q:name}.
        {f} prints the books of {p:name}.
        The first book of {q:name} came out in {m}.
        *A book by {p:name} about {q:name} came out in {y}.
        *{q:name} sang in {t} in {m}.
        """,
    ),
    kind(
        "plain",
        "o=thing j=job b=building a=animal v=vehicle g=goods n=number k=clock e=food i=instrument",
        """
        The weather was fine, and nobody thought of {o}.
        {b} was closed, so {j} went home.
        A young {j:n} stood in front of {b}.
        {a} slept in the sun.
        Somebody had left {o:a} on the stairs.
        At {k}, {v:the} had not come yet.
        There were {n} {g} on the table, but no {e}.
        {j} bought {n} {g} and went back to {b}.
        Nobody knew who played {i} every night.
        The old man sold {a} and bought {o:a}.
        *Nobody at {b} had seen {o}.
        *{j} waited for {v:the} until {k}.
        """,
    ),
)
