"""Choosing the tokenizer for a directory by the vocabulary files in it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from albert_export.errors import TokenizerError
from albert_export.tokenization.albert_fast import AlbertTokenizerFast
from albert_export.tokenization.files import (
    SENTENCEPIECE_FILE,
    TOKENIZER_FILE,
    WORDPIECE_FILE,
    read_json,
    vocabulary_files,
)
from albert_export.tokenization.wordpiece import AlbertWordPieceTokenizer

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig

logger = logging.getLogger(__name__)


def find_tokenizer(
    directory: str | Path, *, config: AlbertConfig | None = None
) -> AlbertTokenizerFast | AlbertWordPieceTokenizer | None:
    """Load the tokenizer of a checkpoint or bundle if it has one; see :func:`load_tokenizer`."""
    return load_tokenizer(directory, config=config) if vocabulary_files(Path(directory)) else None


def load_tokenizer(
    directory: str | Path, *, config: AlbertConfig | None = None
) -> AlbertTokenizerFast | AlbertWordPieceTokenizer:
    """Load the tokenizer of a checkpoint or bundle.

    Args:
        directory: Holds ``tokenizer.json``, ``spiece.model`` or ``vocab.txt``; the first of them that is there counts.
            Or a release by Google, with ``30k-clean.model``.
        config: The model's; its ``max_position_embeddings`` bounds ``model_max_length``.

    Returns:
        The fast tokenizer, or the WordPiece one for ``vocab.txt`` and for a ``tokenizer.json`` of that kind.

    Raises:
        TokenizerError: None of the files is there, or one cannot be read.
    """
    root = Path(directory)
    kind: type[AlbertTokenizerFast] | type[AlbertWordPieceTokenizer]
    found = vocabulary_files(root)
    if TOKENIZER_FILE in found:
        model = read_json(root / TOKENIZER_FILE).get("model")
        words = isinstance(model, dict) and model.get("type") == "WordPiece"
        kind = AlbertWordPieceTokenizer if words else AlbertTokenizerFast
    elif SENTENCEPIECE_FILE in found:
        kind = AlbertTokenizerFast
    elif WORDPIECE_FILE in found:
        kind = AlbertWordPieceTokenizer
    else:
        raise TokenizerError(
            f"a tokenizer's directory must hold {TOKENIZER_FILE}, {SENTENCEPIECE_FILE} or {WORDPIECE_FILE}",
            received=f"{directory} without any of them",
            fix="copy the file from where the checkpoint came from",
        )
    tokenizer = kind.from_pretrained(root)
    if config is not None:
        tokenizer.model_max_length = min(tokenizer.model_max_length, config.max_position_embeddings)
        if len(tokenizer) > config.vocab_size:
            logger.warning(
                "the tokenizer has %d tokens, but the model has embeddings for %d only",
                len(tokenizer),
                config.vocab_size,
            )
    return tokenizer
