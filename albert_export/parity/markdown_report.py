"""The parity report as Markdown, for a job summary or a pull request: the verdict, an overview, then the details."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from albert_export._text import human_size
from albert_export.parity import matrix
from albert_export.parity.depth_plot import bars
from albert_export.parity.render import (
    HEADER,
    LOST_SHOWN,
    METRICS_HEADER,
    METRICS_NUMBERS,
    NUMBERS,
    circumstances,
    comparison_lines,
    divergence_line,
    fault_lines,
    furthest,
    mark,
    metric_cells,
    metrics_title,
    model_name,
    output_cells,
    rule_line,
    share_of_limit,
    shorten,
    verdict,
)
from albert_export.parity.report import ArtifactResult, DataUsed, EagerResult, ParityReport
from albert_export.targets import FRAMEWORKS

#: Flipped decisions of one artifact that are told; the JSON report has more.
_FLIPS_SHOWN = 10
_TEXT_SHOWN = 120


def markdown(report: ParityReport) -> str:
    """Return the whole report as Markdown."""
    lines = [
        f"# {_sign(report.ok)} {verdict(report)}: {report.task}",
        "",
        f"Compared with {model_name(report)} (sha256 `{report.source.sha256[:16]}…`), run eagerly in float64; "
        f"seed {report.seed}; {report.seconds:.1f} s.",
    ]
    if not report.text:
        lines += ["", "The bundle has no tokenizer: every case holds random ids."]
    lines += ["", *_overview(report)]
    lines += [line for told in circumstances(report) for line in ("", _literal(f"{told[0].upper()}{told[1:]}."))]
    if report.comparison is not None:
        first, *rest = comparison_lines(report.comparison)
        lines += ["", f"**{_literal(first)}**", "", *(f"- {_literal(line.strip())}" for line in rest)]
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


def _overview(report: ParityReport) -> list[str]:
    rows = []
    for artifact in report.artifacts:
        output = furthest(artifact)
        nearest = ("-", "-") if output is None else (output.output, f"{share_of_limit(output):.0%}")
        flips = sum(each.flips for each in artifact.outputs), sum(each.decisions for each in artifact.outputs)
        rows.append(
            (
                f"{_sign(artifact.ok)} {artifact.file}",
                artifact.precision,
                *nearest,
                f"{flips[0]} of {flips[1]}" if flips[1] else "-",
                str(len(artifact.faults)),
                human_size(artifact.size),
                "-" if artifact.memory is None else human_size(artifact.memory),
            )
        )
    rows += [(f"⏭️ {each.file}", "", "not checked", "", "", "", "", "") for each in report.skipped]
    header = ("artifact", "precision", "nearest to its limit", "of it", "flips", "faults", "size", "memory")
    return _table(header, rows, range(3, 8))


def _sign(ok: bool) -> str:
    return "✅" if ok else "❌"


def _artifact_markdown(artifact: ArtifactResult, data: DataUsed | None) -> list[str]:
    lines = [
        f"## {_sign(artifact.ok)} `{artifact.file}`",
        "",
        f"{artifact.precision}, layers {artifact.layers}, on {artifact.device}. {rule_line(artifact)}",
        "",
        *_table(
            (*HEADER[:-1], "verdict"),
            [output_cells(output) for output in artifact.outputs if output.count or not output.ok],
            NUMBERS,
        ),
    ]
    if artifact.faults:
        lines += ["", "**Faults**", "", *(f"- {_literal(text)}" for text in fault_lines(artifact))]
    if artifact.divergence is not None:
        lines += ["", f"**{_literal(divergence_line(artifact))}**"]
        if artifact.depth:
            lines += ["", "```text", *bars(artifact.depth), "```"]
    lines += ["", "| check | verdict | |", "|---|---|---|"]
    lines += [f"| {check.name} | {mark(check.ok)} | {_literal(check.detail)} |" for check in artifact.checks]
    if artifact.metrics:
        lines += ["", *_metrics_markdown(artifact, data)]
    if artifact.flipped:
        lines += ["", *_folded("Decisions that flip", _flips_table(artifact))]
    lines += ["", *_folded("Every case", _cases_table(artifact))]
    return lines


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    return [f"<details><summary>{title}</summary>", "", *lines, "", "</details>"]


def _flips_table(artifact: ArtifactResult) -> list[str]:
    rows = [
        (
            flip.output,
            flip.case,
            _literal(flip.at or "the row"),
            _literal(flip.expected),
            _literal(flip.got),
            f"{flip.margin:.2e}",
            "clear" if flip.clear else "a tie",
            _literal(shorten(flip.text, _TEXT_SHOWN)),
        )
        for flip in artifact.flipped[:_FLIPS_SHOWN]
    ]
    total = sum(output.flips for output in artifact.outputs if output.places == "real")
    header = ("output", "case", "at", "eager", "artifact", "margin", "", "text")
    table = _table(header, rows, range(5, 6))
    return table if len(rows) == total else [f"{len(rows)} of {total}:", "", *table]


def _metrics_markdown(artifact: ArtifactResult, data: DataUsed | None) -> list[str]:
    rows = list(map(metric_cells, artifact.metrics))
    title = metrics_title(data)
    lines = [f"{title[0].upper()}{title[1:]}; a drop is in points:", ""]
    lines += _table((*METRICS_HEADER[:-1], "verdict"), rows, METRICS_NUMBERS)
    if artifact.lost:
        named = ", ".join(f"`{name}`" for name in artifact.lost[:LOST_SHOWN])
        more = len(artifact.lost) - LOST_SHOWN
        lines += [
            "",
            _escape(f"Answered worse than by the eager model: {named}{f' and {more} more' if more > 0 else ''}."),
        ]
    return lines


def _eager_markdown(results: Sequence[EagerResult]) -> list[str]:
    rows = [
        (FRAMEWORKS[result.framework].title, *output_cells(output))
        for result in results
        for output in result.outputs
        if output.count or not output.ok
    ]
    return [
        f"## {_sign(all(result.ok for result in results))} Eager models in float32",
        "",
        "Each against PyTorch in float64, with PyTorch's own float32 noise as e0.",
        "",
        *_table(("framework", *HEADER[:-1], "verdict"), rows, range(NUMBERS.start + 1, NUMBERS.stop + 1)),
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


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: range) -> list[str]:
    rule = ["---:" if column in numbers else "---" for column in range(len(header))]
    return [_line(header), f"|{'|'.join(rule)}|", *map(_line, rows)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_escape, cells))} |"


def _escape(cell: str) -> str:
    return re.sub(r"(?<!\\)\|", r"\|", cell).replace("\n", " ")


def _literal(text: str) -> str:
    """Return text of others so that it shows as it is: no markup, no link, nobody mentioned."""
    return (
        re.sub(r"([\\`*_{}\[\]()#~|!])", r"\\\1", html.escape(text, quote=False))
        .replace("@", "&#64;")
        .replace("\n", " ")
    )
