"""Importing the tokenizers stays light; each needs only its own library."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.tokenization.conftest import ROOT, SPIECE

HEAVY = ("tokenizers", "sentencepiece", "huggingface_hub", "numpy", "torch", "tensorflow", "jax", "google.protobuf")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_loads_no_library() -> None:
    code = f"import sys, albert_export.tokenization; print([n for n in {HEAVY} if n in sys.modules])"
    assert run(code) == "[]"


@pytest.mark.parametrize(
    ("kind", "absent"), [("AlbertTokenizer", "tokenizers"), ("AlbertTokenizerFast", "sentencepiece")]
)
def test_each_tokenizer_needs_its_own_library_only(kind: str, absent: str) -> None:
    code = (
        f"import sys; sys.modules[{absent!r}] = None; from albert_export.tokenization import {kind} as T; "
        f"print(T({str(SPIECE)!r})('the dog')['input_ids'][0])"
    )
    assert run(code) == "2"


def test_arrays_of_numpy_need_no_framework() -> None:
    code = (
        "import sys; sys.modules.update(torch=None, tensorflow=None, jax=None); "
        "from albert_export.tokenization import AlbertTokenizerFast as T; "
        f"print(T({str(SPIECE)!r})(['the dog', 'a'], padding=True, return_tensors='np')['input_ids'].dtype)"
    )
    assert run(code) == "int64"


def test_a_missing_library_names_the_extra() -> None:
    code = (
        "import sys; sys.modules['tokenizers'] = None\n"
        "from albert_export.tokenization import AlbertTokenizerFast as T\n"
        "from albert_export.errors import MissingDependencyError\n"
        f"try:\n    T({str(SPIECE)!r})\nexcept MissingDependencyError as error:\n    print(error)"
    )
    assert "needs the package tokenizers" in run(code)
