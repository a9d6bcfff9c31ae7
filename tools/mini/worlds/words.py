"""Common nouns and other words that both splits share: only names are held out."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(" ".join(phrase.split()) for phrase in text.split(",") if phrase.strip())


THINGS = _words(
    """
    lamp vase chair table clock mirror carpet basket bottle bowl box brush bucket camera candle coat cup desk drum
    fan flute guitar hammer hat helmet jacket jar jug kettle key knife ladder map mug necklace notebook painting pan
    pen pillow pipe plate pot purse radio ring rope rug saddle scarf shirt shovel sofa spoon stool suitcase sword
    teapot tent torch towel tray trumpet umbrella violin wallet watch whistle blanket bicycle book coin compass
    tablet telescope typewriter armchair bench bracelet cushion dress envelope globe harp ladle lantern letter
    magazine parcel puppet puzzle racket rocket sculpture sled stamp statue sweater trophy wagon wheel wreath anchor
    apron axe accordion
    """
)
THING_ADJECTIVES = _words(
    """
    red blue green yellow white black brown grey old new small large heavy broken golden silver wooden glass leather
    antique cheap painted round tall woollen purple orange tiny rusty plain
    """
)
JOBS = _words(
    """
    baker teacher nurse doctor farmer gardener carpenter plumber painter pilot sailor librarian waiter cook tailor
    butcher lawyer judge engineer architect dentist journalist photographer programmer accountant electrician
    mechanic florist jeweller blacksmith potter postman fisherman shepherd miner welder surgeon pharmacist chemist
    biologist astronomer historian translator musician singer dancer actor writer poet editor banker cashier clerk
    porter guard detective firefighter soldier officer diver beekeeper winemaker brewer optician vet barber cobbler
    weaver
    """
)
ANIMALS = _words(
    """
    dog cat horse goat parrot rabbit pony donkey sheep cow hen goose duck turtle hamster kitten puppy canary lamb
    pig
    """
)
ANIMAL_ADJECTIVES = _words("brown black white grey young old small big spotted lame shy friendly")
ROOMS = _words(
    """
    kitchen garden cellar attic garage bathroom bedroom hallway office shed study pantry laundry barn
    workshop garret library
    """
)
BUILDINGS = _words(
    """
    library museum station theatre hospital school church market bakery harbour cinema castle bank hotel airport
    stadium zoo gallery pharmacy courthouse chapel lighthouse factory mill prison park
    """
)
VEHICLES = _words("train bus car ferry bicycle plane tram boat taxi ship truck motorcycle")
MONTHS = _words("January February March April May June July August September October November December")
WEEKDAYS = _words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday")
NUMBERS = _words("zero one two three four five six seven eight nine ten eleven twelve")
GOODS = _words(
    """
    apples pears oranges lemons eggs tomatoes potatoes onions carrots cabbages melons cherries plums chairs tables
    bottles books candles tickets roses tulips postcards stamps coins plates cups buttons shirts boots hats pencils
    lamps baskets boxes bricks tiles nails bags barrels keys maps
    """
)
FOODS = _phrases(
    """
    tomato soup, fried fish, pancakes, potato salad, cheese, honey cake, apple pie, rice, noodles, mushroom stew,
    roast chicken, lentils, bread, omelettes, dumplings, strawberries, chocolate, plum jam, onion soup, grilled
    trout, ice cream, spinach, beans, pumpkin soup, pizza, waffles, porridge, figs, olives, walnuts
    """
)
LANGUAGES = _words(
    """
    French German Spanish Italian Dutch Polish Turkish Arabic Greek Swedish Finnish Russian Chinese Japanese Korean
    Hindi Portuguese Czech Danish Norwegian Hungarian Hebrew Persian Thai Latin
    """
)
INSTRUMENTS = _words(
    """
    piano violin flute guitar trumpet cello harp clarinet organ accordion saxophone trombone oboe banjo mandolin
    """
)
HOBBIES = _words(
    """
    painting swimming fishing cycling dancing sailing knitting reading hiking skiing chess gardening cooking
    climbing photography pottery singing archery rowing boxing tennis football running camping baking
    """
)
SUBJECTS = _words(
    """
    history geography chemistry physics biology music art mathematics economics law medicine philosophy geology
    astronomy literature sociology botany architecture engineering theology
    """
)
COLOURS = _words("red blue green yellow white black brown grey pink purple orange")
ILLNESSES = _phrases(
    """
    a cold, the flu, a headache, a broken arm, a toothache, a fever, a sore throat, a sprained ankle, a cough, back
    pain, a broken leg, an ear infection
    """
)

SPORTS = _words(
    """
    archery badminton basketball billiards bowling boxing chess climbing cycling diving fencing football golf hockey
    judo rowing running sailing skating skiing swimming tennis volleyball wrestling darts
    """
)
FURNITURE = _phrases(
    """
    garden gate, front door, fence, bench, wardrobe, bookshelf, kitchen table, bed, boat, shed, cupboard, ceiling,
    staircase, balcony, window frame, cradle, chest, writing desk, dog house, mailbox, swing, ladder, wheelbarrow,
    bathtub, back door
    """
)
TOPICS = _phrases(
    """
    the weather, the new bridge, the harvest, the garden, the rent, the school play, the elections, the new
    neighbours, the old house, the summer holidays, the broken roof, the football match, the wedding, the noise at
    night, the price of bread, the flood, the concert, the lost parcel, the birthday party, the storm, the heating,
    the job offer, the exam, the accident, the village fair, the car, the insurance, the cat next door, the train
    strike, the new baby, the film, the power cut
    """
)

GOOD = _words(
    "wonderful excellent lovely splendid beautiful great marvellous pleasant perfect fantastic charming superb good"
)
BAD = _words("terrible awful dreadful horrible bad unpleasant boring disgusting nasty ugly disappointing hopeless")
GLAD = _words("happy pleased delighted thrilled content satisfied")
SAD = _words("unhappy angry annoyed furious upset disappointed dissatisfied")
