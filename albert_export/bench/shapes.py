"""The shapes that are timed: how they are written, and the inputs that each stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from albert_export.errors import InputError
from albert_export.positions import POSITIONS

IntArray = npt.NDArray[np.int64]

#: Choices of a question (multiple choice) where the artifact does not fix their number.
CHOICES = 2

_FORM = re.compile(r"([1-9][0-9]*)x([1-9][0-9]*)(p?)", re.ASCII)


@dataclass(frozen=True)
class Shape:
    """One batch that is timed.

    Attributes:
        batch: Rows (B); questions for multiple choice.
        sequence: Tokens of a row, padding included (S).
        padded: Whether half of the tokens are padding, in rows of lengths from a seed; else all are real.
    """

    batch: int
    sequence: int
    padded: bool = False

    @property
    def name(self) -> str:
        """How it is written, e.g. ``8x128p``."""
        return f"{self.batch}x{self.sequence}{'p' if self.padded else ''}"


def parse_shapes(text: str) -> tuple[Shape, ...]:
    """Return the shapes that ``text`` lists, separated by commas; one that comes again counts once.

    Raises:
        InputError: One is not written as BxS or BxSp, none is there, or a padded one has no place for padding.
    """
    shapes = tuple(dict.fromkeys(_parse(part.strip()) for part in text.split(",") if part.strip()))
    if not shapes:
        raise InputError("at least one shape must be given", received=text, fix="leave it out, or give e.g. 1x128")
    return shapes


def _parse(text: str) -> Shape:
    match = _FORM.fullmatch(text)
    if match is None:
        raise InputError(
            "a shape must be BxS, or BxSp for rows of which half is padding",
            received=text,
            fix="give e.g. 1x128,8x128p",
        )
    shape = Shape(int(match[1]), int(match[2]), bool(match[3]))
    if shape.padded and shape.sequence < 2:
        raise InputError(
            "a padded shape must have at least 2 tokens a row, one of them padding",
            received=text,
            fix=f"give {shape.batch}x2p, or leave the p out",
        )
    return shape


def check_lengths(shapes: Sequence[Shape], longest: int) -> None:
    """Check that no shape has more positions than the model.

    Raises:
        InputError: One has; ``longest`` is the model's ``max_position_embeddings``.
    """
    for shape in shapes:
        if shape.sequence > longest:
            raise InputError(
                f"a sequence must have at most max_position_embeddings = {longest} tokens",
                received=shape.name,
                fix=f"give {Shape(shape.batch, longest, shape.padded).name}",
            )


def draw_lengths(shape: Shape, rows: int, seed: int) -> list[int]:
    """Return how many tokens of each row are real: at least 1, and half of all where the shape is padded."""
    if not shape.padded:
        return [shape.sequence] * rows
    generator = np.random.default_rng([seed, rows, shape.sequence])
    lengths = generator.integers(1, shape.sequence + 1, rows)
    # Drawn lengths come near to half. One token at a time takes them there, so that all such shapes cost the same.
    while (missing := rows * shape.sequence // 2 - int(lengths.sum())) != 0:
        step = 1 if missing > 0 else -1
        open_rows = np.flatnonzero((lengths + step >= 1) & (lengths + step <= shape.sequence))
        lengths[generator.choice(open_rows)] += step
    return [int(length) for length in lengths]


def make_inputs(
    shape: Shape,
    *,
    vocabulary: int,
    pad: int = 0,
    choices: int | None = None,
    chosen: bool = False,
    seed: int = 0,
) -> Mapping[str, IntArray]:
    """Return the inputs of a shape: random ids, then padding, all in the first segment.

    Args:
        shape: Which shape.
        vocabulary: Ids are below it.
        pad: Id at places of padding.
        choices: Rows of one question (multiple choice); None for all other heads.
        chosen: Whether one position is asked for in each row, as of a text with one mask.
        seed: Of ids, lengths and positions.

    Returns:
        ``input_ids``, ``attention_mask`` and ``token_type_ids``, int64 ``[B,S]``, ``[B,N,S]`` with ``choices`` N; where
        chosen, ``positions`` ``[B,1]``, of real tokens.
    """
    rows = shape.batch * (choices or 1)
    full: tuple[int, ...] = (shape.batch, shape.sequence)
    if choices is not None:
        full = (shape.batch, choices, shape.sequence)
    generator = np.random.default_rng([seed, rows, shape.sequence, 1])
    ids = generator.integers(0, vocabulary, (rows, shape.sequence))
    lengths = np.array(draw_lengths(shape, rows, seed))
    mask = np.arange(shape.sequence) < lengths[:, None]
    arrays: dict[str, npt.NDArray[Any]] = {
        "input_ids": np.where(mask, ids, pad),
        "attention_mask": mask,
        "token_type_ids": np.zeros_like(ids),
    }
    inputs = {name: array.astype(np.int64).reshape(full) for name, array in arrays.items()}
    if chosen:
        inputs[POSITIONS] = generator.integers(0, lengths)[:, None]
    return inputs
