"""The answer of a reader who only counts words: what question answering must be harder than.

It takes the sentence that shares most words with the question, and in it the first span of the type that the question
asks for, or else the first capitalised one, that the question does not contain.
"""

from __future__ import annotations

import re
import string

_SENTENCE = re.compile(r"[^.!?]+[.!?]*")
_WORD = re.compile(r"[a-z0-9]+")
_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_DAYS = "Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"
_NUMBERS = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve"
_TIME = re.compile(
    rf"\d+ (?:{_MONTHS})(?: \d+)?|(?:{_MONTHS})(?: \d+(?:st|nd|rd|th)?)?(?:, \d+)?|the \d+\w\w of \w+|{_DAYS}"
    rf"|\d+:\d\d|(?:half|a quarter) (?:past|to) \w+|\w+ o'clock|\d{{4}}"
)
_AMOUNT = re.compile(rf"\d+(?: (?:euros|dollars|pounds|crowns))?|\b(?:{_NUMBERS})\b")
_NAME = re.compile(r"[A-Z][\w&']*(?: (?:&|[A-Z][\w']*))*")
_NOUN = re.compile(r"\b(?:the|an?) (?:[a-z]+ )?[a-z]+")
_SMALL = frozenset(("he", "she", "it", "the", "at", "on", "in", "not", "for", "from", "first"))
_ARTICLES = frozenset(("a", "an", "the"))


def words(text: str) -> list[str]:
    """The words of a text in lower case, without possessive endings."""
    return _WORD.findall(text.lower().replace("'s", ""))


def normalised(text: str) -> str:
    """An answer as exact match compares it: lower case, without punctuation and articles."""
    kept = "".join(character for character in text.lower() if character not in string.punctuation)
    return " ".join(word for word in kept.split() if word not in _ARTICLES)


def exact_match(answer: str, accepted: list[str]) -> bool:
    """Whether an answer is one of those accepted."""
    return normalised(answer) in {normalised(one) for one in accepted}


def _types(question: str) -> tuple[re.Pattern[str], ...]:
    asked = question.lower()
    if re.match(
        r"(since |on |in |at |until )?(when|which day|what day|which year|what year|what time|which month)", asked
    ):
        return _TIME, _NAME
    if "how many" in asked or "how much" in asked or "how old" in asked or "number" in asked or "age" in asked.split():
        return _AMOUNT, _NAME
    if asked.startswith("what"):
        return _NOUN, _NAME
    return _NAME, _NOUN


def answer(question: str, context: str) -> str:
    """The span that the baseline takes, or an empty text."""
    asked = set(words(question))
    best = max(_SENTENCE.findall(context), key=lambda sentence: len(asked.intersection(words(sentence))), default="")
    for pattern in _types(question):
        for match in pattern.finditer(best):
            span = match[0].removesuffix("'s")
            if not asked.intersection(words(span)) and span.lower() not in _SMALL:
                return span
    return ""
