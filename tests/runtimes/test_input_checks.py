"""What ``run`` accepts, what it fills in, and the one-line error for everything else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.config import AlbertConfig
from albert_export.errors import InputError
from albert_export.runtimes.input_checks import check_inputs
from albert_export.tasks import get_task

CONFIG = AlbertConfig(
    vocab_size=50, hidden_size=16, num_attention_heads=2, intermediate_size=16, max_position_embeddings=8
)
QA = get_task("qa").inputs
CHOICE = get_task("multiple-choice").inputs
FREE: dict[str, int | None] = {"batch": None, "sequence": None, "choices": None}


def check(specs: Any = QA, sizes: dict[str, int | None] = FREE, **inputs: Any) -> dict[str, Any]:
    return check_inputs(inputs, specs, sizes, CONFIG)


def message(specs: Any = QA, sizes: dict[str, int | None] = FREE, **inputs: Any) -> str:
    with pytest.raises(InputError) as caught:
        check(specs, sizes, **inputs)
    assert "\n" not in str(caught.value)
    assert caught.value.fix
    return str(caught.value)


def test_absent_mask_and_types_are_filled_in() -> None:
    checked = check(input_ids=[[2, 7, 3]])
    assert list(checked) == ["input_ids", "attention_mask", "token_type_ids"]
    np.testing.assert_array_equal(checked["attention_mask"], [[1, 1, 1]])
    np.testing.assert_array_equal(checked["token_type_ids"], [[0, 0, 0]])
    assert {array.dtype for array in checked.values()} == {np.dtype("int64")}


def test_none_means_absent() -> None:
    checked = check(input_ids=[[2, 3]], attention_mask=None, token_type_ids=None)
    np.testing.assert_array_equal(checked["attention_mask"], [[1, 1]])


def test_given_mask_and_types_are_kept() -> None:
    checked = check(input_ids=[[2, 3]], attention_mask=[[1, 0]], token_type_ids=[[0, 1]])
    np.testing.assert_array_equal(checked["attention_mask"], [[1, 0]])
    np.testing.assert_array_equal(checked["token_type_ids"], [[0, 1]])


@pytest.mark.parametrize("dtype", ["int32", "int64", "uint8", "int16", "uint64", ">i8"])
def test_every_whole_number_dtype_becomes_the_declared_one(dtype: str) -> None:
    checked = check(input_ids=np.array([[2, 49]], dtype=dtype))
    assert checked["input_ids"].dtype == np.dtype("int64")
    np.testing.assert_array_equal(checked["input_ids"], [[2, 49]])


def test_strided_input_becomes_contiguous() -> None:
    ids = np.arange(40, dtype=np.int64).reshape(8, 5)[::2, ::2]
    checked = check(input_ids=ids)
    assert checked["input_ids"].flags.c_contiguous
    np.testing.assert_array_equal(checked["input_ids"], ids)


def test_boolean_mask_is_a_mask() -> None:
    checked = check(input_ids=[[2, 3]], attention_mask=np.array([[True, False]]))
    np.testing.assert_array_equal(checked["attention_mask"], [[1, 0]])


def test_a_torch_tensor_is_an_array() -> None:
    import torch

    np.testing.assert_array_equal(check(input_ids=torch.tensor([[2, 3]]))["input_ids"], [[2, 3]])


def test_longest_sequence_and_last_ids_pass() -> None:
    check(input_ids=np.full((3, 8), 49), token_type_ids=np.ones((3, 8), int))


@pytest.mark.parametrize(
    ("inputs", "parts"),
    [
        ({}, ["input_ids must be given", "no input"]),
        ({"attention_mask": [[1]]}, ["input_ids must be given", "attention_mask"]),
        ({"input_id": [[2]]}, ["inputs must be among", "input_id", "did you mean input_ids?"]),
        ({"input_ids": [[2]], "mask": [[1]]}, ["did you mean attention_mask?"]),
        ({"input_ids": [[2]], "zzzz": [[1]]}, ["zzzz", "leave it out"]),
        ({"input_ids": np.array([[2.0]])}, ["whole numbers", "float64", 'input_ids.astype("int64")']),
        ({"input_ids": [[1.0, 2.5]]}, ["whole numbers", "float64", "fix: give input_ids as whole numbers"]),
        ({"input_ids": [["a"]]}, ["whole numbers", "dtype <U1"]),
        ({"input_ids": [[True]]}, ["whole numbers", "bool"]),
        ({"input_ids": [[2]], "attention_mask": [[1.0]]}, ["attention_mask must hold whole numbers", "float64"]),
        ({"input_ids": [[2]], "token_type_ids": [[False]]}, ["token_type_ids must hold whole numbers", "bool"]),
        ({"input_ids": [2, 3]}, ["2 axes [batch, sequence]", "shape [2]", "input_ids[None]"]),
        ({"input_ids": 2}, ["2 axes", "shape []"]),
        ({"input_ids": [[[2]]]}, ["2 axes", "shape [1, 1, 1]"]),
        ({"input_ids": [[2, 3], [2]]}, ["rectangular", "different lengths", "pad"]),
        ({"input_ids": np.zeros((0, 4), int)}, ["at least one element", "[0, 4]"]),
        ({"input_ids": [[]]}, ["at least one element", "[1, 0]"]),
        ({"input_ids": [[2, 3]], "attention_mask": [[1]]}, ["shape of input_ids", "[1, 2]", "attention_mask [1, 1]"]),
        ({"input_ids": np.zeros((1, 9), int)}, ["max_position_embeddings = 8", "[1, 9]"]),
        ({"input_ids": [[2, 50]]}, ["vocab_size - 1 = 49", "50 at input_ids[0, 1]"]),
        ({"input_ids": [[2, 3], [-1, 3]]}, ["vocab_size", "-1 at input_ids[1, 0]"]),
        ({"input_ids": np.array([[2**63]], dtype="uint64")}, ["vocab_size", "9223372036854775808"]),
        ({"input_ids": [[2]], "attention_mask": [[2]]}, ["attention_mask must be 1", "2 at attention_mask[0, 0]"]),
        ({"input_ids": [[2]], "token_type_ids": [[2]]}, ["type_vocab_size - 1 = 1", "2 at token_type_ids[0, 0]"]),
    ],
)
def test_bad_inputs_get_rule_received_and_fix(inputs: dict[str, Any], parts: list[str]) -> None:
    text = message(**inputs)
    for part in parts:
        assert part in text


def test_a_tensor_that_numpy_cannot_convert() -> None:
    import torch

    weights = torch.ones(1, 1, requires_grad=True)
    assert "numpy array" in message(input_ids=weights)


def test_multiple_choice_has_three_axes() -> None:
    assert check(CHOICE, input_ids=[[[2, 3], [2, 4]]])["attention_mask"].shape == (1, 2, 2)
    text = message(CHOICE, input_ids=[[2, 3]])
    assert "3 axes [batch, choices, sequence]" in text


@pytest.mark.parametrize(("axis", "shape"), [("batch", (1, 4)), ("sequence", (2, 3))])
def test_fixed_sizes_hold(axis: str, shape: tuple[int, int]) -> None:
    sizes: dict[str, int | None] = {"batch": 2, "sequence": 4}
    check(QA, sizes, input_ids=np.zeros((2, 4), int))
    text = message(QA, sizes, input_ids=np.zeros(shape, int))
    assert f"{axis} must be {sizes[axis]}" in text
    assert f"--{axis}" in text


@settings(deadline=None)
@given(
    st.integers(1, 5), st.integers(1, 8), st.sampled_from(["int32", "int64"]), st.booleans(), st.integers(0, 2**31 - 1)
)
def test_whatever_is_in_range_comes_out_unchanged(rows: int, length: int, dtype: str, masked: bool, seed: int) -> None:
    generator = np.random.default_rng(seed)
    ids = generator.integers(0, 50, (rows, length)).astype(dtype)
    mask = generator.integers(0, 2, (rows, length)).astype(dtype) if masked else None
    checked = check(input_ids=ids, attention_mask=mask)
    np.testing.assert_array_equal(checked["input_ids"], ids)
    np.testing.assert_array_equal(checked["attention_mask"], np.ones_like(ids) if mask is None else mask)


@settings(deadline=None)
@given(st.integers(1, 4), st.integers(1, 8), st.integers(0, 3), st.integers(0, 7), st.integers(-(2**40), 2**40))
def test_one_bad_id_anywhere_is_found_where_it_is(rows: int, length: int, row: int, column: int, bad: int) -> None:
    ids = np.zeros((rows, length), np.int64)
    row, column = row % rows, column % length
    ids[row, column] = bad
    if 0 <= bad < 50:
        check(input_ids=ids)
    else:
        assert f"{bad} at input_ids[{row}, {column}]" in message(input_ids=ids)
