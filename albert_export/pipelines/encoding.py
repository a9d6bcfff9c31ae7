"""Texts as token ids, cut into windows that fit the model, and windows put together into batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from albert_export.errors import InputError

if TYPE_CHECKING:
    from albert_export.tokenization import AlbertTokenizerFast, AlbertWordPieceTokenizer, BatchEncoding

    Tokenizer: TypeAlias = AlbertTokenizerFast | AlbertWordPieceTokenizer

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Encoded:
    """A text, or a pair, as tokens; every list has one entry a token.

    Attributes:
        input_ids: Ids.
        token_type_ids: Segments.
        sequence_ids: 0 for the text, 1 for the second of a pair, None for what the tokenizer put around them.
        word_ids: Number of the word within its text, or None.
        offsets: First character, and the one after the last, in the text the token comes from.
        cut: Whether something of the text had to be left out.
    """

    input_ids: list[int]
    token_type_ids: list[int]
    sequence_ids: list[int | None]
    word_ids: list[int | None]
    offsets: list[tuple[int, int]]
    cut: bool = False

    def __len__(self) -> int:
        return len(self.input_ids)

    def text_range(self, sequence: int) -> range:
        """The positions of one text; they are always together."""
        positions = [index for index, owner in enumerate(self.sequence_ids) if owner == sequence]
        return range(positions[0], positions[-1] + 1) if positions else range(0)

    def window(self, kept: range, whole: range) -> Window:
        """All tokens, but of those in ``whole`` only those in ``kept``."""
        origin = np.r_[0 : whole.start, kept.start : kept.stop, whole.stop : len(self)].astype(np.int64)
        return Window(
            self,
            origin,
            np.asarray(self.input_ids, dtype=np.int64)[origin],
            np.asarray(self.token_type_ids, dtype=np.int64)[origin],
        )

    def windows(self, sequence: int, max_length: int, overlap: int) -> list[Window]:
        """Cut one of the texts into overlapping pieces, each with everything around it.

        Args:
            sequence: 0 or 1; the other text is repeated in every window.
            max_length: Most tokens of a window.
            overlap: Tokens that a window shares with the next; at most half of what fits, since a large overlap
                would make a window of nearly every token.

        Returns:
            At least one window; the windows cover the text, and only the last may be shorter.

        Raises:
            InputError: What is around the text leaves no room for it.
        """
        whole = self.text_range(sequence)
        room = max_length - (len(self) - len(whole))
        if len(whole) <= room:
            return [self.window(whole, whole)]
        if room < 2:
            raise InputError(
                f"what stands beside the text must leave room for it within {max_length} tokens",
                received=f"{len(self) - len(whole)} tokens",
                fix="shorten it",
            )
        step = room - min(overlap, room // 2)
        starts = range(whole.start, max(whole.stop - room, whole.start) + step, step)
        return [self.window(range(start, min(start + room, whole.stop)), whole) for start in starts]


@dataclass(frozen=True)
class Window:
    """Tokens for one row of a batch.

    Attributes:
        encoded: The whole text that they come from.
        origin: Position of each token in the whole text, ``[S]``.
        input_ids: Ids, ``[S]``.
        token_type_ids: Segments, ``[S]``.
    """

    encoded: Encoded
    origin: Ids
    input_ids: Ids
    token_type_ids: Ids

    def __len__(self) -> int:
        return len(self.input_ids)

    def positions(self, sequence: int) -> Ids:
        """Positions, within the window, of the tokens of one text."""
        owners = [self.encoded.sequence_ids[index] for index in self.origin]
        return np.flatnonzero(np.asarray([owner == sequence for owner in owners]))


def encode(tokenizer: Tokenizer, text: str, text_pair: str | None = None) -> Encoded:
    """Encode a text or a pair whole, however long."""
    return _encoded(tokenizer(text, text_pair, return_token_type_ids=True, return_offsets_mapping=True, verbose=False))


def encode_cut(tokenizer: Tokenizer, text: str, text_pair: str | None, max_length: int) -> Encoded:
    """Encode a text or a pair, cut to ``max_length`` tokens: of a pair, from the end of the longer text."""
    encoded = encode(tokenizer, text, text_pair)
    if len(encoded) <= max_length:
        return encoded
    cut = tokenizer(
        text,
        text_pair,
        truncation="longest_first",
        max_length=max_length,
        return_token_type_ids=True,
        return_offsets_mapping=True,
        verbose=False,
    )
    return _encoded(cut, cut=True)


def _encoded(encoding: BatchEncoding, *, cut: bool = False) -> Encoded:
    return Encoded(
        list(encoding["input_ids"]),
        list(encoding["token_type_ids"]),
        encoding.sequence_ids(),
        encoding.word_ids(),
        [(int(start), int(end)) for start, end in encoding["offset_mapping"]],
        cut,
    )


def batches(windows: Sequence[Window], size: int) -> Iterator[list[int]]:
    """Yield the indices of windows that go together: alike in length, so that little is padded; the longest first.

    The longest first, so that a run that does not fit into memory fails at its start.
    """
    order = sorted(range(len(windows)), key=lambda index: -len(windows[index]))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def collate(windows: Sequence[Window], *, pad_id: int, rows: int | None, length: int | None) -> dict[str, Ids]:
    """Put windows into one batch, padded on the right.

    Args:
        windows: At least one.
        pad_id: Id of padding.
        rows: Rows of the batch where the artifact fixes them; the rows that are too many repeat the last window.
        length: Its tokens where the artifact fixes them; else those of the longest window.
    """
    count = rows or len(windows)
    width = length or max(map(len, windows))
    inputs = {
        "input_ids": np.full((count, width), pad_id, dtype=np.int64),
        "attention_mask": np.zeros((count, width), dtype=np.int64),
        "token_type_ids": np.zeros((count, width), dtype=np.int64),
    }
    for row in range(count):
        window = windows[min(row, len(windows) - 1)]
        inputs["input_ids"][row, : len(window)] = window.input_ids
        inputs["attention_mask"][row, : len(window)] = 1
        inputs["token_type_ids"][row, : len(window)] = window.token_type_ids
    return inputs
