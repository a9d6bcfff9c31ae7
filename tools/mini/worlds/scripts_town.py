"""Courses of events at work, in town, at school, on journeys."""

from __future__ import annotations

from tools.mini.worlds.scripts import script

SCRIPTS = (
    script(
        "new_job",
        "p=person f=firm t=town",
        """
        {p} read that {f} in {t} was looking for people.
        | {f} in {t} wanted more people, as {p} saw in the newspaper.
        So {p} wrote a letter to the firm.
        | {p} sent the firm a letter and asked for work.
        A week later the firm invited {p:o} to a talk.
        | The answer came soon: {p} was to come for a talk.
        The talk went well, and {p} got the job.
        | After the talk {p} signed a contract.
        On the first day {p} was shown the new desk.
        | Now {p} has worked there for a month.
        """,
    ),
    script(
        "missed_train",
        "p=person t=town q=person",
        """
        {p} wanted to take the train to {t} to see {q:name}.
        | {q:name} was waiting in {t}, and {p} had a ticket for the train.
        But {p} woke up too late.
        | The alarm clock did not ring, and {p} slept too long.
        {p} ran to the station as fast as possible.
        | So {p} had to run all the way to the station.
        The train had just left.
        | There {p} saw only the last lights of the train.
        {p} had to wait two hours for the next one.
        | With the next train {p} arrived two hours late.
        """,
    ),
    script(
        "wallet",
        "p=person u=street q=person m=price",
        """
        In {u}, {p} found a wallet with {m} in it.
        | {p} saw a wallet lying in {u}; there were {m} in it.
        Inside was a card with the name of {q:name}.
        | On a card in it {p} read the name {q:name}.
        So {p} looked for the number and called.
        | {p} found the number of {q:name} in a book and rang up.
        An hour later {q:name} came to fetch it.
        | {q:name} came at once and got everything back.
        As a reward {p} got a part of the money.
        | {q:name} was so glad that {p} was given a reward.
        """,
    ),
    script(
        "exam",
        "p=person k=subject t=town",
        """
        {p} had to take an exam in {k} in {t}.
        | In {t}, an exam in {k} was waiting for {p:name}.
        {p} sat over the books for weeks.
        | For weeks {p} learned day and night.
        On the day of the exam {p} was very nervous.
        | Then the day came, and {p:his} hands were cold.
        But all the questions were easy.
        | The questions were just those that {p} had learned.
        {p} passed with the best mark.
        | A week later {p} heard that the mark was the best of all.
        """,
    ),
    script(
        "theft",
        "p=person s=shop o=thing w=weekday",
        """
        On {w}, somebody broke a window of {s}, the shop of {p:name}.
        | On {w}, {p} found the window of {s} broken.
        {o} had been stolen.
        | {p} saw at once that {o} was gone.
        {p} called the police.
        | So {p} told the police about the theft.
        The police found the thief two streets away.
        | Two hours later the thief was caught.
        The thief had to give everything back.
        | {p} got back what had been stolen.
        """,
    ),
    script(
        "lottery",
        "p=person s=shop m=price",
        """
        {p} bought a lottery ticket at {s}.
        | At {s}, {p} could not resist and bought a lottery ticket.
        In the evening {p} compared the numbers.
        | That night the numbers were read out on the radio.
        All six were right.
        | {p} could not believe it: every number was right.
        The next morning {p} went to fetch the prize of {m}.
        | So {p} had won {m}.
        With the money {p} paid all {p:his} debts.
        | The money was spent within a year.
        """,
    ),
    script(
        "letter",
        "p=person q=person t=town",
        """
        {p} sat down to write to {q:name} in {t}.
        | {p} had not heard from {q:name} in {t} for a long time and wrote a letter.
        {p} folded the letter and put it into an envelope.
        | When the letter was written, it went into an envelope.
        Then {p} stuck a stamp on it.
        | A stamp and the address were still missing, and {p} added them.
        {p} dropped it into the mailbox at the corner.
        | On the way to work {p} posted it.
        Three days later {q:name} opened it.
        | After three days the postman brought it to {q:name}.
        """,
    ),
    script(
        "dentist",
        "p=person q=person w=weekday",
        """
        On {w}, {p} woke up with a toothache.
        | {p} had a toothache on {w}.
        {p} called the dentist, {q:name}, for an appointment.
        | So {p} asked {q:name}, the dentist, for help.
        In the waiting room {p} sat for an hour.
        | {p} had to wait there until it was {p:his} turn.
        {q:name} pulled out the bad tooth.
        | Then {q:name} saw the hole and took out the tooth.
        After that the pain was gone.
        | Without the tooth, {p} felt no more pain.
        """,
    ),
    script(
        "concert",
        "p=person i=instrument b=building t=town",
        """
        {p} was asked to play {i} at {b} in {t}.
        | {b} in {t} wanted {p:name} to play {i}.
        {p} practised every evening for a month.
        | For a month the neighbours heard {p:o} practise.
        On the evening of the concert every seat was taken.
        | Then the evening came, and the house was full.
        {p} played without one mistake.
        | When {p} began to play, nobody moved.
        At the end the people stood up and clapped.
        | After the last note, people threw flowers.
        """,
    ),
    script(
        "ferry",
        "p=person t=town u=town",
        """
        {p} took the ferry from {t} to {u}.
        | The ferry from {t} to {u} left with {p:name} on board.
        Out at sea a storm came up.
        | After an hour the wind became a storm.
        The waves grew high, and {p} became seasick.
        | The ship went up and down, and {p} felt ill.
        The captain turned round.
        | It was too dangerous, and the captain went back to the harbour.
        Back on land {p} decided to take the train.
        | In the harbour {p} was glad to stand on firm ground.
        """,
    ),
    script(
        "shop_opening",
        "p=person s=shop u=street",
        """
        {p} saved money for years to open a shop in {u}.
        | {p} had always dreamed of a shop in {u}.
        At last {p} could rent an empty one.
        | Then a place became free, and {p} signed the contract.
        {p} cleaned it and filled the shelves.
        | Shelves were put up and filled with goods.
        Over the door {p} hung a sign with the name {s}.
        | A painter wrote the name {s} over the door.
        On the first morning twenty people stood in line.
        | When {s} opened, the whole street came to buy.
        """,
    ),
    script(
        "hospital",
        "p=person t=town q=person",
        """
        {p} fell off a ladder in {t}.
        | In {t}, {p} climbed a ladder and fell.
        {p:s} leg was broken.
        | After the fall {p} could not stand on one leg.
        {q:name} called an ambulance.
        | So {q:name} ran to the telephone and called for a doctor.
        At the hospital the leg was put in plaster.
        | A doctor put the broken leg in plaster.
        Six weeks later {p} could walk again.
        | When the plaster came off, {p} had to learn to walk.
        """,
    ),
    script(
        "mountain",
        "p=person q=person t=town",
        """
        {p} and {q:name} set out from {t} at dawn to climb a mountain.
        | Early in the morning {p} left {t} with {q:name} for the mountain.
        At noon they rested by a stream and ate their bread.
        | Halfway up they sat down and ate.
        In the afternoon they stood on the top.
        | Then came the last steep part, and they reached the top.
        From there they could see as far as the sea.
        | Up there they took a picture of the view.
        Before it got dark they went down again.
        | In the evening they came back to the valley with tired feet.
        """,
    ),
    script(
        "interview",
        "p=person q=person f=firm",
        """
        {p}, who writes for a newspaper, asked {q:name} of {f} for an interview.
        | {p} wanted to write about {q:name}, the head of {f}.
        {q:name} said yes and named a day.
        | They agreed to meet in a cafe.
        {p} asked many questions and took notes.
        | There {q:name} answered all the questions.
        At home {p} turned the notes into an article.
        | The same night {p} wrote the article.
        The next morning it was printed on the first page.
        | Two days later everybody could read it in the newspaper.
        """,
    ),
    script(
        "auction",
        "p=person q=person o=thing b=building",
        """
        {o:a} was to be sold to whoever paid most, and {p} came to {b} to get it.
        | {p} went to {b}, where {o:a} was sold by auction.
        The first price was named, and {p} raised a hand.
        | {p} made the first offer.
        Then {q:name} offered twice as much.
        | But {q:name} wanted it too and offered more.
        They went higher and higher until {q:name} gave up.
        | In the end {q:name} had no more money to offer.
        So the hammer fell, and it belonged to {p:name}.
        | {p} had won, paid and carried it home.
        """,
    ),
    script(
        "team",
        "p=person t=town u=town",
        """
        {p} played for {t} in the match against {u}.
        | {t} had to play against {u}, with {p:name} in the team.
        After ten minutes {u} scored the first goal.
        | The first goal was for {u}.
        At half time {t} was still behind.
        | In the break the coach told the team to attack.
        Then {p} scored twice in five minutes.
        | In the second half {p} got the ball and scored two goals.
        When the match was over, {t} had won.
        | At the end the people of {t} carried {p:o} on their shoulders.
        """,
    ),
    script(
        "visa",
        "p=person l=language t=town",
        """
        {p} planned to live in {t} and did not know a word of {l}.
        | In {t} people speak {l}, and {p} wanted to move there.
        So {p} took lessons every week.
        | A teacher gave {p:o} lessons every week.
        After a year {p} could read simple books.
        | Slowly {p} learned enough to read a newspaper.
        Then {p} packed and took a plane.
        | When {p:he} spoke well enough, {p} bought a ticket.
        On the first day there {p} asked the way and understood the answer.
        | After the arrival {p} talked to all the new neighbours.
        """,
    ),
    script(
        "flat_car",
        "p=person t=town q=person v=town",
        """
        {p} was driving from {t} to {v}.
        | On the way from {t} to {v}, {p} sat in the car.
        Halfway there the car stopped and would not start again.
        | In the middle of nowhere the motor died.
        {p} opened the hood and saw smoke.
        | When {p} got out to look, the motor was smoking.
        So {p} called {q:name}, a mechanic.
        | A mechanic, {q:name}, was called and came with tools.
        {q:name} changed a part, and the car ran again.
        | After the repair {p} could drive on.
        """,
    ),
    script(
        "invention",
        "p=person f=firm t=town",
        """
        {p} had an idea for a new machine in a garage in {t}.
        | In a garage in {t}, {p} dreamed of a new machine.
        First {p} made a drawing of it.
        | The idea was put down in a drawing.
        Then {p} built a small model.
        | From the drawing {p} made a model of wood.
        {p} showed the model to {f}.
        | People from {f} came to look at the model.
        The firm bought the idea and built a thousand machines.
        | Now {f} sells the machine all over the world.
        """,
        reserved=True,
    ),
    script(
        "library_book",
        "p=person b=building t=town",
        """
        {p} borrowed a thick book from the library in {t}.
        | At the library in {t}, {p} took home a thick book.
        {p} read it every night.
        | At home {p} read ten pages a day.
        After a month it was still not finished.
        | But it was so long that a month was not enough.
        Then the library sent a letter: it was too late.
        | A letter came, and the library wanted it back.
        So {p} brought it back and paid a small fine.
        | {p} took it back and had to pay.
        """,
        reserved=True,
    ),
    script(
        "police_dog",
        "p=person q=person t=town",
        """
        A child was lost in the woods near {t}, and {p:name} of the police was called.
        | {p} of the police of {t} heard that a child was lost in the woods.
        {p} came with a dog.
        | So a dog was brought, and {p} led it.
        The dog smelled at a shoe of the child.
        | It was given a shoe to smell.
        Then it ran ahead between the trees.
        | After that it followed the trail into the woods.
        At last it found the child under a tree.
        | There the child sat under a tree and cried.
        """,
        reserved=True,
    ),
    script(
        "wedding",
        "p=person q=person t=town m=month",
        """
        {p} asked {q:name} to marry {p:him}.
        | In {t}, {p} fell on one knee before {q:name} and asked the question.
        {q:name} said yes.
        | The answer was yes.
        They chose a day in {m} and invited eighty guests.
        | The wedding was to be in {m}, and letters were sent to all friends.
        On that day they gave each other the rings.
        | Then the day came, and they put on the rings.
        After the wedding the guests danced until morning.
        | At the party that followed, everybody danced.
        """,
        reserved=True,
    ),
)
