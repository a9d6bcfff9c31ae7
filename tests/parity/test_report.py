"""The forms of the report, and the manifest's share of it."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest

from albert_export.bundle import Bundle, BundleWriter
from albert_export.checkpoints import Checkpoint, Source
from albert_export.errors import BundleError, ConflictError, UnknownNameError
from albert_export.parity import REPORT_FILES, ParityReport, check_parity, record_parity, write_reports
from albert_export.parity.compare import Fault
from albert_export.parity.criteria import criterion_for
from albert_export.parity.report import (
    ArtifactResult,
    CaseResult,
    CaseShape,
    CheckResult,
    Divergence,
    EagerResult,
    OutputResult,
)
from tests.parity.conftest import MakeBundle

PASSING = OutputResult(
    "start_logits", "real", 100, 1e-7, 2.0, 1.5, 2e-7, 1e-7, 2.4e-6, 130.0, 1.0, 9, 0, 0, "text", True, gain=1.0
)
MISSING = OutputResult(
    "end_logits",
    "real",
    100,
    1e-7,
    2.0,
    1.5,
    0.5,
    0.5,
    2.4e-6,
    12.0,
    0.97,
    9,
    2,
    1,
    "odd | length",
    False,
    gain=0.9,
    gain_limit=0.2,
)


def artifact(**changes: Any) -> ArtifactResult:
    fields: dict[str, Any] = {
        "file": "onnx/model.onnx",
        "target": "onnx",
        "precision": "fp32",
        "layers": "rolled",
        "device": "cpu",
        "framework": "torch",
        "criterion": criterion_for("fp32"),
        "cases": (CaseShape("text", (4, 48), "right"),),
        "outputs": (PASSING,),
        "by_case": (CaseResult("text", "start_logits", 1e-7, 2e-7, True),),
        "checks": (CheckResult("finite", True, "every number"), CheckResult("row alone", None, "does not apply")),
        "faults": (),
        "divergence": None,
        "runtime": {"target": "onnx"},
    }
    return ArtifactResult(**{**fields, **changes})


def report(*artifacts: ArtifactResult, eager: tuple[EagerResult, ...] = ()) -> ParityReport:
    source = Source("hub", "owner/name", "c0ffee" * 6, "ab" * 32)
    return ParityReport("question-answering", source, 3, True, eager, artifacts, {"torch": "2.13.0"}, 1.23456)


def test_a_report_passes_when_every_part_of_every_artifact_does() -> None:
    assert report(artifact()).ok
    assert not report(artifact(), artifact(outputs=(PASSING, MISSING))).ok
    assert not report(artifact(checks=(CheckResult("finite", False, "NaN"),))).ok
    assert not report(artifact(faults=(Fault("text", None, "failed", "boom"),))).ok
    assert not report(artifact(outputs=())).ok, "nothing was compared"
    assert not report(artifact(outputs=(dataclasses.replace(PASSING, count=0),))).ok, "nothing was compared"
    assert not report().ok, "no artifact was checked"
    assert report(artifact(), eager=(EagerResult("tensorflow", (PASSING,)),)).ok
    assert not report(artifact(), eager=(EagerResult("tensorflow", (PASSING, MISSING)),)).ok


def test_json_holds_everything_and_no_number_that_json_lacks() -> None:
    broken = dataclasses.replace(MISSING, error=math.inf, snr_db=-math.inf)
    faults = (Fault("text", "end_logits", "not finite", "3 of 9 numbers"),)
    made = report(
        artifact(outputs=(PASSING, broken), faults=faults, divergence=Divergence("head", "end_logits", "text", "why"))
    )
    data = json.loads(made.to_json(), parse_constant=lambda name: pytest.fail(name))
    assert data == made.to_dict()
    assert data["schema_version"] == 3
    assert (data["ok"], data["artifacts"][0]["ok"], data["seed"], data["seconds"]) == (False, False, 3, 1.235)
    assert data["artifacts"][0]["outputs"][1]["error"] == "inf"
    assert data["artifacts"][0]["faults"][0]["kind"] == "not finite"
    assert data["artifacts"][0]["divergence"]["place"] == "head"
    assert data["source"]["name"] == "owner/name"


def test_the_summary_of_a_pass() -> None:
    text = report(artifact()).summary_table()
    assert "onnx/model.onnx (fp32, rolled) on cpu" in text
    assert "start_logits real 2.00e-07 2.40e-06 1.00e-07 2.00e+00 130.0 0 of 9 text ok" in " ".join(text.split())
    assert text.splitlines()[-1].startswith("parity holds: 1 case (text and random ids) against the hub checkpoint")
    assert "MISS" not in text


def test_the_summary_of_a_miss_says_what_misses() -> None:
    made = report(
        artifact(
            outputs=(PASSING, MISSING),
            faults=(Fault("text", "end_logits", "dtype", "float64 in place of float32"),),
            checks=(CheckResult("row alone", False, "differs"),),
            divergence=Divergence("layer 3", "end_logits", "text", "max error 1"),
        )
    )
    text = made.summary_table()
    assert "PARITY MISSED" in text
    assert "MISS: row alone: differs" in text
    assert "MISS: text: end_logits has the wrong dtype: float64 in place of float32" in text
    assert "First divergence: layer 3, output end_logits" in text


def test_markdown_is_tables_that_hold_together() -> None:
    made = report(artifact(outputs=(PASSING, MISSING)))
    text = made.to_markdown()
    assert text.startswith("# ❌ Parity missed: question-answering\n")
    assert report(artifact()).to_markdown().startswith("# ✅ Parity holds")
    assert "odd \\| length" in text
    widths = [line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("| start_logits")]
    header = next(line for line in text.splitlines() if line.startswith("| output"))
    assert widths == [header.count("|")]
    assert "| text | 4×48 | right | 2.00e-07 | not compared |" in text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"outputs": (PASSING, MISSING)}, "end_logits at real places: max error 5.00e-01, limit 2.40e-06"),
        ({"outputs": (PASSING, MISSING), "criterion": criterion_for("int8")},
         "SNR 12.0 dB of at least 7, cosine 0.9700 of at least 0.9, gain 0.900 of 1 ± 0.200, 2 of 9 decisions flip, "
         "1 clearly, in the case"),
        ({"faults": (Fault("text", None, "failed", "boom"),)}, "text: the run failed: boom"),
        ({"checks": (CheckResult("row alone", False, "differs by 1"),)}, "row alone: differs by 1"),
        ({}, "start_logits at real places: max error 2.00e-07"),
    ],
)  # fmt: skip
def test_the_worst_in_one_line(changes: dict[str, Any], expected: str) -> None:
    worst = report(artifact(**changes)).worst()
    assert expected in worst
    assert "\n" not in worst


def test_the_manifest_keeps_the_verdict_and_its_figures() -> None:
    kept = report(artifact(outputs=(PASSING, dataclasses.replace(MISSING, error=math.inf)))).for_artifact(
        "onnx/model.onnx"
    )
    assert kept["ok"] is False
    assert kept["outputs"]["start_logits"] == {
        "e0": 1e-7, "scale": 2.0, "spread": 1.5, "error": 2e-7, "from_eager": 1e-7, "limit": 2.4e-6, "snr_db": 130.0,
        "cosine": 1.0, "gain": 1.0, "gain_limit": "inf", "decisions": 9, "flips": 0, "clear_flips": 0,
    }  # fmt: skip
    assert kept["outputs"]["end_logits"]["error"] == "inf"
    assert kept["checks"] == {"finite": True, "row alone": None}
    json.dumps(kept, allow_nan=False)
    with pytest.raises(UnknownNameError, match=r"onnx/model\.onnx"):
        report(artifact()).for_artifact("onnx/model_fp16.onnx")


def test_reports_are_written_into_the_parity_directory(tmp_path: Path) -> None:
    made = report(artifact())
    written = write_reports(made, tmp_path / "out")
    assert tuple(str(path.relative_to(tmp_path / "out")) for path in written) == REPORT_FILES
    assert json.loads(written[0].read_text(encoding="utf-8")) == made.to_dict()
    assert [path.read_text(encoding="utf-8") for path in written[1:]] == [
        made.to_junit(),
        made.to_markdown(),
        made.to_html(),
    ]
    assert sorted(path.name for path in (tmp_path / "out/parity").iterdir()) == sorted(
        Path(name).name for name in REPORT_FILES
    ), "a file that was not finished is left"


def test_an_older_report_is_replaced_and_not_written_through_its_links(tmp_path: Path) -> None:
    (old,) = write_reports(report(artifact()), tmp_path / "old", ["json"])
    before = old.read_bytes()
    (tmp_path / "new/parity").mkdir(parents=True)
    (tmp_path / "new/parity/report.json").hardlink_to(old)
    write_reports(report(artifact(outputs=(MISSING,))), tmp_path / "new", ["json"])
    assert old.read_bytes() == before


def test_an_unknown_form_is_an_error_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="markdown"):
        write_reports(report(artifact()), tmp_path / "out", ["json", "markdwn"])
    assert not (tmp_path / "out").exists()


def test_a_report_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "parity").write_text("a file where the directory should be", encoding="utf-8")
    with pytest.raises(BundleError, match=r"report\.json"):
        write_reports(report(artifact()), tmp_path)


@pytest.fixture
def copied(bundle_of: MakeBundle, tmp_path: Path) -> Bundle:
    path = tmp_path / "bundle"
    shutil.copytree(bundle_of("question-answering").path, path)
    return Bundle.open(path)


def test_the_verdict_is_recorded_in_the_bundle(copied: Bundle, opened: Checkpoint) -> None:
    assert copied.manifest.artifacts[0].parity is None
    made = check_parity(copied, model=opened)
    record_parity(copied, made, forms=["json"])
    again = Bundle.open(copied.path)
    (entry,) = again.manifest.artifacts
    assert entry.parity == made.for_artifact(entry.file)
    assert dataclasses.replace(entry, parity=None) == copied.manifest.artifacts[0]
    assert json.loads((copied.path / "parity/report.json").read_text(encoding="utf-8")) == made.to_dict()
    assert not (copied.path / "parity/report.md").exists()


def test_nothing_is_written_where_the_verdict_is_known(copied: Bundle, opened: Checkpoint) -> None:
    made = check_parity(copied, model=opened)
    recorded = record_parity(copied, made)
    before = (copied.path / "manifest.json").stat()
    assert record_parity(recorded, made) is recorded
    after = (copied.path / "manifest.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_newer_report_takes_the_place_of_the_older(copied: Bundle, opened: Checkpoint) -> None:
    for seed in (1, 2):
        made = check_parity(Bundle.open(copied.path), model=opened, seed=seed)
        record_parity(Bundle.open(copied.path), made, forms=["json"])
    assert json.loads((copied.path / "parity/report.json").read_text(encoding="utf-8"))["seed"] == 2


def test_a_verdict_on_what_is_no_longer_there_is_not_recorded(copied: Bundle, opened: Checkpoint) -> None:
    made = check_parity(copied, model=opened)
    with BundleWriter(copied.path, task=copied.manifest.task, source=copied.manifest.source) as writer:
        writer.put_artifact(dataclasses.replace(copied.manifest.artifacts[0], facts={"another": True}))
        writer.commit()
    with pytest.raises(ConflictError, match="another manifest"):
        record_parity(copied, made)
    assert Bundle.open(copied.path).manifest.artifacts[0].parity is None
