"""Masked words: which tokens are hidden, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from albert_export.tokenization import AlbertTokenizerFast

Ints = npt.NDArray[np.int64]

#: Part of the words of one piece that is hidden.
SHARE = 0.2


class Masker:
    """Hides words that are one piece: of ten, eight become masks, one becomes another word, one stays.

    Words of several pieces are mostly names, which nothing gives away: they would only teach noise.

    Args:
        begins: For each piece of the vocabulary whether it begins a word, ``[V]`` bool.
        words: For each piece whether it can be hidden: a beginning piece of letters, ``[V]`` bool.
        mask_id: Id of [MASK].
    """

    def __init__(self, begins: npt.NDArray[np.bool_], words: npt.NDArray[np.bool_], mask_id: int) -> None:
        self._begins = begins
        self._words = words
        self._choice = np.flatnonzero(words)
        self._mask_id = mask_id

    @classmethod
    def of(cls, tokenizer: AlbertTokenizerFast) -> Masker:
        """Return the masker of a vocabulary."""
        pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer.get_vocab()))))
        begins = begins_of(pieces)
        words = np.asarray([piece[:1] == "▁" and piece[1:].isalpha() for piece in pieces])
        return cls(begins, words, int(tokenizer.convert_tokens_to_ids("[MASK]")))

    def mask(
        self,
        ids: Ints,
        words: Ints,
        width: int,
        chance: np.random.Generator,
        *,
        share: float = SHARE,
        kept: Ints | None = None,
    ) -> None:
        """Hide words of one row, in place.

        Args:
            ids: The row's ids, ``[S]``; hidden ones are changed.
            words: Filled with the true id where a word is hidden, ``[S]``; elsewhere left alone.
            width: Tokens of the row; what follows is padding.
            chance: Draws the words.
            share: Part of the words of one piece that is hidden.
            kept: Tokens that stay as they are.
        """
        real = ids[:width]
        alone = np.append(self._begins[real[1:]], True)
        hidden = self._words[real] & alone & (chance.random(width) < share)
        if kept is not None:
            hidden[kept] = False
        words[:width][hidden] = real[hidden]
        draw = chance.random(width)
        real[hidden & (draw < 0.8)] = self._mask_id
        other = hidden & (draw >= 0.8) & (draw < 0.9)
        real[other] = chance.choice(self._choice, int(other.sum()))


def begins_of(pieces: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Return which pieces begin a word, ``[V]``: all but letters and digits without a space before."""
    return np.asarray([not piece[:1].isalnum() for piece in pieces])
