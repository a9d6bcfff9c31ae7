"""Masked words: which tokens are hidden, and by what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from albert_export.tokenization import AlbertTokenizerFast

Ints = npt.NDArray[np.int64]

#: Part of the words of a text that is hidden.
SHARE = 0.18


class Masker:
    """Hides whole words: of ten, eight become masks, one becomes other pieces, one stays.

    Args:
        begins: For each piece of the vocabulary whether it begins a word, ``[V]`` bool.
        special: Ids that are never hidden: padding, [CLS], [SEP], [MASK].
        mask_id: Id of [MASK].
    """

    def __init__(self, begins: npt.NDArray[np.bool_], special: tuple[int, ...], mask_id: int) -> None:
        self._begins = begins
        self._special = np.asarray(special)
        self._mask_id = mask_id
        self._first_word = max(special) + 1

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
            share: Part of the words that is hidden; at least one is.
            kept: Tokens that stay as they are.
        """
        real = ids[:width]
        special = np.isin(real, self._special)
        if kept is not None:
            special[kept] = True
        # A piece belongs to the word that the last beginning piece began.
        word = np.cumsum(self._begins[real] | special)
        chosen = np.flatnonzero(chance.random(int(word[-1]) + 1) < share)
        hidden = np.isin(word, chosen) & ~special
        if not hidden.any():
            open_places = np.flatnonzero(~special)
            if not len(open_places):
                return
            hidden = (word == word[chance.choice(open_places)]) & ~special
        words[:width][hidden] = real[hidden]
        draw = chance.random(int(word[-1]) + 1)[word]
        real[hidden & (draw < 0.8)] = self._mask_id
        other = hidden & (draw >= 0.8) & (draw < 0.9)
        real[other] = chance.integers(self._first_word, len(self._begins), int(other.sum()))


def word_beginnings(tokenizer: AlbertTokenizerFast) -> npt.NDArray[np.bool_]:
    """Return for each piece whether it begins a word, ``[V]``: all but letters and digits without a space before."""
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer.get_vocab()))))
    return np.asarray([not piece[:1].isalnum() for piece in pieces])
