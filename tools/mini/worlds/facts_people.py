"""Facts about who people are: home, birth, family, what they know and like."""

from __future__ import annotations

from tools.mini.worlds.kinds import kind

KINDS = (
    kind(
        "lives",
        "p=person t=town",
        """
        {p} lives in {t}.
        {p} has a small flat in {t}.
        {p:s} home is in {t}.
        {p} does not live in {t~} but in {t}.
        {p} shares a house in {t} with two friends.
        {t} is where {p} lives.
        {p} used to live in {t~}, but {p:his} home is now in {t}.
        {p} settled in {t} years ago and still lives there.
        Not {p~:name} but {p:name} lives in {t}.
        First {p} lived in {t~}; today {p:he} lives in {t}.
        *{p} is at home in {t}.
        *{p} left {t~} long ago and lives in {t} now.
        ask t:
        Where does {p} live?
        In which town does {p} live?
        Where is {p:s} home?
        Which town does {p} live in?
        What is the name of the town where {p} lives?
        Where does {p} live now?
        *In what town is {p:s} home?
        ask p:
        Who lives in {t}?
        Who has a home in {t}?
        Whose home is in {t}?
        *Who is at home in {t}?
        aside:
        {q:name} often asked where {p:name} lives.
        Nobody told {q:name} in which town {p:name} lives now.
        """,
        group="home",
    ),
    kind(
        "moved",
        "p=person t=town u=town y=year",
        """
        {p} moved from {t} to {u} in {y}.
        In {y}, {p} moved from {t} to {u}.
        {p} left {t} in {y} and went to live in {u}.
        {p} gave up a flat in {t} and moved to {u} in {y}.
        Until {y}, {p} lived in {t}; since then {p:his} home has been in {u}.
        {p} lived in {t} at first, but later moved to {u}. That was in {y}.
        *{y} was the year in which {p} moved away from {t} to {u}.
        *After many years in {t}, {p} moved to {u} in {y}.
        ask t:
        Where did {p} live first?
        Which town did {p} leave?
        Where did {p} move from?
        Where did {p} live before {y}?
        *Where was {p:s} home before {p:he} went to {u}?
        ask u:
        Where did {p} move to?
        Which town did {p} move to?
        Where has {p} lived since {y}?
        *Where did {p} go to live after {t}?
        ask y:
        When did {p} move to {u}?
        In which year did {p} leave {t}?
        When did {p} move?
        *In what year did {p} move from {t} to {u}?
        ask p:
        Who moved from {t} to {u}?
        Who left {t}?
        Who moved to {u}?
        *Who went to live in {u}?
        aside:
        {q:name} helped {p:name} when {p:he} moved.
        """,
        group="home",
    ),
    kind(
        "born",
        "p=person t=town d=birthday",
        """
        {p} was born in {t} on {d}.
        {p} was born on {d} in {t}.
        On {d}, {p} was born in {t}.
        {p} came into the world in {t} on {d}.
        {p:s} life began in {t} on {d}.
        {p} comes from {t} and was born on {d}.
        {p} was born in {t}, not in {t~}, on {d}.
        {p} was born on {d} and spent the first years in {t}, the town of {p:his} birth.
        *{t} is where {p} was born on {d}.
        *{p} first saw the light of day in {t} on {d}.
        ask t:
        Where was {p} born?
        In which town was {p} born?
        What is {p:s} place of birth?
        Where did {p:s} life begin?
        *In what town did {p} come into the world?
        ask d:
        When was {p} born?
        On what day was {p} born?
        What is {p:s} date of birth?
        When did {p} come into the world?
        *On which day did {p:s} life begin?
        ask p:
        Who was born in {t}?
        Who was born on {d}?
        Who comes from {t}?
        *Whose life began in {t}?
        aside:
        {q:name} forgot when {p:name} was born.
        {p:name} never told {q:name} where {p:he} was born.
        """,
        group="origin",
    ),
    kind(
        "age",
        "p=person n=age",
        """
        {p} is {n} years old.
        {p} turned {n} this year.
        {p} has just had {p:his} birthday and is now {n} years old.
        {p} looks younger than {n~}, but is {n} years old.
        {p} is not {n~} but {n} years old.
        Although some think that {p} is {n~}, {p:he} is {n}.
        *{p} has reached the age of {n}.
        *This year {p} became {n} years old.
        ask n:
        How old is {p}?
        What is {p:s} age?
        How many years old is {p}?
        *What age is {p}?
        ask p:
        Who is {n} years old?
        Who turned {n}?
        *Who has reached the age of {n}?
        aside:
        {q:name} would like to know how old {p:name} is.
        """,
        group="origin",
    ),
    kind(
        "speaks",
        "p=person l=language",
        """
        {p} speaks {l}.
        {p} learned {l} as a child.
        {p} is learning {l}.
        {p} does not speak {l~}, but knows {l} well.
        {p} reads books in {l}.
        {p} can talk to guests in {l}.
        {p} first tried {l~}, but then learned {l}.
        {l} is the language that {p} speaks with the neighbours.
        *{p} knows {l} better than any other foreign language.
        *{p} takes {l} lessons in the evening.
        ask l:
        Which language does {p} know?
        What language does {p} speak?
        Which foreign language can {p} use?
        *What is the foreign language that {p} knows?
        ask p:
        Who speaks {l}?
        Who knows {l}?
        Who can use {l}?
        *Which person speaks {l}?
        aside:
        {p:name} is good at languages, {q:name} is not.
        """,
    ),
    kind(
        "married",
        "p=person q=person m=month",
        """
        {p} married {q:name} in {m}.
        In {m}, {p} and {q:name} got married.
        {p} has been married to {q:name} since {m}.
        {q:name} became {p:s} partner for life in {m}.
        The wedding of {p:name} and {q:name} was in {m}.
        {p} did not marry {q~:name}; {p:he} married {q:name} in {m}.
        *{p} and {q:name} have been husband and wife since {m}.
        *{p} said yes to {q:name} at their wedding in {m}.
        ask q:
        Who did {p} marry?
        Who is {p} married to?
        Who married {p}?
        *Whom did {p} marry?
        ask m:
        When did {p} marry {q}?
        When was the wedding of {p} and {q}?
        Since when has {p} been married?
        *In which month did {p} get married?
        aside:
        {q:name} was a guest at a wedding with {p:name}.
        """,
    ),
    kind(
        "sibling",
        "p=person n=brother",
        """
        {p} has a brother called {n}.
        {p} has an older brother, {n}.
        {n} is the name of {p:s} brother.
        {p} grew up with {p:his} brother {n}.
        {p:s} brother is called {n}, not {n~}.
        {p} writes to {p:his} brother {n} every week.
        *The brother of {p:name} is called {n}.
        *{p} shares a room with {p:his} brother {n}.
        ask n:
        What is {p:s} brother called?
        Who is {p:s} brother?
        What is the name of {p:s} brother?
        *What is the brother of {p} called?
        ask p:
        Whose brother is {n}?
        Who has a brother called {n}?
        *Who has {n} as a brother?
        aside:
        {q:name} has never met the brother of {p:name}.
        """,
    ),
    kind(
        "children",
        "p=person n=small_number",
        """
        {p} has {n} children.
        {p} is the parent of {n} children.
        {p} lives with {n} children and a cat.
        There are {n} children in {p:s} family.
        {p} has {n} children, not {n~}.
        {p} once wanted {n~} children, but has {n}.
        *{p} takes {p:his} {n} children to school every morning.
        *With {n} children, {p} has a lot to do.
        ask n:
        How many children does {p} have?
        What is the number of {p:s} children?
        *How many children are there in {p:s} family?
        ask p:
        Who has {n} children?
        *Who is the parent of {n} children?
        aside:
        {q:name} asked {p:name} about school and the children.
        """,
    ),
    kind(
        "likes_food",
        "p=person e=food",
        """
        {p} likes {e} best.
        {p:s} favourite food is {e}.
        {p} could eat {e} every day.
        {p} does not like {e~}, but loves {e}.
        There is nothing that {p} would rather eat than {e}.
        {p} always asks for {e}.
        As a child, {p} loved {e~}; now {p:his} favourite food is {e}.
        *{p} would walk miles for {e}.
        *For {p:name}, no meal is better than {e}.
        ask e:
        What does {p} like to eat?
        What is {p:s} favourite food?
        Which food does {p} like best?
        What would {p} like to eat every day?
        *What food does {p} love?
        ask p:
        Who likes {e}?
        Whose favourite food is {e}?
        Who loves {e}?
        *Who likes to eat {e}?
        aside:
        {p:name} never eats with {q:name}.
        """,
    ),
    kind(
        "hobby",
        "p=person h=hobby",
        """
        {p} spends every weekend on {h}.
        {p:s} hobby is {h}.
        {p} loves {h}.
        In {p:his} free time, {p} goes in for {h}.
        {p} gave up {h~} and took up {h}.
        {p} is not interested in {h~}, but likes {h}.
        {p} has been fond of {h} since childhood.
        *Nothing makes the weekend of {p:name} better than {h}.
        *{h} is what {p} does after work.
        ask h:
        What is {p:s} hobby?
        What does {p} do in {p:his} free time?
        What does {p} like to do?
        What is {p} fond of?
        *What does {p} do at the weekend?
        ask p:
        Whose hobby is {h}?
        Who spends the weekend on {h}?
        Who is fond of {h}?
        *Who likes {h}?
        aside:
        {q:name} and {p:name} have little free time.
        """,
    ),
    kind(
        "plays",
        "p=person i=instrument",
        """
        {p} plays {i}.
        {p} practises {i} every evening.
        {p} has played {i} since childhood.
        {p} does not play {i~} but {i}.
        {p} takes lessons in playing {i}.
        {p} began with {i~}, but soon changed to {i}.
        In the band, {p} plays {i}.
        *{p} sits down with {i} every morning and plays.
        *{i} is the instrument that {p} learned.
        ask i:
        Which instrument does {p} play?
        What does {p} play?
        What instrument did {p} learn?
        *On which instrument does {p} practise?
        ask p:
        Who plays {i}?
        Who practises {i}?
        Who can play {i}?
        *Who learned to play {i}?
        aside:
        {p:name} and {q:name} like to hear music, but no instrument is loud enough for them.
        """,
        group="music",
    ),
    kind(
        "colour",
        "p=person c=colour",
        """
        {p} likes the colour {c} best.
        {p:s} favourite colour is {c}.
        {p} wears {c} almost every day.
        {p} painted {p:his} room {c}, as it is {p:his} favourite colour.
        {p} does not care for {c~}, but likes the colour {c}.
        {p} used to like {c~}, but {p:his} favourite colour is {c} now.
        *Of all colours, {p} likes {c} best.
        *{p} chose {c} for the walls, {p:his} favourite colour.
        ask c:
        What is {p:s} favourite colour?
        Which colour does {p} like best?
        What colour does {p} like?
        *Which of the colours does {p} like?
        ask p:
        Whose favourite colour is {c}?
        Who likes the colour {c}?
        *Which person likes {c} best?
        aside:
        {q:name} wants to know which colour {p:name} likes.
        """,
    ),
    kind(
        "ill",
        "p=person x=illness",
        """
        {p} is in bed with {x}.
        {p} has {x} and cannot come.
        {p} went to the doctor with {x}.
        Because of {x}, {p} stayed at home.
        {p} does not have {x~} but {x}.
        {p} thought that it was {x~}, but it is {x}.
        The doctor says that {p} has {x}.
        *{p} stays away because of {x}.
        *{p} got {x} last week.
        ask x:
        What is wrong with {p}?
        Why does {p} stay at home?
        What does {p} suffer from?
        What is the matter with {p}?
        *Why can't {p} come?
        ask p:
        Who has {x}?
        Who suffers from {x}?
        Who is ill with {x}?
        *Who stayed at home with {x}?
        aside:
        {q:name} sent a card to {p:name}, for nobody likes to be ill.
        """,
    ),
)
