"""Comparing with an older report: each threshold from both sides, and what is not to be compared at all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from albert_export.errors import InputError
from albert_export.parity import ParityReport, compare_reports, read_old_report
from albert_export.parity.metrics import MetricResult
from albert_export.parity.report import ArtifactResult, CheckResult, DataUsed, EagerResult, Skipped
from tests.parity.samples import artifact, output, passing, report

ONNX = "onnx/model.onnx"


@pytest.fixture
def written(tmp_path: Path) -> Any:
    """Write a report, perhaps with other fields, and give its path."""

    def write(made: ParityReport, **changes: Any) -> Path:
        path = tmp_path / "old.json"
        path.write_text(json.dumps({**made.to_dict(), **changes}), encoding="utf-8")
        return path

    return write


def lossy(**changes: Any) -> ArtifactResult:
    fields = {"error": 0.4, "limit": 0.8, "snr_db": 20.0, "decisions": 400, "flips": 4, **changes}
    return artifact(ONNX, "int8", 0.4, outputs=(output("start_logits", **fields),))


def worse(written: Any, old: ArtifactResult, new: ArtifactResult) -> list[str]:
    comparison = compare_reports(read_old_report(written(report(old))), report(new))
    assert comparison.ok is not bool(comparison.worse)
    assert comparison.compared > 0
    return [each.what for each in comparison.worse]


def test_a_report_is_not_worse_than_itself(written: Any) -> None:
    comparison = compare_reports(read_old_report(written(passing())), passing())
    assert (comparison.worse, comparison.notes) == ((), ())
    assert dataclasses.replace(passing(), comparison=comparison).ok


@pytest.mark.parametrize(
    ("change", "old", "allowed", "too_much", "what"),
    [
        # e0 is a fifth of the limit: 1.25 * 0.4 + 0.16
        ("error", 0.4, 0.659, 0.661, "error of start_logits at real places"),
        ("snr_db", 20.0, 18.01, 17.99, "signal-to-noise ratio of start_logits at real places"),
        ("flips", 4, 8, 9, "flipped decisions of start_logits at real places"),
    ],
)
def test_a_figure_of_an_output_may_move_to_its_threshold(
    written: Any, change: str, old: float, allowed: float, too_much: float, what: str
) -> None:
    assert worse(written, lossy(**{change: old}), lossy(**{change: allowed})) == []
    assert worse(written, lossy(**{change: old}), lossy(**{change: too_much})) == [what]


@pytest.mark.parametrize(
    ("field", "old", "allowed", "too_much"),
    [
        ("size", 1000, 1010, 1011),
        ("memory", 100_000_000, 110_000_000, 110_000_001),
        ("memory", 5_000_000, 9_000_000, 9_000_001),  # below 40 MB it is the allocator's
    ],
)
def test_size_and_memory_may_grow_to_their_threshold(
    written: Any, field: str, old: int, allowed: int, too_much: int
) -> None:
    before = artifact(ONNX, "fp32", 1e-6, **{field: old})
    assert worse(written, before, artifact(ONNX, "fp32", 1e-6, **{field: allowed})) == []
    assert worse(written, before, artifact(ONNX, "fp32", 1e-6, **{field: too_much})) == [field]


def test_what_passed_and_now_misses_is_named(written: Any) -> None:
    before = artifact(ONNX, "fp32", 2e-6)
    failed = CheckResult("row alone", False, "differs")
    assert worse(written, before, artifact(ONNX, "fp32", 2e-6, checks=(before.checks[0], failed))) == [
        "check row alone"
    ]
    found = worse(written, before, artifact(ONNX, "fp32", 2.5e-6))
    assert found == ["case text", "verdict on start_logits at real places"]
    assert worse(written, artifact(ONNX, "fp32", 2.5e-6), artifact(ONNX, "fp32", 2.5e-6)) == [], "it missed before"


def test_an_artifact_that_is_gone_is_worse_unless_it_is_skipped(written: Any) -> None:
    old = read_old_report(written(passing()))
    left = dataclasses.replace(passing(), artifacts=passing().artifacts[1:])
    (gone,) = compare_reports(old, left).worse
    assert (gone.artifact, gone.new) == (ONNX, "not in the bundle")
    other = dataclasses.replace(left, skipped=(Skipped(ONNX, "onnx", "other targets were asked for"),))
    (unchecked,) = compare_reports(old, other).worse
    assert (unchecked.new, unchecked.allowed) == (
        "not checked: other targets were asked for",
        "to be checked, or skipped by --skip onnx",
    )
    for skipped in ((), (Skipped(ONNX, "onnx", "onnx is to be skipped"),)):  # gone from the bundle, or still in it
        comparison = compare_reports(old, dataclasses.replace(left, skipped=skipped, skip=("onnx",)))
        assert comparison.ok
        assert comparison.notes == (f"{ONNX} was checked before, and not now: onnx is to be skipped",)


def test_an_eager_model_that_nothing_is_traced_from_any_more_is_a_note(written: Any) -> None:
    """As where the one TFLite artifact is skipped: the report has no table of TensorFlow's own model then."""
    old = read_old_report(written(passing()))
    left = [each for each in passing().artifacts if each.target != "tflite"]
    now = dataclasses.replace(passing(), artifacts=tuple(left), eager=(), skip=("tflite",))
    comparison = compare_reports(old, now)
    assert comparison.ok, comparison.worse
    assert any(note.startswith("the eager tensorflow model was looked at before") for note in comparison.notes)
    missed = EagerResult("tensorflow", (output("start_logits", error=1.0),))
    (worse,) = compare_reports(old, dataclasses.replace(passing(), eager=(missed,))).worse
    assert (worse.artifact, worse.new) == ("the eager tensorflow model", "a miss")


def test_a_case_check_or_metric_that_is_not_looked_at_any_more_is_worse(written: Any) -> None:
    metric = MetricResult("F1", 90.0, 90.0, 0.0, 0.5)
    before = artifact(ONNX, "fp32", 1e-6, metrics=(metric,))
    assert worse(written, before, before) == []
    for fields, gone in (
        ({"cases": before.cases[1:], "by_case": before.by_case[2:]}, ["case text"]),
        ({"checks": before.checks[1:]}, ["check finite"]),
        ({"metrics": ()}, ["verdict on F1", "F1"]),
    ):
        assert worse(written, before, dataclasses.replace(before, **fields)) == gone


def test_the_metrics_that_a_short_run_leaves_out_are_a_note(written: Any) -> None:
    before = artifact(ONNX, "fp32", 1e-6, metrics=(MetricResult("F1", 90.0, 90.0, 0.0, 0.5),))
    data = DataUsed("dev.jsonl", "cd" * 32, 400)
    old = read_old_report(written(report(before, data=data, quick=True)))
    comparison = compare_reports(old, report(dataclasses.replace(before, metrics=()), quick=True))
    assert comparison.ok
    assert f"{ONNX}: F1 was measured before, and not now" in comparison.notes


def test_metrics_on_other_data_are_not_compared(written: Any) -> None:
    def measured(sha256: str, drop: float) -> ParityReport:
        made = artifact(ONNX, "fp32", 1e-6, metrics=(MetricResult("F1", 90.0, 90.0 - drop, drop, 5.0),))
        return report(made, data=DataUsed("dev.jsonl", sha256, 400))

    old = read_old_report(written(measured("cd" * 32, 0.0)))
    assert [each.what for each in compare_reports(old, measured("cd" * 32, 2.0)).worse] == ["F1"]
    other = compare_reports(old, measured("ef" * 32, 2.0))
    assert other.ok
    assert other.notes == (f"{ONNX}: the metrics are of other data than before, and not compared",)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"device": "cuda"}, "onnxruntime on cuda; received old.json: onnxruntime on cpu"),
        ({"runtime": {"versions": {"openvino": "2026.4"}, "computes_in": "bf16"}}, "openvino in bf16 on cpu; received"),
    ],
)
def test_another_runtime_or_device_is_refused(written: Any, changes: dict[str, Any], told: str) -> None:
    before = artifact(ONNX, "fp32", 1e-6, runtime={"versions": {"onnxruntime": "1.32.0"}})
    old = read_old_report(written(report(before)))
    newer = dataclasses.replace(before, runtime={"versions": {"onnxruntime": "1.33.0"}})
    assert compare_reports(old, report(newer)).ok, "another version of it is compared"
    with pytest.raises(InputError, match=told):
        compare_reports(old, report(dataclasses.replace(before, **changes)))


def test_memory_that_is_not_measured_any_more_is_told(written: Any) -> None:
    before, after = artifact(ONNX, "fp32", 1e-6), artifact(ONNX, "fp32", 1e-6, memory=None)
    comparison = compare_reports(read_old_report(written(report(before))), report(after))
    assert comparison.ok
    assert comparison.notes == (f"{ONNX}: memory was measured before, and not now",)


def test_a_report_of_the_first_version_is_read(written: Any) -> None:
    fields = passing().to_dict()
    for name in ("quick", "left_out", "skip", "skipped", "comparison"):
        del fields[name]
    for each in fields["artifacts"]:
        for name in ("size", "memory", "flipped", "depth", "reference", "unrounded"):
            del each[name]
        for figures in each["outputs"]:
            del figures["histogram"]
    path = written(passing())
    path.write_text(json.dumps({**fields, "schema_version": 1}), encoding="utf-8")
    comparison = compare_reports(read_old_report(path), passing())
    assert comparison.ok
    assert f"{ONNX}: size is new" in comparison.notes


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"task": "fill-mask"}, "task"),
        ({"source": {"sha256": "00" * 32}}, "sha256"),
        ({"seed": 7}, "seed"),
        ({"quick": True}, "--quick"),
    ],
)
def test_a_report_of_something_else_is_refused(written: Any, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        compare_reports(read_old_report(written(passing(), **changes)), passing())


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "can be read"),
        ("{", "must be JSON"),
        ("[1]", "a parity report"),
        ('{"schema_version": 2, "version": 3}', "a parity report"),
        ('{"schema_version": 99, "task": "x", "source": {}, "artifacts": []}', "schema_version 1 or 2 or 3"),
        ('{"schema_version": 2, "task": "x", "source": {}, "artifacts": [{"file": "x"}]}', "fields of one"),
        ('{"schema_version": 2, "task": "x", "source": {}, "artifacts": 5}', "fields of one"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path: Path, text: str | None, told: str) -> None:
    path = tmp_path / "old.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=told):
        read_old_report(path)
