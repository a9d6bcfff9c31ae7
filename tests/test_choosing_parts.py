"""Parts whose integers cost too much stay in float32: the cheapest choice that is good enough, told and recorded."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import albert_export as ax
from albert_export.builtin import held_out_file
from albert_export.bundle import Bundle
from albert_export.choosing_parts import Trial, choose, leave_costly_parts
from albert_export.errors import ParityError
from albert_export.inspection import inspect_bundle, render
from albert_export.parity.metrics import MetricResult
from albert_export.tasks import get_task
from tests.outliers import write_with_outliers

SIZES = {"embeddings": 40, "attention": 20, "ffn": 50, "head": 5}

#: Outliers so large that eight bits lose the part. One channel of activations must be larger for that than weights of
#: every output.
FACTORS = {"embeddings": 1000.0, "attention": 1000.0, "ffn": 100.0}

#: Of these, one answer is a point.
ITEMS = 100


class Measured:
    """Stands in for exports: the drop of each choice is a function of it."""

    def __init__(self, drop: Callable[[Sequence[str]], float]) -> None:
        self.drop = drop
        self.tried: list[tuple[str, ...]] = []

    def __call__(self, left: Sequence[str]) -> Trial:
        self.tried.append(tuple(left))
        drop = self.drop(left)
        return Trial(drop <= 0.5, drop - 0.5, f"{drop} points")


def yes() -> bool:
    return True


def test_the_part_that_costs_it_is_left_and_nothing_larger_is_tried() -> None:
    measured = Measured(lambda left: 0.0 if "embeddings" in left else 3.0)
    assert choose(SIZES, measured, yes) == ("embeddings",)
    assert measured.tried == [("head",), ("attention",), ("embeddings",)]


def test_of_two_that_are_good_enough_the_one_with_fewer_bytes_is_left() -> None:
    assert choose(SIZES, Measured(lambda left: 0.5 if {"attention", "ffn"} & {*left} else 3.0), yes) == ("attention",)


def test_where_none_is_enough_alone_the_one_that_helps_most_gets_company() -> None:
    drops = {"ffn": 2.0, "attention": 0.8, "head": 0.1, "embeddings": 0.1}
    measured = Measured(lambda left: 3.0 - sum(drops[part] for part in left))
    assert choose(SIZES, measured, yes) == ("attention", "ffn")
    assert measured.tried[4:] == [("ffn", "head"), ("attention", "ffn")]


def test_where_nothing_is_enough_nothing_is_left_and_one_part_always_stays_in_integers() -> None:
    measured = Measured(lambda left: 3.0)
    assert choose(SIZES, measured, yes) is None
    assert max(map(len, measured.tried)) == 3
    assert choose({"ffn": 3}, measured, yes) is None


def test_a_choice_that_parity_refuses_for_another_reason_is_passed_over() -> None:
    answers = iter([False, True])
    assert choose(SIZES, Measured(lambda left: 0.0), lambda: next(answers)) == ("attention",)


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shortest of the held-out texts of albert-mini."""
    held_out = held_out_file("albert-mini", get_task("seqcls"))
    assert held_out is not None
    lines = gzip.decompress(held_out.read_bytes()).decode("utf-8").splitlines()
    path = tmp_path_factory.mktemp("data") / "short.jsonl"
    path.write_text("\n".join(sorted(lines, key=len)[:ITEMS]), encoding="utf-8")
    return path


def exported(tmp_path: Path, part: str, items: Path, **options: Any) -> tuple[Bundle, list[str]]:
    checkpoint = write_with_outliers(
        tmp_path / "checkpoint", "seqcls", part, factor=FACTORS.get(part, 1.0), positions=64
    )
    lines: list[str] = []
    chosen = {"target": "onnx", "precision": "int8", "model": checkpoint, "task": "seqcls", **options}
    bundle = ax.export(**chosen, out=tmp_path / "out", data=items, progress=lines.append)
    return bundle, lines


@pytest.mark.parametrize(
    ("target", "part"), [("onnx", "embeddings"), ("onnx", "attention"), ("onnx", "ffn"), ("tflite", "ffn")]
)
def test_outliers_cost_answers_and_the_part_that_has_them_stays_in_fp32(
    target: str, part: str, items: Path, tmp_path: Path
) -> None:
    bundle, lines = exported(tmp_path, part, items, target=target, max_drop=0.5)
    (artifact,) = bundle.manifest.artifacts
    left = artifact.facts["left_in_fp32"]
    assert left["parts"] == [part]
    assert left["drop"] > left["max_drop"] == 0.5
    assert artifact.facts["quantized"] == [one for one in ("embeddings", "attention", "ffn", "head") if one != part]
    assert artifact.parity is not None
    assert artifact.parity["ok"] is True
    assert artifact.parity["metrics"]["accuracy"]["drop"] <= 0.5
    told = f"left in fp32: {part} (int8 dropped accuracy by {left['drop']:.2f} points, 0.50 allowed)"
    assert lines.count(told) == 1
    assert f"  parts    {told}" in render(inspect_bundle(Bundle.open(bundle.path))).splitlines()
    report = json.loads((bundle.path / "parity/report.json").read_text(encoding="utf-8"))
    assert [result["ok"] for result in report["artifacts"]] == [True]


def test_without_data_the_part_that_costs_parity_stays_in_fp32(tmp_path: Path) -> None:
    checkpoint = write_with_outliers(tmp_path / "checkpoint", "seqcls", "ffn", factor=FACTORS["ffn"], positions=64)
    lines: list[str] = []
    bundle = ax.export(
        "onnx", model=checkpoint, task="seqcls", out=tmp_path / "out", precision="int8", progress=lines.append
    )
    (artifact,) = bundle.manifest.artifacts
    left = artifact.facts["left_in_fp32"]
    assert left["parts"] == ["ffn"]
    assert "SNR" in left["missed"]
    assert artifact.parity is not None
    assert artifact.parity["ok"] is True
    assert not artifact.parity.get("metrics")
    told = f"left in fp32: ffn (int8 missed parity: {left['missed']})"
    assert lines.count(told) == 1
    assert f"  parts    {told}" in render(inspect_bundle(Bundle.open(bundle.path))).splitlines()


def test_without_outliers_all_parts_stay_in_integers_and_nothing_is_tried(items: Path, tmp_path: Path) -> None:
    bundle, lines = exported(tmp_path, "none", items)
    (artifact,) = bundle.manifest.artifacts
    assert "left_in_fp32" not in artifact.facts
    assert artifact.facts["quantized"] == ["embeddings", "attention", "ffn", "head"]
    assert not any("looking for" in line or "left in fp32" in line for line in lines)


def test_the_model_is_traced_once_for_all_choices_and_a_miss_leaves_what_there_was(
    items: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from albert_export.export_proof import Proof
    from albert_export.graphs import onnx_emitter

    traced: list[str] = []
    tried: list[Any] = []
    trace = onnx_emitter.trace

    def counted(*arguments: Any, **options: Any) -> Any:
        traced.append("once more")
        return trace(*arguments, **options)

    def never(_: Proof, artifact: Any) -> list[MetricResult]:
        tried.append(artifact.facts["left_in_fp32"]["parts"])
        return [MetricResult("accuracy", 90.0, 80.0, 10.0, 0.5)]

    monkeypatch.setattr(onnx_emitter, "trace", counted)
    monkeypatch.setattr(Proof, "measure", never)
    with pytest.raises(ParityError, match=r"^onnx/model_int8\.onnx must compute what the eager model computes"):
        exported(tmp_path, "ffn", items)
    assert len(tried) == 4 + 3 + 2
    assert len(traced) == 2, "once for the artifact, once for all choices"
    assert not (tmp_path / "out").exists()
    (rejected,) = Bundle.open(tmp_path / "out.rejected").manifest.artifacts
    assert "left_in_fp32" not in rejected.facts
    assert rejected.facts["quantized"] == ["embeddings", "attention", "ffn", "head"]
    assert rejected.parity is not None
    assert rejected.parity["ok"] is False
    assert rejected.parity["metrics"]["accuracy"]["drop"] > 0.5


@pytest.mark.parametrize(
    ("precision", "sizes", "drop"),
    [("fp16", {}, 10.0), ("int8", {"ffn": 50}, 10.0), ("int4", SIZES, 0.0)],
    ids=["no-integers", "one-part", "the-reference-has-the-same-integers"],
)
def test_nothing_is_tried_where_no_part_can_be_left(precision: str, sizes: dict[str, int], drop: float) -> None:
    metrics = (MetricResult("accuracy", 90.0, 90.0 - drop, drop, 0.0),)
    missed = SimpleNamespace(file="a", metrics=metrics, faults=(), ok=False)
    report: Any = SimpleNamespace(artifacts=(missed,), eager=(), artifact=lambda _: missed)
    told: list[str] = []
    maker: Any = SimpleNamespace(quantized_bytes=sizes, say=told.append, precision=precision)
    proof: Any = None
    assert leave_costly_parts(maker, proof, report, "a") is report
    assert told == []


def test_parts_that_were_asked_for_stay_as_they_are(items: Path, tmp_path: Path) -> None:
    with pytest.raises(ParityError, match="must compute what the eager model computes"):
        exported(tmp_path, "ffn", items, quantize="embeddings,attention,ffn,head")
    assert not (tmp_path / "out").exists()
    bundle, _ = exported(tmp_path / "again", "ffn", items, quantize="embeddings,attention,head")
    assert bundle.manifest.artifacts[0].facts["quantized"] == ["embeddings", "attention", "head"]


@pytest.mark.parametrize("part", ["embeddings", "attention", "ffn"])
def test_outliers_change_nothing_in_fp32(part: str, tmp_path: Path) -> None:
    from albert_export.checkpoints import open_checkpoint
    from albert_export.models.torch_loading import load_eager, run_eager

    task = get_task("seqcls")
    rng = np.random.default_rng(0)
    ids = rng.integers(5, 6000, (4, 32))
    inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    logits = []
    for kind in ("none", part):
        written = write_with_outliers(tmp_path / kind, "seqcls", kind, factor=FACTORS[part], positions=64)
        checkpoint = open_checkpoint(written, task=task)
        logits.append(run_eager(load_eager(checkpoint, task, allow_random_head=False)[0], inputs)["logits"])
    np.testing.assert_allclose(logits[0], logits[1], rtol=0, atol=1e-3)
