"""Tokenizers from the hub: fetched in a process of its own from a hub on loopback, without the weights."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.checkpoints.small_hub import Repository, SmallHub
from tests.tokenization.conftest import ROOT, SPIECE, VOCAB

LOAD = """
import json, sys
from albert_export import tokenization
from albert_export.errors import AlbertExportError
kind, arguments = json.loads(sys.argv[1])
try:
    made = getattr(tokenization, kind).from_pretrained("someone/albert-tiny", **arguments)
    print(json.dumps([made.encode("the dog"), made.model_max_length, made.name_or_path]))
except AlbertExportError as error:
    print(json.dumps(str(error)))
"""


def load(hub: SmallHub, home: Path, kind: str, **arguments: Any) -> Any:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "HUGGING"))}
    environment = {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "NO_PROXY": "*",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LOAD, json.dumps([kind, arguments])],
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_tokenizer_comes_from_the_hub(fast: Any, slow: Any, words: Any, tmp_path: Path) -> None:
    settings = b'{"model_max_length": 77}'
    files = {"config.json": b"{}", "model.safetensors": b"x" * 1000, "tokenizer_config.json": settings}
    with SmallHub() as hub:
        repository = hub.repositories["someone/albert-tiny"] = Repository()
        repository.commit({**files, "vocab.txt": VOCAB.read_bytes()}, ref="chinese")
        repository.commit({**files, "spiece.model": SPIECE.read_bytes()})
        name = "someone/albert-tiny"
        assert load(hub, tmp_path, "AlbertTokenizerFast") == [fast.encode("the dog"), 77, name]
        assert load(hub, tmp_path, "AlbertTokenizer") == [slow.encode("the dog"), 77, name]
        chinese = load(hub, tmp_path, "AlbertWordPieceTokenizer", revision="chinese", model_max_length=5)
        assert chinese == [words.encode("the dog"), 5, name]
        assert not any("safetensors" in path for _, path, _ in hub.requests)
        before = len(hub.requests)
        assert load(hub, tmp_path, "AlbertTokenizerFast", local_files_only=True)[0] == fast.encode("the dog")
        assert len(hub.requests) == before
        told = load(hub, tmp_path / "empty", "AlbertTokenizerFast", local_files_only=True)
        assert isinstance(told, str)
        assert "\n" not in told
        told = load(hub, tmp_path, "AlbertWordPieceTokenizer")
        assert "must hold vocab.txt or tokenizer.json" in told
