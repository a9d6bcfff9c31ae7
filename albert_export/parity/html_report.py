"""The parity report as one page that needs nothing else: no network, and a policy that forbids it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from functools import partial
from importlib import resources

from albert_export._text import human_size
from albert_export.parity.charts import error_by_depth, error_histogram
from albert_export.parity.html_parts import Cell, number, percent, policy_hash, scrolling, sortable, table, text
from albert_export.parity.render import (
    circumstances,
    divergence_line,
    fault_lines,
    furthest,
    mark,
    metrics_title,
    model_name,
    rule_line,
    share_of_limit,
    verdict,
)
from albert_export.parity.report import ArtifactResult, OutputResult, ParityReport
from albert_export.targets import FRAMEWORKS

#: Shares of the limit from which a cell has the next colour.
_FAIR, _NEAR = 0.5, 0.8

_OUTPUT_HEADER = (
    "output", "at", "verdict", "max error", "limit", "of it", "e0", "scale", "SNR dB", "cosine", "gain", "flips",
    "clear", "worst case",
)  # fmt: skip

#: A part of the page: the name that links go to, its title, and what is in it as HTML.
Section = tuple[str, str, str]

#: A row of the matrix: its name, and what makes an artifact's cell.
_Row = tuple[str, Callable[[ArtifactResult], str]]


def page(report: ParityReport) -> str:
    """Return the whole report as one HTML page."""
    folder = resources.files("albert_export.parity")
    style = folder.joinpath("report.css").read_text(encoding="utf-8")
    script = folder.joinpath("report.js").read_text(encoding="utf-8")
    policy = f"default-src 'none'; style-src {policy_hash(style)}; script-src {policy_hash(script)}; img-src data:"
    sections = [section for section in (made(report) for made in _SECTIONS) if section is not None]
    links = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title, _ in sections)
    body = "".join(
        f'<section id="{name}" aria-labelledby="{name}-title"><h2 id="{name}-title">{title}</h2>{inner}</section>'
        for name, title, inner in sections
    )
    title = f"{verdict(report)}: {report.task}"
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="color-scheme" content="light dark">\n<title>{text(title)}</title>\n'
        f'<link rel="icon" href="data:,">\n<style>{style}</style>\n</head>\n<body>\n'
        f'<a class="jump" href="#matrix">To the matrix</a>\n{_header(report)}\n'
        f'<nav aria-label="Parts of the report"><ul>{links}</ul></nav>\n<main>{body}</main>\n'
        f"<footer><p>Written by albert-export {text(report.environment.get('albert-export', ''))}.</p></footer>\n"
        f"<script>{script}</script>\n</body>\n</html>\n"
    )


def _header(report: ParityReport) -> str:
    sign, kind = ("✓", "pass") if report.ok else ("✗", "miss")
    count = sum(len(artifact.cases) for artifact in report.artifacts)
    inputs = "text and random ids" if report.text else "random ids only, since the bundle has no tokenizer"
    told = [
        f"{len(report.artifacts)} artifact{'s' * (len(report.artifacts) != 1)} on {count} cases of {inputs}, compared "
        f"with {model_name(report)} (sha256 {report.source.sha256[:16]}…), run eagerly in float64."
    ]
    told += [f"{_capital(line)}." for line in circumstances(report)]
    paragraphs = "".join(f"<p>{text(line)}</p>" for line in told)
    return (
        f'<header><div class="verdict {"miss" if kind == "miss" else "holds"}"><p class="kind">Parity of '
        f'{text(report.task)}</p><h1><span aria-hidden="true">{sign}</span> {text(verdict(report))}</h1>{paragraphs}'
        f"</div>{_tiles(report)}</header>"
    )


def _capital(line: str) -> str:
    return line[:1].upper() + line[1:]


def _tiles(report: ParityReport) -> str:
    passed = sum(artifact.ok for artifact in report.artifacts)
    tiles = [("artifacts that pass", f"{passed} of {len(report.artifacts)}", "")]
    judged = [(artifact, output) for artifact in report.artifacts if (output := furthest(artifact)) is not None]
    if judged:
        artifact, output = max(judged, key=lambda pair: (not pair[1].ok, share_of_limit(pair[1])))
        tiles.append(
            ("largest error, of its limit", percent(share_of_limit(output)), f"{output.output} of {artifact.file}")
        )
    outputs = [output for artifact in report.artifacts for output in artifact.outputs]
    decisions = sum(output.decisions for output in outputs)
    if decisions:
        clear = sum(output.clear_flips for output in outputs)
        flips = sum(output.flips for output in outputs)
        tiles.append(("decisions that flip", f"{flips} of {decisions}", f"{clear} of them clearly"))
    faults = sum(len(artifact.faults) for artifact in report.artifacts)
    tiles.append(("faults", str(faults), "NaN, wrong shape, failed run …"))
    tiles.append(("time", f"{report.seconds:.1f} s", f"seed {report.seed}"))
    cells = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}{f'<small>{text(more)}</small>' if more else ''}</dd></div>"
        for name, value, more in tiles
    )
    return f'<dl class="tiles">{cells}</dl>'


def _worse(report: ParityReport) -> Section | None:
    comparison = report.comparison
    if comparison is None:
        return None
    rows = [list(map(Cell, (each.artifact, each.what, each.old, each.new, each.allowed))) for each in comparison.worse]
    inner = (
        table(("artifact", "what", "was", "is", "allowed"), rows, "What got worse")
        if rows
        else f"<p>None of {comparison.compared} figures got worse than its threshold allows.</p>"
    )
    notes = "".join(f"<li>{text(note)}</li>" for note in comparison.notes)
    return "worse", f"Against {text(comparison.old)}", inner + (f'<ul class="notes">{notes}</ul>' if notes else "")


def _findings(report: ParityReport) -> Section | None:
    lines = []
    for artifact in report.artifacts:
        lines += [f"{artifact.file}: {line}" for line in fault_lines(artifact)]
        lines += [f"{artifact.file}: {_told(output)}" for output in artifact.outputs if not output.ok]
        lines += [f"{artifact.file}: {check.name}: {check.detail}" for check in artifact.checks if check.ok is False]
        lines += [f"{artifact.file}: {metric.told()}" for metric in artifact.metrics if not metric.ok]
        lines += [] if artifact.divergence is None else [f"{artifact.file}: {divergence_line(artifact)}"]
    for eager in report.eager:
        title = f"the eager {FRAMEWORKS[eager.framework].title} model"
        lines += [f"{title}: {_told(output)}" for output in eager.outputs if not output.ok]
    if not lines:
        return None
    items = "".join(f"<li>{text(line)}</li>" for line in lines)
    return "findings", "What misses", f'<ul class="findings">{items}</ul>'


def _told(output: OutputResult) -> str:
    if not output.count:
        return f"{output.output} at {output.places} places was never compared"
    return (
        f"{output.output} at {output.places} places: max error {output.error:.2e}, limit {output.limit:.2e}, "
        f"SNR {output.snr_db:.1f} dB, cosine {output.cosine:.6f}, gain {output.gain:.4f}, {output.flips} of "
        f"{output.decisions} decisions flip, {output.clear_flips} clearly; the largest error is in the case "
        f"{output.worst_case or 'none'}"
    )


def _matrix(report: ParityReport) -> Section:
    heads = "".join(
        f'<th scope="col">{text(each.file)}<small>{text(each.precision)}, {text(each.layers)}, {text(each.device)}'
        "</small></th>"
        for each in report.artifacts
    )
    cases = list(dict.fromkeys(case.name for artifact in report.artifacts for case in artifact.cases))
    checks = list(dict.fromkeys(check.name for artifact in report.artifacts for check in artifact.checks))
    metrics = list(dict.fromkeys(metric.metric for artifact in report.artifacts for metric in artifact.metrics))
    in_all: list[_Row] = [("verdict", lambda artifact: _cell(artifact.ok, "pass" if artifact.ok else "miss"))]
    in_all.append(("size", lambda artifact: f"<td>{human_size(artifact.size)}</td>"))
    if any(artifact.memory is not None for artifact in report.artifacts):
        in_all.append(("memory", _memory_cell))
    groups = [
        ("cases", [(name, partial(_case_cell, name)) for name in cases]),
        ("checks", [(name, partial(_check_cell, name)) for name in checks]),
        ("data", [(name, partial(_metric_cell, name)) for name in metrics]),
    ]
    body = "".join(f"<tbody>{_group(name, rows, report)}</tbody>" for name, rows in groups if rows)
    foot = f"<tfoot>{_group('in all', in_all, report)}</tfoot>"
    key = (
        f'<ul class="key" aria-label="Colours"><li class="pass">below {_FAIR:.0%} of the limit</li>'
        f'<li class="fair">from {_FAIR:.0%}</li><li class="near">from {_NEAR:.0%}</li>'
        '<li class="missed">a miss</li><li class="none">does not apply</li></ul>'
    )
    matrix = (
        f'<table class="matrix sortable"><thead><tr><th scope="col">case or check</th>{heads}</tr></thead>'
        f"{body}{foot}</table>"
    )
    told = (
        "<p>A figure is the largest error of a case, as a share of the limit that the artifact has over all cases; "
        "a cell opens, by a tap or by keys, and tells more. Headings sort the rows of each group.</p>"
    )
    return "matrix", "Matrix", f"{told}{scrolling(matrix, 'Matrix')}{key}"


def _group(name: str, rows: Iterable[_Row], report: ParityReport) -> str:
    """Return the rows of a group below its name, which stays first however they are sorted."""
    width = 1 + len(report.artifacts)
    head = f'<tr class="group"><th colspan="{width}" scope="colgroup">{name}</th></tr>'
    cells = (f'<th scope="row">{text(row)}</th>{"".join(map(cell, report.artifacts))}' for row, cell in rows)
    return head + "".join(f"<tr>{inner}</tr>" for inner in cells)


def _case_cell(name: str, artifact: ArtifactResult) -> str:
    if name not in {case.name for case in artifact.cases}:
        return _empty("not run")
    faults = [line for fault, line in zip(artifact.faults, fault_lines(artifact), strict=True) if fault.case == name]
    limits = {output.output: output.limit for output in artifact.outputs if output.places == "real"}
    compared = [each for each in artifact.by_case if each.case == name]
    if faults:
        return _cell(False, "fault", "; ".join(faults), math.inf)
    if not compared:
        return _empty("not compared")
    told = "; ".join(f"{each.output}: max error {each.error:.2e}, limit {limits[each.output]:.2e}" for each in compared)
    ratios = [each.error / limits[each.output] if limits[each.output] else float(each.error > 0) for each in compared]
    share = max(ratios)
    ok = all(each.ok for each in compared)
    return _cell(ok, percent(share), told, share)


def _check_cell(name: str, artifact: ArtifactResult) -> str:
    for check in artifact.checks:
        if check.name == name:
            return _cell(check.ok, mark(check.ok), check.detail)
    return _empty("not run")


def _metric_cell(name: str, artifact: ArtifactResult) -> str:
    for metric in artifact.metrics:
        if metric.metric == name:
            return _cell(metric.ok, f"{metric.after:.2f}", metric.told())
    return _empty("not measured")


def _memory_cell(artifact: ArtifactResult) -> str:
    return "<td>–</td>" if artifact.memory is None else f"<td>{human_size(artifact.memory)}</td>"


def _empty(shown: str) -> str:
    return f'<td class="none" data-value="-1">{shown}</td>'


def _cell(ok: bool | None, shown: str, told: str = "", share: float = 0.0) -> str:
    """Return a cell whose colour says what its sign says too; what more there is to tell, it opens to show.

    Args:
        ok: The verdict; None for none.
        shown: What is always to be seen.
        told: What it opens for.
        share: Of the limit; what it is sorted by, after the verdict.
    """
    if ok is None:
        kind, sign = "none", "–"
    elif not ok:
        kind, sign = "missed", "✗"
    else:
        kind, sign = ("near" if share >= _NEAR else "fair" if share >= _FAIR else "pass"), "✓"
    inner = f"{sign} {text(shown)}"
    if told:
        inner = f"<details><summary>{inner}</summary><p>{text(told)}</p></details>"
    value = -1.0 if ok is None else share if ok else max(share, 1.0)
    return f'<td class="{kind}" data-value="{sortable(value)}">{inner}</td>'


def _outputs(report: ParityReport) -> Section:
    header = ("artifact", *_OUTPUT_HEADER)
    rows = [
        [Cell(artifact.file), *_output_cells(output)]
        for artifact in report.artifacts
        for output in artifact.outputs
        if output.count or not output.ok
    ]
    rules = "".join(
        f"<dt>{text(artifact.file)}</dt><dd>{text(rule_line(artifact))}</dd>" for artifact in report.artifacts
    )
    folded = f'<details><summary>The criteria</summary><dl class="facts">{rules}</dl></details>'
    return "outputs", "Outputs", table(header, rows, "Outputs over all cases") + folded


def _output_cells(output: OutputResult) -> list[Cell]:
    share = share_of_limit(output)
    return [
        Cell(output.output),
        Cell(output.places),
        _verdict_cell(output.ok),
        *(number(value, f"{value:.2e}") for value in (output.error, output.limit)),
        number(share, percent(share)),
        *(number(value, f"{value:.2e}") for value in (output.e0, output.scale)),
        number(output.snr_db, f"{output.snr_db:.1f}"),
        number(output.cosine, f"{output.cosine:.6f}"),
        number(output.gain, f"{output.gain:.4f}"),
        number(output.flips, f"{output.flips} of {output.decisions}" if output.decisions else "-"),
        number(output.clear_flips, str(output.clear_flips) if output.decisions else "-"),
        Cell(output.worst_case),
    ]


def _verdict_cell(ok: bool) -> Cell:
    return Cell(f"{'✓' if ok else '✗'} {mark(ok)}", kind="pass" if ok else "missed")


def _errors(report: ParityReport) -> Section | None:
    charts = [
        f"<figure><figcaption>{text(output.output)}<small>{text(artifact.file)}, real places, {output.count:,} numbers"
        f", {output.histogram.zeros:,} without error</small></figcaption>{error_histogram(output)}</figure>"
        for artifact in report.artifacts
        for output in artifact.outputs
        if output.places == "real" and output.histogram.counts
    ]
    if not charts:
        return None
    told = "<p>How many numbers have an error of which size; a bar is twice as large an error as the one before it.</p>"
    return "errors", "Errors by size", f'{told}<div class="charts">{"".join(charts)}</div>'


def _depth(report: ParityReport) -> Section | None:
    charts = [
        f"<figure><figcaption>Hidden states<small>{text(artifact.file)}</small></figcaption>"
        f"{error_by_depth(artifact.depth)}</figure>"
        for artifact in report.artifacts
        if artifact.depth
    ]
    if not charts:
        return None
    told = (
        "<p>How far the hidden states lie from those of the eager model after so many layers (0: the embeddings), "
        "beside the float32 noise of the eager model itself.</p>"
    )
    return "depth", "Error against depth", f'{told}<div class="charts">{"".join(charts)}</div>'


def _flips(report: ParityReport) -> Section | None:
    rows = [
        [
            *map(Cell, (artifact.file, flip.output, flip.case, flip.at or "the row", flip.expected, flip.got)),
            number(flip.margin, f"{flip.margin:.2e}"),
            Cell("clear", kind="missed") if flip.clear else Cell("a tie"),
            Cell(flip.text, kind="text"),
        ]
        for artifact in report.artifacts
        for flip in artifact.flipped
    ]  # fmt: skip
    if not rows:
        return None
    header = ("artifact", "output", "case", "at", "eager", "artifact decides", "margin", "", "text")
    told = "<p>Decisions that an artifact takes otherwise than the eager model, those with the widest margins.</p>"
    return "flips", "Decisions that flip", told + table(header, rows, "Decisions that flip")


def _metrics(report: ParityReport) -> Section | None:
    rows = [
        [
            Cell(artifact.file), Cell(metric.metric),
            *(number(value, f"{value:.2f}") for value in (metric.before, metric.after, metric.drop, metric.max_drop)),
            _verdict_cell(metric.ok),
        ]
        for artifact in report.artifacts
        for metric in artifact.metrics
    ]  # fmt: skip
    if not rows:
        return None
    lost = [
        f"<li>{text(artifact.file)} answers worse than the eager model: {text(', '.join(artifact.lost))}</li>"
        for artifact in report.artifacts
        if artifact.lost
    ]
    measured = table(("artifact", "metric", "before", "after", "drop", "allowed", "verdict"), rows, "Metrics")
    more = f'<ul class="notes">{"".join(lost)}</ul>' if lost else ""
    return "metrics", "Answers on data", f"<p>{text(_capital(metrics_title(report.data)))}.</p>{measured}{more}"


def _eager(report: ParityReport) -> Section | None:
    header = ("framework", *_OUTPUT_HEADER)
    rows = [
        [Cell(FRAMEWORKS[eager.framework].title), *_output_cells(output)]
        for eager in report.eager
        for output in eager.outputs
        if output.count or not output.ok
    ]
    if not rows:
        return None
    told = "<p>Each in float32 against PyTorch in float64, with PyTorch's own float32 noise as e0.</p>"
    return "eager", "Eager models", told + table(header, rows, "Eager models")


def _environment(report: ParityReport) -> Section:
    facts = {
        "checkpoint": model_name(report),
        "sha256": report.source.sha256,
        "seed": report.seed,
        **report.environment,
    }
    rows = "".join(f"<dt>{text(name)}</dt><dd>{text(value)}</dd>" for name, value in facts.items())
    return "environment", "Environment", f'<dl class="facts">{rows}</dl>'


_SECTIONS: tuple[Callable[[ParityReport], Section | None], ...] = (
    _findings,
    _worse,
    _matrix,
    _outputs,
    _errors,
    _depth,
    _flips,
    _metrics,
    _eager,
    _environment,
)
