"""Leaving parts of a model in float32 where their integers cost more of the task's metric than is allowed.

The parts are tried one by one, those with the fewest bytes first: a part that brings the metric back costs that many
bytes and no more. Where none does alone, the one that helps most is left out for good, and the rest is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from albert_export._text import human_size
from albert_export.artifact_making import ArtifactMaker
from albert_export.export_proof import Proof
from albert_export.parts import LEFT, told_left

if TYPE_CHECKING:
    from albert_export.parity import ParityReport
    from albert_export.parity.metrics import MetricResult


def leave_costly_parts(maker: ArtifactMaker, proof: Proof, report: ParityReport, file: str) -> ParityReport:
    """Make the artifact again with fewer parts in integers, until its metrics fall by no more than is allowed.

    Nothing is tried where no metric fell too far, or where something else misses that no part can mend; nor where there
    are no integers, or those of one part only, of which one stays.

    Args:
        maker: Has made the artifact in whole.
        proof: Has proven it.
        report: The result.
        file: The artifact.

    Returns:
        The report on the artifact that the bundle then holds: the first that passes, or the whole one as before.
    """
    first = report.artifact(file)
    fallen = [metric for metric in first.metrics if not metric.ok]
    sizes = maker.quantized_bytes or {}
    others = [result.ok for result in report.artifacts if result is not first] + [eager.ok for eager in report.eager]
    if not fallen or first.faults or not all(others) or len(sizes) < 2:
        return report
    worst = max(fallen, key=_excess)
    say, precision = maker.say, maker.precision
    say(
        f"{precision} dropped {worst.metric} by {worst.drop:.2f} points, {worst.max_drop:.2f} allowed: "
        "looking for the part that costs it"
    )
    reports: list[ParityReport] = []

    def measure(left: Sequence[str]) -> tuple[MetricResult, ...]:
        kept = [part for part in sizes if part not in left]
        metrics = proof.measure(maker.make(kept, facts={LEFT: _fact(left, worst)}, keep=True))
        figures = ", ".join(f"{metric.metric} {metric.after:.2f}" for metric in metrics)
        added = human_size(sum(sizes[part] for part in left))
        say(f"with {', '.join(left)} in fp32 ({added} of it): {figures}, from {worst.metric} {worst.before:.2f}")
        return metrics

    def holds() -> bool:
        reports.append(proof.of(file))
        return reports[-1].artifact(file).ok

    left = choose(sizes, measure, holds)
    if left is None:
        say(f"no part that {precision} leaves in fp32 keeps {worst.metric} within the limit")
        maker.make()
        proof.record(report)
        return report
    maker.forget()
    say(told_left(_fact(left, worst), precision))
    return reports[-1]


def choose(
    sizes: Mapping[str, int],
    measure: Callable[[Sequence[str]], Sequence[MetricResult]],
    holds: Callable[[], bool],
) -> tuple[str, ...] | None:
    """Return the parts to leave in float32, in the order of ``sizes``, or None where no choice is good enough.

    At least one part stays in integers.

    Args:
        sizes: Part -> bytes of its float32 matrices, of the parts that have any in integers.
        measure: Makes the artifact with these parts in float32, and returns its metrics.
        holds: Whether what was made last passes parity in whole; asked only where its metrics pass.
    """
    left: tuple[str, ...] = ()
    while len(left) < len(sizes) - 1:
        tried: list[tuple[float, int, str]] = []
        for part in sorted(sizes.keys() - set(left), key=lambda part: (sizes[part], part)):
            now = tuple(each for each in sizes if each in (*left, part))
            metrics = measure(now)
            if all(metric.ok for metric in metrics) and holds():
                return now
            tried.append((max(map(_excess, metrics)), sizes[part], part))
        left = (*left, min(tried)[2])
    return None


def _excess(metric: MetricResult) -> float:
    """Return the points by which a metric fell beyond what is allowed."""
    return metric.drop - metric.max_drop


def _fact(left: Sequence[str], worst: MetricResult) -> dict[str, Any]:
    """Return what the manifest keeps: the parts, and how far the metric fell with them in integers."""
    return {"parts": list(left), "metric": worst.metric, "drop": worst.drop, "max_drop": worst.max_drop}
