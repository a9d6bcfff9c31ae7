"""A small vocabulary and model, made once, to train for a moment."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from tools.mini import data, vocabulary

SHAPE = {
    "embedding_size": 32,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 64,
}


@cache
def vocabulary_directory() -> Path:
    """Return a directory with the files of a tokenizer of 600 pieces."""
    directory = Path(mkdtemp(prefix="mini-"))
    vocabulary.write(directory, vocabulary.train(seed=1, items=40, size=600))
    return directory


def tokenizer():
    return data.tokenizer_in(vocabulary_directory())
