"""Other words in the place of names: what a reader of names has to take from around them.

The names of the training set are many, but its vocabulary knows most of them as one piece, and a model that may know
them by heart reads little else. A name that it has never seen is pieces that it has hardly seen. So, in a part of the
rows, rare pieces stand for those of the names, anywhere in the vocabulary, and the same one wherever the row has the
name: what it is, and that it is the same, is left to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tools.mini.encoding import TOKEN_LABELS, Rows
from tools.mini.worlds.names import is_held_out

if TYPE_CHECKING:
    from albert_export.tokenization import AlbertTokenizerFast

Ints = npt.NDArray[np.int64]

#: Tasks whose rows are renamed: those about names.
RENAMED = ("question-answering", "token-classification")
#: Part of a row's pieces of names that change, where any do: the others say on what kind of name it is.
CHANGED = 0.75
#: A piece is one of names where at least this part of it is tagged as one ...
TAGGED = 0.8
#: ... and may stand for one where it is less than this part of all tokens.
RARE = 3e-4
_DATES = [label for label, name in enumerate(TOKEN_LABELS) if name.endswith("DATE")]


class Renamer:
    """Puts other pieces in the place of those of names.

    Args:
        own: Pieces of names that begin a word, and those that go on, ids.
        others: Pieces that may stand for each of these two kinds, ids.
        size: Pieces of the vocabulary.
    """

    def __init__(self, own: tuple[Ints, Ints], others: tuple[Ints, Ints], size: int) -> None:
        self._kind = np.full(size, -1, np.int8)
        for kind, ids in enumerate(own):
            self._kind[ids] = kind
        self._others = others

    @classmethod
    def of(cls, tokenizer: AlbertTokenizerFast, data: Sequence[Rows]) -> Renamer:
        """Return the renamer of a training set: no piece that is a word of the held-out side stands for a name.

        Args:
            tokenizer: Its vocabulary.
            data: Its data sets, tagged names among them.
        """
        size = len(tokenizer.get_vocab())
        pieces = tokenizer.convert_ids_to_tokens(list(range(size)))
        everywhere, tagged, taggable = (np.zeros(size, np.int64) for _ in range(3))
        for part in data:
            count = np.bincount(part.ids, minlength=size)
            everywhere += count
            if part.task == "token-classification":
                taggable += count
                tagged += np.bincount(part.ids[(part.tokens > 0) & ~np.isin(part.tokens, _DATES)], minlength=size)
        letters = np.asarray([_is_word(piece.lstrip("▁")) for piece in pieces])
        allowed = letters & ~np.asarray([is_held_out(piece.lstrip("▁")) for piece in pieces])
        begins = np.asarray([piece.startswith("▁") for piece in pieces])
        names = letters & (tagged >= TAGGED * np.maximum(taggable, 1)) & (taggable > 0)
        rare = allowed & ((everywhere < RARE * everywhere.sum()) | names)
        return cls(
            (np.flatnonzero(names & begins), np.flatnonzero(names & ~begins)),
            (np.flatnonzero(rare & begins), np.flatnonzero(rare & ~begins)),
            size,
        )

    def rename(self, ids: Ints, chance: np.random.Generator) -> None:
        """Change a row in place, the same piece to the same one and two to two that differ.

        Args:
            ids: The row, ``[S]``.
            chance: Draws which pieces change, and to what.
        """
        table = np.arange(len(self._kind))
        for kind, others in enumerate(self._others):
            found = np.unique(ids[self._kind[ids] == kind])
            found = found[chance.random(len(found)) < CHANGED]
            # Nor what stays in the row: two names that become one make questions without an answer.
            free = others[~np.isin(others, ids)]
            if len(free) >= len(found):
                table[found] = chance.choice(free, len(found), replace=False)
        ids[:] = table[ids]


def _is_word(letters: str) -> bool:
    return letters.isalpha() and letters.isascii()
