"""Courses of events at home, in the street and on the way."""

from __future__ import annotations

from tools.mini.worlds.scripts import script

SCRIPTS = (
    script(
        "broken_gift",
        "p=person q=person o=thing s=shop",
        """
        {p} bought {o:a} at {s} for {q:name}.
        | At {s}, {p} chose {o:a} as a present for {q:name}.
        On the way home {p} stumbled and let it fall.
        | On the stairs {p} stumbled, and it slipped out of {p:his} hands.
        It broke into three pieces.
        | It lay on the stones, broken.
        So {p} went back to the shop and paid for another.
        | The next day {p} had to buy a second one.
        This time {p} brought the present home safely.
        | At last the present arrived in one piece.
        """,
    ),
    script(
        "rain",
        "p=person t=town",
        """
        {p} went for a walk near {t} without a coat.
        | One morning {p} set out on foot from {t}.
        After an hour it began to rain.
        | Then dark clouds came and it started to rain.
        Soon {p} was wet to the skin.
        | The rain soaked {p:s} clothes.
        The next day {p} lay in bed with a cold.
        | After this, {p} had a bad cold.
        A week of hot tea made {p:o} well again.
        | Only when the cold was gone could {p} go out again.
        """,
    ),
    script(
        "hungry",
        "p=person t=town s=shop",
        """
        {p} came to {t} and had not eaten since the morning.
        | {p} was very hungry after the long way to {t}.
        So {p} looked for a place to eat and found {s}.
        | {p} saw that {s} had warm meals and went in.
        There {p} ordered a plate of soup with bread.
        | The waiter brought {p:o} soup and bread.
        {p} ate everything and asked for more.
        | The soup was so good that {p} took a second plate.
        When nothing was left, {p} paid the bill.
        | Then {p} paid for the meal and left.
        """,
    ),
    script(
        "lost_key",
        "p=person u=street q=person",
        """
        {p} came home to {u} late at night.
        | Late in the evening {p} stood before the house in {u}.
        But the key to the door was gone.
        | {p} looked for the key and could not find it.
        So {p} called {q:name}, who had a second key.
        | {p} rang up {q:name} and asked for the other key.
        Half an hour later {q:name} brought it.
        | {q:name} came by car with the other key.
        At last {p} could open the door and go to bed.
        | Then the door was open, and {p} went to sleep.
        """,
    ),
    script(
        "cake",
        "p=person q=person w=weekday",
        """
        {p} wanted to bake a cake for {q:name} on {w}.
        | On {w} it was the birthday of {q:name}, and {p} planned a cake.
        First {p} mixed flour, eggs and sugar.
        | {p} took flour and eggs and stirred them in a bowl.
        Then {p} put the dough into the oven.
        | After that the cake went into the hot oven.
        An hour later it was brown and smelled good.
        | When it was done, {p} took it out of the oven.
        {q:name} cut it and ate three slices.
        | In the evening {q:name} ate the first slice.
        """,
    ),
    script(
        "garden",
        "p=person t=town g=goods",
        """
        In spring {p} dug a small garden near {t}.
        | {p} dug up the ground behind the house in {t}.
        Then {p} put the seeds into the earth.
        | After the digging {p} planted the seeds.
        {p} watered them every evening.
        | Every day {p} gave the seeds some water.
        Soon green leaves came out of the ground.
        | After some weeks the first leaves could be seen.
        In autumn the harvest filled three baskets.
        | At last {p} could bring in the harvest.
        """,
    ),
    script(
        "fire",
        "p=person u=street",
        """
        {p} left a candle burning in a room in {u}.
        | In a house in {u}, {p} forgot a burning candle.
        The curtains caught fire.
        | Soon the curtains were in flames.
        A neighbour saw the smoke and called the firemen.
        | Smoke came out of the window, and somebody called for help.
        The firemen put the fire out with water.
        | Ten minutes later the firemen came and put out the flames.
        Since that day {p} has not lit a candle.
        | Afterwards {p} threw away all the candles.
        """,
    ),
    script(
        "bicycle",
        "p=person t=town s=shop",
        """
        {p} rode a bicycle to {t}.
        | On the road to {t}, {p} was riding a bicycle.
        Halfway there a nail went into the tyre.
        | Then {p} rode over a nail.
        The tyre was flat, and {p} had to get off.
        | All the air went out of the tyre.
        {p} pushed the bicycle to {s}.
        | So {p} walked with the flat tyre to {s}.
        There the tyre was mended, and {p} could ride on.
        | A man there mended the hole, and {p} rode away.
        """,
    ),
    script(
        "cat_tree",
        "p=person u=street q=person",
        """
        The cat of {p:name} climbed a tall tree in {u}.
        | {p} saw that {p:his} cat had climbed a tree in {u}.
        It did not dare to come down and cried.
        | Up there it was afraid and cried for an hour.
        {p} asked {q:name} for a ladder.
        | So {p} ran to {q:name}, who had a long ladder.
        {p} climbed up and took the cat in one arm.
        | With the ladder {p} reached the cat.
        Back on the ground, the cat ran into the house.
        | When they were down again, the cat got some milk.
        """,
    ),
    script(
        "bath",
        "p=person n=hotel t=town",
        """
        At {n} in {t}, {p} let water into the bathtub.
        | {p} turned on the water for a bath at {n} in {t}.
        Then the telephone rang in the next room.
        | But a friend called {p:o} on the telephone.
        They talked so long that {p} forgot the bath.
        | {p} talked for an hour and did not think of the water.
        The water ran over and under the door.
        | In the meantime the water ran over the edge.
        The guests below saw water drop from their ceiling.
        | Soon it was dripping on the guests in the room below.
        """,
    ),
    script(
        "moving",
        "p=person t=town u=town",
        """
        {p} found a new flat in {u}.
        | A flat in {u} was what {p} had always wanted.
        {p} packed everything into boxes.
        | So {p:his} things were put into forty boxes.
        Friends carried the boxes down to a truck.
        | The boxes were loaded into a big truck.
        {p} drove the truck to the new flat.
        | The truck brought everything to the new home.
        There {p} unpacked until late at night.
        | The last box was unpacked a week later.
        """,
    ),
    script(
        "snow",
        "p=person t=town q=person",
        """
        In the night a lot of snow fell on {t}, where {p} lives.
        | When {p} woke up in {t}, everything was white with snow.
        {p} could not open the front door because of it.
        | So much snow lay in front of the door that it stayed shut.
        So {p} climbed out of the window with a shovel.
        | {p} took a shovel and got out through the window.
        {p} dug a path to the street.
        | After an hour of digging there was a path.
        Then {q:name} came along it with fresh bread.
        | On this path {q:name} could bring {p:o} bread and milk.
        """,
    ),
    script(
        "painting_walls",
        "p=person c=colour u=street",
        """
        {p} did not like the grey walls of the flat in {u}.
        | The walls of {p:s} flat in {u} were old and grey.
        So {p} bought a bucket of {c} paint.
        | {p} went out and came back with {c} paint.
        {p} covered the floor with newspapers.
        | Before the painting, {p} laid paper on the floor.
        Then {p} painted wall after wall.
        | With a big brush, {p} painted the whole room.
        When the paint was dry, {p} hung up pictures.
        | The next day the walls were dry and looked like new.
        """,
    ),
    script(
        "burnt_dinner",
        "p=person q=person e=food",
        """
        {p} had invited {q:name} and was cooking {e}.
        | {p} was making {e}, for {q:name} was coming to dinner.
        While it was on the stove, {p} fell asleep.
        | Then {p} sat down and fell asleep by the stove.
        The smell of smoke woke {p:o} up.
        | When {p} woke up, the kitchen was full of smoke.
        Everything in the pot was black.
        | The dinner was burnt and could not be eaten.
        In the end they went to a restaurant together.
        | So {q:name} and {p:name} had dinner in a restaurant instead.
        """,
    ),
    script(
        "sick_animal",
        "p=person a=animal t=town",
        """
        {p:s} {a:n} would not eat any more.
        | One day {p} saw that {a} was ill.
        {p} took it to the vet in {t}.
        | So {p} brought it to a vet in {t}.
        The vet looked into its mouth and gave it medicine.
        | There it got some bitter medicine.
        After two days it was well again.
        | The medicine helped, and it began to eat.
        """,
        reserved=True,
    ),
    script(
        "power_cut",
        "p=person t=town w=weekday",
        """
        On {w}, {p} was reading at home in {t}.
        | {p} sat at home in {t} on {w} with a book.
        Suddenly all the lights went out.
        | Then it became dark in the whole house.
        {p} felt {p:his} way to the kitchen and lit a candle.
        | So {p} looked for a candle and lit it.
        With the candle {p} read on.
        | By its light {p} read for an hour.
        When the lights came back, the book was finished.
        | Then the lights went on again, and {p} blew out the candle.
        """,
        reserved=True,
    ),
)
