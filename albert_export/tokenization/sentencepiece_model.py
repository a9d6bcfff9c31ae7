"""Reading a SentencePiece model file without the sentencepiece or protobuf packages.

The file is a protocol buffer; its schema is ``sentencepiece_model.proto`` of https://github.com/google/sentencepiece,
its wire format https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from albert_export.errors import TokenizerError

#: What SentencePiece writes for a space.
SPACE = "▁"

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
#: Type of a piece that stands for anything the vocabulary does not know.
_UNKNOWN = 2


class Algorithm(IntEnum):
    """``TrainerSpec.model_type``."""

    UNIGRAM = 1
    BPE = 2
    WORD = 3
    CHAR = 4


@dataclass(frozen=True)
class SentencePieceModel:
    """What a tokenizer needs of a SentencePiece model.

    Attributes:
        pieces: Text and score (log probability, fp32 widened) of each piece, in the order of their ids.
        algorithm: How text is cut into pieces.
        unk_id: Id of the unknown piece.
        charsmap: The compiled normalisation rules; empty where there are none.
        serialized: The file's bytes.
    """

    pieces: tuple[tuple[str, float], ...]
    algorithm: Algorithm
    unk_id: int
    charsmap: bytes
    serialized: bytes

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> SentencePieceModel:
        """Read the file at ``path``.

        Raises:
            TokenizerError: It cannot be read, or is not a whole SentencePiece model.
        """
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise TokenizerError(
                "a SentencePiece vocabulary must be a readable file",
                received=f"{path}: {error.strerror or error}",
                fix="copy spiece.model from where the checkpoint came from",
            ) from error
        try:
            return cls.parse(data)
        except ValueError as error:
            raise TokenizerError(
                "a SentencePiece vocabulary must be a whole model file",
                received=f"{path} ({len(data)} bytes): {error}",
                fix="copy the file again from where the checkpoint came from",
            ) from error

    @classmethod
    def parse(cls, data: bytes) -> SentencePieceModel:
        """Read a serialized model.

        Raises:
            ValueError: The bytes are no whole model; says what is wrong.
        """
        pieces: list[tuple[str, float]] = []
        kinds: list[int] = []
        trainer: dict[int, int | bytes] | None = None
        charsmap = b""
        for number, value in _fields(data):
            if number == 1:
                piece = dict(_fields(_as_bytes(value)))
                score = struct.unpack("<f", _as_bytes(piece.get(2, bytes(4))))[0]
                pieces.append((_as_bytes(piece.get(1, b"")).decode("utf-8"), score))
                kinds.append(_as_int(piece.get(3, 1)))
            elif number == 2:
                trainer = dict(_fields(_as_bytes(value)))
            elif number == 3:
                charsmap = _as_bytes(dict(_fields(_as_bytes(value))).get(2, b""))
        if not pieces or trainer is None:
            raise ValueError("it has no " + ("settings" if pieces else "pieces"))
        unk_id = _as_int(trainer.get(40, 0))
        if unk_id >= len(pieces) or kinds[unk_id] != _UNKNOWN:
            raise ValueError("its unknown piece is missing")
        return cls(tuple(pieces), Algorithm(_as_int(trainer.get(3, 1))), unk_id, charsmap, data)


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Number and value of each field: an integer for varints, else the bytes."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            size, at = _varint(data, at)
        elif kind in (_FIXED64, _FIXED32):
            size = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError("it is no protocol buffer")
        if at + size > len(data):
            raise ValueError("it ends in the middle of a field")
        yield key >> 3, data[at : at + size]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64 and at < len(data):
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
    raise ValueError("it ends in the middle of a number" if at >= len(data) else "it is no protocol buffer")


def _as_bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise ValueError("a field is a number where text should be")
    return value


def _as_int(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise ValueError("a field is text where a number should be")
    return value
