"""Compare this package's tokenizers with transformers 4.37.2's on random nasty text and random options.

    python tests/golden/fuzz_tokenization.py --reference-python OTHER_ENV/bin/python --vocab spiece.model
    python tests/golden/fuzz_tokenization.py --reference-python OTHER_ENV/bin/python --vocab vocab.txt

Run it with this project's Python; ``--reference-python`` is that of an environment with ``transformers==4.37.2``,
``tokenizers==0.15.2`` and ``sentencepiece``. A ``.txt`` vocabulary fuzzes the WordPiece tokenizer against
``BertTokenizerFast``, any other the two SentencePiece ones. Prints each difference and the counts; exits 1 on any.

One kind of difference is known: the token text (never the id) of letters that Unicode gained after tokenizers 0.15.2
was built, which newer versions lowercase. It turns up about once in a hundred thousand steps.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent))

from tests.golden.tokenization_cases import sentencepiece_cases, wordpiece_cases  # noqa: E402
from tests.golden.tokenization_driver import FAILED, Library, first_difference  # noqa: E402


def main() -> int:
    """Run both sides and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vocab", type=Path)
    parser.add_argument("--reference-python")
    parser.add_argument("--texts", type=int, default=2000, help="random texts for each tokenizer and setting")
    parser.add_argument("--options", type=int, default=2000, help="random calls with options for each tokenizer")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", type=int, default=10, help="how many differences to print")
    parser.add_argument("--only", default="", help="fuzz only classes of this name")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        _serve()
        return 0
    if args.vocab is None or args.reference_python is None:
        parser.error("--vocab and --reference-python are needed")
    words = args.vocab.suffix == ".txt"
    make_cases = wordpiece_cases if words else sentencepiece_cases
    cases = [c for c in make_cases(args.texts, args.options, args.seed) if args.only in ("", c["class"])]
    with tempfile.TemporaryDirectory() as directory:
        backend = Path(directory) / "tokenizer.json"
        files = {"vocab.txt" if words else "spiece.model": str(args.vocab.resolve()), "tokenizer.json": str(backend)}
        job = {"files": files, "cases": cases}
        # The reference goes first: it writes the tokenizer.json that both sides read.
        theirs = run_theirs(job, args.reference_python)
        ours = run_ours(job)
    return report(cases, ours, theirs, args.show)


def run_ours(job: dict[str, Any]) -> list[Any]:
    """What this package answers."""
    from albert_export import tokenization

    library = Library(vars(tokenization), tokenization.AddedToken, job["files"])
    return list(json.loads(json.dumps([library.run(case) for case in job["cases"]])))


def run_theirs(job: dict[str, Any], python: str) -> list[Any]:
    """What the reference answers, in its own environment."""
    command = [python, str(Path(__file__).resolve()), "--serve"]
    done = subprocess.run(command, input=json.dumps(job), capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        raise SystemExit(done.stderr)
    return list(json.loads(done.stdout))


def _serve() -> None:
    from tests.golden.reference_tokenizers import reference_library

    job = json.load(sys.stdin)
    library = reference_library(job["files"])
    json.dump([library.run(case) for case in job["cases"]], sys.stdout)


def report(cases: list[dict[str, Any]], ours: list[Any], theirs: list[Any], show: int) -> int:
    """Print differences and counts; returns the exit code."""
    total = different = raised = 0
    for case, our_answers, their_answers in zip(cases, ours, theirs, strict=True):
        wrong = 0
        for step, our, their in zip(case["steps"], our_answers, their_answers, strict=True):
            total += 1
            raised += their == FAILED
            if our != their:
                wrong += 1
                if different + wrong <= show:
                    place, our, their = first_difference(our, their)
                    print(f"{_name(case)}\n  {step!a}\n  at {place}: ours {our!a}\n  theirs {their!a}")
        different += wrong
        print(f"{_name(case):80.80} {len(case['steps']):6} steps, {wrong} differ")
    print(f"{total} steps, {different} differ; the reference raised in {raised}")
    return int(different > 0)


def _name(case: dict[str, Any]) -> str:
    made = {key: value for key, value in case.get("init", {}).items() if key != "vocab_file"}
    return f"{case['class']} {made or ''} {case.get('directory', '')}"


if __name__ == "__main__":
    raise SystemExit(main())
