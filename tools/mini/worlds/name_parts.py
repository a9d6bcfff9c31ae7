"""The lists that names are drawn and composed from."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FEMALE = _words(
    """
    Ada Agnes Alice Alma Amina Amy Anna Astrid Aurora Beatrice Bella Bertha Bianca Birgit Bridget Camille Carla
    Carmen Celia Charlotte Chiara Clara Claudia Cora Dagmar Daria Delia Diana Dora Edith Elena Elif Elise Ella Elsa
    Emily Emma Erika Esther Eva Fatima Felicia Fiona Flora Frida Gerda Gina Gloria Greta Hana Hannah Harriet Hazel
    Heidi Helen Hilda Ida Ines Ingrid Irene Iris Isabel Ivana Jana Jane Jasmin Joan Julia Karen Karla Katya Kira
    Klara Laila Laura Lea Leila Lena Lily Linda Lisa Livia Lola Lucia Lucy Lydia Mabel Magda Maja Margot Maria Marta
    Maya Megan Milena Mina Mira Miriam Mona Nadia Naomi Nina Nora Olga Olive Olivia Paula Petra Phoebe Priya Rachel
    Rania Renata Rita Rosa Ruth Sabine Salma Sara Selma Sofia Sonja Stella Susan Sylvia Tamara Tara Tessa Thea Tilda
    Uma Ursula Valerie Vera Wanda Wilma Xenia Yara Ylva Yuki Zara Zelda Zoe
    """
)
MALE = _words(
    """
    Aaron Adam Ahmed Alan Albert Alexei Amir Anders Andrew Anton Arthur Arvid August Axel Ben Bernard Boris Bruno
    Carl Caspar Cedric Chris Conrad Curtis Daniel David Dennis Dexter Dmitri Dominic Edgar Edwin Elias Emil Eric
    Ernest Ethan Fabian Felix Filip Finn Frank Fred Gareth Gavin George Gerald Gilbert Gordon Gregor Gunnar Gustav
    Hamid Hans Harold Harry Hector Henrik Henry Herman Howard Hugo Ian Igor Isaac Ivan Ivo Jack Jacob James Jan
    Jasper Jens Jonas Joseph Juan Julian Kai Karim Karl Kevin Klaus Kurt Lars Leo Leon Leonard Liam Linus Lorenz
    Louis Lucas Luis Luther Magnus Malik Marco Martin Mateo Matthew Max Michael Miguel Milan Milo Nathan Neil Nestor
    Niels Noah Norman Olaf Oliver Omar Oscar Otto Owen Pablo Patrick Paul Pedro Peter Philip Piotr Quentin Rafael
    Ralph Raymond Reuben Robert Robin Roland Roman Rufus Samir Samuel Simon Stefan Sven Tariq Theo Thomas Tobias Tom
    Tomas Ulrich Viktor Vincent Walter Wilhelm William Xavier Yusuf Zoltan
    """
)
FAMILIES = _words(
    """
    Abbott Adler Ahlberg Almeida Andersen Archer Bailey Baines Banerjee Barnes Bauer Becker Benson Berg Bishop Blake
    Bloom Booth Brandt Brooks Burke Calder Campbell Cardoso Carver Chandler Chavez Clarke Cohen Collins Conti Cooper
    Costa Cross Dahl Dalton Dawson Delgado Dixon Doyle Drake Duarte Dunn Eklund Ellis Engel Espinoza Evans Farkas
    Farrell Fischer Fleming Flores Foley Foster Fox Fuchs Garcia Garner Gibson Gomez Grant Graves Griffin Haas Hale
    Hansen Harper Hart Hayes Heller Henning Hoffman Holm Holt Horvath Hughes Ibsen Ivanov Jansen Jensen Joshi Kaplan
    Keller Kemp Khan King Klein Kovacs Kramer Kumar Lambert Lang Larsen Lehmann Lindgren Lopez Lund Lynch Madsen
    Marin Marsh Martins Mason Meyer Mills Moreau Moreno Moss Murphy Nash Nguyen Nolan Norris Novak Nowak Olsen
    Ortega Osborne Owens Palmer Parker Patel Perez Petrov Pike Quinn Ramos Reed Reyes Rhodes Rossi
    Roth Sanders Santos Sato Schmidt Shaw Silva Singh Sloan Soto Stein Stone Sutter Svensson Tanaka Thorne Torres
    Tucker Turner Valdez Vance Varga Vidal Vogel Wagner Walsh Ward Watts Weber Webster Weiss Wells West
    Winter Wolf Wood Yamada Yilmaz York Zeller Zhang
    """
)
ONSETS = _words(
    """
    al am an ar as bal ban bel ber bor bra bri cal car cas cel cor dal dar del den dor dra el em en er es fal far
    fen fer gal gar gor gra hal har hel hil ir is jal jan jor kal kar kas kel kir kor lan lar lev lin lor lu mal mar
    mel mir mon mor nal nar nel nev nor ol or os pal par pel per quin ral ran rel rin ros sal san sel ser sil sol
    tal tam tar tel tem tor tri ul ur val van ver vil vor wal wen wil yar yel zan zel zor
    """
)
MIDDLES = _words(
    """
    a ad al am an ar ba da de di do e ed el en er i id il in ir la le li lo ma mi na ni o ol or ra ri ro sa ta ti va
    vi
    """
)
FEMALE_ENDINGS = _words(
    """
    a ana anne elle essa ette ia ice ila ina inda ine ira isa ise issa ita lia mina nia ora sha tha via wyn
    """
)
MALE_ENDINGS = _words(
    """
    an ard as bert den der don en ert fred ian ic ick in ko lan mir mo mund on or ric rik ron tin to ton us vin win
    """
)
SURNAME_ENDINGS = _words(
    """
    berg dez ek elli etti ez ides ik inen ini kov man mann off ois ola ovic ow owski sen ski son ssen strom uk va
    """
)
FAMILY_HEADS = _words(
    """
    Ash Bar Beck Black Blan Brad Brom Burn Cald Carl Chat Clay Clif Cold Cran Dal Dray Dun East Eld Elm Fair Far
    Fern Fin Gar Glen Gold Gran Green Hal Ham Har Hart Haw Hay Hazel Hol Kings Lan Lin Lock Mar May Mead Mill Nor
    North Oak Old Pem Pres Rad Rams Red Rock Rush Sand Sel Shel Stan Stock Sum Thorn Tol Wake War Wes Whit Win Wood
    Wool
    """
)
FAMILY_TAILS = _words(
    """
    bank beck berry bourne bridge brook bury by combe cott croft dale den field ford gate ham hill hurst land ley
    low man more ridge shaw son stead ster ton wall ward water way well wick wood worth
    """
)
TOWNS = _words(
    """
    Aberdeen Antwerp Athens Auckland Bangkok Barcelona Bergen Berlin Bilbao Boston Bremen Bristol Brussels Budapest
    Cairo Calgary Cardiff Chicago Cork Dakar Dallas Delhi Denver Dresden Dublin Durban Florence Galway Geneva Genoa
    Ghent Glasgow Hamburg Hanoi Havana Helsinki Istanbul Jakarta Kyoto Lagos Leeds Leipzig Lima Lisbon Liverpool
    Ljubljana London Lyon Madrid Malmo Manchester Marseille Melbourne Milan Montreal Moscow Munich Nairobi Naples
    Nantes Osaka Oslo Ottawa Oxford Paris Perth Porto Prague Quito Riga Rome Rotterdam Salzburg Santiago Seattle Seoul
    Seville Sofia Stockholm Sydney Tallinn Tokyo Toronto Trieste Tunis Turin Utrecht Valencia Venice Verona Vienna
    Vilnius Warsaw York Zagreb Zurich
    """
)
TOWN_FORENAMES = ("Port", "New", "Saint", "Fort", "Mount", "Upper", "Lower", "East", "West", "North", "South", "Old")
TOWN_HEADS = _words(
    """
    Amber Apple Ash Barn Bay Bell Birch Black Blue Brook Castle Cedar Chapel Clear Cliff Copper Crow Deer Eagle Elm
    Fair Falcon Fern Fish Fox Glen Gold Grass Green Gull Harp Hazel Heron High Hollow Iron King Lake Lark Leaf Lime
    Lion Long Maple Marsh Mill Moon Moss North Oak Otter Pearl Pine Plum Queen Raven Red Ridge River Rose Salt Sand
    Silver Snow South Spring Star Stone Storm Summer Swan Thorn Timber Vale West Whit Willow Wind Winter Wolf
    """
)
TOWN_TAILS = _words(
    """
    bay borough bridge brook burg bury by castle cliff cove crest dale den fall field firth ford gate grove ham
    haven hill holm hurst land mere minster moor mouth pool port shore side stead stow ton vale view ville water
    wick wood worth
    """
)
TOWN_ENDINGS = _words(
    """
    aro ava berg burg by dal dorf en ensk grad heim ia ina ino ira issa ito mar mark mund ona ora orf os ova sk stad
    sund ta tal um und vik zano
    """
)
STREET_HEADS = _words(
    """
    Abbey Beech Bridge Canal Castle Cherry Church Cross Elm Fountain Garden Harbour Hill Lime Linden Market Meadow
    Mill Oak Orchard Park Poplar Quarry Queen River School Spring Station Temple Tower Victoria Walnut Water Willow
    Windmill
    """
)
STREET_KINDS = ("Street", "Street", "Road", "Lane", "Avenue", "Square")
FIRM_ADJECTIVES = _words(
    """
    Amber Apex Atlas Blue Bright Bronze Central Clear Cobalt Crystal Eastern Emerald First Global Golden Grand Green
    Horizon Hudson Iron Ivory Keystone Liberty Lunar Marble Metro Modern National Noble Northern Northwind Omega
    Orbit Pacific Pioneer Polar Prime Quantum Rapid Red Regal Royal Sapphire Silver Solar Southern Stellar Sterling
    Summit Swift Titan Triton Union United Unity Urban Vertex Victory Vista Western
    """
)
FIRM_NOUNS = _words(
    """
    Airlines Bank Bearings Books Brewery Builders Capital Ceramics Chemicals Coffee Dairy Electric Energy Engines
    Farms Films Foods Freight Furniture Games Glass Hotels Instruments Insurance Labs Logistics Machines Media
    Metals Mills Motors Optics Outfitters Paper Partners Pharma Press Radio Railways Records Robotics Shipping
    Software Solutions Steel Studios Systems Telecom Textiles Timber Tools Toys Transport Ventures Watches Works
    """
)
FIRM_FAMILY_TAILS = (
    "& Sons",
    "Brothers",
    "Group",
    "Industries",
    "Holdings",
    "& Partners",
    "Bank",
    "Works",
    "Motors",
    "Foods",
)
FIRM_ENDINGS = _words(
    """
    adyne ago alto ara aro atec avia axo co dex era eon ex ia ico idex igo ilo ion ium ivo ix lux mark max mex ora
    os ox pex plex ra ria rix ron so solo star tec tek tel tex tor trix ura via vox xis zon
    """
)
FIRM_TRADES = _words(
    """
    Airlines Bank Chemicals Electric Energy Foods Group Insurance Labs Logistics Media Motors Optics Pharma Robotics
    Software Steel Studios Systems Telecom Textiles Works
    """
)
SHOP_ADJECTIVES = _words(
    """
    Amber Blue Brass Busy Copper Cosy Crooked Curious Dusty Happy Golden Green Hidden Hungry Iron Jolly Laughing
    Little Lucky Merry Old Painted Paper Purple Quiet Red Rusty Silent Silver Sleepy Tall Velvet White Wild Wooden
    Yellow
    """
)
SHOP_NOUNS = _words(
    """
    Acorn Anchor Apple Badger Barrel Basket Bear Bell Boot Button Cat Clock Compass Corner Crow Dragon Drum Feather
    Fiddle Fox Garden Goose Hare Hat Kettle Key Lantern Leaf Lion Mill Moon Needle Oak Otter Owl Pear Pan Pepper
    Pony Rabbit Raven Rose Spoon Star Swan Table Teapot Thistle Tiger Wagon Whale
    """
)
SHOP_KINDS = _words("Books Antiques Bakery Cafe Toys Flowers Shoes Hardware Market Inn Music Fabrics Bikes Gifts")
HOTEL_HEADS = _words(
    """
    Alpine Bellevue Bristol Central Continental Crown Excelsior Garden Grand Imperial Lakeside Majestic Mountain
    Palace Panorama Paradise Park Plaza Regent Ritz Riverside Savoy Seaside Sunset Terminus Victoria Villa
    """
)
HOTEL_KINDS = ("Hotel", "Inn", "Lodge", "Guesthouse", "Resort")
PETS = _words(
    """
    Bandit Barky Bello Biscuit Blacky Bounty Bubbles Buddy Buster Buttons Caramel Chewy Chippy Cinnamon Cocoa Comet
    Cookie Cuddles Daisy Dash Dot Duchess Dusty Fang Fido Fleck Flipper Fluff Fluffy Freckles Fuzzy Ginger Goldie
    Honey Jumbo Kipper Lucky Marble Mittens Mocha Muffin Nibbles Nougat Nugget Patch Peanut Pebbles Pickles Pinky
    Pirate Polly Popcorn Prince Princess Pudding Puffin Raisin Rascal Rex Rocky Rover Rusty Scamp Scout Shadow
    Skipper Smoky Snoopy Snowball Snuggles Socks Spark Speedy Spike Spotty Sprinkles Sunny Tiger Tinker Toffee
    Truffle Twinkle Velvet Waffles Whiskers Wiggles Woolly Zorro
    """
)
NO_NAMES = frozenset(("Garden", "Hamster", "Older"))
"""Words that the syllables happen to make."""
