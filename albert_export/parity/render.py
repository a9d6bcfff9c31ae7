"""The parity report as text: a few lines for a terminal, Markdown for a job summary."""

from __future__ import annotations

from collections.abc import Sequence

from albert_export.parity.report import ArtifactResult, OutputResult, ParityReport

_HEADER = ("output", "at", "max error", "limit", "e0", "scale", "SNR dB", "worst case", "")

_FAULTS = {
    "failed": "failed",
    "missing": "is missing",
    "dtype": "has the wrong dtype",
    "shape": "has the wrong shape",
    "not finite": "is not finite",
}


def summary(report: ParityReport) -> str:
    """Return, for each artifact, a table of its outputs and a line for whatever else was found."""
    blocks = [_artifact_summary(artifact) for artifact in report.artifacts]
    verdict = "parity holds" if report.ok else "PARITY MISSED"
    count = sum(len(artifact.cases) for artifact in report.artifacts)
    kind = "text and random ids" if report.text else "random ids only: the bundle has no tokenizer"
    cases = f"{count} case{'' if count == 1 else 's'}"
    blocks.append(f"{verdict}: {cases} ({kind}) against {_model(report)} in float64, {report.seconds:.1f} s")
    return "\n".join(blocks)


def _artifact_summary(artifact: ArtifactResult) -> str:
    lines = [f"{artifact.file} ({artifact.precision}, {artifact.layers}) on {artifact.device}"]
    rows = [_HEADER, *(_cells(output) for output in artifact.outputs if output.count or not output.ok)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    numeric = range(2, 7)
    lines += [
        "  "
        + "  ".join(
            cell.rjust(widths[column]) if column in numeric else cell.ljust(widths[column])
            for column, cell in enumerate(row)
        ).rstrip()
        for row in rows
    ]
    lines += [f"  {_mark(check.ok)}: {check.name}: {check.detail}" for check in artifact.checks]
    lines += [f"  MISS: {text}" for text in _faults(artifact)]
    if artifact.divergence is not None:
        lines.append(f"  {_divergence(artifact)}")
    return "\n".join(lines)


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
        lines += ["", *_artifact_markdown(artifact)]
    lines += ["", "## Environment", ""]
    lines += [f"- {name}: {value}" for name, value in report.environment.items()]
    return "\n".join(lines) + "\n"


def _artifact_markdown(artifact: ArtifactResult) -> list[str]:
    lines = [
        f"## {'✅' if artifact.ok else '❌'} `{artifact.file}`",
        "",
        f"{artifact.precision}, layers {artifact.layers}, on {artifact.device}. An output passes where "
        f"max |artifact − float64| ≤ {artifact.noise_factor:g} · e0 + {artifact.scale_factor:g} · scale, with "
        "e0 = max |eager float32 − eager float64| and scale the root mean square of the output, pooled over all cases.",
        "",
        *_table(
            (*_HEADER[:-1], "verdict"),
            [_cells(output) for output in artifact.outputs if output.count or not output.ok],
            _HEADER.index("max error"),
        ),
    ]
    if artifact.faults:
        lines += ["", "**Faults**", "", *(f"- {text}" for text in _faults(artifact))]
    if artifact.divergence is not None:
        lines += ["", f"**{_divergence(artifact)}**"]
    lines += ["", "| check | verdict | |", "|---|---|---|"]
    lines += [f"| {check.name} | {_mark(check.ok)} | {_escape(check.detail)} |" for check in artifact.checks]
    lines += ["", *_cases_table(artifact)]
    return lines


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
    return _table(("case", "shape", "padding", *(f"max error of {name}" for name in names)), rows, 3)


def worst(report: ParityReport) -> str:
    """Return in one line what is furthest from passing: a fault, else the largest error, else a check."""
    for artifact in report.artifacts:
        if artifact.faults:
            return f"{artifact.file}: {_faults(artifact)[0]}"
    judged = [(artifact, output) for artifact in report.artifacts for output in artifact.outputs]
    missed = [pair for pair in judged if not pair[1].ok]
    failed = [(artifact, check) for artifact in report.artifacts for check in artifact.checks if check.ok is False]
    if failed and not missed:
        return f"{failed[0][0].file}: {failed[0][1].name}: {failed[0][1].detail}"
    if not judged:
        return "no artifact was compared"
    artifact, output = max(missed or judged, key=lambda pair: pair[1].error / (pair[1].limit or 1.0))
    return (
        f"{artifact.file}: {output.output} at {output.places} places: max error {output.error:.2e}, "
        f"limit {output.limit:.2e}, in the case {output.worst_case or 'none'}"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], first_number: int) -> list[str]:
    rule = ["---:" if column >= first_number else "---" for column in range(len(header))]
    return [_line(header), f"|{'|'.join(rule)}|", *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escape, cells))} |"


def _cells(output: OutputResult) -> tuple[str, ...]:
    figures = (f"{output.error:.2e}", f"{output.limit:.2e}", f"{output.e0:.2e}", f"{output.scale:.2e}")
    return (output.output, output.places, *figures, f"{output.snr_db:.1f}", output.worst_case, _mark(output.ok))


def _mark(ok: bool | None) -> str:
    return "n/a" if ok is None else "ok" if ok else "MISS"


def _faults(artifact: ArtifactResult) -> list[str]:
    return [
        f"{fault.case}: {fault.output or 'the run'} {_FAULTS[fault.kind]}: {fault.detail}" for fault in artifact.faults
    ]


def _divergence(artifact: ArtifactResult) -> str:
    found = artifact.divergence
    assert found is not None, "callers look first"
    return f"First divergence: {found.place}, output {found.output}, in the case {found.case} ({found.detail})"


def _model(report: ParityReport) -> str:
    source = report.source
    revision = f" at {source.revision[:12]}" if source.revision else ""
    return f"the {source.kind} checkpoint {source.name}{revision}"


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|").replace("\n", " ")
