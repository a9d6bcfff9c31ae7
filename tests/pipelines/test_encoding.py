"""Windows cover a text without gaps, repeat what is around it, and batches pad nothing but the right."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.errors import InputError
from albert_export.pipelines.encoding import Encoded, batches, collate, encode, encode_cut
from albert_export.tokenization import AlbertTokenizerFast


def pair(asked: int, length: int) -> Encoded:
    """[CLS] question [SEP] context [SEP], whose ids are their positions."""
    total = asked + length + 3
    owners = [None, *[0] * asked, None, *[1] * length, None]
    return Encoded(list(range(total)), [0] * (asked + 2) + [1] * (length + 1), owners, [None] * total, [(0, 0)] * total)


def test_a_text_that_fits_is_one_window() -> None:
    (window,) = pair(2, 5).windows(1, 10, 3)
    assert window.input_ids.tolist() == list(range(10))
    assert window.positions(1).tolist() == [4, 5, 6, 7, 8]


def test_a_long_text_is_several_with_the_question_in_each() -> None:
    windows = pair(2, 10).windows(1, 10, 2)
    assert [window.input_ids.tolist() for window in windows] == [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 14],
        [0, 1, 2, 3, 7, 8, 9, 10, 11, 14],
        [0, 1, 2, 3, 10, 11, 12, 13, 14],
    ]
    assert [window.token_type_ids.tolist() for window in windows][2] == [0, 0, 0, 0, 1, 1, 1, 1, 1]


@settings(deadline=None)
@given(st.integers(0, 6), st.integers(0, 60), st.integers(12, 30), st.integers(0, 40))
def test_windows_cover_the_text_and_fit(asked: int, length: int, most: int, overlap: int) -> None:
    encoded = pair(asked, length)
    windows = encoded.windows(1, most, overlap)
    texts = [window.origin[window.positions(1)].tolist() for window in windows]
    assert all(len(window) <= most for window in windows)
    assert sorted({token for text in texts for token in text}) == list(encoded.text_range(1))
    for text in texts:
        assert text == list(range(text[0], text[0] + len(text))) if text else length == 0
    room = most - asked - 3
    for before, after in pairwise(texts):
        assert len(set(before) & set(after)) == min(overlap, room // 2)
        assert len(before) == room
    for window in windows:
        assert window.input_ids[: asked + 2].tolist() == list(range(asked + 2))
        assert window.input_ids[-1] == len(encoded) - 1
        np.testing.assert_array_equal(window.input_ids, window.origin)


def test_windows_are_those_of_the_tokenizers_own_overflow(tokenizer: AlbertTokenizerFast) -> None:
    question, context = "what is it?", "the engine weaves algebraic patterns just as the loom weaves flowers. " * 9
    theirs = tokenizer(
        question, context, truncation="only_second", max_length=40, stride=7, return_overflowing_tokens=True
    )
    ours = encode(tokenizer, question, context).windows(1, 40, 7)
    assert [window.input_ids.tolist() for window in ours] == theirs["input_ids"]
    assert [window.token_type_ids.tolist() for window in ours] == theirs["token_type_ids"]


def test_no_room_for_the_text() -> None:
    with pytest.raises(InputError, match="leave room for it within 10 tokens; received 9 tokens"):
        pair(6, 20).windows(1, 10, 2)


def test_cutting_takes_from_the_end_of_the_longer(tokenizer: AlbertTokenizerFast) -> None:
    whole = encode(tokenizer, "a b c", "the the the the the the the the")
    cut = encode_cut(tokenizer, "a b c", "the the the the the the the the", 10)
    assert not whole.cut
    assert cut.cut
    assert len(cut) == 10
    first, second = cut.text_range(0), cut.text_range(1)
    assert [cut.input_ids[token] for token in first] == [whole.input_ids[token] for token in whole.text_range(0)]
    assert (len(first), len(second)) == (3, 4)
    assert encode_cut(tokenizer, "a b c", None, 5) == encode(tokenizer, "a b c")


def test_batches_go_by_length_and_hold_each_once() -> None:
    windows = [pair(1, length).windows(1, 50, 0)[0] for length in (3, 9, 1, 9, 5)]
    assert list(batches(windows, 2)) == [[1, 3], [4, 0], [2]]


def test_collating_pads_on_the_right() -> None:
    windows = [pair(0, 2).windows(1, 9, 0)[0], pair(0, 1).windows(1, 9, 0)[0]]
    inputs = collate(windows, pad_id=99, rows=None, length=None)
    assert inputs["input_ids"].tolist() == [[0, 1, 2, 3, 4], [0, 1, 2, 3, 99]]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 1, 0]]
    assert inputs["token_type_ids"].tolist() == [[0, 0, 1, 1, 1], [0, 0, 1, 1, 0]]


def test_collating_fills_fixed_sizes() -> None:
    (window,) = pair(0, 1).windows(1, 9, 0)
    inputs = collate([window], pad_id=0, rows=3, length=6)
    assert inputs["input_ids"].shape == (3, 6)
    assert inputs["attention_mask"].sum(axis=1).tolist() == [4, 4, 4]  # a row without a token would compute on nothing
