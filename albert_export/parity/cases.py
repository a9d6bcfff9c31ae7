"""The inputs that parity is judged on: named, seeded, few enough for a base model in seconds.

A case is a batch of rows of one sequence length. Between them the cases hold real text in several scripts and random
ids; both segments; right, left, inner and no padding; a row of which only ``[CLS]`` is real and one of which nothing
is; and, where an axis is dynamic, one row and several, one choice and several, and the sequence lengths 1, 2, the
traced one, an odd one and the largest.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from albert_export.errors import InputError
from albert_export.parity.texts import PAIRS
from albert_export.positions import POSITIONS, gathered
from albert_export.tasks import Task, TensorSpec

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig

IntArray = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Padding = Literal["none", "right", "left", "mixed"]

_TEXT_TOKENS = 48
_ODD_LENGTH = 37
_PADDED_LENGTH = 24
#: The cases of a short run: text padded on the right, which the checks run on, the smallest shape, every padding.
QUICK_CASES = ("text", "one-token", "padding")
#: A pair needs [CLS], two [SEP] and a few pieces of either text.
_LEAST_TEXT_TOKENS = 8
#: Part of a row that is padding where the texts would fill all rows.
_SHARE_OF_PADDING = 4
#: Up to this fixed length every kind of padding gets a row; above, a row costs more than it tells.
_LONG = 128


@dataclass(frozen=True)
class Case:
    """One batch of inputs.

    Attributes:
        name: What it is, for reports.
        inputs: ``input_ids``, ``attention_mask`` and ``token_type_ids``, int64 ``[B,S]`` (``[B,N,S]`` for multiple
            choice); ``positions`` ``[B,P]`` where an artifact is asked for some alone.
        padding: Where the padding lies.
    """

    name: str
    inputs: Mapping[str, IntArray]
    padding: Padding

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the ids."""
        return self.inputs["input_ids"].shape

    def sizes(self, specs: Iterable[TensorSpec]) -> dict[str, int]:
        """Return the size of each axis of the inputs that ``specs`` describe."""
        return {
            str(axis): size
            for spec in specs
            for axis, size in zip(spec.axes, self.inputs[spec.name].shape, strict=True)
        }

    def real(self, axes: Sequence[str | int]) -> Mask:
        """Return which leading places of an output are real: tokens, or rows with at least one of them.

        Args:
            axes: The output's axes; the mask covers those that the inputs have too.
        """
        mask: Mask = self.inputs["attention_mask"].astype(bool)
        if POSITIONS in axes:
            return gathered(mask, self.inputs[POSITIONS])
        return mask if "sequence" in axes else np.any(mask, axis=-1)

    def padded(self, axes: Sequence[str | int]) -> Mask:
        """Return which leading places of an output are padding within a row that has a real token.

        Rows without one are in neither mask: there the eager models of different precisions themselves disagree.
        """
        mask: Mask = self.inputs["attention_mask"].astype(bool)
        if "sequence" not in axes and POSITIONS not in axes:
            return np.zeros(mask.shape[:-1], dtype=bool)
        padded: Mask = ~mask & np.any(mask, axis=-1, keepdims=True)
        return gathered(padded, self.inputs[POSITIONS]) if POSITIONS in axes else padded


@dataclass(frozen=True)
class _Row:
    """Token ids and segments of one row, and the range of it that the mask hides."""

    ids: Sequence[int]
    types: Sequence[int]
    hidden: tuple[int, int] = (0, 0)


class _Rows:
    """Makes rows for one model."""

    def __init__(self, config: AlbertConfig, tokenizer: Any | None, seed: int) -> None:
        self._config = config
        self._tokenizer = tokenizer
        self._seed = seed
        first = (config.bos_token_id if tokenizer is None else tokenizer.cls_token_id) or 0
        self.cls: int = min(first, config.vocab_size - 1)
        self.pad: int = min(config.pad_token_id or 0, config.vocab_size - 1)

    def random(self, name: str, lengths: Sequence[int]) -> list[_Row]:
        """Return rows of random ids; the second segment begins somewhere inside."""
        generator = np.random.default_rng([self._seed, zlib.crc32(name.encode())])
        rows = []
        for length in lengths:
            ids = generator.integers(0, self._config.vocab_size, length)
            start = int(generator.integers(1, length)) if length > 1 else 0
            rows.append(_Row(ids.tolist(), self._types([0] * start + [1] * (length - start))))
        return rows

    def text(self, name: str, pairs: Sequence[tuple[str, str]], longest: int, length: int | None = None) -> list[_Row]:
        """Return tokenised pairs, at least one of which leaves room for padding.

        Args:
            name: Seeds the random ids that take the place of text where there is no tokenizer.
            pairs: The texts.
            longest: Tokens that a pair is cut to.
            length: Length that the rows are to be filled up to; by default that of the longest.

        Raises:
            InputError: The tokenizer gives an id that the model has no embedding for.
        """
        rows = self._text(name, pairs, longest)
        filled = length or max(len(row.ids) for row in rows)
        if all(len(row.ids) == filled for row in rows):
            rows[-1:] = self._text(name, pairs[-1:], longest - max(1, longest // _SHARE_OF_PADDING))
        return rows

    def _text(self, name: str, pairs: Sequence[tuple[str, str]], longest: int) -> list[_Row]:
        if self._tokenizer is None:
            return self.random(name, [max(2, longest - 3 * index) for index in range(len(pairs))])
        rows = []
        for first, second in pairs:
            encoded = self._tokenizer(first, second, truncation=True, max_length=longest)
            ids = [int(item) for item in encoded["input_ids"]]
            if max(ids) >= self._config.vocab_size:
                raise InputError(
                    f"the tokenizer's ids must be below the model's vocab_size = {self._config.vocab_size}",
                    received=max(ids),
                    fix="export again from a checkpoint whose tokenizer belongs to it",
                )
            rows.append(_Row(ids, self._types([int(item) for item in encoded["token_type_ids"]])))
        return rows

    def _types(self, types: list[int]) -> list[int]:
        return [min(item, self._config.type_vocab_size - 1) for item in types]


def build_cases(
    task: Task,
    config: AlbertConfig,
    *,
    sizes: Mapping[str, int | None],
    traced: Mapping[str, int] | None = None,
    tokenizer: Any | None = None,
    seed: int = 0,
    longest: int | None = None,
    most_choices: int | None = None,
) -> tuple[Case, ...]:
    """Return the cases that an artifact can take.

    Args:
        task: Gives the axes of the inputs.
        config: Gives ``vocab_size``, ``type_vocab_size`` and ``max_position_embeddings``.
        sizes: Dynamic axis -> the size an artifact fixes it to. ``batch`` is not looked at: whoever runs a case cuts
            it into batches that fit.
        traced: Sizes of the example that the artifact was traced with; without them no case repeats that shape.
        tokenizer: The bundle's; None has random ids in the place of text.
        seed: Of the random ids.
        longest: Most tokens of a row that the artifact takes; None for what the model takes.
        most_choices: Most choices that it takes, where it does not fix their number; None where nothing bounds them.

    Raises:
        InputError: The tokenizer does not belong to the model.
    """
    rows = _Rows(config, tokenizer, seed)
    length = sizes.get("sequence")
    build = _Builder(rows, sizes.get("choices"), "choices" in task.dynamic_axes, most_choices)
    if length is None:
        _dynamic_cases(build, rows, longest or config.max_position_embeddings, traced or {})
    else:
        _fixed_cases(build, rows, length)
    return tuple(build.cases)


def quick_cases(cases: Sequence[Case]) -> tuple[tuple[Case, ...], tuple[str, ...]]:
    """Return the cases of a short run, and the names of those that it leaves out."""
    kept = tuple(case for case in cases if case.name in QUICK_CASES)
    return kept, tuple(case.name for case in cases if case.name not in QUICK_CASES)


def _dynamic_cases(build: _Builder, rows: _Rows, longest: int, traced: Mapping[str, int]) -> None:
    text = min(_TEXT_TOKENS, longest)
    if text >= _LEAST_TEXT_TOKENS:
        build.add("text", rows.text("text", PAIRS[:4], text), padding="right", choices=2)
        build.add("text-left-padded", rows.text("text-left-padded", PAIRS[4:], text), padding="left", choices=4)
    odd = min(_ODD_LENGTH, longest - (longest + 1) % 2)
    shapes = [("one-token", 1, 1, 1), ("two-tokens", 3, 2, 3)]
    if traced:
        choices = traced.get("choices", 1)
        shapes.append(("traced-shape", traced["batch"] * choices, traced["sequence"], choices))
    shapes += [("odd-length", 3, odd, 1), ("largest-length", 1, longest, 1)]
    seen: set[int] = set()
    for name, count, length, choices in shapes:
        if length <= longest and length not in seen:
            seen.add(length)
            build.add(name, rows.random(name, [length] * count), padding="none", choices=choices)
    _padding_case(build, rows, min(_PADDED_LENGTH, longest), every_kind=True)


def _fixed_cases(build: _Builder, rows: _Rows, length: int) -> None:
    if length >= _LEAST_TEXT_TOKENS:
        build.add("text", rows.text("text", PAIRS[:2], length, length), padding="right", choices=1, length=length)
        left = rows.text("text-left-padded", PAIRS[2:3], length, length)
        build.add("text-left-padded", left, padding="left", choices=1, length=length)
    build.add("full-length", rows.random("full-length", [length]), padding="none", choices=1)
    _padding_case(build, rows, length, every_kind=length <= _LONG)


def _padding_case(build: _Builder, rows: _Rows, length: int, *, every_kind: bool) -> None:
    """Add rows that differ in what the mask hides; what it hides are random ids, which must not matter."""
    full, right, left, inner, under_cls, under_nothing = rows.random("padding", [length] * 6)
    third = max(1, length // 3)
    cls_first = [rows.cls, *under_cls.ids[1:]]
    made = [
        _Row(cls_first, under_cls.types, hidden=(1, length)),
        _Row(under_nothing.ids, under_nothing.types, hidden=(0, length)),
    ]
    if every_kind and length > 2:
        made += [
            full,
            _Row(right.ids, right.types, hidden=(length - third, length)),
            _Row(left.ids, left.types, hidden=(0, third)),
            _Row(inner.ids, inner.types, hidden=(third, length - third)),
        ]
    build.add("padding", made, padding="mixed", choices=2)


class _Builder:
    """Puts rows together into cases."""

    def __init__(self, rows: _Rows, choices: int | None, has_choices: bool, most_choices: int | None) -> None:
        self.cases: list[Case] = []
        self._rows = rows
        self._choices = choices
        self._has_choices = has_choices
        self._most_choices = most_choices

    def add(
        self, name: str, rows: Sequence[_Row], *, padding: Padding, choices: int, length: int | None = None
    ) -> None:
        """Append a case.

        Args:
            name: Its name.
            rows: Its rows.
            padding: The side on which rows shorter than the longest are filled up.
            choices: Rows that make one item of multiple choice, where the artifact does not fix their number.
            length: Sequence length; by default that of the longest row.
        """
        length = length or max(len(row.ids) for row in rows)
        shape: tuple[int, ...] = (len(rows), length)
        if self._has_choices:
            choices = self._choices or min(choices, self._most_choices or choices)
            items = -(-len(rows) // choices)
            rows = [rows[index % len(rows)] for index in range(items * choices)]
            shape = (items, choices, length)
        columns = [_lay_out(row, length, self._rows.pad, left=padding == "left") for row in rows]
        names = ("input_ids", "attention_mask", "token_type_ids")
        inputs = {
            column: np.array([laid[index] for laid in columns], dtype=np.int64).reshape(shape)
            for index, column in enumerate(names)
        }
        self.cases.append(Case(name, inputs, padding))


def _lay_out(row: _Row, length: int, pad: int, *, left: bool) -> tuple[list[int], list[int], list[int]]:
    """Return ids, mask and segments of ``length``."""
    start, end = row.hidden
    mask = [0 if start <= position < end else 1 for position in range(len(row.ids))]
    missing = length - len(row.ids)

    def fill(values: Sequence[int], filler: int) -> list[int]:
        filling = [filler] * missing
        return [*filling, *values] if left else [*values, *filling]

    return fill(row.ids, pad), fill(mask, 0), fill(row.types, 0)
