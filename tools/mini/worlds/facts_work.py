"""Facts about work and school: employers, trades, studies, bosses, firms founded and led."""

from __future__ import annotations

from tools.mini.worlds.kinds import kind

KINDS = (
    kind(
        "works",
        "p=person f=firm",
        """
        {p} works for {f}.
        {p} has a job at {f}.
        {f} employs {p:o}.
        {p} is employed by {f}.
        {p} has been with {f} for years.
        {p} turned down {f~} and works for {f}.
        {p} earns {p:his} money at {f}.
        Not {f~} but {f} gave {p:o} a job.
        {p} once worked for {f~}, but now {p:his} employer is {f}.
        {p} goes to {f} every day to work.
        *{p} is on the staff of {f}.
        *{f} pays {p:o} for {p:his} work.
        ask f:
        Where does {p} work?
        Which firm does {p} work for?
        Who employs {p}?
        What is the name of {p:s} employer?
        Which company gave {p} a job?
        Where does {p} earn {p:his} money?
        *At which firm is {p} employed?
        ask p:
        Who works for {f}?
        Who is employed by {f}?
        Whose employer is {f}?
        *Who has a job at {f}?
        aside:
        {q:name} asked {p:name} where {p:he} works.
        {q:name} is looking for a firm where {p:name} could work.
        """,
        group="employer",
    ),
    kind(
        "changed_job",
        "p=person f=firm g=firm y=year",
        """
        {p} left {f} in {y} and now works for {g}.
        In {y}, {p} went from {f} to {g}.
        Until {y}, {p} worked for {f}; then {g} gave {p:him} a job.
        {p} was employed by {f} first, but changed to {g} in {y}.
        {p} used to work for {f}, but has been with {g} since {y}.
        *{p} gave up the job at {f} in {y} to go to {g}.
        ask f:
        Where did {p} work first?
        Which firm did {p} leave?
        Who employed {p} before {y}?
        *Which firm did {p} work for before {g}?
        ask g:
        Where does {p} work now?
        Which firm did {p} change to?
        Who has employed {p} since {y}?
        *Which firm did {p} go to after {f}?
        ask y:
        When did {p} leave {f}?
        In which year did {p} change to {g}?
        *In what year did {p} go from {f} to {g}?
        ask p:
        Who left {f}?
        Who changed from {f} to {g}?
        *Who went to {g} after {f}?
        """,
        group="employer",
    ),
    kind(
        "job",
        "p=person j=job",
        """
        {p} is {j:a}.
        {p} works as {j:a}.
        {p} became {j:a} after school.
        {p} is {j:a} by trade.
        {p} is not {j~:a} but {j:a}.
        {p} wanted to be {j~:a}, but became {j:a}.
        {p:s} job is that of {j:a}.
        {p} was trained as {j:a}.
        {p} makes a living as {j:a}.
        *{p} has worked as {j:a} for years.
        *By trade, {p} is {j:a}.
        ask j:
        What is {p:s} job?
        What does {p} do for a living?
        What is {p} by trade?
        What does {p} work as?
        What did {p} become?
        *What kind of job does {p} have?
        ask p:
        Who is {j:a}?
        Who works as {j:a}?
        Which person is {j:a}?
        *Who is {j:a} by trade?
        aside:
        {q:name} does not know what {p:name} does for a living.
        """,
    ),
    kind(
        "studies",
        "p=person k=subject t=town",
        """
        {p} studies {k} in {t}.
        {p} went to {t} to study {k}.
        In {t}, {p} is a student of {k}.
        {p} takes courses in {k} at the university of {t}.
        {p} did not choose {k~} but studies {k} in {t}.
        {p} wanted to study {k} in {t~}, but in the end went to {t}.
        *At the university of {t}, {p} learns all about {k}.
        *{p} is a student in {t}, where {p:he} takes {k}.
        ask k:
        What does {p} study?
        Which subject does {p} study?
        What is {p} a student of?
        *Which subject did {p} choose?
        ask t:
        Where does {p} study?
        In which town does {p} study {k}?
        Where is {p} a student?
        *In what town is {p:s} university?
        ask p:
        Who studies {k}?
        Who studies in {t}?
        Who is a student of {k}?
        *Who chose {k} as a subject?
        aside:
        {q:name} thinks that {p:name} does not study enough.
        """,
    ),
    kind(
        "teaches",
        "p=person k=subject w=weekday",
        """
        {p} teaches {k} on {w}.
        On {w}, {p} gives lessons in {k}.
        {p} gives a course in {k} every {w}.
        Every {w}, {p} teaches children {k}.
        {p} does not teach {k~} but {k}, always on {w}.
        *{w} is the day on which {p} teaches {k}.
        *In {p:s} lessons on {w}, children learn {k}.
        ask k:
        What does {p} teach?
        Which subject does {p} teach?
        What are {p:s} lessons about?
        *What do children learn from {p}?
        ask w:
        When does {p} teach?
        On which day does {p} give lessons?
        On what day does {p} teach {k}?
        *On which day are {p:s} lessons in {k}?
        ask p:
        Who teaches {k}?
        Who gives lessons in {k}?
        Who teaches on {w}?
        *Who gives a course in {k}?
        aside:
        {q:name} once took lessons and liked to hear {p:name} teach.
        """,
    ),
    kind(
        "boss",
        "p=person q=person",
        """
        {p:s} boss is {q:name}.
        {p} works under {q:name}.
        {q:name} is the boss of {p:name}.
        {p} has to ask {q:name} for holidays, because {q:he} is {p:his} boss.
        Not {q~:name} but {q:name} is {p:s} boss.
        {p} takes orders from {q:name}.
        *{q:name} tells {p:o} what to do at work.
        *At work, {p:s} boss is {q:name}.
        ask q:
        Who is {p:s} boss?
        Under whom does {p} work?
        Who is the boss of {p}?
        *Who gives orders to {p}?
        ask p:
        Who works under {q}?
        Whose boss is {q}?
        *Who takes orders from {q}?
        aside:
        {p:name} and {q:name} never talk about the boss.
        """,
    ),
    kind(
        "founded",
        "p=person f=firm t=town y=year",
        """
        {p} founded {f} in {t} in {y}.
        {f} was founded in {t} by {p:o} in {y}.
        In {y}, {p} started the firm {f} in {t}.
        {p} is the founder of {f}, which began in {t} in {y}.
        {f} goes back to {p:name}, who started it in {t} in {y}.
        Not {p~:name} but {p:name} founded {f} in {t} in {y}.
        {p} wanted to start a firm in {t~}, but founded {f} in {t} in {y}.
        *It was {p:name} who started {f} in {t} in {y}.
        *The firm that {p} founded in {t} in {y} is called {f}.
        ask f:
        Which firm did {p} found?
        What is the name of {p:s} firm?
        What did {p} found in {t}?
        *Which company was founded by {p}?
        ask t:
        Where was {f} founded?
        In which town did {p} found {f}?
        Where did {p} start {f}?
        *In what town did {f} begin?
        ask y:
        When was {f} founded?
        In which year did {p} found {f}?
        When did {p} start {f}?
        *In what year did {f} begin?
        ask p:
        Who founded {f}?
        Who started a firm in {t}?
        Who is the founder of {f}?
        *By whom was {f} founded?
        aside:
        {q:name} and {p:name} talked about firms and who founded them.
        """,
        group="firm",
    ),
    kind(
        "leads",
        "p=person f=firm y=year",
        """
        {p} has led {f} since {y}.
        {p} became head of {f} in {y}.
        Since {y}, {p} has been the head of {f}.
        {f} has been led by {p:o} since {y}.
        {f} made {p:o} its director in {y}.
        In {y}, not {p~:name} but {p:name} became head of {f}.
        *{p} has run {f} since {y}.
        *In {y}, {p} took the lead at {f}.
        ask f:
        Which firm does {p} lead?
        Which company is {p} head of?
        What does {p} lead?
        *Which firm made {p} its director?
        ask y:
        Since when has {p} led {f}?
        When did {p} become head of {f}?
        In which year did {p} become director of {f}?
        *Since which year has {p} been head of {f}?
        ask p:
        Who leads {f}?
        Who is the head of {f}?
        Who became head of {f} in {y}?
        *Who has led {f} since {y}?
        aside:
        {q:name} would never be led by {p:name}.
        """,
        group="firm",
    ),
    kind(
        "opened_shop",
        "p=person s=shop u=street y=year",
        """
        {p} opened {s} in {u} in {y}.
        In {y}, {p} opened a shop in {u} and called it {s}.
        {s}, the shop of {p:name} in {u}, has been open since {y}.
        {p} owns {s} in {u}, which opened in {y}.
        {p} wanted to open {s} in {u~}, but in {y} found a place in {u}.
        *In {u}, {p} has run {s} since {y}.
        *{y} was the year in which {p} opened {s} in {u}.
        ask s:
        What is {p:s} shop called?
        Which shop did {p} open?
        What is the name of the shop in {u}?
        *Which shop belongs to {p}?
        ask u:
        Where is {s}?
        In which street is {p:s} shop?
        In which street did {p} open {s}?
        *In what street can {s} be found?
        ask y:
        When did {p} open {s}?
        Since when has {s} been open?
        In which year was {s} opened?
        *In what year did {p} open a shop?
        ask p:
        Who opened {s}?
        Who owns {s}?
        Who has a shop in {u}?
        *Whose shop is {s}?
        aside:
        {p:name} and {q:name} walked from shop to shop in every street.
        """,
    ),
    kind(
        "earns",
        "p=person m=price",
        """
        {p} earns {m} a day.
        {p} makes {m} a day.
        {p} gets {m} for a day of work.
        {p} is paid {m} a day.
        {p} asked for {m~} a day, but gets only {m}.
        At first {p} got {m~} a day; now {p:he} earns {m}.
        *For every day at work, {p} is given {m}.
        ask m:
        How much does {p} earn a day?
        How much is {p} paid?
        What does {p} get for a day of work?
        *How much money does {p} make a day?
        ask p:
        Who earns {m} a day?
        Who is paid {m}?
        *Who gets {m} for a day of work?
        aside:
        {q:name} thinks that {p:name} does not earn enough.
        """,
    ),
)
