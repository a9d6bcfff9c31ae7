"""Which words a training has read, so that no text that it is judged by has a name that was one of them.

A whole name is on one side of the split. A word of it need not be: a hotel or a street may be called by a word that
alone is a held-out town, and pieces that stand for names may together spell another one. So what was read is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from tools.mini.masking import begins_of

if TYPE_CHECKING:
    from albert_export.tokenization import AlbertTokenizerFast

Ints = npt.NDArray[np.int64]

_WORD = re.compile(r"[a-z]+")
#: Most tokens of a row, and so of a word.
_LONGEST = 512


class WordsRead:
    """The different words of all rows that it was given.

    Args:
        tokenizer: The vocabulary.
    """

    def __init__(self, tokenizer: AlbertTokenizerFast) -> None:
        self._pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer.get_vocab()))))
        self._begins = begins_of(self._pieces)
        self._weights = np.random.default_rng(0).integers(1, 2**63, _LONGEST, dtype=np.uint64)
        self._found: dict[int, list[int]] = {}

    def add(self, ids: Ints, mask: Ints) -> None:
        """Add the words of a batch.

        Args:
            ids: Token ids, ``[B,S]``, each row from its first token on.
            mask: 1 for tokens, 0 for padding, ``[B,S]``.
        """
        real = mask == 1
        begins = self._begins[ids]
        begins[:, 0] = True
        flat, first = ids[real], begins[real]
        if not len(flat):
            return
        starts = np.flatnonzero(first)
        places = np.arange(len(flat)) - np.repeat(starts, np.diff(np.append(starts, len(flat))))
        # A sum of 64 bits for each word, by which words that were met before are known.
        sums = np.add.reduceat((flat + 1).astype(np.uint64) * self._weights[places], starts)
        different, where = np.unique(sums, return_index=True)
        for known, word in zip(different.tolist(), where.tolist(), strict=True):
            if known not in self._found:
                end = starts[word + 1] if word + 1 < len(starts) else len(flat)
                self._found[known] = flat[starts[word] : end].tolist()

    def words(self) -> set[str]:
        """Return them in small letters, without signs."""
        return {
            word
            for pieces in self._found.values()
            for word in _WORD.findall("".join(self._pieces[piece] for piece in pieces).lower())
        }


def write(path: Path, words: Iterable[str]) -> None:
    """Write words, one a line, whole or not at all."""
    unfinished = path.with_suffix(".part")
    unfinished.write_text("".join(f"{word}\n" for word in sorted(words)), encoding="utf-8")
    unfinished.replace(path)


def read(path: Path) -> set[str]:
    """Return the words of a file."""
    return set(path.read_text(encoding="utf-8").split())
