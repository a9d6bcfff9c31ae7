"""The page's own arithmetic against the pipeline's: the same spans, windows and words from the same numbers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from albert_export.layouts.web import SITE
from albert_export.pipelines.encoding import Encoded
from albert_export.pipelines.spans import Spans, WindowLogits
from albert_export.pipelines.words import whole_words

NODE = shutil.which("node")
needs_node = pytest.mark.skipif(NODE is None, reason="node is not installed: `make test-clients` runs the page itself")


def asked(tmp_path: Path, script: str, value: Any) -> Any:
    """Return what a script makes of a value; it has the modules of the site."""
    for name in ("spans.js", "words.js"):
        shutil.copyfile(SITE / name, tmp_path / name)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "value.json").write_text(json.dumps(value))
    (tmp_path / "script.js").write_text(
        'import { readFileSync } from "node:fs";\n'
        'import * as spans from "./spans.js";\nimport * as words from "./words.js";\n'
        f'const value = JSON.parse(readFileSync("value.json"));\nconsole.log(JSON.stringify({script}));\n'
    )
    assert NODE is not None
    done = subprocess.run([NODE, "script.js"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def encoded(question: int, text: int) -> Encoded:
    owners = [None, *[0] * question, None, *[1] * text, None]
    return Encoded(list(range(len(owners))), [0] * len(owners), owners, [None] * len(owners), [(0, 0)] * len(owners))


@needs_node
@pytest.mark.parametrize("text", [1, 20, 21, 40, 41, 57, 200])
@pytest.mark.parametrize("overlap", [0, 5, 100])
def test_windows_are_cut_as_the_pipeline_cuts_them(tmp_path: Path, text: int, overlap: int) -> None:
    question, longest = 7, 30
    ours = [[int(place) for place in window.origin] for window in encoded(question, text).windows(1, longest, overlap)]
    form = {"cls": 0, "sep": question + 1, "longest": longest, "overlap": overlap, "longestAnswer": 5}
    value = [list(range(1, question + 1)), list(range(question + 2, question + 2 + text)), form]
    theirs = asked(tmp_path, "spans.windowsOf(...value)", value)
    assert [window["ids"] for window in theirs] == [[*places[:-1], question + 1] for places in ours]
    assert all(window["types"] == [0] * 9 + [1] * (len(window["ids"]) - 9) for window in theirs)
    assert all((window["begin"], window["count"]) == (9, len(window["ids"]) - 10) for window in theirs)
    assert [window["first"] for window in theirs] == [places[question + 2] - question - 2 for places in ours]


@needs_node
@pytest.mark.parametrize("most", [1, 4, 50])
def test_spans_are_scored_as_the_pipeline_scores_them(tmp_path: Path, most: int) -> None:
    chance = np.random.default_rng(3)
    rows = []
    ours = []
    for first in (0, 6, 12):
        start, end = chance.normal(scale=4, size=(2, 14)).astype(np.float32)
        places = np.arange(4, 13)
        ours.append(WindowLogits(start, end, places, places - 4 + first))
        window = {"first": first, "begin": 4, "count": 9}
        rows.append({"window": window, "start": start.tolist(), "end": end.tolist()})
    wanted = Spans(ours, most)
    found = asked(tmp_path, "spans.spansOf(...value)", [rows, most])
    assert found["none"] == pytest.approx(wanted.log_null, rel=1e-12)
    best = list(wanted.best())
    assert [(span["first"], span["last"]) for span in found["spans"]] == [(span.first, span.last) for span in best]
    assert [span["log"] for span in found["spans"]] == pytest.approx([span.log_score for span in best], rel=1e-12)


@needs_node
def test_a_question_leaves_room_for_an_answer(tmp_path: Path) -> None:
    form = {"cls": 0, "sep": 1, "longest": 30, "overlap": 5, "longestAnswer": 15}
    cut = """value.map(([question, text, form]) => {
      try { return spans.windowsOf(Array(question).fill(2), Array(text).fill(3), form).length; }
      catch (error) { return error.message; }
    })"""
    found = asked(tmp_path, cut, [[12, 16, form], [13, 14, form], [13, 15, form]])
    assert found == [2, 1, "The question is too long: it leaves no room for the text within 30 tokens."]


@needs_node
def test_words_end_where_the_pipelines_end(tmp_path: Path) -> None:
    texts = [
        "Ada's book, (Notes).",
        "über  Zürich (2024)!",
        "東京は大きい。",
        "e\u0301tude",
        "ภาษาไทย ok",
        "a\u00a0b",
        "½ €5",
        "a😀b 𝒳y𠀀",
    ]
    cases = [[text, start, end] for text in texts for start in range(len(text)) for end in range(start, len(text) + 1)]
    # Strings count UTF-16 units there.
    placed = [[text, units(text[:start]), units(text[:end])] for text, start, end in cases]
    found = asked(tmp_path, "value.map((each) => words.wholeWords(...each))", placed)
    wanted = [[units(text[:place]) for place in whole_words(text, start, end)] for text, start, end in cases]
    rows = zip(cases, wanted, found, strict=True)
    assert [(case, ours, theirs) for case, ours, theirs in rows if ours != theirs] == []


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
