"""The comparator lets the eager model pass, and nothing that was done to its answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from albert_export.bundle import Bundle
from albert_export.checkpoints import Checkpoint, open_checkpoint
from albert_export.errors import BundleError, DeviceError
from albert_export.parity import ParityReport, rounding
from albert_export.parity.cases import Case
from albert_export.parity.compare import batches
from albert_export.parity.oracle import Oracle, Reference
from albert_export.parity.report import ArtifactResult, OutputResult
from tests.parity.conftest import MakeBundle, MakeCheckpoint
from tests.parity.fakes import Arrays, Spoil, check_spoiled

Check = Callable[..., ParityReport]


@pytest.fixture
def bundle(bundle_of: MakeBundle) -> Bundle:
    return bundle_of("question-answering")


@pytest.fixture
def check(monkeypatch: pytest.MonkeyPatch, bundle: Bundle, opened: Checkpoint) -> Check:
    def run(spoil: Spoil, **options: Any) -> ParityReport:
        return check_spoiled(monkeypatch, bundle, opened, spoil, **options)

    return run


def unspoiled(_: Arrays, outputs: Arrays) -> Arrays:
    return outputs


def only(report: ParityReport) -> ArtifactResult:
    (artifact,) = report.artifacts
    return artifact


def output(artifact: ArtifactResult, name: str, places: str = "real") -> OutputResult:
    return next(item for item in artifact.outputs if (item.output, item.places) == (name, places))


#: What is checked of every artifact besides its distance from the eager model.
ALL_CHECKS = ("finite", "row alone", "repeated run", "input types", "dynamic axes", "tokenizer")


def verdicts(artifact: ArtifactResult) -> dict[str, bool | None]:
    return {item.name: item.ok for item in artifact.checks}


def test_the_eager_model_itself_passes_with_its_own_noise_as_error(check: Check) -> None:
    report = check(unspoiled)
    assert report.ok, report.summary_table()
    for item in only(report).outputs:
        assert item.error == item.e0
        assert item.limit == 4 * item.e0 + 1e-6 * item.scale
        assert item.count > 50
    assert verdicts(only(report)) == dict.fromkeys(ALL_CHECKS, True)


def test_an_error_at_real_places_is_a_miss_that_names_output_and_case(check: Check) -> None:
    def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
        if inputs["input_ids"].shape[1] == 37:
            outputs["end_logits"][1, 5] += 1e-3
        return outputs

    report = check(spoil)
    assert not report.ok
    assert output(only(report), "start_logits").ok
    missed = output(only(report), "end_logits")
    assert (missed.ok, missed.worst_case) == (False, "odd-length")
    assert missed.error == pytest.approx(1e-3, rel=1e-2)
    assert [(item.case, item.output) for item in only(report).by_case if not item.ok] == [("odd-length", "end_logits")]
    assert "end_logits" in report.worst()
    assert "odd-length" in report.worst()


def test_errors_just_inside_and_just_outside_the_limit(check: Check) -> None:
    limit = output(only(check(unspoiled)), "start_logits").limit

    def adding(error: float) -> Spoil:
        def spoil(_: Arrays, outputs: Arrays) -> Arrays:
            # A float64 output would be another dtype: the error is large against float32's spacing, so it survives.
            outputs["start_logits"] += np.float32(error)
            return outputs

        return spoil

    assert check(adding(0.5 * limit)).ok
    assert not check(adding(1.5 * limit)).ok


def test_padding_is_judged_apart(check: Check) -> None:
    def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
        outputs["start_logits"][(inputs["attention_mask"] == 0) & inputs["attention_mask"].any(1, keepdims=True)] += 1
        return outputs

    artifact = only(check(spoil))
    assert output(artifact, "start_logits", "real").ok
    assert not output(artifact, "start_logits", "padding").ok
    assert not artifact.ok


def test_large_numbers_at_padding_do_not_widen_the_limit_at_real_places(
    check: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = output(only(check(unspoiled)), "start_logits").limit
    real = Oracle.run

    def padded(inputs: Arrays, outputs: Any) -> Arrays:
        """The eager model's own numbers at padding are a million times as large."""
        return {name: np.where(inputs["attention_mask"] == 0, values * 1e6, values) for name, values in outputs.items()}

    def answer(self: Oracle, inputs: Any) -> Reference:
        found = real(self, inputs)
        single = {name: padded(inputs, outputs) for name, outputs in found.single.items()}
        return Reference(padded(inputs, found.exact), single)

    def adding(error: float) -> Spoil:
        def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
            outputs["start_logits"] += np.float32(error)
            return {name: values.astype(np.float32) for name, values in padded(inputs, outputs).items()}

        return spoil

    monkeypatch.setattr(Oracle, "run", answer)
    healthy = only(check(adding(0.0)))
    assert output(healthy, "start_logits").limit == pytest.approx(limit)
    assert output(healthy, "start_logits", "padding").limit > 1e4 * limit
    assert output(healthy, "start_logits").ok
    assert not output(only(check(adding(1.5 * limit))), "start_logits").ok


def test_a_row_without_a_token_may_differ_but_not_be_nan(check: Check) -> None:
    def spoiling(value: float) -> Spoil:
        def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
            outputs["start_logits"][~inputs["attention_mask"].any(1)] = value
            return outputs

        return spoil

    assert check(spoiling(1e6)).ok
    for bad in (np.nan, np.inf):
        report = check(spoiling(bad))
        assert not report.ok
        assert [(fault.case, fault.output, fault.kind) for fault in only(report).faults] == [
            ("padding", "start_logits", "not finite")
        ]
        assert verdicts(only(report))["finite"] is False


def test_nan_at_a_real_place_is_an_infinite_error(check: Check) -> None:
    def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
        outputs["end_logits"][0, 0] = np.nan
        return outputs

    artifact = only(check(spoil))
    assert output(artifact, "end_logits").error == np.inf
    assert not artifact.ok


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda _, outputs: {"start_logits": outputs["start_logits"]}, "missing"),
        (lambda _, outputs: {**outputs, "end_logits": outputs["end_logits"].astype(np.float64)}, "dtype"),
        (lambda _, outputs: {**outputs, "end_logits": outputs["end_logits"][..., None]}, "shape"),
        (lambda _, outputs: {**outputs, "end_logits": outputs["end_logits"][:, :1]}, "shape"),
        (lambda _, outputs: {**outputs, "end_logits": outputs["end_logits"].T.copy()}, "shape"),
    ],
)
def test_an_output_of_the_wrong_form_is_a_miss(check: Check, spoil: Spoil, kind: str) -> None:
    artifact = only(check(spoil))
    assert not artifact.ok
    assert {(fault.output, fault.kind) for fault in artifact.faults} == {("end_logits", kind)}
    assert output(artifact, "start_logits").ok


def test_no_shared_output_at_all_is_a_miss(check: Check) -> None:
    artifact = only(check(lambda _, outputs: {"logits": outputs["start_logits"]}))
    assert not artifact.ok
    assert {fault.kind for fault in artifact.faults} == {"missing"}
    assert not any(item.ok for item in artifact.outputs if item.places == "real")
    assert not any(item.count for item in artifact.outputs)


def test_a_shape_that_the_artifact_cannot_run_is_a_miss(check: Check) -> None:
    def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
        if inputs["input_ids"].shape[1] != 16:
            raise BundleError("reshape failed")
        return outputs

    artifact = only(check(spoil))
    assert not artifact.ok
    failed = {fault.case for fault in artifact.faults if fault.kind == "failed"}
    assert failed == {case.name for case in artifact.cases} - {"traced-shape"}
    assert "reshape failed" in artifact.faults[0].detail


def test_a_device_that_fails_is_no_miss(check: Check) -> None:
    def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
        raise DeviceError("out of memory")

    with pytest.raises(DeviceError, match="out of memory"):
        check(spoil)


def test_a_row_that_depends_on_its_company_is_a_miss(check: Check) -> None:
    # Only lengths that no case has are spoiled: nothing but the check of rows alone can see it.
    def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
        if inputs["input_ids"].shape[1] not in (1, 2, 16, 24, 37, 39, 40):
            outputs["start_logits"] += 1e-3
        return outputs

    artifact = only(check(spoil))
    assert all(item.ok for item in artifact.outputs)
    assert verdicts(artifact) == {**dict.fromkeys(ALL_CHECKS, True), "row alone": False}
    assert not artifact.ok


@pytest.mark.parametrize("run_number", [2, 4])
@pytest.mark.parametrize("precision", ["fp32", "int8", "int4"])
def test_answers_that_change_from_run_to_run_are_a_miss(
    monkeypatch: pytest.MonkeyPatch, bundle_of: MakeBundle, opened: Checkpoint, precision: str, run_number: int
) -> None:
    """In every precision: the same program gets the same numbers, however coarse they are. Not in every run, either."""
    runs: Counter[bytes] = Counter()
    apart = 1e-3

    def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
        key = b"".join(value.tobytes() for value in inputs.values())
        runs[key] += 1
        if runs[key] == run_number:
            outputs["start_logits"] += apart
        return outputs

    # The spoiled model is the eager one, whose matrices are not rounded: int4 would not have it.
    monkeypatch.setattr(rounding, "ROUNDED", ())
    artifact = only(check_spoiled(monkeypatch, bundle_of("question-answering", precision=precision), opened, spoil))
    assert all(item.ok for item in artifact.outputs)
    assert verdicts(artifact)["repeated run"] is False
    assert not artifact.ok
    runs.clear()
    apart = 0.0
    artifact = only(check_spoiled(monkeypatch, bundle_of("question-answering", precision=precision), opened, spoil))
    assert verdicts(artifact)["repeated run"] is True


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_an_artifact_of_fixed_batch_is_run_in_batches_of_that_size(check: Check, batch: int) -> None:
    sizes: set[int] = set()

    def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
        sizes.add(inputs["input_ids"].shape[0])
        return outputs

    report = check(spoil, sizes={"batch": batch})
    assert report.ok, report.summary_table()
    assert sizes == {batch}
    assert verdicts(only(report))["row alone"] is True


def test_a_fault_in_the_last_row_of_a_case_is_seen_at_a_fixed_batch(check: Check) -> None:
    last: list[np.ndarray] = []

    def spoil(inputs: Arrays, outputs: Arrays) -> Arrays:
        if inputs["input_ids"].shape[1] == 37:
            last.append(inputs["input_ids"])
            if len(last) == 2:  # three rows in batches of two: the second holds the last row, and a repeated one
                outputs["start_logits"][0] += 1
        return outputs

    artifact = only(check(spoil, sizes={"batch": 2}))
    assert output(artifact, "start_logits").worst_case == "odd-length"
    assert not artifact.ok
    np.testing.assert_array_equal(last[1][0], last[1][1])


def test_cutting_a_case_into_batches() -> None:
    rows = np.arange(5)[:, None] * np.ones((1, 3), dtype=np.int64)
    case = Case("case", {"input_ids": rows, "attention_mask": rows, "token_type_ids": rows}, "none")
    cut = [(batch.inputs["input_ids"][:, 0].tolist(), rows) for batch, rows in batches(case, 2)]
    assert cut == [([0, 1], slice(0, 2)), ([2, 3], slice(2, 4)), ([4, 4], slice(4, 5))]
    assert [rows for _, rows in batches(case, None)] == [slice(0, 5)]


@pytest.mark.parametrize("gain", [0.56, 1.0, 1.4])
@pytest.mark.parametrize("task", ["question-answering", "fill-mask"])
def test_stretched_answers_are_a_miss_in_int8(
    monkeypatch: pytest.MonkeyPatch, bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, task: str, gain: float
) -> None:
    def spoil(_: Arrays, outputs: Arrays) -> Arrays:
        return {name: values * np.float32(gain) for name, values in outputs.items()}

    bundle = bundle_of(task, precision="int8")
    artifact = only(check_spoiled(monkeypatch, bundle, open_checkpoint(checkpoint_of(task)), spoil))
    assert artifact.ok is (gain == 1.0)
    for item in artifact.outputs:
        if item.places == "real":
            assert item.gain == pytest.approx(gain, rel=1e-3)
            assert item.ok is (gain == 1.0)
