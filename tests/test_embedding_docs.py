"""docs/embedding.md, followed to the letter with other people's libraries, gives the ids of the vectors beside it."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import tokenizers

from tests.conftest import Exported

DOCS = Path(__file__).parent.parent / "docs"
FILE = DOCS / "embedding-vectors.json"
RECORDED: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
VECTORS: list[dict[str, Any]] = RECORDED["vectors"]


def test_the_vectors_are_current() -> None:
    from tools.generate_embedding_vectors import FILE as WRITTEN
    from tools.generate_embedding_vectors import render

    assert WRITTEN == FILE
    assert FILE.read_text(encoding="utf-8") == render(), "run `make docs`"


@pytest.fixture(scope="module")
def pieces() -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_file=str(DOCS.parent / RECORDED["vocabulary"]))


def encode_by_the_page(pieces: sentencepiece.SentencePieceProcessor, text: str) -> list[int]:
    """The numbered steps of the page, special tokens cut out first."""
    ids: list[int] = []
    for part in re.split(r"(\[MASK\]|\[CLS\]|\[SEP\]|<pad>|<unk>)", text):
        if part in ("[MASK]", "[CLS]", "[SEP]", "<pad>", "<unk>"):
            ids.append(pieces.piece_to_id(part))
        else:
            ids += encode_plain(pieces, part)
    return ids


def encode_plain(pieces: sentencepiece.SentencePieceProcessor, text: str) -> list[int]:
    text = " ".join(text.split())
    text = text.replace("``", '"').replace("''", '"')
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.combining(c) == 0)
    text = text.lower()
    found: list[str] = []
    for piece in pieces.encode(text, out_type=str):
        if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit():
            again = pieces.encode(piece[:-1].replace("▁", ""), out_type=str)
            if piece[0] != "▁" and again[0][0] == "▁":
                again[0] = again[0][1:]
                again = again if again[0] else again[1:]
            found += [*again, ","]
        else:
            found.append(piece)
    return [pieces.piece_to_id(piece) for piece in found]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: ascii(vector["text"])[1:20])
def test_the_steps_of_the_page_give_the_ids(
    pieces: sentencepiece.SentencePieceProcessor, vector: dict[str, Any]
) -> None:
    cls, sep = pieces.piece_to_id("[CLS]"), pieces.piece_to_id("[SEP]")
    ids = [cls, *encode_by_the_page(pieces, vector["text"]), sep]
    if vector["text_pair"] is not None:
        ids += [*encode_by_the_page(pieces, vector["text_pair"]), sep]
    assert ids == vector["sentencepiece_input_ids"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: ascii(vector["text"])[1:20])
def test_tokenizer_json_in_the_plain_library_gives_the_ids(exported: Exported, vector: dict[str, Any]) -> None:
    tokenizer = tokenizers.Tokenizer.from_file(str(exported("question-answering") / "tokenizer.json"))
    encoded = tokenizer.encode(vector["text"], vector["text_pair"])
    assert (encoded.ids, encoded.type_ids) == (vector["input_ids"], vector["token_type_ids"])
    assert [tokenizer.id_to_token(token) for token in encoded.ids] == vector["tokens"]


def test_the_vectors_show_where_the_two_ways_differ_and_where_they_agree() -> None:
    """A page that claims differences must show one; if all differed, the steps would not be the model's."""
    agreeing = [vector["input_ids"] == vector["sentencepiece_input_ids"] for vector in VECTORS]
    assert any(agreeing)
    assert not all(agreeing)
