"""Reading SentencePiece models: against the library's own reader, cut at every place, and of other kinds."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import sentencepiece
from hypothesis import given, settings
from hypothesis import strategies as st

from albert_export.errors import TokenizerError
from albert_export.tokenization import AlbertTokenizer, AlbertTokenizerFast
from albert_export.tokenization.sentencepiece_model import Algorithm, SentencePieceModel
from tests.tokenization.conftest import SPIECE

SENTENCES = ["the cat sat on the mat", "a dog and a cat", "one two three, 1,000 more", "he sold the old boat"] * 20


def train(kind: str, **options: object) -> bytes:
    """A small model of ``kind`` with ALBERT's special tokens."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES),
        model_writer=out,
        model_type=kind,
        vocab_size=60,
        hard_vocab_limit=False,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=["[CLS]", "[SEP]", "[MASK]"],
        minloglevel=2,
        **options,
    )
    return out.getvalue()


def test_pieces_and_scores_are_those_of_the_library() -> None:
    model = SentencePieceModel.read(SPIECE)
    processor = sentencepiece.SentencePieceProcessor(model_file=str(SPIECE))
    assert [piece for piece, _ in model.pieces] == [processor.id_to_piece(i) for i in range(len(processor))]
    assert [score for _, score in model.pieces] == [processor.get_score(i) for i in range(len(processor))]
    assert model.unk_id == processor.unk_id()
    assert model.algorithm == Algorithm.UNIGRAM
    assert len(model.charsmap) > 1000
    assert model.serialized == SPIECE.read_bytes()


def test_a_model_cut_anywhere_is_an_error() -> None:
    data = train("unigram", normalization_rule_name="identity")
    whole = SentencePieceModel.parse(data)
    read = []
    for size in range(len(data)):
        try:
            cut = SentencePieceModel.parse(data[:size])
        except ValueError:
            continue
        # Cut between two fields behind the settings: everything that counts is there.
        read.append(size)
        assert (cut.pieces, cut.unk_id) == (whole.pieces, 1)
    assert len(read) <= 3


@given(st.binary(max_size=200))
@settings(deadline=None)
def test_bytes_of_any_kind_are_an_error_of_ours(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"it |its |a field|codec"):
        SentencePieceModel.parse(data)


def test_byte_pair_encoding(tmp_path: Path) -> None:
    path = tmp_path / "spiece.model"
    path.write_bytes(train("bpe"))
    assert SentencePieceModel.read(path).algorithm == Algorithm.BPE
    slow, fast = AlbertTokenizer(path), AlbertTokenizerFast(path)
    for text in SENTENCES[:4]:
        # Scores, and so the penalty for a comma after a digit, are of no account here: "1," stays one piece.
        text = text.replace("1,000", "some")
        assert fast.encode(text) == slow.encode(text)
    fast.save_pretrained(tmp_path / "saved")
    again = AlbertTokenizerFast.from_pretrained(tmp_path / "saved")
    assert [again.encode(text) for text in SENTENCES[:4]] == [fast.encode(text) for text in SENTENCES[:4]]


@pytest.mark.parametrize("kind", ["word", "char"])
def test_other_kinds_are_for_the_slow_tokenizer(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "spiece.model"
    path.write_bytes(train(kind))
    assert AlbertTokenizer(path).tokenize("the cat")
    with pytest.raises(TokenizerError, match=f"received {kind}; fix: use AlbertTokenizer"):
        AlbertTokenizerFast(path)


def test_a_model_without_normalisation_rules(tmp_path: Path) -> None:
    path = tmp_path / "spiece.model"
    path.write_bytes(train("unigram", normalization_rule_name="identity"))
    assert SentencePieceModel.read(path).charsmap == b""
    assert AlbertTokenizerFast(path).encode("the cat") == AlbertTokenizer(path).encode("the cat")


def test_a_vocabulary_without_the_special_tokens_gets_them(tmp_path: Path) -> None:
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES), model_writer=out, vocab_size=60, hard_vocab_limit=False, minloglevel=2
    )
    path = tmp_path / "spiece.model"
    path.write_bytes(out.getvalue())
    slow, fast = AlbertTokenizer(path), AlbertTokenizerFast(path)
    for tokenizer in (slow, fast):
        size = tokenizer.vocab_size
        assert tokenizer.all_special_ids == [size, size + 1, 0, size + 2, size + 3]
        assert tokenizer.encode("")[:] == [size, size + 1]
    assert slow.get_vocab() == fast.get_vocab()
