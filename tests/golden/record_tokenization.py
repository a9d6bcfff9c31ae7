"""Record what transformers 4.37.2's tokenizers answer, into tokenization.json.gz.

Run in an environment of its own, with transformers 4.37.2, tokenizers 0.15.2 and sentencepiece::

    python tests/golden/record_tokenization.py

The vocabularies are those of the repository: the built-in ``spiece.model`` and ``chinese_vocab.txt`` beside this file;
record again when one of them changes. The file names the day, the versions and the vocabularies' hashes, and holds the
cases of ``tokenization_cases.py`` with one answer for each step, and what the slow ``BertTokenizer`` makes of a few
texts.
"""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
import platform
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.golden.nasty_text import COLLECTION  # noqa: E402
from tests.golden.reference_tokenizers import reference_library  # noqa: E402
from tests.golden.tokenization_cases import CHINESE, sentencepiece_cases, wordpiece_cases  # noqa: E402

VOCABULARIES = {
    "spiece.model": HERE.parent.parent / "albert_export" / "builtin" / "spiece.model",
    "vocab.txt": HERE / "chinese_vocab.txt",
}
TARGET = HERE / "tokenization.json.gz"
#: Random texts and random calls for each class and setting: few, as the fuzz asks thousands.
TEXTS, OPTIONS, SEED = 12, 40, 2024


def main() -> None:
    """Write the file."""
    import sentencepiece
    import tokenizers
    import transformers  # noqa: TID251 - the reference side

    record: dict[str, Any] = {
        "recorded": datetime.date.today().isoformat(),
        "versions": {
            "python": platform.python_version(),
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "sentencepiece": sentencepiece.__version__,
        },
        "vocabularies": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in VOCABULARIES.items()},
        "cases": [],
    }
    for name, make_cases in (("spiece.model", sentencepiece_cases), ("vocab.txt", wordpiece_cases)):
        with tempfile.TemporaryDirectory() as directory:
            files = {name: str(VOCABULARIES[name]), "tokenizer.json": str(Path(directory) / "tokenizer.json")}
            library = reference_library(files)
            for case in make_cases(TEXTS, OPTIONS, SEED):
                record["cases"].append({**case, "vocabulary": name, "answers": library.run(case)})
    slow = transformers.BertTokenizer(vocab_file=str(VOCABULARIES["vocab.txt"]))
    record["BertTokenizer"] = [[text, slow.encode(text)] for text in (*CHINESE, *COLLECTION)]
    data = json.dumps(record, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    TARGET.write_bytes(gzip.compress(data, mtime=0))
    steps = sum(len(case["steps"]) for case in record["cases"])
    print(f"{TARGET.name}: {len(record['cases'])} cases, {steps} steps, {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
