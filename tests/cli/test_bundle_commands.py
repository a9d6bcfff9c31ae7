"""``albert-export inspect`` and ``albert-export parity``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from albert_export.bundle import Bundle
from albert_export.cli.bundle_commands import REPORT_FORMS
from albert_export.parity import FORMS
from tests.cli.conftest import Invoke
from tests.cli.test_program import error_line
from tests.conftest import Exported


@pytest.fixture
def bundle(exported: Exported, tmp_path: Path) -> Path:
    """A copy of a bundle, to be changed."""
    return Path(shutil.copytree(exported("question-answering"), tmp_path / "qa"))


def test_inspect_tells_what_the_manifest_and_the_file_hold(invoke: Invoke, bundle: Path) -> None:
    import onnx

    result = invoke("inspect", bundle)
    assert result.exit_code == 0, result.stderr
    described = json.loads(invoke("inspect", bundle, "--json").stdout)
    (artifact,) = described["artifacts"]
    assert described["task"] == "question-answering"
    assert described["size"] == sum(
        path.stat().st_size for path in bundle.rglob("*") if path.is_file() and path.name != "manifest.json"
    )
    model = onnx.load(bundle / artifact["file"])
    assert [tensor["name"] for tensor in artifact["inputs"]] == [tensor.name for tensor in model.graph.input]
    assert [tensor["name"] for tensor in artifact["outputs"]] == [tensor.name for tensor in model.graph.output]
    assert artifact["operators"] == count_operators(model.graph)
    for told in ("input_ids int64 [batch, sequence]", "Loop 1", "of unique parameters", "not checked", "torch"):
        assert told in result.stdout


def count_operators(graph: object) -> dict[str, int]:
    """How often each operator occurs, in the bodies of loops as well."""
    counts: dict[str, int] = {}
    for node in graph.node:  # type: ignore[attr-defined]
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
        for attribute in node.attribute:
            if attribute.HasField("g"):
                for name, count in count_operators(attribute.g).items():
                    counts[name] = counts.get(name, 0) + count
    return counts


@pytest.mark.parametrize("command", ["inspect", "parity", "run"])
def test_an_edited_model_file_is_refused(invoke: Invoke, bundle: Path, command: str) -> None:
    model = bundle / "onnx" / "model.onnx"
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    model.write_bytes(data)
    texts = ("--question", "Who?", "--context", "Ada.") if command == "run" else ()
    result = invoke(command, bundle, *texts)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "onnx/model.onnx" in error_line(result.stderr)


def test_inspect_can_look_at_an_edited_bundle_when_told_to(invoke: Invoke, bundle: Path) -> None:
    (bundle / "config.json").write_text("{}", encoding="utf-8")
    assert invoke("inspect", bundle).exit_code == 2
    looked = invoke("inspect", bundle, "--no-verify")
    assert looked.exit_code == 0
    assert "NOT VERIFIED" in looked.stdout
    assert json.loads(invoke("inspect", bundle, "--no-verify", "--json").stdout)["verified"] is False


def test_inspect_does_not_call_a_checked_bundle_unverified(invoke: Invoke, bundle: Path) -> None:
    assert "NOT VERIFIED" not in invoke("inspect", bundle).stdout
    assert json.loads(invoke("inspect", bundle, "--json").stdout)["verified"] is True


def test_parity_is_0_where_it_holds_and_writes_the_reports(invoke: Invoke, bundle: Path) -> None:
    result = invoke("parity", bundle, "--report", "json,markdown", "--seed", "3")
    assert result.exit_code == 0, result.stderr
    assert "parity holds" in result.stdout
    report = json.loads((bundle / "parity" / "report.json").read_text(encoding="utf-8"))
    assert report["ok"]
    assert report["seed"] == 3
    assert (bundle / "parity" / "report.md").read_text(encoding="utf-8").startswith("# ")
    (artifact,) = Bundle.open(bundle).manifest.artifacts
    assert artifact.parity is not None
    assert (artifact.parity["ok"], artifact.parity["seed"]) == (True, 3)


def test_parity_leaves_a_bundle_as_it_is_when_told_to(invoke: Invoke, bundle: Path) -> None:
    before = (bundle / "manifest.json").read_bytes()
    assert invoke("parity", bundle, "--no-record").exit_code == 0
    assert (bundle / "manifest.json").read_bytes() == before
    assert not (bundle / "parity").exists()


def test_a_miss_is_exit_code_1_and_the_report_still_comes(
    invoke: Invoke, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from albert_export.parity import criteria

    monkeypatch.setitem(criteria.CRITERIA, "fp32", criteria.Criterion(noise_factor=1e-6, scale_factor=0.0))
    result = invoke("parity", bundle, "--json", "-q")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["ok"] is False
    (artifact,) = Bundle.open(bundle).manifest.artifacts
    assert artifact.parity is not None
    assert artifact.parity["ok"] is False


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--model", "/nowhere"), "/nowhere"),
        (("--targets", "onx"), "did you mean onnx?"),
        (("--report", "json,pdf"), "form of a report must be one of json, junit, markdown, html"),
        (("--device", "cuda:99"), "cuda"),
    ],
)
def test_what_cannot_be_compared_is_exit_code_2(
    invoke: Invoke, exported: Exported, options: tuple[str, ...], told: str
) -> None:
    result = invoke("parity", exported("question-answering"), *options)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert told in error_line(result.stderr)


def test_parity_with_another_checkpoint_is_refused(invoke: Invoke, exported: Exported, tmp_path: Path) -> None:
    from albert_export.builtin import builtin_directory
    from albert_export.tasks import get_task

    other = Path(shutil.copytree(builtin_directory("albert-seeded", task=get_task("ner")), tmp_path / "other"))
    result = invoke("parity", exported("question-answering"), "--model", other)
    assert result.exit_code == 2
    assert "sha256" in error_line(result.stderr)


def test_the_forms_of_the_command_are_those_of_the_reports() -> None:
    assert tuple(FORMS) == REPORT_FORMS
