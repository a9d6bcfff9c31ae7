"""``--data`` and ``--max-drop``: exit codes, and the line that says what fell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import albert_export
from albert_export.parity import data_check
from tests.builtin.mini_files import install_mini, write_items
from tests.cli.conftest import Invoke
from tests.cli.test_program import error_line
from tests.conftest import Exported

TEXTS = ("A good book.", "A long day by the sea.", "She lost her coat.", "The soup was cold.")


@pytest.fixture(scope="module")
def answered(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts with the labels that the model gives them."""
    with albert_export.pipeline(exported("seqcls")) as label:
        records = [{"text": text, "label": label(text).label} for text in TEXTS]
    return write_items(tmp_path_factory.mktemp("data") / "labels.jsonl", records)


def test_the_metrics_are_shown_and_a_faithful_artifact_passes(
    invoke: Invoke, exported: Exported, answered: Path
) -> None:
    result = invoke("parity", exported("seqcls"), "--data", answered, "--no-record")
    assert result.exit_code == 0, result.stderr
    assert "task metrics on labels.jsonl, 4 items, before export and after:" in result.stdout
    assert "accuracy 100.00 100.00 0.00 0.00 ok" in " ".join(result.stdout.split())
    assert "4 items of labels.jsonl, answered by onnx/model.onnx" in result.stderr


@pytest.mark.parametrize(("max_drop", "status"), [((), 1), (("--max-drop", "30"), 0)])
def test_a_drop_is_exit_code_1_and_one_line(
    invoke: Invoke,
    exported: Exported,
    answered: Path,
    monkeypatch: pytest.MonkeyPatch,
    max_drop: tuple[str, ...],
    status: int,
) -> None:
    real = data_check.score

    def forgetful(runtime: Any, *arguments: Any, **options: Any) -> Any:
        """The artifact, and not the eager model, gets one of four wrong."""
        scores = real(runtime, *arguments, **options)
        if runtime.target == "eager":
            return scores
        (figure,) = scores.figures
        return replace(scores, figures=(replace(figure, value=75.0, points=75.0),), worth=(1.0, 1.0, 0.0, 1.0))

    monkeypatch.setattr(data_check, "score", forgetful)
    result = invoke("parity", exported("seqcls"), "--data", answered, "--no-record", *max_drop)
    assert result.exit_code == status, result.stderr
    line = "  MISS: accuracy 100.00 before, 75.00 after: a drop of 25.00 points, at most 0.00 allowed"
    assert (line in result.stdout.splitlines()) is (status == 1)
    described = json.loads(
        invoke("parity", exported("seqcls"), "--data", answered, "--no-record", "--json", *max_drop).stdout
    )
    assert described["ok"] is (status == 0)
    assert described["artifacts"][0]["lost"] == ["item-2"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--data", "absent.jsonl"), "data must be a file that can be read; received absent.jsonl"),
        (("--data", "held-out"), "held-out data come with trained built-in models alone; received albert-seeded"),
        (("--max-drop", "-1"), "invalid value for '--max-drop'"),
        (("--max-drop", "nan"), "max_drop must be a number of points from 0 to 100"),
    ],
)
def test_what_cannot_be_measured_is_exit_code_2(
    invoke: Invoke, exported: Exported, options: tuple[str, ...], told: str
) -> None:
    result = invoke("parity", exported("seqcls"), *options, "-q")
    assert result.exit_code == 2
    assert told in error_line(result.stderr)


def test_an_export_reads_the_data_before_it_traces_and_refuses_them_without_parity(
    invoke: Invoke, tmp_path: Path
) -> None:
    args = ("onnx", "--task", "qa", "--model", "albert-seeded", "--out", tmp_path / "out", "-q")
    absent = invoke(*args, "--data", tmp_path / "absent.jsonl")
    assert absent.exit_code == 2
    assert "absent.jsonl" in error_line(absent.stderr)
    for options in (("--data", "none"), ("--max-drop", "1")):
        assert "serve parity; received an export without" in error_line(invoke(*args, "--no-parity", *options).stderr)
    assert list(tmp_path.iterdir()) == []


def test_without_model_and_data_the_trained_model_is_measured_on_what_it_was_not_trained_on(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALBERT_EXPORT_CACHE", str(tmp_path / "cache"))
    install_mini(monkeypatch, tmp_path / "mini", max_position_embeddings=48)
    out = tmp_path / "out"
    exported = invoke("onnx", "--task", "seqcls", "--out", out, "--json")
    assert exported.exit_code == 0, exported.stderr
    described = json.loads(exported.stdout)
    assert (described["source"]["kind"], described["source"]["name"]) == ("builtin", "albert-mini")
    parity = described["artifacts"][0]["parity"]
    assert parity["data"]["name"] == "held-out of albert-mini"
    assert parity["metrics"]["accuracy"]["max_drop"] == 0.0
    assert "3 items of held-out of albert-mini, answered by onnx/model.onnx" in exported.stderr
    again = invoke("parity", out, "--data", "new-patterns", "--no-record", "--json")
    assert json.loads(again.stdout)["data"]["name"] == "new-patterns of albert-mini"
    without = invoke("parity", out, "--data", "none", "--no-record")
    assert (without.exit_code, "held-out" in without.stdout + without.stderr) == (0, False)
    answer = invoke("run", out, "--text", "A good book.")
    assert (answer.exit_code, answer.stderr) == (0, "")
