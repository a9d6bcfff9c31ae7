"""Which items stand together in a training step, and the arrays of a batch.

A batch mixes tasks: its rows go through the encoder together, and each head reads its own. Rows of about one length
stand together, so that little is padded; which of them is drawn anew for every pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tools.mini.encoding import IGNORED, TASKS, Rows
from tools.mini.masking import Masker
from tools.mini.renaming import RENAMED, Renamer

Ints = npt.NDArray[np.int64]

#: Id of the full stop: the fifth of the user-defined signs, which follow the five special pieces.
FULL_STOP = 9
#: Items that are sorted by length together.
POOL = 4096
#: Of these the rows of a batch, and the tokens of a row, are a multiple.
ROWS_STEP, TOKENS_STEP = 4, 8


@dataclass(frozen=True)
class Batch:
    """Rows of several tasks, padded on the right, and rows of padding.

    Attributes:
        ids: Token ids, ``[B,S]``.
        types: Segments, ``[B,S]``.
        mask: 1 for tokens, 0 for padding, ``[B,S]``.
        positions: Positions, ``[B,S]``; some rows begin later than at 0.
        tokens: Label of each token of the row's task, ``[B,S]``; :data:`IGNORED` where none is.
        words: Piece to predict at each token, ``[B,S]``; :data:`IGNORED` where none is.
        hints: For pairs of texts, 0 or 1 for each token of the second in three layers: whether its piece stands in the
            first text; whether it and its neighbour on the left stand there as neighbours; whether its sentence has
            the answer, or it belongs to the right choice. ``[B,S,3]``; :data:`IGNORED` elsewhere.
        rows: Task -> its rows, ``[items * rows of an item]``.
        labels: Task -> two numbers for each of its items, ``[items,2]`` float32.
    """

    ids: Ints
    types: Ints
    mask: Ints
    positions: Ints
    tokens: Ints
    words: Ints
    hints: Ints
    rows: Mapping[str, Ints]
    labels: Mapping[str, npt.NDArray[np.float32]]


def plan(
    lengths: Sequence[Ints],
    rows: Sequence[int],
    spells: Sequence[tuple[float, float]],
    tokens: int,
    chance: np.random.Generator,
    *,
    small: float = 0.0,
) -> Iterator[list[tuple[int, int]]]:
    """Yield, for each batch, its items as pairs (number of the data set, number of the item).

    Every item comes once, in an order that ``chance`` draws.

    Args:
        lengths: Longest row of each item, for each data set.
        rows: Rows of an item, for each data set.
        spells: Part of the training over which each data set is spread, such as (0, 0.5) for the first half.
        tokens: Most tokens of a batch, padding to its longest row counted; a longer item is a batch of its own.
        chance: Draws the order.
        small: Part of the items, the first ones, that is learnt in batches of half the tokens.
    """
    which = np.concatenate([np.full(len(part), number) for number, part in enumerate(lengths)])
    item = np.concatenate([np.arange(len(part)) for part in lengths])
    length = np.concatenate(list(lengths))
    height = np.asarray(rows)[which]
    begin, end = np.asarray(spells, dtype=np.float64)[which].T
    order = np.argsort(begin + (end - begin) * chance.random(len(which)), kind="stable")
    for start in range(0, len(order), POOL):
        pool = order[start : start + POOL]
        pool = pool[np.argsort(length[pool], kind="stable")]
        # Small steps teach more a token while nearly everything is still to be learnt.
        most = tokens // 2 if start < small * len(order) else tokens
        cuts: list[list[int]] = [[]]
        count = 0
        for index in pool:  # ascending: the row at hand is the longest so far
            if cuts[-1] and (count + height[index]) * length[index] > most:
                cuts.append([])
                count = 0
            cuts[-1].append(int(index))
            count += int(height[index])
        for number in chance.permutation(len(cuts)):
            yield [(int(which[index]), int(item[index])) for index in cuts[number]]


def assemble(
    data: Sequence[Rows],
    items: Sequence[tuple[int, int]],
    masker: Masker | None,
    chance: np.random.Generator,
    *,
    masked: float = 0.5,
    renamer: Renamer | None = None,
    renamed: float = 0.0,
) -> Batch:
    """Make the arrays of one batch.

    Args:
        data: The data sets.
        items: Pairs as :func:`plan` yields them.
        masker: Masks words of the tasks that are about them; None leaves every text whole.
        chance: Draws the masked words, the names and the first positions.
        masked: Part of the questions whose text has masked words.
        renamer: Changes names; None leaves them all.
        renamed: Part of the rows of questions and of names whose names change.
    """
    items = sorted(items, key=lambda pair: TASKS.index(data[pair[0]].task))
    sources = [
        (data[which], item * data[which].rows_per_item + row)
        for which, item in items
        for row in range(data[which].rows_per_item)
    ]
    widths = [int(source.starts[row + 1] - source.starts[row]) for source, row in sources]
    count, longest = len(sources), max(widths)
    # A few rows and tokens more, so that many batches have the same shape, which is compiled for once.
    shape = (_up(count, ROWS_STEP), min(_up(longest, TOKENS_STEP), 512))
    ids, types, mask = (np.zeros(shape, np.int64) for _ in range(3))
    tokens, words = (np.full(shape, IGNORED, np.int64) for _ in range(2))
    hints = np.full((*shape, 3), IGNORED, np.int64)
    for place, ((source, row), width) in enumerate(zip(sources, widths, strict=True)):
        span = slice(int(source.starts[row]), int(source.starts[row + 1]))
        ids[place, :width] = source.ids[span]
        types[place, :width] = source.types[span]
        mask[place, :width] = 1
        if renamer is not None and source.task in RENAMED and chance.random() < renamed:
            renamer.rename(ids[place, :width], chance)
        if source.task == "token-classification":
            tokens[place, :width] = source.tokens[span]
        elif source.task == "fill-mask":
            words[place, :width] = source.tokens[span]
        if source.task == "question-answering":
            hint(ids[place, :width], types[place, :width], int(source.labels[row, 0]), hints[place, :width])
        elif source.task == "multiple-choice":
            item, choice = divmod(row, source.rows_per_item)
            right = bool(source.labels[item, 0] == choice)
            hint(ids[place, :width], types[place, :width], None, hints[place, :width], right=right)
    tasks = [source.task for source, _ in sources]
    if masker is not None:
        for place, task in enumerate(tasks):
            if task == "words" or (task == "pretraining" and chance.random() < 0.5):
                masker.mask(ids[place], words[place], widths[place], chance)
            elif task == "token-classification" and chance.random() < 0.5:
                masker.mask(ids[place], words[place], widths[place], chance, share=0.1)
            elif task == "question-answering" and chance.random() < masked:
                # Texts of questions teach words besides; question and answer stay whole.
                second = int(np.argmax(types[place] == 1))
                first, last = (int(label) for label in sources[place][0].labels[sources[place][1]])
                kept = np.r_[0:second, first : last + 1]
                masker.mask(ids[place], words[place], widths[place], chance, share=0.1, kept=kept)
    # Some rows stand elsewhere: positions that no generated text reaches are trained too.
    shifts = np.zeros(shape[0], np.int64)
    shifts[:count] = np.where(chance.random(count) < 0.3, chance.integers(0, 512 - longest + 1, count), 0)
    positions = np.minimum(shifts[:, None] + np.arange(shape[1])[None, :], 511)
    present = [task for task in TASKS if task in tasks]
    return Batch(
        ids,
        types,
        mask,
        positions,
        tokens,
        words,
        hints,
        {task: np.flatnonzero([own == task for own in tasks]) for task in present},
        {
            task: np.stack([data[which].labels[item] for which, item in items if data[which].task == task])
            for task in present
        },
    )


def _up(number: int, step: int) -> int:
    return -(-number // step) * step


def hint(ids: Ints, types: Ints, answer: int | None, hints: Ints, *, right: bool = False) -> None:
    """Fill in what a reader of a pair needs to see on the way to the answer; see :attr:`Batch.hints`.

    Args:
        ids: Ids of the row, ``[S]``.
        types: Its segments, ``[S]``.
        answer: First token of the answer; None where the second text as a whole is one answer of several.
        hints: Filled, ``[S,3]``.
        right: Whether that text is the right one.
    """
    second = types == 1
    first = ids[~second]
    pairs = ids << 16
    pairs[1:] |= ids[:-1]
    hints[second, 0] = np.isin(ids[second], first)
    # In the first text, the pair of [CLS] and what follows it is no pair of its words.
    hints[second, 1] = np.isin(pairs[second], pairs[~second][2:])
    if answer is None:
        hints[second, 2] = right
    else:
        sentence = np.cumsum(np.concatenate(([0], ids[:-1] == FULL_STOP)))
        hints[second, 2] = (sentence == sentence[answer])[second]
