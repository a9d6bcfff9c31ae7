"""The parity report as text: a few lines for a terminal, Markdown for a job summary."""

from __future__ import annotations

from collections.abc import Sequence

from albert_export.parity import matrix
from albert_export.parity.depth_plot import bars
from albert_export.parity.metrics import MetricResult
from albert_export.parity.oracle import TRUTH
from albert_export.parity.report import ArtifactResult, DataUsed, EagerResult, OutputResult, ParityReport
from albert_export.targets import FRAMEWORKS

_HEADER = ("output", "at", "max error", "limit", "e0", "scale", "SNR dB", "flips", "worst case", "")
#: The columns of numbers.
_NUMBERS = range(2, 8)

_METRICS_HEADER = ("metric", "before", "after", "drop", "allowed", "")
_METRICS_NUMBERS = range(1, 5)
#: Items that are listed by name, of those that the artifact answers worse; the JSON report has them all.
_LOST_SHOWN = 10

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
    verdict = "parity holds" if report.ok else "PARITY MISSED"
    count = sum(len(artifact.cases) for artifact in report.artifacts)
    kind = "text and random ids" if report.text else "random ids only: the bundle has no tokenizer"
    cases = f"{count} case{'' if count == 1 else 's'}"
    blocks.append(f"{verdict}: {cases} ({kind}) against {_model(report)} in float64, {report.seconds:.1f} s")
    return "\n".join(blocks)


def _artifact_summary(artifact: ArtifactResult, data: DataUsed | None) -> str:
    lines = [f"{artifact.file} ({artifact.precision}, {artifact.layers}) on {artifact.device}"]
    outputs = [_cells(output) for output in artifact.outputs if output.count or not output.ok]
    lines += _columns([_HEADER, *outputs], _NUMBERS)
    lines += [f"  {_mark(check.ok)}: {check.name}: {check.detail}" for check in artifact.checks]
    if artifact.metrics:
        lines.append(f"  {_metrics_title(data)}:")
        lines += _columns([_METRICS_HEADER, *map(_metric_cells, artifact.metrics)], _METRICS_NUMBERS)
        lines += [f"  MISS: {metric.told()}" for metric in artifact.metrics if not metric.ok]
    lines += [f"  MISS: {text}" for text in _faults(artifact)]
    if artifact.divergence is not None:
        lines.append(f"  {_divergence(artifact)}")
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


def _metrics_title(data: DataUsed | None) -> str:
    assert data is not None, "metrics are measured on data"
    return f"task metrics on {data.name}, {data.items} items, before export and after"


def _metric_cells(metric: MetricResult) -> tuple[str, ...]:
    figures = (f"{metric.before:.2f}", f"{metric.after:.2f}", f"{metric.drop:.2f}", f"{metric.max_drop:.2f}")
    return (metric.metric, *figures, _mark(metric.ok))


def _eager_line(result: EagerResult) -> str:
    worst = max(result.outputs, key=lambda output: output.error / (output.limit or 1.0))
    verdict = "ok: the eager {} model equals" if result.ok else "MISS: the eager {} model differs from"
    return (
        f"{verdict.format(FRAMEWORKS[result.framework].title)} torch in float64: {worst.output} "
        f"max error {worst.error:.2e}, limit {worst.limit:.2e}"
    )


def markdown(report: ParityReport) -> str:
    """Return the whole report as Markdown."""
    verdict = "✅ Parity holds" if report.ok else "❌ Parity missed"
    lines = [
        f"# {verdict}: {report.task}",
        "",
        f"Compared with {_model(report)} (sha256 `{report.source.sha256[:16]}…`), run eagerly in float64; "
        f"seed {report.seed}; {report.seconds:.1f} s.",
    ]
    if not report.text:
        lines += ["", "The bundle has no tokenizer: every case holds random ids."]
    for artifact in report.artifacts:
        lines += ["", *_artifact_markdown(artifact, report.data)]
    if report.eager:
        lines += ["", *_eager_markdown(report.eager)]
    table = matrix.rows(report)
    if table:
        lines += ["", "## All against PyTorch in float64, at real places", ""]
        lines += _table((*matrix.HEADER[:-1], "verdict"), table, matrix.NUMBERS)
    lines += ["", "## Environment", ""]
    lines += [f"- {name}: {value}" for name, value in report.environment.items()]
    return "\n".join(lines) + "\n"


def _artifact_markdown(artifact: ArtifactResult, data: DataUsed | None) -> list[str]:
    lines = [
        f"## {'✅' if artifact.ok else '❌'} `{artifact.file}`",
        "",
        f"{artifact.precision}, layers {artifact.layers}, on {artifact.device}. {_rule(artifact)}",
        "",
        *_table(
            (*_HEADER[:-1], "verdict"),
            [_cells(output) for output in artifact.outputs if output.count or not output.ok],
            _NUMBERS,
        ),
    ]
    if artifact.faults:
        lines += ["", "**Faults**", "", *(f"- {text}" for text in _faults(artifact))]
    if artifact.divergence is not None:
        lines += ["", f"**{_divergence(artifact)}**"]
    if artifact.depth:
        lines += ["", "```text", *bars(artifact.depth), "```"]
    lines += ["", "| check | verdict | |", "|---|---|---|"]
    lines += [f"| {check.name} | {_mark(check.ok)} | {_escape(check.detail)} |" for check in artifact.checks]
    if artifact.metrics:
        lines += ["", *_metrics_markdown(artifact, data)]
    lines += ["", *_cases_table(artifact)]
    return lines


def _metrics_markdown(artifact: ArtifactResult, data: DataUsed | None) -> list[str]:
    rows = list(map(_metric_cells, artifact.metrics))
    title = _metrics_title(data)
    lines = [f"{title[0].upper()}{title[1:]}; a drop is in points:", ""]
    lines += _table((*_METRICS_HEADER[:-1], "verdict"), rows, _METRICS_NUMBERS)
    if artifact.lost:
        named = ", ".join(f"`{name}`" for name in artifact.lost[:_LOST_SHOWN])
        more = len(artifact.lost) - _LOST_SHOWN
        lines += [
            "",
            _escape(f"Answered worse than by the eager model: {named}{f' and {more} more' if more > 0 else ''}."),
        ]
    return lines


def _rule(artifact: ArtifactResult) -> str:
    criterion = artifact.criterion
    least, cosine, flips = criterion.least_snr_db, criterion.least_cosine, criterion.most_flips
    also = [
        *([] if least is None else [f"SNR ≥ {least:g} dB"]),
        *([] if cosine is None else [f"cosine ≥ {cosine:g}"]),
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


def _eager_markdown(results: Sequence[EagerResult]) -> list[str]:
    rows = [
        (FRAMEWORKS[result.framework].title, *_cells(output))
        for result in results
        for output in result.outputs
        if output.count or not output.ok
    ]
    return [
        f"## {'✅' if all(result.ok for result in results) else '❌'} Eager models in float32",
        "",
        "Each against PyTorch in float64, with PyTorch's own float32 noise as e0.",
        "",
        *_table(("framework", *_HEADER[:-1], "verdict"), rows, range(_NUMBERS.start + 1, _NUMBERS.stop + 1)),
    ]


def _cases_table(artifact: ArtifactResult) -> list[str]:
    names = [output.output for output in artifact.outputs if output.places == "real"]
    errors = {(result.case, result.output): result for result in artifact.by_case}

    def cell(case: str, output: str) -> str:
        result = errors.get((case, output))
        return "not compared" if result is None else f"{result.error:.2e}{'' if result.ok else ' MISS'}"

    rows = [
        (case.name, "×".join(map(str, case.shape)), case.padding, *(cell(case.name, name) for name in names))
        for case in artifact.cases
    ]
    header = ("case", "shape", "padding", *(f"max error of {name}" for name in names))
    return _table(header, rows, range(3, len(header)))


def worst(report: ParityReport) -> str:
    """Return in one line what is furthest from passing: a fault, else the largest error, else a metric or a check."""
    for artifact in report.artifacts:
        if artifact.faults:
            return f"{artifact.file}: {_faults(artifact)[0]}"
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
    least = artifact.criterion.least_snr_db
    ratio = "" if least is None else f", SNR {output.snr_db:.1f} dB of at least {least:g}"
    flips = f", {output.clear_flips} of {output.decisions} decisions flipped clearly" if output.clear_flips else ""
    return (
        f"{artifact.file}: {output.output} at {output.places} places: max error {output.error:.2e}, "
        f"limit {output.limit:.2e}{ratio}{flips}, in the case {output.worst_case or 'none'}"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: range) -> list[str]:
    rule = ["---:" if column in numbers else "---" for column in range(len(header))]
    return [_line(header), f"|{'|'.join(rule)}|", *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escape, cells))} |"


def _cells(output: OutputResult) -> tuple[str, ...]:
    figures = (f"{output.error:.2e}", f"{output.limit:.2e}", f"{output.e0:.2e}", f"{output.scale:.2e}")
    flips = f"{output.flips} of {output.decisions}" if output.decisions else "-"
    return (output.output, output.places, *figures, f"{output.snr_db:.1f}", flips, output.worst_case, _mark(output.ok))


def _mark(ok: bool | None) -> str:
    return "n/a" if ok is None else "ok" if ok else "MISS"


def _faults(artifact: ArtifactResult) -> list[str]:
    return [
        f"{fault.case}: {fault.output or 'the run'} {_FAULTS[fault.kind]}: {fault.detail}" for fault in artifact.faults
    ]


def _divergence(artifact: ArtifactResult) -> str:
    found = artifact.divergence
    assert found is not None, "callers look first"
    operator = f", {found.operator}" if found.operator else ""
    return (
        f"First divergence: {found.place}{operator}, output {found.output}, in the case {found.case} ({found.detail})"
    )


def _model(report: ParityReport) -> str:
    source = report.source
    revision = f" at {source.revision[:12]}" if source.revision else ""
    return f"the {source.kind} checkpoint {source.name}{revision}"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
