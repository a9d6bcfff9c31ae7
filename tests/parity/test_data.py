"""Reading data: files plain and gzipped, the package's own, and what bad files get."""

from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from albert_export.checkpoints import Source
from albert_export.errors import InputError
from albert_export.parity.data import choose_data, read_data
from albert_export.tasks import get_task
from tests.builtin.mini_files import ITEMS, install_mini

LINES = '\ufeff{"id": "one", "text": "a\u2028b"}\r\n\n   \n{"text": "c"}\n'
MINI = Source("builtin", "albert-mini", None, "ab" * 32)
OTHER = Source("directory", "mine", None, "ab" * 32)
QA = get_task("qa")


@pytest.mark.parametrize("name", ["data.jsonl", "data.jsonl.gz", "packed"])
def test_plain_and_gzipped_lines(tmp_path: Path, name: str) -> None:
    stored = LINES.encode() if name == "data.jsonl" else gzip.compress(LINES.encode(), mtime=0)
    (tmp_path / name).write_bytes(stored)
    data = read_data(tmp_path / name)
    assert (data.name, data.sha256, data.own) == (name, hashlib.sha256(stored).hexdigest(), True)
    assert [(item.line, item.name) for item in data.items] == [(1, "one"), (4, "line 4")]
    assert data.items[0].record["text"] == "a\u2028b", "only a line feed ends a line"


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        (b"", "data must have at least one line; received data.jsonl: none"),
        (b"\n \n", "at least one line"),
        (b'{"a": 1}\n{"a": \n', r"data\.jsonl, line 2 must be a JSON object; received '\{\"a\":' "),
        (b"[1]\n", r"data\.jsonl, line 1 must be a JSON object; received '\[1\]'"),
        (b'"\xff"', r"data\.jsonl must be text in UTF-8; received byte 1"),
        (gzip.compress(b"{}", mtime=0)[:-4], r"data\.jsonl must be a whole gzip file"),
        (b"\x1f\x8bno", r"data\.jsonl must be a whole gzip file"),
        (b"[" * 100_000, "line 1 must be a JSON object"),
    ],
)
def test_bad_files_are_told_in_one_line(tmp_path: Path, stored: bytes, told: str) -> None:
    (tmp_path / "data.jsonl").write_bytes(stored)
    with pytest.raises(InputError, match=told) as caught:
        read_data(tmp_path / "data.jsonl")
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.jsonl", tmp_path):
        with pytest.raises(InputError, match="data must be a file that can be read"):
            read_data(path)


def test_what_is_measured_on_unless_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_mini(monkeypatch, tmp_path / "mini")
    held_out = choose_data(None, MINI, QA)
    assert held_out is not None
    assert (held_out.name, held_out.own) == ("held-out of albert-mini", False)
    assert len(held_out.items) == len(ITEMS[QA.name])
    assert choose_data("none", MINI, QA) is None
    assert choose_data(None, OTHER, QA) is None
    named = choose_data("new-patterns", MINI, QA)
    assert named is not None
    assert (named.name, named.own) == ("new-patterns of albert-mini", True)
    for source in (OTHER, Source("directory", "albert-mini", None, "ab" * 32)):
        with pytest.raises(
            InputError, match=r"held-out data come with trained built-in models alone; received .*; fix: give"
        ):
            choose_data("held-out", source, QA)


def test_a_file_wins_over_nothing_but_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("none").write_text('{"text": "c"}\n')
    assert choose_data("none", OTHER, QA) is None
    assert choose_data("./none", OTHER, QA) is not None
    assert choose_data(Path("none"), OTHER, QA) is not None
