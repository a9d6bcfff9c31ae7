"""Train the built-in SentencePiece vocabulary from the text in ``tools/vocabulary_text/``.

    python tools/train_vocabulary.py            # writes albert_export/builtin/spiece.model
    python tools/train_vocabulary.py --check    # trains again and compares the pieces with the file in the repository

The trainer's settings are those stored in the released English ALBERT vocabulary (unigram, nmt_nfkc, `<pad>` 0,
`<unk>` 1, `[CLS]` 2, `[SEP]` 3, `[MASK]` 4, eight user-defined signs), except the size and the character coverage:
the text is small, so every character of it is kept. The text is lowercased and stripped of accents first, as ALBERT's
own tokenizer does before it looks up pieces.
"""

from __future__ import annotations

import argparse
import io
import itertools
import random
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import sentencepiece

ROOT = Path(__file__).resolve().parent.parent
TEXT = ROOT / "tools" / "vocabulary_text"
MODEL = ROOT / "albert_export" / "builtin" / "spiece.model"
VOCABULARY_SIZE = 2000
COMBINED_SENTENCES = 2400
SEED = 20

CONTROL_SYMBOLS = ["[CLS]", "[SEP]", "[MASK]"]
USER_DEFINED_SYMBOLS = ["(", ")", '"', "-", ".", "–", "£", "€"]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PEOPLE = _words(
    "Alice Bernard Carla Dmitri Eleanor Felix Grace Hugo Irene Jonas Karen Leo Miriam Noah Olivia Paul Quentin Rosa "
    "Simon Teresa Ulrich Vera Walter Xenia Yusuf Zoe Michael Laura Robert Julia Daniel Sophie William Hannah George"
)
FAMILIES = _words("Miller Schmidt Moreau Rossi Tanaka Ivanov Silva Larsen Novak Okoro Singh Cohen Murphy Walker Baker")
PLACES = _words(
    "London Paris Berlin Madrid Rome Vienna Lisbon Dublin Prague Oslo Helsinki Athens Boston Chicago Toronto Sydney "
    "Tokyo Cairo Nairobi Lima Mumbai Istanbul Kyoto Geneva Manchester California Scotland Germany Italy Canada"
)
FIRMS = ("Silver Oak Bank", "Harbour Electric", "Orion Motors", "Maple Foods", "Westfield University", "City Hospital")
JOBS = _words(
    "teacher doctor baker farmer painter lawyer engineer nurse sailor writer singer driver carpenter student scientist "
    "journalist gardener musician photographer librarian programmer translator officer merchant architect"
)
THINGS = _words(
    "book lamp bicycle guitar camera letter basket mirror carpet ladder bottle blanket painting clock table chair map "
    "computer phone ticket umbrella hammer necklace notebook suitcase envelope telescope compass kettle candle"
)
VERBS = _words(
    "bought sold found lost repaired painted carried borrowed returned forgot remembered described opened closed moved "
    "showed brought watched cleaned counted received delivered dropped lifted wanted needed replaced examined"
)
ADJECTIVES = _words(
    "small large old new heavy light cheap expensive beautiful strange broken clean dark bright round narrow famous "
    "empty green yellow wooden useful modern simple important different excellent terrible interesting comfortable"
)
MOMENTS = _words(
    "January February March April May June July August September October November December Monday Tuesday Wednesday "
    "Thursday Friday Saturday Sunday"
)
FEELINGS = _words("happy angry tired proud afraid surprised worried calm hungry lonely grateful curious disappointed")


def combined_sentences(count: int) -> Iterator[str]:
    """Yield sentences combined from the word lists, so that common endings and numbers are seen often."""
    chance = random.Random(SEED)
    patterns = (
        "{p} {f} {v} the {a} {t} in {l} in {m}.",
        "In {m} {y}, {p} {f}, a {j} from {l}, {v} a {a} {t}.",
        "The {j} {v} {n} {t}s for ${k} and {v2} another {t2}.",
        "{p} was {e} because the {t} was {a} and {a2}.",
        "Where did {p} find the {t}? {p} found the {t} near {l}.",
        "{c}, based in {l}, employs {k} people and expects to earn {k2} dollars.",
        '"The {t} is more {a} than the {t2}," said {p} {f} of {c}.',
        "When {p} was working as a {j} in {l}, everybody was {e}.",
        "They should have {v} the {t}, but they were not {e} enough.",
        "It is {d}% of the {t}s that are {a}, not {d2}%; that makes {k}.",
        "{p} is {d} years old, her friend {p2} is {d2}, and they are {e}.",
        "On {m} {d}, {y}, the {a} {t} was {v} at {h}:{s} by the {j}.",
        "He would never have {v} such a {a} {t} without the {j}'s help.",
        "Which {t} was {v}: the {a} one or the {a2} one? Neither; it was the {t2}.",
    )
    for pattern in itertools.islice(itertools.cycle(patterns), count):
        thousands = [f"{chance.choice((1, 2, 3, 5, 10, 12, 25, 40, 100))},{chance.choice('0005')}00" for _ in range(2)]
        yield pattern.format(
            p=chance.choice(PEOPLE),
            p2=chance.choice(PEOPLE),
            f=chance.choice(FAMILIES),
            l=chance.choice(PLACES),
            c=chance.choice(FIRMS),
            j=chance.choice(JOBS),
            t=chance.choice(THINGS),
            t2=chance.choice(THINGS),
            v=chance.choice(VERBS),
            v2=chance.choice(VERBS),
            a=chance.choice(ADJECTIVES),
            a2=chance.choice(ADJECTIVES),
            e=chance.choice(FEELINGS),
            m=chance.choice(MOMENTS),
            n=chance.choice(("two", "three", "four", "five", "six", "seven", "ten", "twelve", "twenty")),
            y=chance.randint(1890, 2024),
            k=thousands[0],
            k2=thousands[1],
            d=chance.randint(1, 31),
            d2=chance.randint(1, 99),
            h=chance.randint(1, 12),
            s=chance.choice(("00", "15", "30", "45")),
        )


def prepare(line: str) -> str:
    """Return ``line`` as ALBERT's tokenizer hands it to SentencePiece: one space, no accents, lower case."""
    line = " ".join(line.split()).replace("``", '"').replace("''", '"')
    line = unicodedata.normalize("NFKD", line)
    return "".join(character for character in line if not unicodedata.combining(character)).lower()


def training_text() -> list[str]:
    """Return every sentence that the vocabulary is trained from, in a fixed order."""
    written = [
        line for path in sorted(TEXT.glob("*.txt")) for line in path.read_text(encoding="utf-8").splitlines() if line
    ]
    # The written text counts four times, or the few patterns of the combined sentences would own the vocabulary.
    lines = [prepare(line) for line in (*written * 4, *combined_sentences(COMBINED_SENTENCES))]
    # The trainer only considers strings that occur in two different words, so in a small text "from" is never a
    # candidate while "fro" may be. The comma makes "from," a second word that holds it.
    words = Counter(word for line in lines for word in line.split() if word.isascii() and word.isalpha())
    return lines + [f"{word}," for word, count in sorted(words.items()) if count >= 8 and len(word) > 1]


def train() -> bytes:
    """Return the bytes of the trained SentencePiece model; the same at every call with one version of the trainer."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(training_text()),
        model_writer=model,
        model_type="unigram",
        vocab_size=VOCABULARY_SIZE,
        character_coverage=1.0,
        normalization_rule_name="nmt_nfkc",
        max_sentencepiece_length=16,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=CONTROL_SYMBOLS,
        user_defined_symbols=USER_DEFINED_SYMBOLS,
        shuffle_input_sentence=False,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def pieces(model: bytes) -> list[str]:
    """Return the pieces of a SentencePiece model in the order of their ids."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    return [processor.id_to_piece(index) for index in range(processor.get_piece_size())]


def main() -> int:
    """Train, then write or check the model."""
    parser = argparse.ArgumentParser(description="Train the built-in vocabulary.")
    parser.add_argument("--check", action="store_true", help="compare with the file in the repository, write nothing")
    parser.add_argument("--out", type=Path, default=MODEL, help="where to write the model")
    arguments = parser.parse_args()
    model = train()
    if arguments.check:
        same = pieces(model) == pieces(arguments.out.read_bytes())
        print("the pieces are the same" if same else f"{arguments.out} does not hold the pieces trained from the text")
        return 0 if same else 1
    arguments.out.write_bytes(model)
    print(f"{arguments.out}: {len(pieces(model))} pieces, {len(model):,} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
