"""Text on which tokenizers disagree: a collection written by hand, and a seeded generator of more.

The generator gives the same strings for the same seed on every Python: both sides of a comparison call it.
"""

from __future__ import annotations

import random

COLLECTION: tuple[str, ...] = (
    "",
    " ",
    "   ",
    "\n",
    "a",
    "Hello, my dog is cute",
    "  Two  spaces   and three    four ",
    "trailing space ",
    "trailing spaces   ",
    "trailing newline\n",
    "tab\tseparated\tvalues",
    "line\nbreak\r\nwindows\rmac",
    "ALL CAPS And Title Case",
    # accents, composed and decomposed; ligatures and compatibility characters
    "naïve café résumé coöperate Ångström",
    "nai\u0308ve cafe\u0301 re\u0301sume\u0301",
    "ệ e\u0323\u0302 ȷ̈ ŀ ø đ ł ß ſ",
    "ﬁne ﬂour oﬀer ㎏ ㏂ Ⅷ ⅷ ½ ¾ ² ³ ™ ℡ № ª º",
    "ＦＵＬＬ　ｗｉｄｔｈ １２３，４５６",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝟙𝟚𝟛 𝕬𝖑𝖇𝖊𝖗𝖙",
    "İstanbul DİYARBAKIR ısı I i İ ı",
    "ΑΣΣΟΣ ὈΔΥΣΣΕΎΣ Σ ς σ",
    "Straße STRASSE ẞ",
    # other scripts
    "東京 日本語 中文字符 한국어 조선 漢字かな交じり文",
    "がぎぐ か\u3099 ｶﾞｷﾞ ﾊﾟ",
    "Привет, мир! Ёлка йод",
    "مرحبا شَدّة السَّلامُ عَلَيْكُم ٠١٢٣",
    "שָׁלוֹם עוֹלָם",
    "नमस्ते दुनिया क्षत्रिय",
    "สวัสดีชาวโลก",
    "Việt Nam đất nước",
    # emoji, joiners, selectors, surrogate planes
    "😀 👍🏽 👨‍👩‍👧‍👦 🇩🇪 ❤️ ❤ ☃︎ 🏳️‍🌈",
    "text\ufe0f \ufe0f \ufe0e x\ufe0fy",
    "zero\u200bwidth\u200cjoin\u200ders \u2060 \ufeffbom",
    "soft\u00adhyphen non\u2011breaking em\u2014dash en\u2013dash …",
    "𠀀𠀁 𪚥 \U0001f9ff \U0010ffff",
    # controls and separators
    "next\u0085line unit\u001fseparator \u001c \u001d \u001e",
    "\u0000nul \u0007bell \u000bvt \u000cff \u001besc \u007fdel \u009c",
    "nbsp\u00a0here \u2003em \u3000ideographic \u202fnarrow \u2028ls \u2029ps",
    "\u202ertl\u202c \u200f\u200e",
    "\ufffd replacement \ue000 private \ufdd0",
    # digits and commas
    "1,000 2,500,000.75 9,9 12345, 3,14 1, 2, 3 ,5 0,",
    "in 1999, about 42, and 7,",
    "５,０００ ², ³,5 ٣,٤ ½,",
    "$1,000.00 €10,50 £3 100% 3-4 #1",
    # punctuation
    "''quoted'' ``back`` `tick` \"double\" 'single' ‘curly’ “curly”",
    "don't can't I'm we've they're it's John's 'tis o'clock",
    "Hello , world ! How are you ? Fine . n't 's",
    "...---!!!???;;:::,,, (((brackets))) [[square]] {{curly}} <<angle>>",
    "http://example.com/a?b=c&d=e#f user@example.org C:\\path\\file.txt",
    "a_b ▁ ▁▁word __init__ x▁y",
    # special tokens inside text
    "[CLS] The capital of [MASK] is Paris . [SEP]",
    "The capital of[MASK]is Paris",
    "The capital of   [MASK]   is  [MASK][MASK] .",
    "[mask] [Mask] [cls] <PAD> <unk> <pad> <s> </s>",
    "<unk>word word<unk> <unk> <pad><pad>",
    "[SEP] [SEP][SEP]  [CLS]",
    "[MASK",
    "MASK] [ MASK ]",
    # ties in the lattice, repetition
    "iiii",
    "iiiiiiiiii iii ii i",
    "aaaaaaa lllll mmmmmm nnnnnnnn abababab",
    "hahahahaha zzzzzz xxxxxxx",
    # very long words
    "supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis",
    "x" * 300,
    "ab" * 150,
    "donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "Q" * 101 + " " + "q" * 100,
)

_WORDS = tuple(word for text in COLLECTION for word in text.split(" ") if len(word) < 40)
#: First and last code point plus one; ASCII several times, so that it stays in the majority.
_RANGES = (
    *[(0x20, 0x7F)] * 6,
    *((0, 0x20), (0x7F, 0xA1), (0xA0, 0x180), (0x180, 0x250), (0x300, 0x370), (0x370, 0x400), (0x400, 0x500)),
    *((0x590, 0x700), (0x900, 0x980), (0xE00, 0xE80), (0x1100, 0x1200), (0x1E00, 0x2000), (0x2000, 0x2070)),
    *((0x2070, 0x2150), (0x2150, 0x2200), (0x2460, 0x2500), (0x3000, 0x3100), (0x3100, 0x3400), (0x4E00, 0x9FFF)),
    *((0xAC00, 0xD7A4), (0xF900, 0xFB50), (0xFB50, 0xFE00), (0xFE00, 0xFF00), (0xFF00, 0xFFF0)),
    *((0x1D400, 0x1D800), (0x1F300, 0x1FA00), (0x20000, 0x20100), (0, 0xD800), (0xE000, 0x110000)),
)
_SPACES = (
    *[" "] * 20,
    *("  ", "   ", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u2009", "\u0085", "\u001f", " \u200b "),
    *[""] * 4,
)


def nasty_texts(seed: int, count: int) -> list[str]:
    """``count`` strings from ``seed``."""
    rng = random.Random(seed)
    return [nasty_text(rng) for _ in range(count)]


def nasty_text(rng: random.Random) -> str:
    """One string: words, runs of characters from one script, numbers, repetitions, odd spaces between them."""
    parts = []
    for _ in range(rng.choice((0, 1, 1, 2, 3, 4, 6, 10, 20))):
        kind = rng.random()
        if kind < 0.45:
            word = rng.choice(_WORDS)
        elif kind < 0.75:
            first, last = rng.choice(_RANGES)
            word = "".join(chr(rng.randrange(first, last)) for _ in range(rng.randrange(1, 6)))
        elif kind < 0.85:
            word = "".join(rng.choice("0123456789,,.") for _ in range(rng.randrange(1, 9)))
        elif kind < 0.93:
            word = rng.choice("abcdeilmnostx") * rng.randrange(1, 12)
        else:
            word = "".join(rng.choice("aeioutnsrlhdcm") for _ in range(rng.randrange(1, 30)))
        parts += [word.upper() if rng.random() < 0.1 else word, rng.choice(_SPACES)]
    text = "".join(parts)
    if rng.random() < 0.1:
        text += rng.choice((" ", "  ", "\n", "\t\u3000"))
    if rng.random() < 0.1:
        text = rng.choice((" ", "  ", "\n")) + text
    return "".join(c for c in text if not 0xD800 <= ord(c) < 0xE000)
