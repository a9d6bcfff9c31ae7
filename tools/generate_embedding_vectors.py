"""Write docs/embedding-vectors.json: texts, and the ids that the tokenizers of albert-seeded give them.

Embedders in other languages check their own tokenisation against the file, with nothing but
albert_export/builtin/spiece.model or a bundle of albert-seeded.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from albert_export.builtin import builtin_directory
from albert_export.tokenization import AlbertTokenizer, AlbertTokenizerFast

ROOT = Path(__file__).parent.parent
FILE = ROOT / "docs" / "embedding-vectors.json"
MODEL = "albert-seeded"
VOCABULARY = "albert_export/builtin/spiece.model"

#: Each shows one step of docs/embedding.md; a tuple is a pair.
TEXTS: tuple[str | tuple[str, str], ...] = (
    "The notes are longer than the description itself.",
    ("Who wrote the notes?", "Ada Lovelace wrote the notes."),
    "  Two   spaces,\tand a tab.  ",
    "A unit\x1fseparator, a next line\x85and a non-breaking\xa0space",
    "``Quoted'' text, and \"quoted\" text.",
    "Crème brûlée, naïve, Ångström, İstanbul",
    "ﬁne print, x², ½, Ⅳ, full-width ＡＢＣ",
    "1,000 people, 25,5 and 1,2,3,",
    "In 2001, 10,000,000 of 12, at $5,50",
    "Paris is the [MASK] of France.",
    "Paris is the[MASK] of France.",
    "日本語 and 中文, mixed.",
    "An emoji 🙂 and a family 👨‍👩‍👧",
    "Antidisestablishmentarianism",
    "",
)


def vectors() -> list[dict[str, Any]]:
    """Return one record for each text."""
    directory = builtin_directory(MODEL)
    fast, steps = AlbertTokenizerFast.from_pretrained(directory), AlbertTokenizer.from_pretrained(directory)
    records = []
    for entry in TEXTS:
        text, pair = (entry, None) if isinstance(entry, str) else entry
        encoded = fast(text, pair)
        records.append(
            {
                "text": text,
                "text_pair": pair,
                "tokens": fast.convert_ids_to_tokens(encoded["input_ids"]),
                "input_ids": encoded["input_ids"],
                "token_type_ids": encoded["token_type_ids"],
                "sentencepiece_input_ids": steps(text, pair)["input_ids"],
            }
        )
    return records


def render() -> str:
    """Return the file's text: one record a line, so that a change shows as one."""
    sha256 = hashlib.sha256((ROOT / VOCABULARY).read_bytes()).hexdigest()
    head = {"model": MODEL, "vocabulary": VOCABULARY, "vocabulary_sha256": sha256}
    lines = ",\n".join(f"    {json.dumps(record, ensure_ascii=False)}" for record in vectors())
    return f'{json.dumps(head, indent=2)[:-2]},\n  "vectors": [\n{lines}\n  ]\n}}\n'


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
    print(f"wrote {FILE.name}", file=sys.stderr)
