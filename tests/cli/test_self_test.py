"""``albert-export parity --self-test``."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from albert_export.selftest import run
from albert_export.selftest.controls import CONTROLS
from tests.cli.conftest import Invoke


@pytest.fixture
def two_controls(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first two, which take no export of their own."""
    monkeypatch.setattr(run, "CONTROLS", CONTROLS[:2])


@pytest.mark.usefixtures("two_controls")
def test_a_self_test_prints_what_caught_each_control(invoke: Invoke) -> None:
    result = invoke("parity", "--self-test", "--model", "albert-seeded", "--task", "qa", "--targets", "onnx")
    assert result.exit_code == 0, result.output
    assert "mask ignored" in result.stdout
    assert "the comparator catches what it should: 1 passes, 2 caught" in result.stdout
    assert "self-test: exporting, unchanged" in result.stderr


@pytest.mark.usefixtures("two_controls")
def test_a_miss_is_exit_code_1(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "first_failure", lambda _: ("", None, ""))
    monkeypatch.setattr("albert_export.parity.report.ArtifactResult.ok", property(lambda _: True))
    result = invoke("parity", "--self-test", "--targets", "onnx", "--json", "-q")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert [trial["verdict"] for trial in told["trials"]] == ["passes", "MISSED", "MISSED"]
    assert told["model"] == "albert-seeded"


@pytest.mark.usefixtures("two_controls")
def test_a_target_that_cannot_be_tested_is_exit_code_2_unless_it_is_skipped(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ai_edge_litert" else find(name))
    command = ("parity", "--self-test", "--targets", "onnx,tflite", "-q")
    refused = invoke(*command)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "or --skip tflite" in refused.stderr
    skipped = invoke(*command, "--skip", "tflite")
    assert skipped.exit_code == 0, skipped.output
    assert "1 passes, 2 caught, 2 not tested" in skipped.stdout
    assert "tflite is to be skipped" in skipped.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ([], "missing argument 'DIR'"),
        (["qa", "--task", "qa"], "--task is for --self-test"),
        (["--self-test", "--explain"], "--explain cannot be given with --self-test"),
        (["--self-test", "--report", "json"], "--report cannot be given with --self-test"),
        (["--self-test", "--quick"], "--quick cannot be given with --self-test"),
        (["--self-test", "--compare", "old.json"], "--compare cannot be given with --self-test"),
        (["--self-test", "--report-dir", "out"], "--report-dir cannot be given with --self-test"),
        (["--self-test", "--no-memory"], "--memory cannot be given with --self-test"),
    ],
)
def test_options_that_do_not_go_together(options: list[str], told: str, invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("parity", *[str(tmp_path) if option == "qa" else option for option in options])
    assert result.exit_code == 2
    assert told in result.stderr
