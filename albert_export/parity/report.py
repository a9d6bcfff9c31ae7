"""The result of a parity run: frozen, complete, and the same in every form it is written in."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from albert_export.checkpoints import Source
from albert_export.errors import UnknownNameError
from albert_export.parity.compare import Fault
from albert_export.parity.criteria import Criterion
from albert_export.parity.flips import FlippedDecision
from albert_export.parity.histogram import Histogram
from albert_export.parity.metrics import MetricResult

if TYPE_CHECKING:
    from albert_export.parity.regression import ReportComparison

#: Version of the JSON form; each only adds to the one before.
#: 1, since 2026-11-22.
#: 2, since 2026-11-28: ``quick``, ``left_out``, ``skipped`` and ``comparison`` of the report; ``size``, ``memory``,
#: ``flipped`` and ``depth`` of an artifact; ``histogram`` of an output.
#: 3, since 2026-11-28: ``skip`` of the report; ``reference`` and ``unrounded`` of an artifact; ``gain`` and
#: ``gain_limit`` of an output.
SCHEMA_VERSION = 3


@dataclass(frozen=True)
class OutputResult:
    """One output of an artifact, judged at one kind of places, over all cases.

    Attributes:
        output: Name of the output.
        places: ``real`` (tokens, and rows with at least one) or ``padding`` (within such rows).
        count: Numbers compared.
        e0: The framework's noise: max |eager fp32 - eager fp64|.
        scale: Root mean square of the float64 output.
        spread: Root mean square of what the inputs change: of the output less its mean over all places.
        error: max |artifact - eager fp64|; infinite where the artifact's number is not finite.
        from_eager: max |artifact - eager fp32| of the framework it was traced from; infinite likewise.
        limit: The largest error that passes.
        snr_db: Signal-to-noise ratio in dB, of ``spread`` over the error; infinite where there is no error at all.
        cosine: Cosine of the angle between the artifact's numbers and the float64 ones, each less their mean; NaN where
            the output is the same whatever the input.
        decisions: Decisions that the output was read for: labels, words, ends of spans; 0 for vectors.
        flips: How many of them the artifact takes otherwise.
        clear_flips: Those of them whose float64 margin is well above the error: more than a tie.
        worst_case: Case in which ``error`` was met.
        ok: Whether it was compared at all, and meets the criterion.
        histogram: How many errors are how large.
        gain: Slope of the artifact's numbers on the float64 ones, each less their mean: 1 but for stretching; NaN where
            the output is the same whatever the input.
        gain_limit: How far from 1 it may be; infinite in full precision.
    """

    output: str
    places: str
    count: int
    e0: float
    scale: float
    spread: float
    error: float
    from_eager: float
    limit: float
    snr_db: float
    cosine: float
    decisions: int
    flips: int
    clear_flips: int
    worst_case: str
    ok: bool
    histogram: Histogram = field(default_factory=Histogram)
    gain: float = math.nan
    gain_limit: float = math.inf


@dataclass(frozen=True)
class UnroundedResult:
    """How far an output lies from the model as it is, where the reference has rounded matrices: told, and not judged.

    Attributes:
        output: Name of the output; the figures are those at real places, over all cases, as of :class:`OutputResult`.
        spread: Root mean square of what the inputs change in the model's float64 output.
        error: max |artifact - eager fp64|.
        snr_db: Signal-to-noise ratio in dB.
        cosine: Cosine of the angle between both, each less their mean.
        gain: Slope of the one on the other, each less their mean.
        decisions: Decisions that the output was read for.
        flips: How many of them the artifact takes otherwise.
    """

    output: str
    spread: float
    error: float
    snr_db: float
    cosine: float
    gain: float
    decisions: int
    flips: int


@dataclass(frozen=True)
class EagerResult:
    """The eager float32 model of one framework against torch in float64, over all cases.

    Attributes:
        framework: Key in the table of frameworks.
        outputs: One entry for each output and kind of places, judged by a criterion of their own; ``e0`` is torch's
            noise, and ``from_eager`` the distance from torch's float32 model.
    """

    framework: str
    outputs: tuple[OutputResult, ...]

    @property
    def ok(self) -> bool:
        """Whether every output passes."""
        return all(output.ok for output in self.outputs)


@dataclass(frozen=True)
class CaseResult:
    """One output in one case, at real places.

    Attributes:
        case: Name of the case.
        output: Name of the output.
        e0: max |eager fp32 - eager fp64| in this case.
        error: max |artifact - eager fp64| in this case.
        ok: Whether ``error`` is at most the limit of the whole run.
    """

    case: str
    output: str
    e0: float
    error: float
    ok: bool


@dataclass(frozen=True)
class CheckResult:
    """Something that must hold besides the distance from the eager model.

    Attributes:
        name: ``finite``, ``row alone``, ``repeated run``, ``input types``, ``dynamic axes`` or ``tokenizer``; ``data``
            where it was not to be measured on them.
        ok: Whether it holds; None where the artifact's fixed shape leaves nothing to check.
        detail: What was checked and what was found.
        differences: Output name -> the largest difference that was found, for checks that compare two answers.
    """

    name: str
    ok: bool | None
    detail: str
    differences: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class DataUsed:
    """The data that task metrics were measured on.

    Attributes:
        name: The file's last name, or what the package's own data are.
        sha256: Hash of the file.
        items: How many lines it has.
    """

    name: str
    sha256: str
    items: int


@dataclass(frozen=True)
class Divergence:
    """Where an artifact first leaves the eager model.

    Attributes:
        place: ``embeddings``, ``layer N`` (counted from 1), ``head`` or ``unknown``.
        output: The first output that misses, in the order of the task.
        case: The case that was looked at.
        detail: The error and limit there, in words.
        operator: The first kind of operator in that place whose result leaves the noise; None where the target does
            not show it.
    """

    place: str
    output: str
    case: str
    detail: str
    operator: str | None = None


@dataclass(frozen=True)
class DepthPoint:
    """How far an artifact is from the eager model after some layers, in the case that was looked at.

    Attributes:
        layer: Layers applied; 0 for the mapped embeddings.
        error: RMS of artifact - eager fp64 over the hidden state at the places that were looked at.
        noise: RMS of eager fp32 - eager fp64 there.
    """

    layer: int
    error: float
    noise: float


@dataclass(frozen=True)
class Skipped:
    """An artifact that was not checked: its main file, its target, and why."""

    file: str
    target: str
    reason: str


@dataclass(frozen=True)
class CaseShape:
    """A case that was run: its name, the shape of its inputs, and where its padding lies."""

    name: str
    shape: tuple[int, ...]
    padding: str


@dataclass(frozen=True)
class ArtifactResult:
    """The verdict on one artifact.

    Attributes:
        file: Its main file, relative to the bundle.
        target: Name of the target.
        precision: Name of the precision.
        layers: ``rolled`` or ``unrolled``.
        device: Where it ran.
        framework: The framework it was traced from, whose float32 noise is ``e0``.
        criterion: What its outputs must meet.
        cases: What it was run on.
        outputs: One entry for each output and kind of places.
        by_case: One entry for each case and output.
        checks: What else must hold.
        faults: What no tolerance allows.
        divergence: Where it first diverges; None unless it misses and an explanation was asked for.
        runtime: What ran it, as the runtime describes itself.
        metrics: The task's metrics on data before and after export; empty where none were measured.
        lost: Names of the items of these data that it answers worse than the eager model.
        size: Bytes of its files; those of one content count once.
        memory: Bytes that a process of its own holds after one run, less what it held before it loaded the artifact;
            None where that was not measured.
        flipped: The decisions it takes otherwise, those with the widest margins of each output.
        depth: Its error layer by layer; empty unless it was asked for, or it misses and an explanation was, and where
            its hidden states cannot be read.
        reference: In words, the model whose float64 answers decide.
        unrounded: Its distance from the model as it is, one entry for each output; empty where that is the reference.
    """

    file: str
    target: str
    precision: str
    layers: str
    device: str
    framework: str
    criterion: Criterion
    cases: tuple[CaseShape, ...]
    outputs: tuple[OutputResult, ...]
    by_case: tuple[CaseResult, ...]
    checks: tuple[CheckResult, ...]
    faults: tuple[Fault, ...]
    divergence: Divergence | None
    runtime: Mapping[str, Any]
    metrics: tuple[MetricResult, ...] = ()
    lost: tuple[str, ...] = ()
    size: int = 0
    memory: int | None = None
    flipped: tuple[FlippedDecision, ...] = ()
    depth: tuple[DepthPoint, ...] = ()
    reference: str = "the eager model"
    unrounded: tuple[UnroundedResult, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every output, check and metric passes and there is no fault."""
        return (
            not self.faults
            and any(output.places == "real" and output.count for output in self.outputs)
            and all(output.ok for output in self.outputs)
            and all(check.ok is not False for check in self.checks)
            and all(metric.ok for metric in self.metrics)
        )

    def for_manifest(self, *, seed: int, data: DataUsed | None = None) -> dict[str, Any]:
        """Return the verdict and its main figures as JSON values, for the artifact's entry in the manifest."""
        names = (
            "e0",
            "scale",
            "spread",
            "error",
            "from_eager",
            "limit",
            "snr_db",
            "cosine",
            "gain",
            "gain_limit",
            "decisions",
            "flips",
            "clear_flips",
        )
        unrounded = {each.output: dataclasses.asdict(each) for each in self.unrounded}
        for figures in unrounded.values():
            del figures["output"]
        return {
            "ok": self.ok,
            "seed": seed,
            "cases": len(self.cases),
            "device": self.device,
            "framework": self.framework,
            "criterion": dataclasses.asdict(self.criterion),
            "reference": self.reference,
            **({"unrounded": plain(unrounded)} if unrounded else {}),
            "outputs": {
                output.output: plain({name: getattr(output, name) for name in names})
                for output in self.outputs
                if output.places == "real"
            },
            "checks": {check.name: check.ok for check in self.checks},
            **(self._metrics_for_manifest(data) if data is not None and self.metrics else {}),
        }

    def _metrics_for_manifest(self, data: DataUsed) -> dict[str, Any]:
        figures = {metric.metric: dataclasses.asdict(metric) for metric in self.metrics}
        for figure in figures.values():
            del figure["metric"]
        return {"data": dataclasses.asdict(data), "metrics": plain(figures)}


@dataclass(frozen=True)
class ParityReport:
    """The result of one parity run over a bundle.

    Attributes:
        task: Name of the task.
        source: The checkpoint that the eager model was built from; its hash is the manifest's.
        seed: Seed of the random ids.
        text: Whether the cases hold tokenised text; False for a bundle without a tokenizer.
        eager: The eager models of all frameworks, one entry each; empty where torch is the only one.
        artifacts: One verdict each.
        environment: Versions and machine.
        seconds: Time the run took.
        data: What task metrics were measured on, or None.
        quick: Whether it was the short run, of fewer cases.
        left_out: What such a run leaves out, in words.
        skipped: Artifacts of the bundle that nobody asked to check.
        comparison: What got worse than in an older report; None where there is none to compare with.
        skip: Targets that were to be left out, whether the bundle holds them or not.
    """

    task: str
    source: Source
    seed: int
    text: bool
    eager: tuple[EagerResult, ...]
    artifacts: tuple[ArtifactResult, ...]
    environment: Mapping[str, Any]
    seconds: float
    data: DataUsed | None = None
    quick: bool = False
    left_out: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    comparison: ReportComparison | None = None
    skip: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether at least one artifact was checked, and all of them and the eager models pass."""
        return (
            bool(self.artifacts)
            and all(artifact.ok for artifact in self.artifacts)
            and all(eager.ok for eager in self.eager)
        )

    @property
    def ok(self) -> bool:
        """Whether parity holds, and nothing got worse than in an older report, if there is one."""
        return self.holds and (self.comparison is None or self.comparison.ok)

    def artifact(self, file: str) -> ArtifactResult:
        """Return the verdict on the artifact with this main file.

        Raises:
            UnknownNameError: It was not checked.
        """
        for artifact in self.artifacts:
            if artifact.file == file:
                return artifact
        raise UnknownNameError("artifact of this report", file, [artifact.file for artifact in self.artifacts])

    def for_artifact(self, file: str) -> dict[str, Any]:
        """Return what the manifest keeps of the verdict on one artifact, as JSON values; see :meth:`artifact`."""
        return self.artifact(file).for_manifest(seed=self.seed, data=self.data)

    def worst(self) -> str:
        """Return in one line what is furthest from passing."""
        from albert_export.parity.render import worst

        return worst(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole report as JSON values. Numbers JSON lacks come as ``"inf"``, ``"-inf"`` and ``"nan"``."""
        eager = [{"ok": result.ok, **dataclasses.asdict(result)} for result in self.eager]
        artifacts = [
            {
                "ok": artifact.ok,
                **dataclasses.asdict(artifact),
                "metrics": [{"ok": metric.ok, **dataclasses.asdict(metric)} for metric in artifact.metrics],
            }
            for artifact in self.artifacts
        ]
        fields = {
            "schema_version": SCHEMA_VERSION,
            "ok": self.ok,
            "task": self.task,
            "source": dataclasses.asdict(self.source),
            "seed": self.seed,
            "text": self.text,
            "data": None if self.data is None else dataclasses.asdict(self.data),
            "seconds": round(self.seconds, 3),
            "environment": dict(self.environment),
            "quick": self.quick,
            "left_out": list(self.left_out),
            "skip": list(self.skip),
            "skipped": [dataclasses.asdict(each) for each in self.skipped],
            "comparison": None if self.comparison is None else self.comparison.to_dict(),
            "eager": eager,
            "artifacts": artifacts,
        }
        result: dict[str, Any] = plain(fields)
        return result

    def to_json(self) -> str:
        """Return :meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def to_markdown(self) -> str:
        """Return the report for people: a job summary, a pull request."""
        from albert_export.parity.markdown_report import markdown

        return markdown(self)

    def to_junit(self) -> str:
        """Return the report as the JUnit XML that continuous integration shows as tests."""
        from albert_export.parity.junit_report import junit

        return junit(self)

    def to_html(self) -> str:
        """Return the report as one page that needs nothing else."""
        from albert_export.parity.html_report import page

        return page(self)

    def summary_table(self) -> str:
        """Return the report in a few lines, for a terminal."""
        from albert_export.parity.render import summary

        return summary(self)


def plain(value: Any) -> Any:
    """Return ``value`` with what JSON lacks as text: NaN and infinities; tuples become lists."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value
