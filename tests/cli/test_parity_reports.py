"""``albert-export parity``: forms of the report, short runs, skipped targets, older reports, and the exit codes."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from albert_export.bundle import Bundle
from albert_export.parity.cases import QUICK_CASES
from tests.cli.conftest import Invoke
from tests.cli.test_program import error_line
from tests.conftest import Exported

QA = "question-answering"
FILES = {"report.json", "report.xml", "report.md", "report.html"}


@pytest.fixture
def bundle(exported: Exported, tmp_path: Path) -> Path:
    """A copy of a bundle, to be changed."""
    return Path(shutil.copytree(exported(QA), tmp_path / "qa"))


def _with_another(path: Path, target: str, file: str) -> Path:
    """Name a second artifact in the manifest, of another target: what it takes to run is not asked for."""
    import dataclasses

    from albert_export.bundle import BundleWriter

    manifest = Bundle.open(path).manifest
    (onnx,) = manifest.artifacts
    with BundleWriter(path, task=manifest.task, source=manifest.source) as writer:
        (writer.directory / file).parent.mkdir(parents=True)
        (writer.directory / file).write_bytes(b"not run")
        record = dataclasses.replace(onnx.files[0], path=file, **_measured(b"not run"))
        writer.put_artifact(
            dataclasses.replace(onnx, target=target, file=record.path, files=(record,), opset=None, parity=None)
        )
        writer.commit()
    return path


@pytest.fixture(scope="module")
def two(exported: Exported, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of two targets, the second of which is only named."""
    path = Path(shutil.copytree(exported(QA), tmp_path_factory.mktemp("two") / "qa"))
    return _with_another(path, "tflite", "tflite/model.tflite")


def _measured(data: bytes) -> dict[str, Any]:
    import hashlib

    return {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data)}


def test_every_form_is_written_into_a_directory_and_the_bundle_stays(
    invoke: Invoke, bundle: Path, tmp_path: Path
) -> None:
    result = invoke("parity", bundle, "--report-dir", tmp_path / "out", "--no-record", "-q")
    assert result.exit_code == 0, result.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert not (bundle / "parity").exists()
    report = json.loads((tmp_path / "out/report.json").read_text(encoding="utf-8"))
    (artifact,) = report["artifacts"]
    assert artifact["size"] == sum(record.size for record in Bundle.open(bundle).manifest.artifacts[0].files)
    assert artifact["memory"] > 1_000_000
    layers = [each["layer"] for each in artifact["depth"]]
    assert layers == sorted(layers)
    assert len(layers) > 2
    assert all(0 < each["error"] <= 20 * each["noise"] for each in artifact["depth"])
    root = ElementTree.parse(tmp_path / "out/report.xml").getroot()
    assert root.get("failures") == "0"
    assert int(str(root.get("tests"))) > len(artifact["cases"])
    assert "Error against depth" in (tmp_path / "out/report.html").read_text(encoding="utf-8")


def test_a_short_run_makes_every_check_and_says_what_it_leaves_out(invoke: Invoke, bundle: Path) -> None:
    result = invoke("parity", bundle, "--quick", "--json", "-q", "--no-record")
    assert result.exit_code == 0, result.stderr
    report = json.loads(result.stdout)
    (artifact,) = report["artifacts"]
    assert tuple(case["name"] for case in artifact["cases"]) == QUICK_CASES
    checks = {check["name"]: check["ok"] for check in artifact["checks"]}
    assert set(checks) == {"finite", "row alone", "repeated run", "input types", "dynamic axes", "tokenizer"}
    assert all(ok is not False for ok in checks.values())
    assert report["quick"] is True
    assert {"the case largest-length", "the case odd-length", "the case text-left-padded"} < set(report["left_out"])
    before = (bundle / "manifest.json").read_bytes()
    assert "a short run, without the case" in invoke("parity", bundle, "--quick", "-q", "--report", "junit").stdout
    assert (bundle / "manifest.json").read_bytes() == before, "a short run must not take the place of a full one"
    assert [path.name for path in (bundle / "parity").iterdir()] == ["report.xml"]


def test_a_short_run_misses_what_is_wrong(invoke: Invoke, bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from albert_export.parity import criteria

    monkeypatch.setitem(criteria.CRITERIA, "fp32", criteria.Criterion(noise_factor=1e-6, scale_factor=0.0))
    assert invoke("parity", bundle, "--quick", "-q", "--no-record").exit_code == 1


def test_a_skipped_target_is_named_and_no_other_way_leaves_one_out(
    invoke: Invoke, two: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = invoke("parity", two, "--skip", "tflite", "--quick", "-q", "--no-record")
    assert result.exit_code == 0, result.stderr
    assert "not checked: tflite/model.tflite: tflite is to be skipped" in result.stdout
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ai_edge_litert" else find(name))
    missing = invoke("parity", two, "-q", "--no-record")
    assert (missing.exit_code, missing.stdout) == (2, "")
    assert "ai_edge_litert" in error_line(missing.stderr)
    assert "or --skip tflite" in error_line(missing.stderr)


def test_what_the_runtime_does_not_read_has_to_be_left_out_by_name(invoke: Invoke, bundle: Path) -> None:
    _with_another(bundle, "savedmodel", "saved_model/1/saved_model.pb")
    command = ("parity", bundle, "--runtime", "openvino", "--quick", "-q")
    refused = invoke(*command)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert "received saved_model/1/saved_model.pb; fix: --targets onnx, or --skip savedmodel" in refused.stderr
    for named in (("--targets", "onnx"), ("--skip", "savedmodel")):
        result = invoke(*command, *named)
        assert result.exit_code == 0, result.output
        assert "not checked: saved_model/1/saved_model.pb: " in result.stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--skip", "tflit"), "did you mean tflite?"),
        (("--skip", "onnx"), "nothing but onnx, which is to be skipped"),
        (("--targets", "onnx,tflite"), "one without tflite"),
        (("--compare", "/nowhere.json"), "/nowhere.json"),
        (("--quick", "--record"), "a full run on each target's own runtime; received --record and --quick"),
        (("--report-dir", "/dev/null/reports", "--quick"), "/dev/null/reports"),
    ],
)
def test_what_cannot_be_checked_or_written_is_exit_code_2(
    invoke: Invoke, exported: Exported, options: tuple[str, ...], told: str
) -> None:
    result = invoke("parity", exported(QA), "--no-record", *options, "-q")
    assert result.exit_code == 2
    assert told in error_line(result.stderr)


def test_an_older_report_is_compared_with(invoke: Invoke, bundle: Path, tmp_path: Path) -> None:
    def run(*options: str | Path) -> Any:
        return invoke("parity", bundle, "--quick", "-q", "--no-record", *options)

    assert run("--report", "json", "--report-dir", tmp_path).exit_code == 0
    old = tmp_path / "report.json"
    same = run("--compare", old)
    assert same.exit_code == 0, same.stdout
    assert "not worse than in report.json" in same.stdout
    fields = json.loads(old.read_text(encoding="utf-8"))
    fields["artifacts"][0]["size"] //= 2
    old.write_text(json.dumps(fields), encoding="utf-8")
    worse = run("--compare", old, "--json")
    assert worse.exit_code == 1
    comparison = json.loads(worse.stdout)["comparison"]
    assert [each["what"] for each in comparison["worse"]] == ["size"]
    assert "WORSE: onnx/model.onnx: size is" in run("--compare", old).stdout
    fields["source"]["sha256"] = "00" * 32
    old.write_text(json.dumps(fields), encoding="utf-8")
    other = run("--compare", old)
    assert (other.exit_code, other.stdout) == (2, "")
    assert "sha256" in error_line(other.stderr)
