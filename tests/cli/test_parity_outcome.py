"""What cannot be written changes no verdict, and no report of an earlier run passes for one of this run."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import albert_export.parity
from albert_export.errors import BundleError, InputError
from albert_export.parity import ParityReport, write_reports
from tests.cli.conftest import Invoke
from tests.cli.test_program import error_line
from tests.conftest import Exported
from tests.parity.samples import artifact, passing, report

QA = "question-answering"


def missed() -> ParityReport:
    return report(artifact("onnx/model.onnx", "fp32", 1.0))


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a check find what a test says, at once."""

    def say(made: ParityReport) -> None:
        monkeypatch.setattr(albert_export.parity, "check_parity", lambda *_, **__: made)

    return say


def refuse(*_: Any, **__: Any) -> None:
    raise BundleError("a bundle must be written where there is room for it", received="a read-only one")


@pytest.mark.parametrize(("made", "status"), [(passing, 2), (missed, 1)])
@pytest.mark.parametrize("what", ["record", "reports", "picture"])
def test_what_cannot_be_written_never_hides_a_miss(
    invoke: Invoke,
    exported: Exported,
    found: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    what: str,
    made: Any,
    status: int,
) -> None:
    found(made())
    options: list[Any] = ["--no-memory", "-q"]
    if what == "record":
        monkeypatch.setattr(albert_export.parity, "record_parity", refuse)
    else:
        options.append("--no-record")
    if what == "reports":
        options += ["--report-dir", "/dev/null/reports"]
    if what == "picture":
        monkeypatch.setattr("albert_export.parity.depth_plot.draw", refuse)
        options += ["--plot", tmp_path / "depth.svg", "--report-dir", tmp_path / "out"]
    result = invoke("parity", exported(QA), *options)
    assert result.exit_code == status, result.output
    assert "parity holds" in result.stdout if status == 2 else "PARITY MISSED" in result.stdout
    assert "must be written where there is room" in error_line(result.stderr)
    if what == "picture":
        assert {path.name for path in (tmp_path / "out").iterdir()} >= {"report.json", "report.xml", "report.html"}


def test_where_nothing_could_be_checked_no_earlier_report_is_left(
    invoke: Invoke, exported: Exported, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_reports(passing(), tmp_path, folder="")
    (tmp_path / "notes.txt").write_text("of somebody else", encoding="utf-8")
    result = invoke("parity", exported(QA), "--model", "/nowhere", "--report-dir", tmp_path, "-q")
    assert (result.exit_code, result.stdout) == (2, "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "report.xml"]
    root = ElementTree.parse(tmp_path / "report.xml").getroot()
    assert (root.get("errors"), root.get("failures")) == ("1", "0")
    (error,) = root.iter("error")
    assert str(error.get("message")) in result.stderr
    assert "/nowhere" in str(error.get("message"))


def test_a_comparison_that_cannot_be_made_leaves_a_miss_a_miss(
    invoke: Invoke, exported: Exported, found: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def other(*_: Any) -> None:
        raise InputError("an older report must be of the same device", received="cuda")

    monkeypatch.setattr("albert_export.parity.regression.OldReport.check_subject", lambda *_, **__: None)
    monkeypatch.setattr(albert_export.parity, "compare_reports", other)
    (old,) = write_reports(passing(), tmp_path / "old", ["json"], folder="")
    command = ("parity", exported(QA), "--compare", old, "--report-dir", tmp_path, "--no-memory", "--no-record", "-q")
    found(missed())
    result = invoke(*command)
    assert result.exit_code == 1, result.output
    assert "the same device" in error_line(result.stderr)
    assert ElementTree.parse(tmp_path / "report.xml").getroot().get("failures") != "0"
    found(passing())
    result = invoke(*command)
    assert (result.exit_code, result.stdout) == (2, "")
    assert ElementTree.parse(tmp_path / "report.xml").getroot().get("errors") == "1"
    assert not (tmp_path / "report.json").exists()


def test_one_form_that_cannot_be_written_costs_no_other_and_leaves_no_older_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from albert_export.parity import forms

    write_reports(passing(), tmp_path)
    real = forms._replace

    def full(path: Path, text: str) -> None:
        if path.suffix == ".xml":
            raise OSError(28, "No space left on device")
        real(path, text)

    monkeypatch.setattr(forms, "_replace", full)
    with pytest.raises(BundleError, match=r"report\.xml: No space left"):
        write_reports(missed(), tmp_path)
    assert {path.name for path in (tmp_path / "parity").iterdir()} == {"report.json", "report.md", "report.html"}
    assert "missed" in (tmp_path / "parity/report.md").read_text(encoding="utf-8")
