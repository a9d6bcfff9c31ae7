"""How shapes are written, and the inputs that they stand for."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.bench.shapes import Shape, check_lengths, draw_lengths, make_inputs, parse_shapes
from albert_export.cli.bench_command import DEFAULT_SHAPES
from albert_export.errors import InputError


def test_shapes_are_read_in_their_order_and_counted_once() -> None:
    assert parse_shapes("1x16, 8x128p,1x16,8x128") == (Shape(1, 16), Shape(8, 128, True), Shape(8, 128))


@settings(deadline=None)
@given(st.integers(1, 10**6), st.integers(2, 10**6), st.booleans())
def test_a_shape_is_read_as_it_is_written(batch: int, sequence: int, padded: bool) -> None:
    shape = Shape(batch, sequence, padded)
    assert parse_shapes(shape.name) == (shape,)


@pytest.mark.parametrize(
    "text", ["8", "8x", "x8", "0x16", "1x0", "08x1", "1x16q", "1x16pp", "1*16", "-1x16", "1x１６", "8 x 16"]
)
def test_another_form_is_refused_with_an_example(text: str) -> None:
    told = re.escape(f"a shape must be BxS, or BxSp for rows of which half is padding; received {text}; fix: give e.g.")
    with pytest.raises(InputError, match=told):
        parse_shapes(f"1x16,{text}")


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_no_shape_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="at least one shape must be given"):
        parse_shapes(text)


def test_a_row_of_one_token_has_no_place_for_padding() -> None:
    with pytest.raises(InputError, match=r"at least 2 tokens a row.*received 4x1p; fix: give 4x2p"):
        parse_shapes("4x1p")


def test_a_shape_may_be_as_long_as_the_model_s_positions() -> None:
    check_lengths([Shape(1, 512)], 512)
    with pytest.raises(InputError, match=r"max_position_embeddings = 512 tokens; received 2x513p; fix: give 2x512p"):
        check_lengths([Shape(1, 16), Shape(2, 513, True)], 512)


@settings(deadline=None)
@given(st.integers(1, 16), st.integers(2, 64), st.integers(0, 5))
def test_half_of_a_padded_shape_is_padding_and_every_row_has_a_token(batch: int, sequence: int, seed: int) -> None:
    lengths = draw_lengths(Shape(batch, sequence, True), batch, seed)
    assert sum(lengths) == batch * sequence // 2
    assert all(1 <= length <= sequence for length in lengths)
    assert lengths == draw_lengths(Shape(batch, sequence, True), batch, seed)


def test_inputs_are_ids_then_padding() -> None:
    inputs = make_inputs(Shape(8, 32, True), vocabulary=100, pad=3, seed=1)
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    assert {(array.shape, array.dtype.name) for array in inputs.values()} == {((8, 32), "int64")}
    assert mask.sum() == 8 * 32 / 2 and len(set(mask.sum(-1))) > 2
    assert (np.diff(mask, axis=-1) <= 0).all()
    assert (ids[mask == 0] == 3).all() and ids.min() >= 0 and ids.max() < 100
    assert not inputs["token_type_ids"].any()


def test_a_full_shape_has_no_padding_and_another_seed_gives_other_ids() -> None:
    first, second = (make_inputs(Shape(2, 16), vocabulary=100, seed=seed) for seed in (0, 1))
    assert first["attention_mask"].all()
    assert (first["input_ids"] != second["input_ids"]).any()


def test_a_question_of_multiple_choice_has_its_choices() -> None:
    inputs = make_inputs(Shape(3, 8, True), vocabulary=100, choices=4)
    assert inputs["input_ids"].shape == (3, 4, 8)
    assert inputs["attention_mask"].sum() == 3 * 4 * 8 / 2


def test_a_position_that_is_asked_for_is_a_real_token_of_its_row() -> None:
    inputs = make_inputs(Shape(8, 32, True), vocabulary=100, chosen=True, seed=1)
    assert (inputs["positions"].shape, inputs["positions"].dtype.name) == ((8, 1), "int64")
    assert np.take_along_axis(inputs["attention_mask"], inputs["positions"], axis=1).all()
    assert len(np.unique(inputs["positions"])) > 2


def test_the_command_line_s_default_can_be_read() -> None:
    assert len(parse_shapes(DEFAULT_SHAPES)) == 4
