"""Facts about things that change hands: bought, sold, lent, given, ordered."""

from __future__ import annotations

from tools.mini.worlds.kinds import kind

KINDS = (
    kind(
        "bought",
        "p=person o=thing s=shop m=price",
        """
        {p} bought {o:a} at {s} for {m}.
        {p} went to {s} and bought {o:a} for {m}.
        At {s}, {p} paid {m} for {o:a}.
        {p} saw {o:a} at {s} and took it home for {m}.
        {p~:name} did not buy {o} at {s}; {p:name} did, for {m}.
        {p} looked at {o~:a}, but then bought {o:a} at {s}.
        {p} did not buy {o~:a} at {s} but {o:a}.
        {s} sold {p:o} {o:a} for {m}.
        {p} went to {s} to look for {o~:a}. In the end {p:he} bought {o:a}.
        {p} bought {o:a} at {s}. It cost {m}.
        {p:s} {o:n} is from {s} and cost {m}.
        *{p} came home from {s} with {o:a} that cost {m}.
        *{o:a} for {m} was all that {p} bought at {s}.
        ask o:
        What did {p} buy?
        What did {p} get at {s}?
        What did {s} sell to {p}?
        What did {p} pay {m} for?
        What did {p} choose at {s}?
        *What did {p} take home from {s}?
        ask s:
        Where did {p} buy {o}?
        Which shop sold {o} to {p}?
        In which shop did {p} get {o}?
        Where is {p:s} {o:n} from?
        *Which shop did {p} get {o} from?
        ask m:
        How much did {p} pay for {o}?
        What did {o} cost?
        How much was {o}?
        *What was the price of {o}?
        ask p:
        Who bought {o}?
        Who paid for {o}?
        Who went to {s} and bought {o}?
        *Who got {o} at {s}?
        aside:
        {q:name} went to buy something too, but the shop had sold everything.
        {q:name} told {p:name} what things cost and where to buy them.
        """,
        group="trade",
    ),
    kind(
        "sold",
        "p=person q=person o=thing m=price",
        """
        {p} sold {q:name} {o:a} for {m}.
        {p} sold {o:a} to {q:name} for {m}.
        For {m}, {q:name} got {o:a} from {p:o}.
        {q:name} paid {p:o} {m} for {o:a}.
        {q:name} wanted {p:s} {o:n} and paid {m} for it.
        {p} did not sell {o} to {q~:name}; {q:name} got it for {m}.
        {p} asked {q:name} for {m~}, but sold {o} for {m}.
        *{o:a} went from {p:name} to {q:name} for {m}.
        *{q:name} gave {p:o} {m} and took {o} home.
        ask o:
        What did {p} sell to {q}?
        What did {p} sell?
        What did {q} pay {m} for?
        *What did {q} buy from {p}?
        ask q:
        Who bought {o} from {p}?
        To whom did {p} sell {o}?
        Who did {p} sell {o} to?
        *Who paid {p} for {o}?
        ask m:
        How much did {q} pay for {o}?
        For how much did {p} sell {o}?
        What did {q} pay {p}?
        *What was the price of {o}?
        ask p:
        Who sold {o} to {q}?
        From whom did {q} buy {o}?
        Who sold {o}?
        *Whom did {q} pay for {o}?
        aside:
        {q:name} does not like to sell anything to {p:name}.
        """,
        group="trade",
    ),
    kind(
        "lent",
        "p=person q=person o=thing w=weekday",
        """
        {p} lent {q:name} {o:a} on {w}.
        On {w}, {p} lent {o:a} to {q:name}.
        {q:name} borrowed {o:a} from {p:o} on {w}.
        {p} did not lend {o} to {q~:name}; {q:name} got it on {w}.
        {p} let {q:name} use {p:his} {o:n} on {w}.
        On {w}, {q:name} asked {p:o} for {o:a} and could borrow it.
        {p} first lent {o} to {q~:name}. On {w}, {q:name} borrowed it.
        *{q:name} came on {w} to borrow {o:a} from {p:o}.
        *{q:name} has had {o:a} that belongs to {p:name} since {w}.
        ask o:
        What did {p} lend to {q}?
        What did {q} borrow from {p}?
        What did {q} borrow?
        *What did {q} borrow from {p} on {w}?
        ask q:
        Who borrowed {o} from {p}?
        To whom did {p} lend {o}?
        Who did {p} lend {o} to on {w}?
        *Who could use {p:s} {o:n} on {w}?
        ask p:
        Who lent {q} {o}?
        From whom did {q} borrow {o}?
        Who did {q} borrow {o} from?
        *Who let {q} use {o}?
        ask w:
        When did {p} lend {o} to {q}?
        On which day did {q} borrow {o}?
        When did {q} borrow {o} from {p}?
        *On what day did {p} lend {o}?
        aside:
        {q:name} asked {p:name} who could lend or borrow such things.
        """,
        group="trade",
    ),
    kind(
        "gave",
        "p=person q=person o=thing d=date",
        """
        {p} gave {q:name} {o:a} on {d}.
        On {d}, {p} gave {o:a} to {q:name}.
        {q:name} was given {o:a} by {p:o} on {d}.
        {q:name} got {o:a} from {p:o} as a present on {d}.
        {p} did not give {o} to {q~:name}; {q:name} got it on {d}.
        {p} wanted to give {q:name} {o~:a}, but on {d} gave {q:him} {o:a}.
        {p} handed {q:name} a present on {d}. It was {o:a}.
        *On {d}, {q:name} unpacked a present from {p:name}: {o:a}.
        *{p} had {o:a} for {q:name}, who was given it on {d}.
        ask o:
        What did {p} give {q}?
        What did {p} give to {q}?
        What did {q} get from {p}?
        What did {q} get as a present?
        *What was {p:s} present for {q}?
        ask q:
        Who did {p} give {o} to?
        Who got {o} from {p}?
        To whom did {p} give {o}?
        *Who was given {o}?
        ask p:
        Who gave {q} {o}?
        Who gave {o} to {q}?
        From whom did {q} get {o}?
        *Whose present for {q} was {o}?
        ask d:
        When did {p} give {q} {o}?
        When did {q} get {o}?
        On which day was {q} given {o}?
        *On what day did {p} give {o} to {q}?
        aside:
        {q:name} asked {p:name} what one could give as a present.
        """,
        group="trade",
    ),
    kind(
        "ordered",
        "p=person g=goods f=firm n=number",
        """
        {p} ordered {n} {g} from {f}.
        From {f}, {p} ordered {n} {g}.
        {f} sent {p:o} {n} {g}.
        {p} is waiting for {n} {g} from {f}.
        {p} wanted {n~} {g} from {f}, but ordered {n}.
        {p} did not order {g~} from {f} but {n} {g}.
        {p} filled in a form and ordered {n} {g}. {f} will bring them.
        *A van of {f} brought {p:o} {n} {g}.
        *{n} {g} were on their way from {f} to {p:name}.
        ask n:
        How many {g} did {p} order?
        How many {g} did {f} send to {p}?
        What number of {g} did {p} order?
        *How many {g} were meant for {p}?
        ask g:
        What did {p} order?
        What did {f} send to {p}?
        What is {p} waiting for?
        *What does {p} get from {f}?
        ask f:
        Which firm did {p} order {g} from?
        Who sent {g} to {p}?
        Where did {p} order {g}?
        *Which company brings {g} to {p}?
        ask p:
        Who ordered {g}?
        Who ordered {n} {g}?
        Who is waiting for {g}?
        *To whom did {f} send {g}?
        aside:
        {q:name} has no idea how many things {p:name} ordered.
        """,
    ),
    kind(
        "harvest",
        "p=person g=goods n=number w=weekday",
        """
        {p} sold {n} {g} at the market on {w}.
        On {w}, {p} brought {n} {g} to the market.
        {p} packed {n} {g} into the car on {w}.
        {p} counted the {g} on {w}: there were {n}.
        {p} had expected {n~} {g}, but on {w} there were {n}.
        On {w}, {p} had {n} {g} to sell, and no {g~}.
        *At the market, {p} had {n} {g} on the table on {w}.
        *{w} came, and {p} took {n} {g} to the market.
        ask n:
        How many {g} did {p} have?
        How many {g} did {p} have on {w}?
        What was the number of {p:s} {g}?
        *How many {g} did {p} take to the market?
        ask g:
        What did {p} have on {w}?
        What did {p} bring to the market?
        *What did {p} take to the market on {w}?
        ask w:
        When did {p} have {n} {g}?
        On which day did {p} have the {g}?
        *On what day did {p} bring the {g}?
        ask p:
        Who had {n} {g}?
        Who had {g} on {w}?
        *Who brought {g} to the market?
        aside:
        {q:name} went to the market with {p:name} and bought nothing.
        """,
    ),
    kind(
        "cooked",
        "p=person q=person e=food w=weekday",
        """
        {p} cooked {e} for {q:name} on {w}.
        On {w}, {p} made {e} for {q:name}.
        {q:name} came to dinner on {w}, and {p} served {q:him} {e}.
        {p} had promised {q:name} {e~}, but on {w} cooked {e}.
        On {w}, {q:name} ate {e} at {p:s} table.
        {p} did not make {e} for {q~:name} but for {q:name}, and that on {w}.
        *{p} invited {q:name} on {w} and put {e} on the table.
        *{p} served {e} when {q:name} was {p:his} guest on {w}.
        ask e:
        What did {p} cook for {q}?
        What did {p} make on {w}?
        What did {q} eat on {w}?
        What did {q} eat at {p:s} table?
        *What was there for dinner when {q} was {p:s} guest?
        ask q:
        For whom did {p} cook {e}?
        Who did {p} make {e} for?
        Who came to dinner with {p}?
        *Who was {p:s} guest on {w}?
        ask p:
        Who cooked {e} for {q}?
        Who made {e}?
        Who made dinner for {q}?
        *At whose table did {q} eat {e}?
        ask w:
        When did {p} cook for {q}?
        On which day did {p} make {e}?
        On what day did {q} eat {e}?
        *On which day was {q} the guest of {p}?
        aside:
        {q:name} does not eat much of what {p:name} cooks.
        """,
    ),
)
