"""Check that directories saved on one side load on the other, this package's and transformers 4.37.2's.

    python tests/golden/check_saved_tokenizers.py --reference-python OTHER_ENV/bin/python

Run it with this project's Python; ``--reference-python`` is that of an environment with ``transformers==4.37.2``,
``tokenizers==0.15.2`` and ``sentencepiece``. Every tokenizer of ``VARIANTS`` is saved by each side and opened by the
other: here with its class and ``load_tokenizer``, there with its own class and ``AutoTokenizer``, fast and slow. Both
must give the same ids, offsets and text. Prints the counts; exits 1 on a difference.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.golden.nasty_text import COLLECTION, nasty_texts  # noqa: E402
from tests.golden.tokenization_driver import first_difference  # noqa: E402

VOCABULARIES = {
    "AlbertTokenizer": HERE.parent.parent / "albert_export" / "builtin" / "spiece.model",
    "AlbertTokenizerFast": HERE.parent.parent / "albert_export" / "builtin" / "spiece.model",
    "AlbertWordPieceTokenizer": HERE / "chinese_vocab.txt",
}
#: Constructor arguments, and tokens added afterwards.
VARIANTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "plain": ({}, []),
    "cased": ({"do_lower_case": False}, []),
    "sides": ({"padding_side": "left", "truncation_side": "left", "model_max_length": 30}, []),
    "special": ({"additional_special_tokens": ["<e1>", "<e2>"], "cls_token": "<first>"}, []),
    "added": ({}, ["dogs", "two words"]),  # in lower case: the slow tokenizer lowercases what it adds
}
TEXTS = [*COLLECTION, *nasty_texts(7, 60), "my dogs say two words <e1>x <e2> <first>"]


def main() -> int:
    """Save, open and compare, both ways."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference-python")
    parser.add_argument("--serve", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        json.dump(_reference_side(Path(args.serve[0]), Path(args.serve[1])), sys.stdout)
        return 0
    if args.reference_python is None:
        parser.error("--reference-python is needed")
    from albert_export import tokenization

    classes = {name: getattr(tokenization, name) for name in VOCABULARIES}
    with tempfile.TemporaryDirectory() as work:
        ours, theirs = Path(work) / "ours", Path(work) / "theirs"
        expected = save_all(classes, ours)
        command = [args.reference_python, str(Path(__file__).resolve()), "--serve", str(ours), str(theirs)]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
        if done.returncode:
            raise SystemExit(done.stderr)
        told = json.loads(done.stdout)
        openers: dict[str, Callable[[str, str], Any]] = {
            "class": lambda name, path: classes[name].from_pretrained(path),
            "load_tokenizer": lambda name, path: tokenization.load_tokenizer(path),
        }
        seen = open_all(openers, theirs)
    wrong = compare("saved here, opened by the reference", expected, told["opened"])
    wrong += compare("saved by the reference, opened here", told["saved"], seen)
    return int(wrong > 0)


def save_all(classes: dict[str, Any], directory: Path) -> dict[str, list[Any]]:
    """Save every variant of every class; return what each answers."""
    answers = {}
    for name, vocabulary in VOCABULARIES.items():
        for variant, (init, added) in VARIANTS.items():
            tokenizer = classes[name](vocab_file=str(vocabulary), **init)
            tokenizer.add_tokens(added)
            path = directory / f"{name} {variant}"
            tokenizer.save_pretrained(str(path))
            (path / "config.json").write_text('{"model_type": "albert"}', encoding="utf-8")
            answers[path.name] = ask(tokenizer)
    return answers


def open_all(openers: dict[str, Callable[[str, str], Any]], directory: Path) -> dict[str, dict[str, Any]]:
    """Open every directory in every way; return what each answers."""
    return {
        path.name: {way: ask(opened(path.name.split()[0], str(path))) for way, opened in openers.items()}
        for path in sorted(directory.iterdir())
    }


def ask(tokenizer: Any) -> dict[str, Any]:
    """What shall be the same on both sides; fast and slow tokenizers are asked the same, but answer for themselves."""
    answers: list[Any] = []
    for text in TEXTS:
        options = {"return_offsets_mapping": True} if tokenizer.is_fast else {}
        encoded = tokenizer(text, truncation=True, padding="max_length", max_length=30, **options)
        answers.append([{key: encoded[key] for key in encoded}, tokenizer.decode(encoded["input_ids"])])
    answers.append([tokenizer.all_special_tokens, len(tokenizer), tokenizer.model_max_length])
    return {"fast": tokenizer.is_fast, "answers": json.loads(json.dumps(answers))}


def compare(title: str, saved: dict[str, Any], opened: dict[str, dict[str, Any]]) -> int:
    """Print and count the differences between what was saved and what was opened."""
    wrong = ways = 0
    for name, expected in saved.items():
        for way, answer in opened[name].items():
            ways += 1
            # The other kind of tokenizer on the same files answers as that kind does: see the other class's directory.
            kind = "AlbertTokenizerFast" if answer["fast"] else "AlbertTokenizer"
            wanted = expected if answer["fast"] == expected["fast"] else saved[f"{kind} {name.split()[1]}"]
            if answer["answers"] != wanted["answers"]:
                wrong += 1
                print(f"{title}: {name} by {way}: {first_difference(answer['answers'], wanted['answers'])!a}")
    print(f"{title}: {len(saved)} directories, {ways} openings, {wrong} differ; {len(TEXTS)} texts each")
    return wrong


def _reference_side(ours: Path, theirs: Path) -> dict[str, Any]:
    import transformers  # noqa: TID251 - the reference side

    from tests.golden.reference_tokenizers import CLASSES

    classes = {name: getattr(transformers, reference) for name, reference in CLASSES.items()}
    auto = transformers.AutoTokenizer
    openers: dict[str, Callable[[str, str], Any]] = {
        "class": lambda name, path: classes[name].from_pretrained(path),
        "AutoTokenizer": lambda name, path: auto.from_pretrained(path),
    }
    opened = open_all(openers, ours)
    slow = {"slow AutoTokenizer": lambda name, path: auto.from_pretrained(path, use_fast=False)}
    for name, ways in open_all(slow, ours).items():
        if not name.startswith("AlbertWordPieceTokenizer"):  # the slow BERT tokenizer has no class here
            opened[name] |= ways
    return {"opened": opened, "saved": save_all(classes, theirs)}


if __name__ == "__main__":
    raise SystemExit(main())
