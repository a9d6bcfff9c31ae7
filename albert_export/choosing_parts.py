"""Leaving parts of a model in float32 whose integers cost too much: of the task's metric, or of parity itself.

The parts are tried one by one, those with the fewest bytes first: a part that brings the metric back costs that many
bytes and no more. Where none does alone, the one that helps most is left out for good, and the rest is tried again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from albert_export._text import human_size
from albert_export.artifact_making import ArtifactMaker
from albert_export.export_proof import Proof
from albert_export.parts import LEFT, told_left

if TYPE_CHECKING:
    from albert_export.parity import ParityReport
    from albert_export.parity.metrics import MetricResult
    from albert_export.parity.report import ArtifactResult


@dataclass(frozen=True)
class Trial:
    """What an artifact with some parts in float32 costs.

    Attributes:
        ok: Whether that is allowed.
        excess: How far it is from that; the smallest is the best.
        told: The figures, in words.
    """

    ok: bool
    excess: float
    told: str


def leave_costly_parts(maker: ArtifactMaker, proof: Proof, report: ParityReport, file: str) -> ParityReport:
    """Make the artifact again with fewer parts in integers, until it passes.

    Where a metric fell by more than is allowed, that is what a choice is measured by; where none did, the least
    signal-to-noise ratio of the outputs, in a short run of parity.

    Nothing is tried where something is wrong that no part can mend; nor where there are no integers, or those of one
    part only, of which one stays; nor, without a metric that fell, where parity compares with a model of the same
    integers: what misses there is no price of theirs.

    Args:
        maker: Has made the artifact in whole.
        proof: Has proven it.
        report: The result.
        file: The artifact.

    Returns:
        The report on the artifact that the bundle then holds: the first that passes, or the whole one as before.
    """
    from albert_export.parity.rounding import ROUNDED

    first = report.artifact(file)
    fallen = [metric for metric in first.metrics if not metric.ok]
    sizes = maker.quantized_bytes or {}
    others = [result.ok for result in report.artifacts if result is not first] + [eager.ok for eager in report.eager]
    if first.ok or first.faults or not all(others) or len(sizes) < 2 or (not fallen and maker.precision in ROUNDED):
        return report
    say, precision = maker.say, maker.precision
    cost: dict[str, Any]
    if fallen:
        worst = max(fallen, key=_excess)
        cost = {"metric": worst.metric, "drop": worst.drop, "max_drop": worst.max_drop}
        dropped = f"dropped {worst.metric} by {worst.drop:.2f} points, {worst.max_drop:.2f} allowed"
        before, aim = f"{worst.metric} {worst.before:.2f}", f"keeps {worst.metric} within the limit"
    else:
        cost = {"missed": report.worst().removeprefix(f"{file}: ")}
        dropped = f"missed parity ({cost['missed']})"
        before, aim = f"{_least_snr(first):.1f} dB", "meets parity"
    say(f"{precision} {dropped}: looking for the part that costs it")
    around = maker.target.around_integers
    if around != "fp32":
        cost["kept_in"] = around
    reports: list[ParityReport] = []

    def measure(left: Sequence[str]) -> Trial:
        kept = [part for part in sizes if part not in left]
        artifact = maker.make(kept, facts={LEFT: {"parts": list(left), **cost}}, keep=True)
        trial = _of_metrics(proof.measure(artifact)) if fallen else _of_parity(proof.judge(artifact))
        added = human_size(sum(sizes[part] for part in left))
        say(f"with {', '.join(left)} in {around} ({added} of it): {trial.told}, from {before}")
        return trial

    def holds() -> bool:
        reports.append(proof.of(file))
        return reports[-1].artifact(file).ok

    left = choose(sizes, measure, holds)
    if left is None:
        say(f"no part that {precision} leaves in {around} {aim}")
        maker.make()
        proof.record(report)
        return report
    maker.forget()
    say(told_left({"parts": left, **cost}, precision))
    return reports[-1]


def choose(
    sizes: Mapping[str, int], measure: Callable[[Sequence[str]], Trial], holds: Callable[[], bool]
) -> tuple[str, ...] | None:
    """Return the parts to leave in float32, in the order of ``sizes``, or None where no choice is good enough.

    At least one part stays in integers.

    Args:
        sizes: Part -> bytes of its float32 matrices, of the parts that have any in integers.
        measure: Makes the artifact with these parts in float32, and tells what that costs.
        holds: Whether what was made last passes parity in whole; asked only where the trial is good enough.
    """
    left: tuple[str, ...] = ()
    while len(left) < len(sizes) - 1:
        tried: list[tuple[float, int, str]] = []
        for part in sorted(sizes.keys() - set(left), key=lambda part: (sizes[part], part)):
            now = tuple(each for each in sizes if each in (*left, part))
            trial = measure(now)
            if trial.ok and holds():
                return now
            tried.append((trial.excess, sizes[part], part))
        left = (*left, min(tried)[2])
    return None


def _of_metrics(metrics: Sequence[MetricResult]) -> Trial:
    told = ", ".join(f"{metric.metric} {metric.after:.2f}" for metric in metrics)
    return Trial(all(metric.ok for metric in metrics), max(map(_excess, metrics)), told)


def _of_parity(result: ArtifactResult) -> Trial:
    return Trial(result.ok, -_least_snr(result), f"{_least_snr(result):.1f} dB")


def _least_snr(result: ArtifactResult) -> float:
    """Return the least signal-to-noise ratio of the outputs at real places, in dB."""
    return min(output.snr_db for output in result.outputs if output.places == "real")


def _excess(metric: MetricResult) -> float:
    """Return the points by which a metric fell beyond what is allowed."""
    return metric.drop - metric.max_drop
