"""The parity report in a few lines for a terminal, and the words that all of its forms share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from albert_export.parity import matrix
from albert_export.parity.depth_plot import bars
from albert_export.parity.metrics import MetricResult
from albert_export.parity.oracle import TRUTH
from albert_export.parity.regression import ReportComparison
from albert_export.parity.report import ArtifactResult, DataUsed, EagerResult, OutputResult, ParityReport
from albert_export.targets import FRAMEWORKS

HEADER = ("output", "at", "max error", "limit", "e0", "scale", "SNR dB", "flips", "worst case", "")
#: The columns of numbers.
NUMBERS = range(2, 8)

METRICS_HEADER = ("metric", "before", "after", "drop", "allowed", "")
METRICS_NUMBERS = range(1, 5)
#: Items that are listed by name, of those that the artifact answers worse; the JSON report has them all.
LOST_SHOWN = 10

_FAULTS = {
    "failed": "failed",
    "missing": "is missing",
    "dtype": "has the wrong dtype",
    "shape": "has the wrong shape",
    "not finite": "is not finite",
}


def summary(report: ParityReport) -> str:
    """Return, for each artifact, a table of its outputs and a line for whatever else was found."""
    blocks = [_artifact_summary(artifact, report.data) for artifact in report.artifacts]
    blocks += [_eager_line(result) for result in report.eager if result.framework != TRUTH]
    table = matrix.rows(report)
    if table:
        blocks += ["all against torch in float64, at real places:", *_columns([matrix.HEADER, *table], matrix.NUMBERS)]
    said = "parity holds" if report.holds else "PARITY MISSED"
    count = sum(len(artifact.cases) for artifact in report.artifacts)
    kind = "text and random ids" if report.text else "random ids only: the bundle has no tokenizer"
    cases = f"{count} case{'' if count == 1 else 's'}"
    blocks.append(f"{said}: {cases} ({kind}) against {reference(report)}, {report.seconds:.1f} s")
    blocks += circumstances(report)
    if report.comparison is not None:
        blocks += comparison_lines(report.comparison)
    return "\n".join(blocks)


def verdict(report: ParityReport) -> str:
    """Return the verdict in a few words."""
    if not report.holds:
        return "Parity missed"
    old = "" if report.comparison is None else report.comparison.old
    return "Parity holds" if report.ok else f"Parity holds, but worse than in {old}"


def share_of_limit(output: OutputResult) -> float:
    """Return which share of the limit the largest error takes; above 1 is a miss."""
    if output.limit:
        return output.error / output.limit
    return math.inf if output.error else 0.0


def furthest(artifact: ArtifactResult) -> OutputResult | None:
    """Return the output that comes nearest to its limit or misses it by most; None where none was compared."""
    compared = [output for output in artifact.outputs if output.count]
    return max(compared, key=lambda output: (not output.ok, share_of_limit(output)), default=None)


def shorten(text: str, most: int) -> str:
    """Return the text in one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def circumstances(report: ParityReport) -> list[str]:
    """Return in lines what was left out of the run, and what was compared with another model than the checkpoint's."""
    lines = [line for artifact in report.artifacts for line in reference_lines(artifact)]
    lines += [f"a short run, without {', '.join(report.left_out)}"] if report.left_out else []
    return [*lines, *(f"not checked: {each.file}: {each.reason}" for each in report.skipped)]


def reference(report: ParityReport) -> str:
    """Return what the artifacts were compared with."""
    rounded, count = sum(bool(artifact.unrounded) for artifact in report.artifacts), len(report.artifacts)
    which = "" if rounded == count else f" for {rounded} of {count} artifacts"
    return f"{model_name(report)} in float64{f', its matrices rounded to int4{which}' if rounded else ''}"


def reference_lines(artifact: ArtifactResult) -> list[str]:
    """Return in a line what an artifact is compared with and its distance from the model as it is, if that is another.

    An artifact that equals a rounded model may answer otherwise than the model itself: a pass must not hide that.
    """
    if not artifact.unrounded:
        return []
    told = [
        f"{each.output} has SNR {each.snr_db:.1f} dB, max error {each.error:.2e}"
        + (f", {each.flips} of {each.decisions} decisions flip" if each.decisions else "")
        for each in artifact.unrounded
    ]
    return [
        f"{artifact.file} is compared with {artifact.reference}; to the model as it is, which is not judged, "
        f"{'; '.join(told)}"
    ]


def comparison_lines(comparison: ReportComparison) -> list[str]:
    """Return in lines what got worse than in an older report."""
    verdict = f"WORSE than in {comparison.old}" if comparison.worse else f"not worse than in {comparison.old}"
    lines = [f"{verdict}: {len(comparison.worse)} of {comparison.compared} figures"]
    return [*lines, *(f"  WORSE: {each.told()}" for each in comparison.worse), *(f"  {n}" for n in comparison.notes)]


def _artifact_summary(artifact: ArtifactResult, data: DataUsed | None) -> str:
    lines = [f"{artifact.file} ({artifact.precision}, {artifact.layers}) on {artifact.device}"]
    outputs = [output_cells(output) for output in artifact.outputs if output.count or not output.ok]
    lines += _columns([HEADER, *outputs], NUMBERS)
    lines += [f"  {mark(check.ok)}: {check.name}: {check.detail}" for check in artifact.checks]
    if artifact.metrics:
        lines.append(f"  {metrics_title(data)}:")
        lines += _columns([METRICS_HEADER, *map(metric_cells, artifact.metrics)], METRICS_NUMBERS)
        lines += [f"  MISS: {metric.told()}" for metric in artifact.metrics if not metric.ok]
    lines += [f"  MISS: {text}" for text in fault_lines(artifact)]
    if artifact.divergence is not None:
        lines.append(f"  {divergence_line(artifact)}")
        lines += [f"    {line}" for line in bars(artifact.depth)]
    return "\n".join(lines)


def _columns(rows: Sequence[Sequence[str]], numbers: range) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  "
        + "  ".join(
            cell.rjust(widths[column]) if column in numbers else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]


def metrics_title(data: DataUsed | None) -> str:
    """Return the title of the metrics' table."""
    assert data is not None, "metrics are measured on data"
    return f"task metrics on {data.name}, {data.items} items, before export and after"


def metric_cells(metric: MetricResult) -> tuple[str, ...]:
    """Return a metric as a row below :data:`METRICS_HEADER`."""
    figures = (f"{metric.before:.2f}", f"{metric.after:.2f}", f"{metric.drop:.2f}", f"{metric.max_drop:.2f}")
    return (metric.metric, *figures, mark(metric.ok))


def _eager_line(result: EagerResult) -> str:
    worst = max(result.outputs, key=lambda output: output.error / (output.limit or 1.0))
    verdict = "ok: the eager {} model equals" if result.ok else "MISS: the eager {} model differs from"
    return (
        f"{verdict.format(FRAMEWORKS[result.framework].title)} torch in float64: {worst.output} "
        f"max error {worst.error:.2e}, limit {worst.limit:.2e}"
    )


def rule_line(artifact: ArtifactResult) -> str:
    """Return the criterion of an artifact in a sentence."""
    criterion = artifact.criterion
    least, cosine, gain = criterion.least_snr_db, criterion.least_cosine, criterion.most_gain
    flips = criterion.most_flips
    also = [
        *([] if least is None else [f"SNR ≥ {least:g} dB"]),
        *([] if cosine is None else [f"cosine ≥ {cosine:g}"]),
        *([] if gain is None else [f"gain within 1 ± {gain:g} and three standard errors"]),
        *([] if flips is None else [f"at most {flips:.0%} of the decisions flip, and none clearly"]),
    ]
    unit = "spread" if criterion.lossy else "scale"
    meaning = "of what the inputs change in the output" if criterion.lossy else "of the output"
    return (
        f"An output passes where max |artifact − float64| ≤ {criterion.noise_factor:g} · e0 + "
        f"{criterion.scale_factor:g} · {unit}{''.join(f', {rule}' for rule in also)}, with e0 = max |eager "
        f"{FRAMEWORKS[artifact.framework].title} float32 − float64| and {unit} the root mean square {meaning}, "
        "pooled over all cases."
    )


def worst(report: ParityReport) -> str:
    """Return in one line what is furthest from passing: a fault, else the largest error, else a metric or a check."""
    for artifact in report.artifacts:
        if artifact.faults:
            return f"{artifact.file}: {fault_lines(artifact)[0]}"
    for result in report.eager:
        if not result.ok:
            return _eager_line(result).removeprefix("MISS: ")
    judged = [(artifact, output) for artifact in report.artifacts for output in artifact.outputs]
    missed = [pair for pair in judged if not pair[1].ok]
    failed = [(artifact, check) for artifact in report.artifacts for check in artifact.checks if check.ok is False]
    dropped = [(artifact, metric) for artifact in report.artifacts for metric in artifact.metrics if not metric.ok]
    if dropped and not missed:
        return f"{dropped[0][0].file}: {dropped[0][1].told()}"
    if failed and not missed:
        return f"{failed[0][0].file}: {failed[0][1].name}: {failed[0][1].detail}"
    if not judged:
        return "no artifact was compared"
    artifact, output = max(missed or judged, key=lambda pair: pair[1].error / (pair[1].limit or 1.0))
    criterion = artifact.criterion
    least, cosine, gain = criterion.least_snr_db, criterion.least_cosine, criterion.most_gain
    ratio = "" if least is None else f", SNR {output.snr_db:.1f} dB of at least {least:g}"
    angle = "" if cosine is None else f", cosine {output.cosine:.4f} of at least {cosine:g}"
    slope = "" if gain is None else f", gain {output.gain:.3f} of 1 ± {output.gain_limit:.3f}"
    flips = f", {output.flips} of {output.decisions} decisions flip, {output.clear_flips} clearly"
    return (
        f"{artifact.file}: {output.output} at {output.places} places: max error {output.error:.2e}, limit "
        f"{output.limit:.2e}{ratio}{angle}{slope}{flips if output.flips else ''}, in the case "
        f"{output.worst_case or 'none'}"
    )


def output_cells(output: OutputResult) -> tuple[str, ...]:
    """Return an output as a row below :data:`HEADER`."""
    figures = (f"{output.error:.2e}", f"{output.limit:.2e}", f"{output.e0:.2e}", f"{output.scale:.2e}")
    flips = f"{output.flips} of {output.decisions}" if output.decisions else "-"
    return (output.output, output.places, *figures, f"{output.snr_db:.1f}", flips, output.worst_case, mark(output.ok))


def mark(ok: bool | None) -> str:
    """Return a verdict in a word."""
    return "n/a" if ok is None else "ok" if ok else "MISS"


def fault_lines(artifact: ArtifactResult) -> list[str]:
    """Return each fault in one line."""
    return [
        f"{fault.case}: {fault.output or 'the run'} {_FAULTS[fault.kind]}: {fault.detail}" for fault in artifact.faults
    ]


def divergence_line(artifact: ArtifactResult) -> str:
    """Return in one line where the artifact diverges."""
    found = artifact.divergence
    assert found is not None, "callers look first"
    operator = f", {found.operator}" if found.operator else ""
    return (
        f"First divergence: {found.place}{operator}, output {found.output}, in the case {found.case} ({found.detail})"
    )


def model_name(report: ParityReport) -> str:
    """Return what the eager model was made of."""
    source = report.source
    revision = f" at {source.revision[:12]}" if source.revision else ""
    return f"the {source.kind} checkpoint {source.name}{revision}"
