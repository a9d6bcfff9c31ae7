"""transformers 4.37.2's tokenizers, for the recording and comparing scripts; imported in its environment only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.golden.tokenization_driver import Library

CLASSES = {
    "AlbertTokenizer": "AlbertTokenizer",
    "AlbertTokenizerFast": "AlbertTokenizerFast",
    "AlbertWordPieceTokenizer": "BertTokenizerFast",
}


def reference_library(files: Mapping[str, str]) -> Library:
    """The reference's side of a comparison; writes ``files["tokenizer.json"]`` from the vocabulary beside it."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.environ["RUST_BACKTRACE"] = "0"  # the library panics where a stride is too large: one line each is enough
    import transformers  # noqa: TID251 - the reference side

    name, kind = ("vocab.txt", "BertTokenizerFast") if "vocab.txt" in files else ("spiece.model", "AlbertTokenizerFast")
    made = getattr(transformers, kind)(vocab_file=files[name])
    backend = Path(files["tokenizer.json"])
    made.backend_tokenizer.save(str(backend))
    classes = {ours: getattr(transformers, theirs) for ours, theirs in CLASSES.items()}
    return Library(classes, transformers.AddedToken, files)
