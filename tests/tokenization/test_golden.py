"""Each tokenizer answers what transformers 4.37.2's own class of that kind answered."""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
from typing import Any

import pytest

from albert_export import tokenization
from tests.golden.nasty_text import COLLECTION
from tests.golden.record_tokenization import OPTIONS, SEED, TARGET, TEXTS, VOCABULARIES
from tests.golden.tokenization_cases import sentencepiece_cases, wordpiece_cases
from tests.golden.tokenization_driver import FAILED, Library, first_difference

RECORD = json.loads(gzip.decompress(TARGET.read_bytes()))


def name_of(case: dict[str, Any]) -> str:
    made = {key: value for key, value in case.get("init", {}).items() if key != "vocab_file"}
    files = ",".join(case.get("directory", ()))
    return f"{case['class']}-{','.join(made)}-{files}-{case['steps'][0][0]}"


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Library]:
    """This package as one side of the comparison, for each vocabulary; its tokenizer.json is this package's own."""
    made = {}
    kinds = {"spiece.model": tokenization.AlbertTokenizerFast, "vocab.txt": tokenization.AlbertWordPieceTokenizer}
    for name, kind in kinds.items():
        directory = tmp_path_factory.mktemp("backend")
        kind(VOCABULARIES[name]).save_pretrained(directory, legacy_format=False)
        files = {name: VOCABULARIES[name], "tokenizer.json": directory / "tokenizer.json"}
        made[name] = Library(vars(tokenization), tokenization.AddedToken, files)
    return made


@pytest.mark.parametrize("case", RECORD["cases"], ids=name_of)
def test_answers_are_those_of_the_reference(case: dict[str, Any], libraries: dict[str, Library]) -> None:
    answers = json.loads(json.dumps(libraries[case["vocabulary"]].run(case)))
    for step, ours, theirs in zip(case["steps"], answers, case["answers"], strict=True):
        assert ours == theirs, f"{step}: at {first_difference(ours, theirs)}"


def test_the_record_is_of_these_vocabularies_and_cases() -> None:
    for name, path in VOCABULARIES.items():
        assert hashlib.sha256(path.read_bytes()).hexdigest() == RECORD["vocabularies"][name], (
            f"{path.name} changed: run tests/golden/record_tokenization.py"
        )
    cases = [*sentencepiece_cases(TEXTS, OPTIONS, SEED), *wordpiece_cases(TEXTS, OPTIONS, SEED)]
    recorded = [{k: v for k, v in case.items() if k not in ("answers", "vocabulary")} for case in RECORD["cases"]]
    assert json.loads(json.dumps(cases)) == recorded, "the cases changed: run tests/golden/record_tokenization.py"
    assert RECORD["versions"]["transformers"] == "4.37.2"


def test_a_wrong_answer_is_noticed(libraries: dict[str, Library]) -> None:
    """The comparison's own negative control: one id changed in the record, and one tokenizer in place of another."""
    case = copy.deepcopy(next(c for c in RECORD["cases"] if c["class"] == "AlbertTokenizer"))
    answers = json.loads(json.dumps(libraries["spiece.model"].run(case)))
    at = next(i for i, step in enumerate(case["steps"]) if step == ["text", "Hello, my dog is cute"])
    case["answers"][at][0][2] += 1
    assert first_difference(answers[at], case["answers"][at])[0] == "answer[0][2]"
    other = libraries["spiece.model"].run({**case, "class": "AlbertTokenizerFast"})
    differ = [
        step[1] for step, a, b in zip(case["steps"], answers, other, strict=True) if step[0] == "text" and a[0] != b[0]
    ]
    assert "trailing space " in differ
    assert "next\u0085line unit\u001fseparator \u001c \u001d \u001e" in differ
    assert "Hello, my dog is cute" not in differ


def test_the_reference_answered_nearly_all_steps() -> None:
    """A record of errors would prove nothing: the two sides' errors are not compared."""
    answers = [answer for case in RECORD["cases"] for answer in case["answers"]]
    texts = [a for c in RECORD["cases"] for s, a in zip(c["steps"], c["answers"], strict=True) if s[0] == "text"]
    assert sum(answer == FAILED for answer in answers) < len(answers) * 0.1
    assert FAILED not in texts
    assert len(texts) > 1500


def test_wordpiece_against_the_slow_reference(words: tokenization.AlbertWordPieceTokenizer) -> None:
    """BERT's two tokenizers differ from each other only where code points stand that are no characters."""
    differ = [text for text, ids in RECORD["BertTokenizer"] if words.encode(text) != ids]
    assert differ == [text for text in COLLECTION if "\U0010ffff" in text or "\ufdd0" in text]
    assert len(RECORD["BertTokenizer"]) > len(COLLECTION)
