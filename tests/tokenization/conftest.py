"""The tokenizers under test, made once: tests that change one make their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from albert_export.tokenization import AlbertTokenizer, AlbertTokenizerFast, AlbertWordPieceTokenizer

ROOT = Path(__file__).resolve().parent.parent.parent
SPIECE = ROOT / "albert_export" / "builtin" / "spiece.model"
VOCAB = ROOT / "tests" / "golden" / "chinese_vocab.txt"


@pytest.fixture(scope="session")
def slow() -> AlbertTokenizer:
    return AlbertTokenizer(SPIECE)


@pytest.fixture(scope="session")
def fast() -> AlbertTokenizerFast:
    return AlbertTokenizerFast(SPIECE)


@pytest.fixture(scope="session")
def words() -> AlbertWordPieceTokenizer:
    return AlbertWordPieceTokenizer(VOCAB)


@pytest.fixture(params=["slow", "fast", "words"])
def any_tokenizer(request: pytest.FixtureRequest):
    return request.getfixturevalue(request.param)
