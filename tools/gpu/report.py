"""The report: JSON for programs, Markdown for people, both of the same plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from albert_export.config import AlbertConfig
from tools.gpu.flops import matrix_flops
from tools.gpu.plan import GOAL

#: Of the measured peak, in the best precision below fp32, through the best way.
GOAL_SHARE = 0.5

#: Version of the JSON form.
SCHEMA_VERSION = 1


def complete(report: dict[str, Any], config: AlbertConfig) -> dict[str, Any]:
    """Add what follows from the measurements: operations a second, shares of the peak, and whether the goals are met.

    Args:
        report: ``machine``, ``device``, ``model``, ``checks``, ``peaks``, ``timings`` and ``skipped``, as the workers
            told them.
        config: Of the model that was timed.
    """
    peaks = {peak["precision"]: peak["tflops"] for peak in report["peaks"] if "tflops" in peak}
    for timing in report["timings"]:
        peak = peaks.get(timing["precision"])
        for row in timing["rows"]:
            if "median" in row:
                row["tflops"] = matrix_flops(config, *row["shape"]) / row["median"] / 1e12
                row["share"] = None if not peak else row["tflops"] / peak
    failed = [check for check in report["checks"] if not check["ok"]]
    # A way that cannot be opened is broken; a shape that finds no memory is a figure.
    unopened = [timing for timing in report["timings"] if "error" in timing]
    return {
        "schema_version": SCHEMA_VERSION,
        **report,
        "goals": goals(report["timings"]),
        "ok": not failed and not unopened and bool(report["checks"]),
    }


def goals(timings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the goals of the shape that speed is promised for, each met, missed or not measured (None)."""
    found = []
    for precision in ("fp16", "bf16"):
        rows = {
            timing["way"]: row
            for timing in timings
            if timing["precision"] == precision
            for row in timing["rows"]
            if tuple(row["shape"]) == GOAL and "median" in row
        }
        ours = {way: row for way, row in rows.items() if way not in ("torch", "torch.compile")}
        best = min(ours, key=lambda way: ours[way]["median"], default=None)
        share = None if best is None else ours[best].get("share")
        beside = rows.get("torch.compile")
        goal: dict[str, Any] = {"precision": precision, "best": best, "share": share, "ratio": None}
        goal["share_met"] = None if share is None else share >= GOAL_SHARE
        if best is not None and beside is not None:
            goal["ratio"] = ours[best]["median"] / beside["median"]
        goal["faster_met"] = None if goal["ratio"] is None else goal["ratio"] < 1
        found.append(goal)
    return found


def markdown(report: Mapping[str, Any]) -> str:
    """Return the report as Markdown."""
    machine = report["machine"]
    lines = [
        "# Checks on a GPU" if report["device"] == "cuda" else "# Checks, tried on the CPU",
        "",
        f"{report['date']}, {'; '.join(machine['gpus']) or 'no GPU'}; {machine['cpu']}, {machine['threads']} threads; "
        f"{machine['python']}, {machine['system']}",
        "",
        ", ".join(f"{name} {version}" for name, version in machine["packages"].items()),
        "",
        *(f"- {line}" for line in machine["nvidia"]),
        "",
        "## Export, run, parity",
        "",
        *_checks(report),
        "",
        f"## Speed, question answering, {report['model']}",
        "",
        *_peaks(report["peaks"]),
        "",
        *_timings(report["timings"]),
        *_goals(report["goals"]),
        "## Skipped",
        "",
        *([f"- {each['what']}: {each['why']}" for each in report["skipped"]] or ["Nothing."]),
    ]
    return "\n".join(lines) + "\n"


def _checks(report: Mapping[str, Any]) -> list[str]:
    checks = report["checks"]
    if not checks:
        return ["Nothing was checked."]
    columns = list(dict.fromkeys((check["way"], check["precision"]) for check in checks))
    cells = {(check["task"], check["way"], check["precision"]): _cell(check) for check in checks}
    tasks = list(dict.fromkeys(check["task"] for check in checks))
    planned = f" of {report['planned']}" if "planned" in report else ""
    lines = [
        f"{sum(check['ok'] for check in checks)}{planned} passed.",
        "",
        "Of heads the worst signal-to-noise ratio to the eager model in float64; of memory what a runtime takes.",
        "",
        f"| head | {' | '.join(f'{way} {precision}' for way, precision in columns)} |",
        f"|---|{'---:|' * len(columns)}",
    ]
    for task in tasks:
        lines.append(f"| {task} | {' | '.join(cells.get((task, *column), '-') for column in columns)} |")
    failed = [check for check in checks if not check["ok"]]
    if failed:
        lines += ["", *(f"- {_name(check)}: {check.get('error', 'it missed')}" for check in failed)]
    return lines


def _cell(check: Mapping[str, Any]) -> str:
    return str(check["figure"]) if check["ok"] else "**fails**"


def _name(check: Mapping[str, Any]) -> str:
    return f"{check['task']}, {check['way']} {check['precision']}"


def _peaks(peaks: Sequence[Mapping[str, Any]]) -> list[str]:
    told = [
        f"{peak['precision']} {peak['tflops']:.4g} TFLOP/s"
        if "tflops" in peak
        else f"{peak['precision']}: {peak['error']}"
        for peak in peaks
    ]
    return [f"Measured peak of dense matrix products: {', '.join(told) or 'not measured'}."]


def _timings(timings: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = []
    for precision in dict.fromkeys(timing["precision"] for timing in timings):
        chosen = [timing for timing in timings if timing["precision"] == precision]
        shapes = list(dict.fromkeys(tuple(row["shape"]) for timing in chosen for row in timing["rows"]))
        lines += [
            f"### {precision}: median ms of a run, and its share of the peak",
            "",
            f"| batch x tokens | {' | '.join(timing['way'] for timing in chosen)} |",
            f"|---|{'---:|' * len(chosen)}",
        ]
        for shape in sorted(shapes, key=lambda each: (each[0] * each[1], each)):
            rows = [next((row for row in timing["rows"] if tuple(row["shape"]) == shape), None) for timing in chosen]
            lines.append(f"| {shape[0]}x{shape[1]} | {' | '.join(map(_timed, rows))} |")
        troubles = [
            *(f"- {timing['way']}: {timing['error']}" for timing in chosen if "error" in timing),
            *(
                f"- {timing['way']} {row['shape'][0]}x{row['shape'][1]}: {row['error']}"
                for timing in chosen
                for row in timing["rows"]
                if "error" in row
            ),
        ]
        lines += ["", *troubles, *([""] if troubles else [])]
    return lines


def _timed(row: Mapping[str, Any] | None) -> str:
    if row is None or "median" not in row:
        return "-"
    share = "" if row.get("share") is None else f" ({row['share']:.0%})"
    return f"{row['median'] * 1e3:.4g}{share}"


def _goals(found: Sequence[Mapping[str, Any]]) -> list[str]:
    told = {True: "met", False: "missed", None: "not measured"}
    lines = [f"Goals at {GOAL[0]}x{GOAL[1]}:", ""]
    for goal in found:
        best = goal["best"] or "no way of ours"
        share = "" if goal["share"] is None else f", {goal['share']:.1%} with {best}"
        ratio = "" if goal["ratio"] is None else f", {goal['ratio']:.2f} of its time with {best}"
        lines += [
            f"- {goal['precision']}: at least {GOAL_SHARE:.0%} of the peak: {told[goal['share_met']]}{share}",
            f"- {goal['precision']}: faster than torch.compile: {told[goal['faster_met']]}{ratio}",
        ]
    return [*lines, ""]
