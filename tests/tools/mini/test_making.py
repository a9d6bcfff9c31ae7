"""The making as a whole, of a model far too small: what it writes, what a second run does anew, and what it misses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tools.mini.small import SHAPE, vocabulary_directory
from tools.mini import __main__ as making
from tools.mini import words_read
from tools.mini.data import tokenizer_in
from tools.mini.encoding import TASKS
from tools.mini.evaluation import FIGURE
from tools.mini.finishing import finish, held_out_sets, words_known
from tools.mini.model import MiniModel
from tools.mini.stages import Stage, stage_directories
from tools.mini.train import Training
from tools.mini.worlds import names

HELD_OUT = {"held_out": 6, "new_patterns": 4}


@pytest.mark.slow
def test_a_model_is_made_and_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "LOOKS", {"held_out": 2, "new_patterns": 2})
    monkeypatch.setattr(MiniModel, "compile_layer", lambda _: "this is a test")
    work, run, out, docs = tmp_path / "work", tmp_path / "work" / "run", tmp_path / "out", tmp_path / "docs"
    docs.mkdir()
    shutil.copytree(vocabulary_directory(), work / "vocabulary")
    counts = {(task, None): 40 if task == "token-classification" else 6 for task in TASKS}
    training = Training(tokens=1024, steps=4, report=2, look=3, renamed=1.0, muon=0.5)
    stages = [Stage("one", 1, counts, training)]

    weights = making.trained(work, run, stages, SHAPE)
    (directory,) = stage_directories(run, stages, SHAPE)
    log = (directory / "log.jsonl").read_text()
    assert [json.loads(line)["step"] for line in log.splitlines() if "figures" in line] == [4], "not at 3 and at 4"
    drawn: dict[str, bool] = {}
    on_side = names._on_side

    def recorded(draw: Callable[[], str], held_out: bool) -> str:
        name = on_side(draw, held_out)
        drawn[name] = held_out
        return name

    with monkeypatch.context() as patch:
        patch.setattr(names, "_on_side", recorded)
        # What is drawn for the table by length is not held out word by word.
        patch.setattr("tools.mini.figures.LENGTH_ITEMS", 0)
        missed = finish(weights, work, run, stages, out, docs, SHAPE, HELD_OUT)
    assert any(miss.startswith("question-answering, held_out: ") for miss in missed)
    first = json.loads((docs / "mini-metrics.json").read_text())
    assert first["leaks"] == dict.fromkeys(FIGURE, 0)
    assert (docs / "mini-training-curve.png").stat().st_size > 1000
    card = (docs / "model-card.md").read_text()
    assert "Not reached yet" in card and "It took" not in card, "nobody timed the vocabulary"
    assert {len(items) for (_, split), items in held_out_sets(out).items() if split == "held_out"} == {6}

    read = words_read.read(directory / "words.txt")
    assert len(read) > 100 and len(drawn) > 100 and all(drawn.values())
    known = words_known(tokenizer_in(work / "vocabulary"), [directory])
    assert known > read and not {name.lower() for name in drawn} & known

    assert making.trained(work, run, stages, SHAPE) == weights
    assert (directory / "log.jsonl").read_text() == log
    (work / "vocabulary" / "seconds.json").write_text('{"vocabulary": 30.0}')
    assert finish(weights, work, run, stages, out, docs, SHAPE, HELD_OUT) == missed
    second = json.loads((docs / "mini-metrics.json").read_text())
    assert second["tasks"] == first["tasks"]
    seconds = second["training"]["seconds"]
    assert list(seconds) == ["vocabulary", "texts", "training", "files and figures"]
    assert {part: seconds[part] for part in ("texts", "training")} == {
        part: first["training"]["seconds"][part] for part in ("texts", "training")
    }
    assert (
        "30.0" not in (docs / "model-card.md").read_text()
        and "0.5 for the vocabulary" in (docs / "model-card.md").read_text()
    )
