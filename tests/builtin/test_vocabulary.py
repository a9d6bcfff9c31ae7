"""The built-in vocabulary: trained from the text in the repository, with ALBERT's settings."""

from __future__ import annotations

import importlib.util
import unicodedata
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as format_of_models

ROOT = Path(__file__).parents[2]
MODEL = files("albert_export.builtin").joinpath("spiece.model").read_bytes()
# SentencePiece's own numbers for kinds of pieces.
NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4


@pytest.fixture(scope="module")
def trainer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("train_vocabulary", ROOT / "tools" / "train_vocabulary.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def parsed() -> format_of_models.ModelProto:
    model = format_of_models.ModelProto()
    model.ParseFromString(MODEL)
    return model


def test_training_again_gives_the_same_pieces(trainer: ModuleType) -> None:
    trained = trainer.train()
    assert trainer.pieces(trained) == trainer.pieces(MODEL)
    assert trainer.train() == trained


def test_special_pieces_are_those_of_the_released_vocabulary(parsed: format_of_models.ModelProto) -> None:
    begin = [(piece.piece, piece.type) for piece in parsed.pieces[:13]]
    special = [("<pad>", CONTROL), ("<unk>", UNKNOWN), ("[CLS]", CONTROL), ("[SEP]", CONTROL), ("[MASK]", CONTROL)]
    signs = [(sign, USER_DEFINED) for sign in ("(", ")", '"', "-", ".", "–", "£", "€")]
    assert begin == special + signs
    assert all(piece.type == NORMAL for piece in parsed.pieces[13:])
    assert len(parsed.pieces) == 2000


def test_settings_are_those_of_the_released_vocabulary(parsed: format_of_models.ModelProto) -> None:
    normalizer, trainer = parsed.normalizer_spec, parsed.trainer_spec
    assert normalizer.name == "nmt_nfkc"
    assert normalizer.add_dummy_prefix
    assert normalizer.remove_extra_whitespaces
    assert normalizer.escape_whitespaces
    assert trainer.model_type == format_of_models.TrainerSpec.UNIGRAM
    assert (trainer.pad_id, trainer.unk_id, trainer.bos_id, trainer.eos_id) == (0, 1, -1, -1)
    assert not trainer.byte_fallback
    # Nothing of the machine it was trained on.
    assert list(trainer.input) == []
    assert trainer.model_prefix == ""


def test_pieces_are_lower_case_and_without_accents() -> None:
    processor = sentencepiece.SentencePieceProcessor(model_proto=MODEL)
    pieces = [processor.id_to_piece(index) for index in range(5, processor.get_piece_size())]
    assert [piece for piece in pieces if piece != piece.lower()] == []
    accents = [piece for piece in pieces if any(unicodedata.combining(character) for character in piece)]
    assert accents == []


def test_text_is_split_into_words_and_parts_and_comes_back(trainer: ModuleType) -> None:
    processor = sentencepiece.SentencePieceProcessor(model_proto=MODEL)
    assert processor.encode("the capital of the country", out_type=str) == [
        "▁the",
        "▁capital",
        "▁of",
        "▁the",
        "▁country",
    ]
    assert len(processor.encode("unfathomable", out_type=str)) > 2
    for line in trainer.training_text()[:300]:
        assert 1 not in processor.encode(line)
        assert processor.decode(processor.encode(line)) == processor.normalize(line).replace("▁", " ").strip()
    assert 1 in processor.encode("ຂອບໃຈ")  # a script that the text has not
    # Pieces of a digit and a comma, which the two tokenizers of the reference treat in two ways.
    assert any(processor.id_to_piece(index).endswith("0,") for index in range(2000))
