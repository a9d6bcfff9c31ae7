"""Parity on data: what the export costs in answers is measured, told, recorded and judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import albert_export
from albert_export.checkpoints import Checkpoint
from albert_export.errors import AlbertExportError, BundleError, InputError
from albert_export.inspection import inspect_bundle, render
from albert_export.parity import check_parity, criteria, data_check, scoring
from albert_export.parity.check import _Run
from albert_export.parity.oracle import Oracle
from albert_export.runtimes import Runtime
from albert_export.tasks import TASKS
from tests.builtin.mini_files import ITEMS, install_mini, write_items
from tests.parity.conftest import MakeBundle, MakeCheckpoint
from tests.parity.fakes import Arrays, check_spoiled

QA = "question-answering"
TEXTS = ("Ada wrote the notes in London.", "The engine was never built.", "Mara bought a lamp.", "He read a book.")


@pytest.fixture(scope="module")
def answered(bundle_of: MakeBundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Questions whose accepted answers are those of the model itself."""
    with albert_export.pipeline(bundle_of(QA).path) as ask:
        records = [{"question": "Who?", "context": text, "answers": [ask("Who?", text).text]} for text in TEXTS]
    return write_items(tmp_path_factory.mktemp("data") / "own.jsonl.gz", records)


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let outputs be what they like, so that a metric alone decides."""
    monkeypatch.setitem(criteria.CRITERIA, "fp32", criteria.Criterion(noise_factor=1e9, scale_factor=1e9))


def same(_: Arrays, outputs: Arrays) -> Arrays:
    return outputs


def turned(_: Arrays, outputs: Arrays) -> Arrays:
    """The best span becomes the worst."""
    return {name: -values for name, values in outputs.items()}


def test_a_faithful_export_loses_nothing(bundle_of: MakeBundle, opened: Checkpoint, answered: Path) -> None:
    lines: list[str] = []
    report = check_parity(bundle_of(QA), model=opened, data=answered, progress=lines.append)
    assert report.ok, report.summary_table()
    (artifact,) = report.artifacts
    found = [(metric.metric, metric.before, metric.after, metric.drop, metric.max_drop) for metric in artifact.metrics]
    assert found == [("exact match", 100, 100, 0, 0), ("F1", 100, 100, 0, 0)]
    assert artifact.lost == ()
    assert report.data is not None
    assert (report.data.name, report.data.items) == ("own.jsonl.gz", 4)
    assert [line for line in lines if "4 items of own.jsonl.gz, answered by" in line] == [
        "parity: 4 items of own.jsonl.gz, answered by the eager model",
        "parity: 4 items of own.jsonl.gz, answered by onnx/model.onnx",
    ]


def test_many_items_are_counted_while_they_are_answered(
    bundle_of: MakeBundle, opened: Checkpoint, answered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "AHEAD", 3)
    monkeypatch.setattr(data_check, "SECONDS_BETWEEN_LINES", 0.0)
    lines: list[str] = []
    check_parity(bundle_of(QA), model=opened, data=answered, progress=lines.append)
    assert [line for line in lines if " of 4 items" in line] == [
        "parity: 3 of 4 items of own.jsonl.gz, answered by the eager model",
        "parity: 3 of 4 items of own.jsonl.gz, answered by onnx/model.onnx",
    ]


def test_a_drop_is_a_miss_by_itself_and_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, lenient: None, bundle_of: MakeBundle, opened: Checkpoint, answered: Path
) -> None:
    assert check_spoiled(monkeypatch, bundle_of(QA), opened, turned).ok, "the outputs alone are let through"
    report = check_spoiled(monkeypatch, bundle_of(QA), opened, turned, data=answered)
    (artifact,) = report.artifacts
    assert not report.ok
    assert artifact.metrics[0].before == 100
    assert artifact.metrics[0].after < 100
    assert set(artifact.lost) <= {f"item-{number}" for number in range(4)}
    assert artifact.lost
    told = f"exact match 100.00 before, {artifact.metrics[0].after:.2f} after: a drop of "
    assert report.worst().startswith(f"onnx/model.onnx: {told}")
    assert f"  MISS: {told}" in report.summary_table()
    assert check_spoiled(monkeypatch, bundle_of(QA), opened, turned, data=answered, max_drop=100).ok
    assert check_spoiled(monkeypatch, bundle_of(QA), opened, same, data=answered).ok


def test_a_miss_of_a_metric_alone_is_explained_as_one(
    monkeypatch: pytest.MonkeyPatch, lenient: None, bundle_of: MakeBundle, opened: Checkpoint, answered: Path
) -> None:
    report = check_spoiled(monkeypatch, bundle_of(QA), opened, turned, data=answered, explain=True)
    found = report.artifacts[0].divergence
    assert found is not None
    assert (found.place, found.output) == ("unknown", "none")
    assert found.detail.startswith("no output misses, but a metric does: exact match 100.00 before")


def test_a_run_that_fails_on_the_data_alone_is_not_looked_for_in_a_case(
    monkeypatch: pytest.MonkeyPatch, bundle_of: MakeBundle, opened: Checkpoint, answered: Path
) -> None:
    lengths: set[int] = set()

    def fails(inputs: Arrays, outputs: Arrays) -> Arrays:
        if inputs["input_ids"].shape[1] not in lengths:
            raise BundleError("reshape failed")
        return outputs

    def learns(inputs: Arrays, outputs: Arrays) -> Arrays:
        lengths.add(inputs["input_ids"].shape[1])
        return outputs

    assert check_spoiled(monkeypatch, bundle_of(QA), opened, learns).ok
    report = check_spoiled(monkeypatch, bundle_of(QA), opened, fails, data=answered, explain=True)
    (artifact,) = report.artifacts
    assert all(output.ok for output in artifact.outputs)
    found = artifact.divergence
    assert found is not None
    assert (found.place, found.case) == ("unknown", "own.jsonl.gz")
    assert found.detail.startswith("the run on own.jsonl.gz failed")


def test_every_form_of_the_report_has_the_metrics(
    monkeypatch: pytest.MonkeyPatch, lenient: None, bundle_of: MakeBundle, opened: Checkpoint, answered: Path
) -> None:
    report = check_spoiled(monkeypatch, bundle_of(QA), opened, turned, data=answered)
    (metric, _) = report.artifacts[0].metrics
    text = report.summary_table()
    assert "task metrics on own.jsonl.gz, 4 items, before export and after:" in text
    assert f"exact match 100.00 {metric.after:.2f} {metric.drop:.2f} 0.00 MISS" in " ".join(text.split())
    page = report.to_markdown()
    assert "Task metrics on own.jsonl.gz, 4 items, before export and after; a drop is in points:" in page
    assert f"| exact match | 100.00 | {metric.after:.2f} | {metric.drop:.2f} | 0.00 | MISS |" in page
    assert f"Answered worse than by the eager model: `{report.artifacts[0].lost[0]}`" in page
    data = json.loads(report.to_json())
    assert data["data"]["items"] == 4
    assert data["artifacts"][0]["metrics"][0] == {
        "ok": False, "metric": "exact match", "before": 100.0, "after": metric.after, "drop": metric.drop,
        "max_drop": 0.0,
    }  # fmt: skip
    assert data["artifacts"][0]["lost"] == list(report.artifacts[0].lost)
    kept = report.for_artifact("onnx/model.onnx")
    assert kept["data"] == {"name": "own.jsonl.gz", "sha256": report.data.sha256, "items": 4}  # type: ignore[union-attr]
    assert kept["metrics"]["exact match"] == {
        "before": 100.0, "after": metric.after, "drop": metric.drop, "max_drop": 0.0,
    }  # fmt: skip


def test_without_data_nothing_is_said_of_them(bundle_of: MakeBundle, opened: Checkpoint) -> None:
    report = check_parity(bundle_of(QA), model=opened)
    assert report.data is None
    assert "metrics" not in report.for_artifact("onnx/model.onnx")
    assert "task metrics" not in report.summary_table().lower() + report.to_markdown().lower()


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let metrics be 0 before export: models of random weights know no answer."""
    monkeypatch.setattr(data_check, "check_can_fall", lambda *_: None)


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize("task", [task.name for task in TASKS if task.name not in (QA, "token-classification")])
def test_every_head_is_measured(
    task: str, bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path
) -> None:
    items = ITEMS[task]
    if task == "text-classification":
        items = [{**item, "label": number} for number, item in enumerate(items)]
    report = check_parity(bundle_of(task), model=checkpoint_of(task), data=write_items(tmp_path / "data.jsonl", items))
    assert report.ok, report.summary_table()
    assert report.artifacts[0].metrics
    assert all(metric.drop == 0.0 for metric in report.artifacts[0].metrics)


def test_what_cannot_answer_is_a_fault_of_the_artifact_and_not_of_the_data(
    monkeypatch: pytest.MonkeyPatch, bundle_of: MakeBundle, opened: Checkpoint, answered: Path
) -> None:
    def broken(_: Arrays, outputs: Arrays) -> Arrays:
        return {name: np.full_like(values, np.nan) for name, values in outputs.items()}

    report = check_spoiled(monkeypatch, bundle_of(QA), opened, broken, data=answered)
    (artifact,) = report.artifacts
    assert artifact.metrics == ()
    fault = artifact.faults[-1]
    assert (fault.case, fault.kind) == ("own.jsonl.gz", "failed")
    assert "finite numbers" in fault.detail


def test_a_line_of_another_form_is_told_before_anything_is_compared(
    bundle_of: MakeBundle, opened: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_items(tmp_path / "data.jsonl", [*ITEMS[QA], {"question": "Who?", "context": "Ada."}])
    monkeypatch.setattr(_Run, "check", lambda *_: pytest.fail("compared"))
    with pytest.raises(
        InputError, match=r"^data\.jsonl, line 4: answers must be a list .*; received no answers"
    ) as told:
        check_parity(bundle_of(QA), model=opened, data=path)
    assert told.value.exit_code == 2


@pytest.mark.parametrize("count", [1, 3])
def test_data_by_which_nothing_can_be_judged_are_refused(
    count: int, bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one line, or of lines that are all as alike, there are no ranks to be lost."""
    items = [{**ITEMS["feature-extraction"][number], "score": 3.0} for number in range(count)]
    monkeypatch.setattr(_Run, "check", lambda *_: pytest.fail("compared"))
    with pytest.raises(InputError, match="Spearman of the eager model must be other than 0") as told:
        check_parity(
            bundle_of("feature-extraction"),
            model=checkpoint_of("feature-extraction"),
            data=write_items(tmp_path / "alike.jsonl", items),
        )
    assert told.value.exit_code == 2


@pytest.mark.parametrize("max_drop", [-0.1, 101, True, float("nan"), "0.5"])
def test_an_allowed_drop_that_is_none(bundle_of: MakeBundle, max_drop: Any) -> None:
    with pytest.raises(InputError, match="max_drop must be a number of points from 0 to 100"):
        check_parity(bundle_of(QA), max_drop=max_drop)


def test_data_need_a_tokenizer(bundle_of: MakeBundle, checkpoint_of: MakeCheckpoint, answered: Path) -> None:
    options = {"tokenizer": False}
    with pytest.raises(InputError, match="need a tokenizer; received a bundle without one"):
        check_parity(bundle_of(QA, options), model=checkpoint_of(QA, **options), data=answered)


@pytest.mark.usefixtures("untrained")
def test_a_fixed_length_is_measured_on_texts_cut_to_it(
    bundle_of: MakeBundle, opened: Checkpoint, tmp_path: Path
) -> None:
    path = write_items(tmp_path / "data.jsonl", ITEMS[QA])
    report = check_parity(bundle_of(QA, sequence=30, batch=2), model=opened, data=path)
    assert report.ok, report.summary_table()
    assert report.artifacts[0].metrics
    long = [{**item, "context": item["context"] * 3} for item in ITEMS[QA]]
    with pytest.raises(InputError, match="line 1: a question must leave room, within 12 tokens"):
        check_parity(bundle_of(QA, sequence=12), model=opened, data=write_items(tmp_path / "long.jsonl", long))


def test_the_eager_model_behind_the_protocol(opened: Checkpoint, bundle_of: MakeBundle) -> None:
    bundle = bundle_of(QA)
    oracle = Oracle(opened, bundle.task)
    ids = np.array([[2, 7, 8, 3]])
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    with oracle.runtime() as runtime:
        outputs = runtime.run(input_ids=ids)
        for name, expected in oracle.run(inputs).single["torch"].items():
            np.testing.assert_array_equal(outputs[name], expected)
        assert list(runtime.describe()) == ["target", "task", "device", "reason"]
        assert runtime.describe()["target"] == "eager"
        with pytest.raises(InputError, match="input_ids"):
            runtime.run(input_ids=[[2, 99999, 3]])
    with pytest.raises(AlbertExportError, match="must be open"):
        runtime.run(input_ids=ids)
    with pytest.raises(BundleError, match="built from a checkpoint"):
        type(runtime).open(bundle, bundle.manifest.artifacts[0])


def test_an_artifact_that_compiles_every_shape_gets_few_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from contextlib import ExitStack

    run = _Run.__new__(_Run)
    run.runtime = None
    asked: list[dict[str, Any]] = []

    class Opened:
        def __init__(self, sequence: int | None) -> None:
            self.sizes = {"sequence": sequence}

        def __enter__(self) -> Opened:
            return self

        def __exit__(self, *_: object) -> None:
            asked.append({"closed": True})

    def reopened(artifact: Any, **options: Any) -> Runtime:
        asked.append(options)
        return Opened(None)  # type: ignore[return-value]

    monkeypatch.setattr(run, "_open", reopened)
    dynamic: Any = Opened(None)
    fixed: Any = Opened(24)

    class OfTarget:
        def __init__(self, target: str) -> None:
            self.target, self.precision, self.facts = target, "fp32", {}

    with ExitStack() as stack:
        assert run._for_texts(OfTarget("onnx"), dynamic, stack) is dynamic  # type: ignore[arg-type]
        assert run._for_texts(OfTarget("stablehlo"), fixed, stack) is fixed  # type: ignore[arg-type]
        assert run._for_texts(OfTarget("stablehlo"), dynamic, stack) is not dynamic  # type: ignore[arg-type]
    assert asked == [{"buckets": "powers"}, {"closed": True}]


@pytest.fixture
def mini(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tiny model in the place of the package's own."""
    monkeypatch.setenv("ALBERT_EXPORT_CACHE", str(tmp_path / "cache"))
    install_mini(monkeypatch, tmp_path / "mini", max_position_embeddings=48)


def test_the_checkpoint_of_the_package_is_measured_unasked(mini: None, tmp_path: Path) -> None:
    bundle = albert_export.export("onnx", model="albert-mini", task="seqcls", out=tmp_path / "out")
    kept = bundle.manifest.artifacts[0].parity
    assert kept is not None
    assert kept["data"]["name"] == "held-out of albert-mini"
    assert kept["metrics"]["accuracy"]["drop"] == 0.0
    after = kept["metrics"]["accuracy"]["after"]
    line = f"on held-out of albert-mini, 3 items: accuracy {after:.2f} before, {after:.2f} after"
    assert line in render(inspect_bundle(bundle))
    assert "metrics" not in check_parity(bundle, data="none").for_artifact("onnx/model.onnx")


def test_a_fixed_length_that_is_too_short_for_the_package_s_data_is_told_and_no_miss(
    mini: None, tmp_path: Path
) -> None:
    bundle = albert_export.export("onnx", model="albert-mini", task="qa", out=tmp_path / "qa", sequence=8, parity=False)
    report = check_parity(bundle)
    assert report.ok, report.summary_table()
    assert report.artifacts[0].metrics == ()
    assert "n/a: data: does not apply: held-out of albert-mini, line 1: a question must leave" in report.summary_table()
