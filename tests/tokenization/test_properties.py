"""What holds for every text and every option, tried on random ones."""

from __future__ import annotations

import itertools
import unicodedata
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from albert_export.errors import InputError
from albert_export.tokenization import AddedToken, AlbertTokenizer, AlbertTokenizerFast, AlbertWordPieceTokenizer
from albert_export.tokenization.added_tokens import AddedVocabulary
from albert_export.tokenization.lengths import truncate
from albert_export.tokenization.options import TruncationStrategy
from albert_export.tokenization.windows import windows
from tests.golden.nasty_text import COLLECTION
from tests.tokenization.conftest import SPIECE

WORDS = ("the", "dog", "[MASK]", "1,000", "café", "iiii", "[SEP]", "<unk>", "東京", "\x85", "ﬁ")
TEXTS = st.one_of(
    st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=60),
    st.sampled_from(COLLECTION),
    st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join),
)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FAST = AlbertTokenizerFast(SPIECE)
SLOW = AlbertTokenizer(SPIECE)


@QUICK
@given(text=TEXTS, pair=st.none() | TEXTS)
def test_offsets_lie_in_the_text_and_never_run_back(text: str, pair: str | None) -> None:
    encoded = FAST([text], None if pair is None else [pair], return_offsets_mapping=True)
    ends = {0: 0, 1: 0}
    for (start, end), sequence in zip(encoded["offset_mapping"][0], encoded.sequence_ids(), strict=True):
        if sequence is None:
            assert (start, end) == (0, 0)
            continue
        assert 0 <= start <= end <= len((text, pair)[sequence] or "")
        assert end >= ends[sequence]
        ends[sequence] = end


@QUICK
@given(text=st.text(alphabet="abcdefghijklmnop ,.", max_size=60))
def test_offsets_slice_the_text_that_a_token_stands_for(text: str) -> None:
    encoded = FAST(text, return_offsets_mapping=True, add_special_tokens=False)
    for token, (start, end) in zip(encoded.tokens(), encoded["offset_mapping"], strict=True):
        if token == "▁":  # stands for a space, or for nothing before the first character
            assert text[start:end] == " " or start == 0
        else:
            assert text[start:end].lstrip() == token.replace("▁", "")


@QUICK
@given(text=TEXTS)
def test_every_character_of_plain_words_belongs_to_the_token_that_covers_it(text: str) -> None:
    encoded = FAST(text)
    for char in range(len(text)):
        token = encoded.char_to_token(char)
        if token is not None:
            span = encoded.token_to_chars(token)
            assert span is not None and span.start <= char < span.end


@QUICK
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=4),
    pair=st.booleans(),
    max_length=st.integers(6, 40),
    strategy=st.sampled_from(["longest_first", "only_first", "only_second"]),
    side=st.sampled_from(["right", "left"]),
    kind=st.sampled_from(["slow", "fast"]),
)
def test_truncation_never_exceeds_max_length(
    texts: list[str], pair: bool, max_length: int, strategy: str, side: str, kind: str
) -> None:
    tokenizer: Any = SLOW if kind == "slow" else FAST
    strategy = strategy if pair else "longest_first"
    tokenizer.truncation_side = side
    try:
        whole = tokenizer(texts, texts[::-1] if pair else None)["input_ids"]
        cut = tokenizer(texts, texts[::-1] if pair else None, truncation=strategy, max_length=max_length)["input_ids"]
    except InputError as error:
        assert "too short" in str(error)  # the text that may be cut does not have enough tokens
        return
    finally:
        tokenizer.truncation_side = "right"
    for before, after in zip(whole, cut, strict=True):
        assert len(after) <= max_length or (kind == "slow" and strategy != "longest_first" and after == before)
        assert len(after) == len(before) if len(before) <= max_length else len(after) <= len(before)
        assert (after[0], after[-1]) == (before[0], before[-1])


@QUICK
@given(
    texts=st.lists(TEXTS, min_size=1, max_size=4),
    side=st.sampled_from(["right", "left"]),
    multiple=st.sampled_from([None, 1, 8]),
    kind=st.sampled_from(["slow", "fast"]),
)
def test_padding_and_mask_agree(texts: list[str], side: str, multiple: int | None, kind: str) -> None:
    tokenizer: Any = SLOW if kind == "slow" else FAST
    tokenizer.padding_side = side
    try:
        plain = tokenizer(texts)["input_ids"]
        padded = tokenizer(texts, padding=True, pad_to_multiple_of=multiple, return_special_tokens_mask=True)
        again = tokenizer.pad(tokenizer(texts), padding=True, pad_to_multiple_of=multiple)
    finally:
        tokenizer.padding_side = "right"
    width = -(-max(map(len, plain)) // (multiple or 1)) * (multiple or 1)
    for i, ids in enumerate(plain):
        row, mask = padded["input_ids"][i], padded["attention_mask"][i]
        assert len(row) == len(mask) == len(padded["token_type_ids"][i]) == width
        assert sum(mask) == len(ids)
        assert [index for index, real in zip(row, mask, strict=True) if real] == ids
        assert all(index == 0 for index, real in zip(row, mask, strict=True) if not real)
        assert (mask == sorted(mask, reverse=True)) if side == "right" else (mask == sorted(mask))
        assert all(padded["special_tokens_mask"][i][j] for j, real in enumerate(mask) if not real)
        assert again["input_ids"][i] == row
        assert again["attention_mask"][i] == mask


@QUICK
@given(text=TEXTS, max_length=st.integers(8, 24), stride=st.integers(0, 5))
def test_windows_cover_the_whole_text_and_share_the_stride(text: str, max_length: int, stride: int) -> None:
    whole = FAST(text)["input_ids"]
    cut = FAST(text, truncation=True, max_length=max_length, stride=stride, return_overflowing_tokens=True)
    rows = [ids[1:-1] for ids in cut["input_ids"]]
    joined = rows[0] + [index for row in rows[1:] for index in row[stride:]]
    assert joined == whole[1:-1]
    assert cut["overflow_to_sample_mapping"] == [0] * len(rows)
    for before, after in itertools.pairwise(rows):
        assert after[:stride] == before[len(before) - stride :]


@QUICK
@given(text=TEXTS)
def test_decoding_gives_the_words_back(text: str) -> None:
    """Encoding what was decoded gives the same ids, where the vocabulary knows every character."""
    for tokenizer in (SLOW, FAST):
        ids = tokenizer.encode(text, add_special_tokens=False)
        if any(index < 5 for index in ids):
            continue  # an unknown or special token: its text is another
        decoded = tokenizer.decode(ids, clean_up_tokenization_spaces=False)
        expected = "".join(c for c in unicodedata.normalize("NFKD", decoded) if not unicodedata.combining(c)).lower()
        assert decoded == expected
        assert (
            tokenizer.decode(tokenizer.encode(decoded, add_special_tokens=False)).strip()
            == tokenizer.decode(ids).strip()
        )


@QUICK
@given(text=TEXTS, pair=st.none() | TEXTS)
def test_parts_make_the_whole(text: str, pair: str | None) -> None:
    for tokenizer in (SLOW, FAST):
        first = tokenizer.encode(text, add_special_tokens=False)
        second = tokenizer.encode(pair, add_special_tokens=False) if pair else None
        encoded = tokenizer(text, pair or None, return_special_tokens_mask=True)
        assert encoded["input_ids"] == tokenizer.build_inputs_with_special_tokens(first, second)
        assert encoded["token_type_ids"] == tokenizer.create_token_type_ids_from_sequences(first, second)
        if tokenizer is SLOW:
            assert first == tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))
            assert encoded["special_tokens_mask"] == tokenizer.get_special_tokens_mask(first, second)


@given(
    ids=st.lists(st.integers(5, 99), max_size=12),
    pair=st.none() | st.lists(st.integers(100, 199), max_size=12),
    remove=st.integers(0, 30),
    strategy=st.sampled_from(list(TruncationStrategy)),
    stride=st.integers(0, 4),
    side=st.sampled_from(["right", "left"]),
)
def test_truncation_takes_what_it_says(
    ids: list[int], pair: list[int] | None, remove: int, strategy: TruncationStrategy, stride: int, side: str
) -> None:
    first, second, overflow, complaint = truncate(ids, pair, remove=remove, strategy=strategy, stride=stride, side=side)
    before, after = len(ids) + len(pair or ()), len(first) + len(second or ())
    for whole, kept in ((ids, first), (pair or [], second or [])):
        assert kept == (whole[: len(kept)] if side == "right" else whole[len(whole) - len(kept) :])
    if complaint is not None:
        assert (first, second, overflow) == (ids, pair, [])
    elif strategy == TruncationStrategy.LONGEST_FIRST and pair is not None:
        assert after == max(before - remove, 0)
        assert abs(len(first) - len(second or ())) <= max(1, abs(len(ids) - len(pair)) - remove) or not after
    elif overflow:
        assert after == before - remove
        assert len(overflow) >= remove


@given(
    first=st.integers(0, 12),
    second=st.none() | st.integers(0, 12),
    room=st.integers(1, 16),
    strategy=st.sampled_from(["longest_first", "only_first", "only_second"]),
)
@settings(max_examples=200, deadline=None)
def test_windows_are_those_of_the_library(first: int, second: int | None, room: int, strategy: str) -> None:
    """The arithmetic that keeps the library from panicking against what the library itself keeps."""
    special = 2 if second is None else 3
    texts = ("a " * first).strip(), None if second is None else ("b " * second).strip()
    count = [0 if not t else len(FAST.encode(t, add_special_tokens=False)) for t in texts]
    kept = windows(count[0], None if second is None else count[1], room, TruncationStrategy(strategy))
    try:
        cut = FAST([texts[0]], None if texts[1] is None else [texts[1]], truncation=strategy, max_length=room + special)
    except InputError:
        assert not [n for n in kept if n > 0]
        return
    sequences = cut.sequence_ids()
    after = [sequences.count(0), sequences.count(1)]
    assert sorted(a for a, n in zip(after, count, strict=True) if a < n) == sorted(kept)


@QUICK
@given(
    contents=st.lists(
        st.text(alphabet="ab c", min_size=1, max_size=4).filter(str.strip), min_size=1, max_size=5, unique=True
    ),
    text=st.text(alphabet="abcd ", max_size=30),
)
def test_cutting_along_added_tokens_loses_nothing(contents: list[str], text: str) -> None:
    vocabulary = AddedVocabulary()
    for index, content in enumerate(contents):
        vocabulary.put(index, AddedToken(content))
    parts = vocabulary.split(text)
    assert "".join(parts) == text
    assert all(part in contents or not any(content in part for content in contents) for part in parts)


@pytest.mark.parametrize("kind", [AlbertTokenizer, AlbertTokenizerFast])
@QUICK
@given(text=TEXTS)
def test_ids_lie_in_the_vocabulary(kind: type, text: str) -> None:
    tokenizer: Any = SLOW if kind is AlbertTokenizer else FAST
    assert all(0 <= index < len(tokenizer) for index in tokenizer.encode(text))


@QUICK
@given(text=TEXTS)
def test_wordpiece_words_are_whole(words: AlbertWordPieceTokenizer, text: str) -> None:
    encoded = words(text, return_offsets_mapping=True)
    for token, (start, end), word in zip(encoded.tokens(), encoded["offset_mapping"], encoded.word_ids(), strict=True):
        assert 0 <= start <= end <= len(text)
        assert (word is None) == (token in ("[CLS]", "[SEP]") and start == end)
