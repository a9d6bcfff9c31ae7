"""The texts on which a calibrated int8 artifact measures the ranges of its activations.

Texts are tokenised as an application would: alone and in pairs, so that both segments occur, with the special tokens
that the tokenizer adds. They are other texts than those that parity is judged on.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export.errors import InputError
from albert_export.positions import POSITIONS
from albert_export.tasks import Task

if TYPE_CHECKING:
    import numpy as np

#: Stands for the texts below in place of a file.
BUILTIN_TEXTS = "builtin"

#: Tokens of a text that are used; ranges hardly move with longer ones, and the time grows with their square.
_LONGEST = 128

#: Texts of a file that are used: ranges settle within some dozens.
_MOST_TEXTS = 512

#: With less, a warning is given: distinct texts, tokens of all together, tokens of the longest.
_FEW_TEXTS, _FEW_TOKENS, _SHORT = 16, 200, 12

#: With a larger share of foreign pieces, a warning is given. Under an English vocabulary of 2,000 pieces English has a
#: third of it, Russian and Chinese have more.
_FOREIGN = 0.4

#: Words of three to six Latin letters: mostly the common ones of a language, which even a small vocabulary holds whole.
#: Longer ones tell little, since those of a field, such as medicine, are cut in any vocabulary; nor do shorter ones,
#: since any two letters are a piece.
_SHORT_WORD = re.compile(r"[A-Za-z\u00c0-\u024f]{3,6}")

#: With a smaller share of such words whole, in proportion to the built-in texts, a warning is given; with fewer of them
#: nothing is said. English of other topics has 0.76 or more of it, under vocabularies of 2,000 to 30,000 pieces;
#: German, Dutch, French, Italian, Spanish and Polish have 0.02 to 0.47.
_WHOLE, _FEW_WORDS = 0.6, 20

#: A vocabulary with a larger share of single letters spells by characters, as those for Chinese do: there they tell
#: nothing.
_SPELLING = 0.3

_FIX = f"give a text file with one sentence a line, or {BUILTIN_TEXTS}"


def calibration_texts(source: str | os.PathLike[str]) -> list[str]:
    """Return the texts of a file, or the built-in ones.

    Args:
        source: A UTF-8 text file with one sentence a line, blank lines left out; or ``builtin``.

    Raises:
        InputError: The file cannot be read, is no text, or holds none.
    """
    if source == BUILTIN_TEXTS:
        return list(_TEXTS)
    path = Path(source)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(
            "the calibration texts must be a file that can be read",
            received=f"{path}: {error.strerror or error}",
            fix=_FIX,
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_text(path, f"byte {error.start} is not UTF-8") from error
    if "\0" in text:
        raise _no_text(path, "it holds zero bytes")
    lines = [line.strip() for line in text.splitlines()]
    found = [line for line in lines if line]
    if not found:
        raise InputError("the calibration texts must hold at least one sentence", received=f"{path}: none", fix=_FIX)
    return found[:_MOST_TEXTS]


def calibration_inputs(
    texts: Sequence[str], *, tokenizer: Any, task: Task, sizes: Mapping[str, int | None]
) -> list[dict[str, np.ndarray]]:
    """Return the texts as batches that the exported function takes.

    Args:
        texts: What :func:`calibration_texts` returned.
        tokenizer: The checkpoint's.
        task: Gives the names and axes of the inputs.
        sizes: Dynamic axis -> the size it is fixed to, or None.

    Returns:
        ``input_ids``, ``attention_mask`` and ``token_type_ids``, int64 ``[B,S]`` (``[B,N,S]`` for multiple choice), a
        batch for each text: one row, or as many as the batch is fixed to, all of that text; every second is a pair with
        the next. Where the sequence is fixed, a masked repetition of the text stands at padding: activations are
        measured there too, and no application reads what padding ids give.
    """
    import numpy as np

    length = sizes.get("sequence")
    repeats = [sizes.get(str(axis)) or 1 for axis in task.inputs[0].axes if axis != "sequence"]
    pairs = [(text, texts[(index + 1) % len(texts)] if index % 2 else None) for index, text in enumerate(texts)]
    if len(texts) == 1:  # the second segment must occur
        pairs.append((texts[0], texts[0]))
    batches = []
    for text, second in pairs:
        encoded = tokenizer(
            text,
            second,
            truncation=True,
            max_length=_longest(tokenizer, length),
            return_token_type_ids=True,
            return_attention_mask=True,
        )
        # Of a task with chosen positions all real ones are: ranges are then those of any.
        given = {POSITIONS: range(len(encoded["input_ids"])), **encoded}
        rows = {spec.name: np.asarray(given[spec.name], np.int64) for spec in task.inputs}
        if length:
            real = len(rows["attention_mask"])
            rows = {name: np.resize(row, length) for name, row in rows.items()}
            rows["attention_mask"][real:] = 0
        batches.append({name: np.tile(row, (*repeats, 1)) for name, row in rows.items()})
    return batches


@dataclass(frozen=True)
class Coverage:
    """What calibration texts are made of, as the model meets them.

    Attributes:
        texts: Distinct texts.
        tokens: Tokens of all of them that are used, without those that the tokenizer adds around a text.
        longest: Tokens of the longest.
        room: Tokens of a text that the artifact takes: what is beyond them is left away.
        unknown: Share of the tokens that stand for what is not in the vocabulary, 0 to 1.
        foreign: Share of the tokens that are unknown, or a single letter that is no word: what is left of words which
            the vocabulary does not know.
        whole: Share of the words of three to six Latin letters that are one token; None with too few of them to tell.
        usual: The same of the built-in texts, which are English.
    """

    texts: int
    tokens: int
    longest: int
    room: int
    unknown: float
    foreign: float
    whole: float | None = None
    usual: float = 1.0

    def told(self) -> str:
        """Return the figures in words."""
        whole = (
            "" if self.whole is None else f"; {self.whole:.0%} of the short words whole, of English {self.usual:.0%}"
        )
        return (
            f"{self.texts} distinct texts, {self.tokens} tokens, the longest {self.longest}; "
            f"{self.unknown:.0%} unknown, {self.foreign:.0%} unknown or single letters{whole}"
        )

    def warnings(self) -> Iterator[str]:
        """Yield a line for each way in which the ranges may not be those of an application's texts."""
        least = min(_SHORT, self.room)
        if self.texts < _FEW_TEXTS or self.tokens < _FEW_TOKENS or self.longest < least:
            yield (
                f"the calibration texts are few or short ({self.told()}): ranges may come out too narrow; "
                f"give {_FEW_TEXTS} or more, {_FEW_TOKENS} tokens together and one of at least {least}"
            )
        if self.foreign > _FOREIGN or (self.whole is not None and self.whole < _WHOLE * self.usual):
            yield (
                f"the calibration texts are mostly foreign to the vocabulary ({self.told()}): "
                "give texts in the language and the form that the model was trained on"
            )


def coverage(texts: Sequence[str], *, tokenizer: Any, sequence: int | None = None) -> Coverage:
    """Return what the texts are made of.

    Args:
        texts: What :func:`calibration_texts` returned.
        tokenizer: The checkpoint's.
        sequence: The size that the axis is fixed to, or None: of a text, only what fits is looked at.

    Raises:
        InputError: The tokenizer makes nothing of any of them, or the sequence has no room for a text.
    """
    room = _longest(tokenizer, sequence) - tokenizer.num_special_tokens_to_add()
    if room < 1:
        raise InputError(
            "calibration needs a sequence with room for text",
            received=f"sequence={sequence}",
            fix="choose a longer one, or leave calibration out",
        )
    distinct = list(dict.fromkeys(texts))
    spells = _spells(tokenizer)
    lengths, unknown, foreign = [], 0, 0
    for text in distinct:
        ids = tokenizer(text, add_special_tokens=False, truncation=True, max_length=room)["input_ids"]
        pieces = tokenizer.convert_ids_to_tokens(ids)
        # The space before a word that is not known is a piece of its own in SentencePiece.
        pieces = [(piece, number) for piece, number in zip(pieces, ids, strict=True) if piece != _SPACE]
        strange = [number == tokenizer.unk_token_id for _, number in pieces]
        lengths.append(len(pieces))
        unknown += sum(strange)
        foreign += sum(
            is_unknown or (not spells and _is_letter(piece))
            for (piece, _), is_unknown in zip(pieces, strange, strict=True)
        )
    tokens = sum(lengths)
    if not tokens:
        raise InputError("the calibration texts must hold at least one word", received="no token in any", fix=_FIX)
    return Coverage(
        len(distinct),
        tokens,
        max(lengths),
        room,
        unknown / tokens,
        foreign / tokens,
        _share_of_whole_words(distinct, tokenizer),
        _share_of_whole_words(_TEXTS, tokenizer) or 1.0,
    )


def _share_of_whole_words(texts: Sequence[str], tokenizer: Any) -> float | None:
    """Return which share of the short words of texts is one token each; None with too few to tell."""
    counts = Counter(word for text in texts for word in _WORD.findall(text) if _SHORT_WORD.fullmatch(word))
    if counts.total() < _FEW_WORDS:
        return None
    return sum(count for word, count in counts.items() if _is_whole(word, tokenizer)) / counts.total()


#: Letters only: digits and signs part words.
_WORD = re.compile(r"[^\W\d_]+")


def _is_whole(word: str, tokenizer: Any) -> bool:
    ids = tokenizer(word, add_special_tokens=False)["input_ids"]
    return len(ids) == 1 and ids[0] != tokenizer.unk_token_id


def _longest(tokenizer: Any, sequence: int | None) -> int:
    """Return how many tokens of a text are used, with those that the tokenizer adds."""
    return sequence or min(_LONGEST, int(tokenizer.model_max_length))


#: How SentencePiece writes a space, and how WordPiece begins a piece that goes on.
_SPACE, _GOES_ON = "\u2581", "##"


def _is_letter(piece: str) -> bool:
    """Whether a piece is one letter inside or at the begin of a word that the vocabulary lacks."""
    bare = piece.removeprefix(_SPACE).removeprefix(_GOES_ON)
    # "a" and "I" are words.
    return len(bare) == 1 and unicodedata.category(bare).startswith("L") and piece.casefold() not in _WORDS


_WORDS = {f"{_SPACE}a", f"{_SPACE}i", "a", "i"}


def _spells(tokenizer: Any) -> bool:
    vocabulary = list(tokenizer.get_vocab())
    return sum(map(_is_letter, vocabulary)) > _SPELLING * len(vocabulary)


def _no_text(path: Path, why: str) -> InputError:
    return InputError("the calibration texts must be a text file in UTF-8", received=f"{path}: {why}", fix=_FIX)


_TEXTS = (
    "The ferry left the harbour at seven in the morning, an hour later than the timetable had promised.",
    "Who repaired the clock on the tower?",
    "Marta bought two loaves of bread, a jar of honey and half a kilo of plums.",
    "He had never seen so much snow; the whole valley had gone quiet.",
    "In 1987 the company moved its offices from Rotterdam to a small town near the border.",
    "The new tram line will cost about 340 million euros and open in the spring of 2029.",
    "Please send the signed form back before Friday, otherwise your place will be given to someone else.",
    "I would not recommend this hotel: the room was cold, the breakfast poor and the staff unfriendly.",
    "What a wonderful film! I laughed, I cried, and I will certainly watch it again.",
    "Water boils at a lower temperature on a mountain, because the pressure of the air is lower there.",
    "The committee did not reject the proposal, but it asked for a second report.",
    '"Where were you last night?" she asked. "At my brother\'s," he said, and looked away.',
    "Dr. Okafor joined the hospital in Lagos after ten years of research in Toronto.",
    "Add the flour slowly, stir until the dough is smooth, and let it rest for an hour.",
    "The match ended 3-2 after extra time, with all five goals scored in the second half.",
    "Which of the two rivers is longer, the one in the north or the one in the south?",
    "She works as a nurse, plays the violin and speaks four languages.",
    "A square has four equal sides; a rectangle has equal opposite sides.",
    "Prices rose by 2.4 percent in August, slightly less than economists had expected.",
    "My phone's battery lasts barely half a day since the last update.",
    "The museum keeps a letter that the painter wrote to his sister in 1889.",
    "No one in the village remembered when the bridge had been built, or by whom.",
    "If it rains tomorrow, we will meet at the library instead of the park.",
    "The bird builds its nest from grass and mud, usually under the roofs of old barns.",
    "They sold the house, bought a boat and sailed around the world for three years.",
    "Paris, Rome and Vienna were all considered before the conference went to Lisbon.",
    "The engine would not start, so the driver called a mechanic from the next town.",
    "Is there a bus to the airport after midnight?",
    "Sodium reacts violently with water, and is therefore stored under oil.",
    "The judge listened to both sides for six hours and then postponed her decision.",
    "Our teacher said that the exam would be easy. It was not.",
    "The first edition had 212 pages; the second, revised and illustrated, has almost 400.",
    "On clear nights the lights of the city can be seen from the top of the hill.",
    "The child put the red ball into the box and the blue one under the chair.",
    "After the merger, Mr. Lindqvist became head of the department and Ms. Rao its chief engineer.",
    "The soup is too salty, but the fish is excellent.",
    "Why did the farmers cut down the old apple trees along the road?",
    "Heavy winds closed the port on Tuesday; two ships had to wait outside until Thursday.",
    "You can return the shoes within thirty days if you keep the receipt.",
    "The story begins in a narrow street behind the market, on the coldest day of the year.",
)
