"""Each control is caught in every target, and what cannot be caught, or was not tried, is named."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from albert_export.errors import BundleError, InputError, MissingDependencyError, SharingError
from albert_export.parity import criteria
from albert_export.selftest import SelfTestReport, forms, run, self_test
from albert_export.selftest.changes import ChangedCheckpoint
from albert_export.selftest.controls import CONTROLS
from albert_export.selftest.report import first_failure
from albert_export.targets import TARGETS, Target
from tests.parity.conftest import MakeBundle, MakeCheckpoint

QA = "question-answering"
NAMES = [control.name for control in CONTROLS]


def verdicts(report: SelfTestReport) -> dict[str, str]:
    """Control -> verdict, of a report about one artifact."""
    return {trial.control: trial.verdict for trial in report.trials}


@pytest.mark.parametrize("target", [target.name for target in TARGETS if not target.built_on_device])
def test_every_control_is_caught_in_full_precision(target: str, checkpoint_of: MakeCheckpoint) -> None:
    report = self_test(model=checkpoint_of(QA), task="qa", targets=[target])
    assert verdicts(report) == {"unchanged": "passes", **dict.fromkeys(NAMES, "caught")}, report.summary_table()
    assert report.ok
    for trial in report.trials[1:]:
        assert trial.case is not None
        assert "limit" in trial.found
        assert trial.effect_db > trial.threshold_db
    told = json.loads(report.to_json())
    assert (told["ok"], told["schema_version"], len(told["trials"])) == (True, 2, 8)
    assert [trial["by"] for trial in told["trials"]] == ["", *["max error"] * 7]


def test_what_a_lower_precision_cannot_show_is_named_and_the_rest_is_caught(
    bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint
) -> None:
    report = self_test(bundle_of(QA, precision="int8"), model=checkpoint_of(QA))
    found = verdicts(report)
    assert report.ok, report.summary_table()
    assert [found[name] for name in ("other GELU", "other epsilon", "weight perturbed")] == ["undetectable"] * 3
    assert [found[name] for name in ("mask ignored", "segments swapped", "one layer fewer")] == ["caught"] * 3
    for trial in report.trials[1:]:
        assert bool(trial.by) is (trial.verdict == "caught")
        assert trial.threshold_db == -7.0
        if trial.verdict == "undetectable":
            assert trial.effect_db < trial.threshold_db + 6.0
            assert f"effect {trial.effect_db:.0f} dB, threshold -7 dB" in trial.found


def test_an_export_that_is_refused_is_said_to_be_caught_by_sharing(
    monkeypatch: pytest.MonkeyPatch, checkpoint_of: MakeCheckpoint
) -> None:
    """The comparison has not seen it, and must not take the credit."""
    real = run.export

    def export(target: str, *, model: Any, **options: Any) -> Any:
        if isinstance(model, ChangedCheckpoint):
            raise SharingError("a shared weight must be stored once", received="two copies")
        return real(target, model=model, **options)

    monkeypatch.setattr(run, "export", export)
    monkeypatch.setattr(run, "CONTROLS", [control for control in CONTROLS if control.name == "layer unshared"])
    report = self_test(model=checkpoint_of(QA), task="qa", targets=["onnx"])
    (trial,) = [trial for trial in report.trials if trial.control == "layer unshared"]
    assert (trial.verdict, trial.by, trial.case) == ("caught", "sharing", None)
    assert "1 passes, 1 caught (1 of them by sharing, before there was anything to compare)" in report.summary_table()


def test_a_comparator_that_lets_everything_pass_fails(
    monkeypatch: pytest.MonkeyPatch, checkpoint_of: MakeCheckpoint
) -> None:
    blind = dataclasses.replace(criteria.CRITERIA["fp32"], noise_factor=1e12)
    monkeypatch.setitem(criteria.CRITERIA, "fp32", blind)
    report = self_test(model=checkpoint_of(QA), task="qa", targets=["onnx"])
    assert verdicts(report) == {"unchanged": "passes", **dict.fromkeys(NAMES, "MISSED")}
    assert not report.ok
    assert "SELF-TEST FAILED" in report.summary_table()


def test_a_comparator_that_refuses_everything_fails(
    monkeypatch: pytest.MonkeyPatch, checkpoint_of: MakeCheckpoint
) -> None:
    strict = dataclasses.replace(criteria.CRITERIA["fp32"], noise_factor=0.0, scale_factor=1e-12)
    monkeypatch.setitem(criteria.CRITERIA, "fp32", strict)
    report = self_test(model=checkpoint_of(QA), task="qa", targets=["onnx"])
    assert verdicts(report)["unchanged"] == "MISSED"
    assert not report.ok


def test_what_is_not_installed_is_an_error_unless_it_is_skipped(
    monkeypatch: pytest.MonkeyPatch, checkpoint_of: MakeCheckpoint
) -> None:
    def lacking(target: Target, **_: Any) -> None:
        if target.name != "onnx":
            raise MissingDependencyError("tensorflow", needed_for=target.title, extra="tensorflow")

    monkeypatch.setattr(run, "check_needs", lacking)
    monkeypatch.setattr(run, "CONTROLS", CONTROLS[:1])
    with pytest.raises(MissingDependencyError, match="tensorflow"):
        self_test(model=checkpoint_of(QA), task="qa", targets=["onnx", "tflite"])
    report = self_test(model=checkpoint_of(QA), task="qa", targets=["onnx", "tflite"], skip=["tflite"])
    assert [(trial.target, trial.verdict) for trial in report.trials] == [
        ("onnx", "passes"),
        ("onnx", "caught"),
        ("tflite", "not tested"),
    ]
    assert "tflite is to be skipped" in report.summary_table()
    assert report.ok


def test_a_control_that_changes_nothing_is_no_miss(checkpoint_of: MakeCheckpoint) -> None:
    """Such as swapped segments in a model that knows one; a model where ReLU stands has no GELU to mistake."""
    checkpoint = checkpoint_of(QA, hidden_act="relu", type_vocab_size=1, num_hidden_groups=4)
    report = self_test(model=checkpoint, task="qa", targets=["onnx"])
    found = verdicts(report)
    assert report.ok, report.summary_table()
    assert [name for name in NAMES if found[name] == "does not apply"] == [
        "segments swapped",
        "other GELU",
        "layer unshared",
    ]


def test_the_forms_of_a_bundle_are_those_of_its_artifacts(bundle_of: MakeBundle) -> None:
    bundle = bundle_of(QA, layers="unrolled", batch=1, sequence=20)
    (form,) = forms.forms_of_bundle(bundle, None)
    (artifact,) = bundle.manifest.artifacts
    assert form.options == {
        "precision": "fp32",
        "layers": "unrolled",
        "batch": 1,
        "sequence": 20,
        "opset": artifact.opset,
    }
    assert forms.forms_of_bundle(bundle, ["tflite"]) == []
    (packed,) = forms.forms_of_bundle(bundle_of(QA, tokens="packed", quantize="ffn", precision="int8"), None)
    assert (packed.options["tokens"], packed.options["quantize"]) == ("packed", ["ffn"])


def test_what_cannot_be_asked_for(bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint) -> None:
    with pytest.raises(InputError, match="a bundle has its task"):
        self_test(bundle_of(QA), model=checkpoint_of(QA), task="qa")
    with pytest.raises(BundleError, match="artifact of its targets"):
        self_test(bundle_of(QA), model=checkpoint_of(QA), targets=["tflite"])
    with pytest.raises(BundleError, match="nothing but onnx, which is to be skipped"):
        self_test(bundle_of(QA), model=checkpoint_of(QA), skip=["onnx"])


def test_the_first_figure_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint
) -> None:
    from albert_export.parity import check_parity

    (result,) = check_parity(bundle_of(QA), model=checkpoint_of(QA)).artifacts
    first, *others = result.outputs
    criterion = criteria.CRITERIA["int8"]

    def told(**figures: Any) -> tuple[str, str | None, str]:
        figures = {"limit": math.inf, "snr_db": 40.0, "cosine": 1.0, "gain": 1.0, **figures}
        changed = dataclasses.replace(first, ok=False, worst_case="padding", **figures)
        return first_failure(dataclasses.replace(result, criterion=criterion, outputs=(changed, *others)))

    place = "start_logits at real places: "
    assert told(error=2.0, limit=1.0) == ("max error", "padding", f"{place}max error 2.00e+00, limit 1.00e+00")
    assert told(snr_db=3.0) == ("SNR", "padding", f"{place}SNR 3.0 dB, at least 7")
    assert told(cosine=0.5) == ("cosine", "padding", f"{place}cosine 0.5000, at least 0.9")
    assert told(gain=1.4, gain_limit=0.2) == ("gain", "padding", f"{place}gain 1.400, within 1 ± 0.200")
    assert told(clear_flips=2, decisions=9) == (
        "decisions",
        "padding",
        f"{place}2 of 9 decisions flip clearly, none may",
    )
    assert told(flips=5, decisions=9) == ("decisions", "padding", f"{place}5 of 9 decisions flip, at most 25%")
    assert told(count=0) == ("missing", "padding", f"{place}it was never compared")
    failed = dataclasses.replace(result.checks[1], ok=False, detail="apart")
    assert first_failure(dataclasses.replace(result, checks=(failed,))) == ("row alone", None, "row alone: apart")
