"""Calling the tokenizers: arrays of each framework, options, logs, and what bad input gets."""

from __future__ import annotations

import importlib
import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tokenizers

from albert_export.errors import InputError, MissingDependencyError, TokenizerError, UnknownNameError
from albert_export.tokenization import (
    AddedToken,
    AlbertTokenizer,
    AlbertTokenizerFast,
    AlbertWordPieceTokenizer,
    BatchEncoding,
)
from tests.tokenization.conftest import SPIECE, VOCAB

KEYS = {"input_ids", "token_type_ids", "attention_mask"}
TEXTS = ["Hello, my dog is cute", "a [MASK] b"]


@pytest.mark.parametrize(
    ("kind", "module", "type_name", "dtype"),
    [
        ("np", "numpy", "ndarray", "int64"),
        ("pt", "torch", "Tensor", "int64"),
        ("tf", "tensorflow", "Tensor", "int32"),
        ("jax", "jax", "Array", "int32"),
    ],
)
def test_arrays_of_each_framework(any_tokenizer: Any, kind: str, module: str, type_name: str, dtype: str) -> None:
    array_type = getattr(importlib.import_module(module), type_name)
    lists = any_tokenizer(TEXTS, padding=True)
    arrays = any_tokenizer(TEXTS, padding=True, return_tensors=kind)
    assert set(arrays) == KEYS
    for name in KEYS:
        assert isinstance(arrays[name], array_type)
        assert dtype in str(arrays[name].dtype)
        assert np.asarray(arrays[name]).tolist() == lists[name]
    single = any_tokenizer(TEXTS[0], return_tensors=kind)
    assert tuple(single["input_ids"].shape) == (1, len(any_tokenizer.encode(TEXTS[0])))
    assert any_tokenizer.decode(single["input_ids"][0]) == any_tokenizer.decode(any_tokenizer.encode(TEXTS[0]))
    assert any_tokenizer.batch_decode(arrays["input_ids"], skip_special_tokens=True) == any_tokenizer.batch_decode(
        lists["input_ids"], skip_special_tokens=True
    )
    again = any_tokenizer.pad({"input_ids": single["input_ids"]}, padding="max_length", max_length=30)
    assert isinstance(again["input_ids"], array_type)
    assert tuple(again["input_ids"].shape) == (1, 30)


def test_rows_of_different_lengths_are_no_array(any_tokenizer: Any) -> None:
    for kind in ("np", "pt"):
        with pytest.raises(InputError, match="padding=True"):
            any_tokenizer(TEXTS, return_tensors=kind)


def test_a_missing_framework_names_its_extra(fast: AlbertTokenizerFast, monkeypatch: pytest.MonkeyPatch) -> None:
    from albert_export import _imports

    def absent(name: str) -> Any:
        raise ModuleNotFoundError(name=name)

    monkeypatch.setattr(_imports.importlib, "import_module", absent)
    for kind, extra in (("pt", "onnx"), ("tf", "tensorflow"), ("jax", "jax")):
        with pytest.raises(MissingDependencyError, match=rf"albert-export\[{extra}\]"):
            fast("a", return_tensors=kind)


def test_ids_of_the_documented_frame(slow: AlbertTokenizer, fast: AlbertTokenizerFast) -> None:
    for tokenizer in (slow, fast):
        ids = tokenizer("the dog", "a book")["input_ids"]
        tokens = tokenizer.convert_ids_to_tokens(ids)
        assert tokens == ["[CLS]", "▁the", "▁do", "g", "[SEP]", "▁a", "▁book", "[SEP]"] or tokens[0] == "[CLS]"
        assert ids[0] == tokenizer.cls_token_id == 2
        assert ids[-1] == tokenizer.sep_token_id == 3
        assert tokenizer.mask_token_id == 4
        assert tokenizer.pad_token_id == 0
        assert tokenizer.unk_token_id == 1


def test_constructors_are_those_of_the_reference() -> None:
    named = {
        "do_lower_case": True,
        "remove_space": True,
        "keep_accents": False,
        "bos_token": "[CLS]",
        "eos_token": "[SEP]",
        "unk_token": "<unk>",
        "sep_token": "[SEP]",
        "pad_token": "<pad>",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
    empty = inspect.Parameter.empty
    for kind, expected in (
        (AlbertTokenizer, {"vocab_file": empty, **named, "sp_model_kwargs": None}),
        (AlbertTokenizerFast, {"vocab_file": None, "tokenizer_file": None, **named}),
    ):
        parameters = inspect.signature(kind).parameters.values()
        positional = {p.name: p.default for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD}
        assert list(positional.items()) == list(expected.items())
        assert any(p.kind == p.VAR_KEYWORD for p in parameters)


def test_options_that_are_wrong(any_tokenizer: Any) -> None:
    for options, error in (
        ({"padding": "sideways"}, UnknownNameError),
        ({"truncation": "sideways"}, UnknownNameError),
        ({"return_tensors": "sideways"}, UnknownNameError),
        ({"max_length": 0}, InputError),
        ({"max_length": "7"}, InputError),
        ({"max_length": True}, InputError),
        ({"stride": -1}, InputError),
        ({"pad_to_multiple_of": 0}, InputError),
        ({"truncation": True, "padding": True, "max_length": 10, "pad_to_multiple_of": 8}, InputError),
        ({"no_such_option": 1}, TypeError),
    ):
        with pytest.raises(error):
            any_tokenizer("text", **options)


@pytest.mark.parametrize("text", [None, 7, b"bytes", [1, 2], [b"bytes"], {"a": 1}, [[1]]])
def test_text_that_is_none(any_tokenizer: Any, text: Any) -> None:
    with pytest.raises(InputError, match="text must be"):
        any_tokenizer(text)


def test_batches_that_do_not_fit(any_tokenizer: Any) -> None:
    with pytest.raises(InputError, match="as many second texts"):
        any_tokenizer(["a", "b"], ["c"])
    with pytest.raises(InputError, match="as many second texts"):
        any_tokenizer(["a", "b"], "c")
    with pytest.raises(InputError, match="at least one"):
        any_tokenizer([])
    with pytest.raises(InputError):
        any_tokenizer(["a", 7])


def test_half_a_surrogate_pair_is_named(any_tokenizer: Any) -> None:
    for text in ("ab\ud83dcd", ["fine", "ab\ud83d"]):
        with pytest.raises(InputError, match=r"surrogate '\\ud83d' at character 2"):
            any_tokenizer(text)


def test_a_window_that_holds_nothing_is_refused_without_a_panic(
    fast: AlbertTokenizerFast, capfd: pytest.CaptureFixture[str]
) -> None:
    for options in (
        {"max_length": 1, "truncation": True},
        {"max_length": 8, "truncation": True, "stride": 6},
        {"max_length": 8, "truncation": "only_first", "stride": 7},
    ):
        with pytest.raises(InputError):
            fast("word " * 50, **options)
    for strategy in ("only_first", "only_second", "longest_first"):
        texts = ("word " * 50, "one two")[:: 1 if strategy == "only_first" else -1]
        with pytest.raises(InputError, match="stride"):
            fast(*texts, max_length=12, truncation=strategy, stride=9)
        with pytest.raises(InputError, match="special tokens"):
            fast("one two", "word " * 50, max_length=2, truncation=strategy)
    with pytest.raises(InputError, match="too short"):
        fast("word " * 50, "one", max_length=20, truncation="only_second")
    assert capfd.readouterr().err == ""
    # Nothing is cut here, so that the stride does not matter; and the state of earlier calls is gone.
    assert fast("a", max_length=8, truncation=True, stride=6)["input_ids"] == fast.encode("a")


def test_advice_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    for made in (AlbertTokenizer(SPIECE, model_max_length=8), AlbertTokenizerFast(SPIECE, model_max_length=8)):
        for _ in range(3):
            made("word " * 20)
            made("word " * 20, max_length=5)
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == 2
        assert "longer than the model's maximum of 8 tokens" in told[0]
        assert "max_length was given without truncation" in told[1]
        caplog.clear()
        made("word " * 20, verbose=False)
    made = AlbertTokenizer(SPIECE)
    made("a", padding="max_length", verbose=False)
    made("a", truncation=True, verbose=False)
    assert not caplog.records
    made("a", padding="max_length")
    made("a", truncation=True)
    assert "not padding" in caplog.text
    assert "not truncating" in caplog.text


def test_a_text_too_short_for_its_strategy_is_told(caplog: pytest.LogCaptureFixture, slow: AlbertTokenizer) -> None:
    whole = slow("word " * 20, "one")["input_ids"]
    assert slow("word " * 20, "one", truncation="only_second", max_length=10)["input_ids"] == whole
    assert "nothing was cut" in caplog.text


def test_only_fast_tokenizers_know_offsets(slow: AlbertTokenizer) -> None:
    with pytest.raises(InputError, match="AlbertTokenizerFast"):
        slow("a", return_offsets_mapping=True)
    for method in ("tokens", "word_ids", "sequence_ids"):
        with pytest.raises(InputError, match="AlbertTokenizerFast"):
            getattr(slow("a"), method)()
    with pytest.raises(InputError, match="AlbertTokenizerFast"):
        slow("a").char_to_token(0)


def test_only_slow_tokenizers_split_special_tokens(slow: AlbertTokenizer, fast: AlbertTokenizerFast) -> None:
    assert 4 in slow.encode("a [MASK] b")
    assert 4 not in slow.encode("a [MASK] b", split_special_tokens=True)
    assert 4 not in AlbertTokenizer(SPIECE, split_special_tokens=True).encode("a [MASK] b")
    with pytest.raises(InputError, match="AlbertTokenizer"):
        fast("a", split_special_tokens=True)


def test_options_that_exclude_each_other(slow: AlbertTokenizer) -> None:
    with pytest.raises(InputError, match="token_type_ids"):
        slow("a", return_token_type_ids=True, add_special_tokens=False)
    with pytest.raises(InputError, match="overflow"):
        slow("a b c", "d e f", truncation=True, max_length=5, return_overflowing_tokens=True)
    with pytest.raises(InputError, match="no such option"):
        slow.tokenize("a", max_length=3)


def test_ids_outside_the_vocabulary(slow: AlbertTokenizer, fast: AlbertTokenizerFast) -> None:
    for ids in ([5, 2000], [10**12]):
        with pytest.raises(InputError, match="vocabulary of 2000"):
            slow.decode(ids)
    assert fast.decode([5, 2000, 5]) == fast.decode([5, 5])
    assert fast.convert_ids_to_tokens([2000]) == [None]
    for tokenizer in (slow, fast):
        for bad in (-1, [5, -1], [1.5], ["a"]):
            with pytest.raises(InputError, match="token id"):
                tokenizer.decode(bad)
    with pytest.raises(InputError):
        fast.convert_ids_to_tokens(-1)


def test_padding_needs_a_pad_token() -> None:
    for made in (AlbertTokenizer(SPIECE), AlbertTokenizerFast(SPIECE)):
        made.pad_token = None
        with pytest.raises(InputError, match="pad_token"):
            made(TEXTS, padding=True)
        made.cls_token = None
        with pytest.raises(TokenizerError, match="cls_token"):
            made.build_inputs_with_special_tokens([5])


def test_no_words_at_all(any_tokenizer: Any) -> None:
    assert len(any_tokenizer([], is_split_into_words=True)["input_ids"]) == 2
    batch = any_tokenizer([[], ["a"]], is_split_into_words=True, padding=True)["input_ids"]
    assert len(batch[0]) == len(batch[1])


def test_overflow_without_a_length_is_empty(slow: AlbertTokenizer) -> None:
    encoded = slow("a b c", return_overflowing_tokens=True)
    assert (encoded["overflowing_tokens"], encoded["num_truncated_tokens"]) == ([], 0)


def test_tokens_of_the_library_itself_are_taken() -> None:
    token = tokenizers.AddedToken("<e1>", lstrip=True, normalized=False)
    for made in (
        AlbertTokenizer(SPIECE, additional_special_tokens=[token]),
        AlbertTokenizerFast(SPIECE, additional_special_tokens=[token]),
        AlbertWordPieceTokenizer(VOCAB, additional_special_tokens=[token]),
    ):
        index = made.convert_tokens_to_ids("<e1>")
        assert made.added_tokens_decoder[index] == AddedToken("<e1>", lstrip=True, normalized=False, special=True)
        assert made.add_tokens(tokenizers.AddedToken("more")) == 1
        assert made.added_tokens_decoder[index + 1].content == "more"
    with pytest.raises(TokenizerError, match="string or an AddedToken"):
        AlbertTokenizer(SPIECE).add_tokens([7])  # type: ignore[list-item]


def test_a_backend_can_be_given(fast: AlbertTokenizerFast) -> None:
    made = AlbertTokenizerFast(tokenizer_object=fast.backend_tokenizer)
    made.add_tokens(["extra"])
    assert len(made) == len(fast) + 1
    assert made.encode(TEXTS[0]) == fast.encode(TEXTS[0])


def test_subword_regularisation() -> None:
    plain = AlbertTokenizer(SPIECE)
    sampling = AlbertTokenizer(SPIECE, sp_model_kwargs={"enable_sampling": True, "nbest_size": -1, "alpha": 0.1})
    text = "the photographer remembered the translators of Manchester"
    seen = {tuple(sampling.encode(text)) for _ in range(20)}
    assert len(seen) > 1
    assert {sampling.decode(ids) for ids in seen} == {plain.decode(plain.encode(text))}
    with pytest.raises(TokenizerError, match="sp_model_kwargs"):
        AlbertTokenizer(SPIECE, sp_model_kwargs={"no_such_argument": 1})


def test_threads_share_one_tokenizer(fast: AlbertTokenizerFast) -> None:
    """Truncation and padding are states of the backend: calls from other threads must not see them."""
    calls = [
        {"text": ["word " * n, "a"], "padding": n % 2 == 0, "truncation": n % 3 == 0, "max_length": 5 + n % 7}
        for n in range(1, 60)
    ]
    expected = [AlbertTokenizerFast(SPIECE)(**call, verbose=False).data for call in calls[:3]]
    alone = [fast(**call, verbose=False).data for call in calls]
    assert alone[:3] == expected
    start = threading.Barrier(8)

    def run(_: int) -> list[Any]:
        start.wait()
        return [fast(**call, verbose=False).data for call in calls]

    with ThreadPoolExecutor(8) as pool:
        assert all(answers == alone for answers in pool.map(run, range(8)))


def test_batch_encoding_is_a_dictionary(fast: AlbertTokenizerFast, slow: AlbertTokenizer) -> None:
    encoded = fast(TEXTS, padding=True)
    assert dict(**encoded) == {key: encoded[key] for key in encoded}
    assert encoded.input_ids is encoded["input_ids"]
    assert list(encoded.keys()) == list(encoded)
    assert encoded[0].ids == encoded["input_ids"][0]
    assert (encoded.is_fast, slow("a").is_fast) == (True, False)
    assert (encoded.n_sequences, fast("a", "b").n_sequences, slow("a").n_sequences) == (1, 2, None)
    assert slow(TEXTS, padding=True)[:1]["input_ids"] == slow(TEXTS, padding=True)["input_ids"][:1]
    with pytest.raises(AttributeError):
        _ = encoded.no_such_key
    with pytest.raises(KeyError):
        slow("a")[0]
    with pytest.raises(InputError, match="one of the 2"):
        encoded.tokens(2)


def test_ways_between_tokens_words_and_characters(fast: AlbertTokenizerFast) -> None:
    text = "Hugo read 1,000 books"
    encoded = fast(["first", text])
    tokens = encoded.tokens(1)
    last = len(tokens) - 1
    assert encoded.token_to_chars(1, 0) is None
    assert encoded.token_to_word(1, -1) is None
    assert encoded.token_to_word(1, -2) == encoded.token_to_word(1, last - 1) == encoded.char_to_word(1, len(text) - 1)
    assert encoded.token_to_sequence(1, 1) == 0
    for char in range(len(text)):
        token = encoded.char_to_token(1, char)
        assert token is not None
        span = encoded.token_to_chars(1, token)
        assert span is not None
        assert span.start <= char < span.end
        word = encoded.char_to_word(1, char)
        assert word is not None
        word_tokens, word_chars = encoded.word_to_tokens(1, word), encoded.word_to_chars(1, word)
        assert word_tokens is not None and word_tokens.start <= token < word_tokens.end
        assert word_chars is not None and word_chars.start <= char < word_chars.end
    assert encoded.word_to_tokens(1, 99) is None
    assert encoded.word_to_chars(1, 99) is None


def test_arrays_move_to_a_device(fast: AlbertTokenizerFast) -> None:
    encoded = fast("a", return_tensors="pt")
    assert encoded.to("cpu") is encoded
    assert encoded["input_ids"].device.type == "cpu"
    with pytest.raises(InputError, match="PyTorch"):
        fast("a").to("cpu")


def test_encodings_can_be_made_by_hand() -> None:
    made = BatchEncoding({"input_ids": [1, 2]}, tensor_type="np", prepend_batch_axis=True)
    assert made["input_ids"].shape == (1, 2)
    assert made.convert_to_tensors(None) is made
