"""The vocabulary of albert-mini: a SentencePiece model trained from generated text, and its ``tokenizer.json``.

The trainer's settings are those of ``tools/train_vocabulary.py``, which are those of the released English ALBERT
vocabulary, except the size.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.mini.data import items_of, written
from tools.mini.encoding import TASKS, texts_of
from tools.train_vocabulary import CONTROL_SYMBOLS, USER_DEFINED_SYMBOLS, prepare

VOCABULARY_SIZE = 6000
#: Items of each task whose text the vocabulary is trained from.
ITEMS = 3000


def training_text(seed: int, items: int = ITEMS) -> Iterator[str]:
    """Yield the lines that the vocabulary is trained from."""
    words: Counter[str] = Counter()
    for line in written():
        # Four times, as words that no generated text has would have no piece otherwise.
        yield from [prepare(line)] * 4
    for task in TASKS:
        for item in items_of(task, "train", items, seed):
            for part in dict.fromkeys(part for pair in texts_of(task, item) for part in pair if part):
                line = prepare(part.replace("[MASK]", " "))
                words.update(word for word in line.split() if word.isascii() and word.isalpha())
                yield line
    # The trainer only considers strings that occur in two different words: the comma makes a second word of each.
    yield from (f"{word}," for word, count in sorted(words.items()) if count >= 8 and len(word) > 1)


def train(seed: int, items: int = ITEMS, size: int = VOCABULARY_SIZE) -> bytes:
    """Return the bytes of the trained SentencePiece model."""
    import sentencepiece

    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=training_text(seed, items),
        model_writer=model,
        model_type="unigram",
        vocab_size=size,
        character_coverage=1.0,
        normalization_rule_name="nmt_nfkc",
        max_sentencepiece_length=16,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        control_symbols=CONTROL_SYMBOLS,
        user_defined_symbols=USER_DEFINED_SYMBOLS,
        hard_vocab_limit=False,
        shuffle_input_sentence=False,
        num_threads=1,
        minloglevel=2,
    )
    return model.getvalue()


def tokenizer_config() -> dict[str, Any]:
    """Return what ``tokenizer_config.json`` says."""
    return {
        "tokenizer_class": "AlbertTokenizer",
        "model_max_length": 512,
        "do_lower_case": True,
        "remove_space": True,
        "keep_accents": False,
    }


def write(directory: Path, model: bytes) -> None:
    """Write ``spiece.model``, ``tokenizer.json`` and ``tokenizer_config.json``."""
    from albert_export.tokenization import AlbertTokenizerFast

    directory.mkdir(parents=True, exist_ok=True)
    (directory / "spiece.model").write_bytes(model)
    tokenizer = AlbertTokenizerFast(vocab_file=directory / "spiece.model", model_max_length=512)
    (directory / "tokenizer.json").write_text(tokenizer.backend_tokenizer.to_str(pretty=False) + "\n", encoding="utf-8")
    text = json.dumps(tokenizer_config(), indent=2) + "\n"
    (directory / "tokenizer_config.json").write_text(text, encoding="utf-8")
