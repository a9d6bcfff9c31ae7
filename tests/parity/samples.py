"""Reports with something in every part, made up without a model: for the tests of the forms they are written in."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np

from albert_export.checkpoints import Source
from albert_export.parity.compare import Fault
from albert_export.parity.criteria import criterion_for
from albert_export.parity.flips import FlippedDecision
from albert_export.parity.histogram import count_errors, histogram
from albert_export.parity.metrics import MetricResult
from albert_export.parity.regression import ReportComparison, Worse
from albert_export.parity.report import (
    ArtifactResult,
    CaseResult,
    CaseShape,
    CheckResult,
    DataUsed,
    DepthPoint,
    Divergence,
    EagerResult,
    OutputResult,
    ParityReport,
    Skipped,
)

#: Text that would be markup, script, table cells or a control character where it is not escaped.
HOSTILE = "<script>document.title='broken'</script>\"'&|`*_[x](https://example.org)\x00\x1b ]]> @someone 東京"

CASES = (
    ("text", (4, 48), "right"), ("text-left-padded", (4, 46), "left"), ("one-token", (1, 1), "none"),
    ("two-tokens", (3, 2), "none"), ("odd-length", (3, 37), "none"), ("largest-length", (1, 512), "none"),
    ("padding", (6, 24), "mixed"),
)  # fmt: skip


def output(name: str, *, error: float, limit: float = 2.4e-6, seed: int = 0, **changes: Any) -> OutputResult:
    """An output whose errors are drawn from a seed."""
    ratio = 1.5 / max(error / 4, 1e-12)
    drawn = np.abs(np.random.default_rng(seed).standard_normal(4000)) * error / 4
    fields: dict[str, Any] = {
        "output": name, "places": "real", "count": 4000, "e0": limit / 5, "scale": 2.0, "spread": 1.5, "error": error,
        "from_eager": error, "limit": limit, "snr_db": 20 * math.log10(ratio) if ratio else -math.inf,
        "cosine": 0.999999, "decisions": 20, "flips": 0, "clear_flips": 0, "worst_case": "text", "ok": error <= limit,
        "histogram": histogram(count_errors(drawn)), "gain": 1.0001,
    }  # fmt: skip
    return OutputResult(**{**fields, **changes})


def artifact(file: str, precision: str, error: float, **changes: Any) -> ArtifactResult:
    """An artifact of two outputs whose largest error is that."""
    lossy = precision != "fp32"
    limit = 0.8 if lossy else 2.4e-6
    outputs = tuple(
        output(name, error=size, limit=limit, seed=place)
        for place, (name, size) in enumerate((("start_logits", error), ("end_logits", 0.7 * error)))
    )
    padding = (dataclasses.replace(outputs[0], places="padding", decisions=0, error=0.1 * error, ok=True),)
    target = file.split("/", maxsplit=1)[0]
    fields: dict[str, Any] = {
        "file": file, "target": target, "precision": precision, "layers": "rolled", "device": "cpu",
        "framework": {"onnx": "torch", "tflite": "tensorflow"}.get(target, "flax"),
        "criterion": criterion_for(precision),
        "cases": tuple(CaseShape(*case) for case in CASES), "outputs": (*outputs, *padding),
        "by_case": tuple(
            CaseResult(name, each.output, each.e0, each.error / (1 + place), each.error / (1 + place) <= limit)
            for place, (name, _, _) in enumerate(CASES)
            for each in outputs
        ),
        "checks": (
            CheckResult("finite", True, "every number, at padding and in empty rows too"),
            CheckResult("row alone", True, "4 rows of text, each alone and in the batch", {"start_logits": 1e-8}),
            CheckResult("repeated run", None, "does not apply: the shape is fixed"),
        ),
        "faults": (), "divergence": None, "runtime": {"target": target}, "size": 44_400_000, "memory": 85_000_000,
    }  # fmt: skip
    return ArtifactResult(**{**fields, **changes})


def report(*artifacts: ArtifactResult, **changes: Any) -> ParityReport:
    """A report on these artifacts."""
    fields: dict[str, Any] = {
        "task": "question-answering", "source": Source("hub", "owner/name", "c0ffee" * 6, "ab" * 32), "seed": 0,
        "text": True, "eager": (), "artifacts": artifacts, "seconds": 41.5,
        "environment": {"albert-export": "0.1.0", "python": "3.11.2", "torch": "2.13.0", "onnxruntime": "1.32.0",
                        "system": "Linux", "processor": "AMD EPYC, two threads"},
    }  # fmt: skip
    return ParityReport(**{**fields, **changes})


def passing() -> ParityReport:
    """A report on three targets, all of which pass."""
    depth = tuple(DepthPoint(layer, 3e-7 * 1.3**layer, 2e-7 * 1.25**layer) for layer in range(13))
    return report(
        artifact("onnx/model.onnx", "fp32", 1.2e-6, depth=depth),
        artifact("tflite/model.tflite", "fp32", 2.1e-6),
        artifact("stablehlo/model", "fp32", 0.6e-6),
        eager=(EagerResult("tensorflow", (output("start_logits", error=1e-6),)),),
        data=DataUsed("dev.jsonl", "cd" * 32, 400),
    )


def missing() -> ParityReport:
    """A report with everything that can be in one, misses and hostile texts among it."""
    flipped = tuple(
        FlippedDecision("start_logits", "text", row, "", f"token {row} ▁Ada", f"token {row + 3} ▁the", 0.5 / (row + 1),
                        row < 2, HOSTILE if row == 0 else "[CLS] Who wrote them?[SEP] Ada wrote the notes.[SEP]")
        for row in range(12)
    )  # fmt: skip
    broken = artifact(
        "onnx/model_int8.onnx",
        "int8",
        1.9,
        flipped=flipped,
        faults=(Fault("one-token", "end_logits", "not finite", f"3 of 9 numbers {HOSTILE}"),),
        divergence=Divergence("layer 3", "start_logits", "text", "max error 1.9, limit 0.8"),
        depth=tuple(DepthPoint(layer, 0.01 * 1.6**layer, 2e-7) for layer in range(13)),
        metrics=(MetricResult("exact match", 88.0, 80.5, 7.5, 0.5), MetricResult("F1", 91.0, 90.9, 0.1, 0.5)),
        lost=("item 3", HOSTILE),
    )
    broken = dataclasses.replace(
        broken,
        outputs=(dataclasses.replace(broken.outputs[0], flips=12, clear_flips=2, ok=False), *broken.outputs[1:]),
        checks=(*broken.checks[:1], CheckResult("row alone", False, f"start_logits differs by 1 {HOSTILE}")),
    )
    return dataclasses.replace(
        passing(),
        artifacts=(*passing().artifacts, broken),
        quick=True,
        left_out=("the case odd-length", "memory"),
        skipped=(Skipped("saved_model/1/saved_model.pb", "savedmodel", "savedmodel is to be skipped"),),
        comparison=ReportComparison(
            "report.json",
            {"torch": "2.12.0"},
            60,
            (Worse("onnx/model.onnx", "size", "44.0 MB", "44.6 MB (+1.4%)", "at most 44.4 MB"),),
            ("stablehlo/model is new",),
        ),
    )
