"""From the figures of a comparison to a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from albert_export.bundle import Artifact
from albert_export.parity.cases import Case
from albert_export.parity.checks import Measured
from albert_export.parity.compare import Comparison, Places
from albert_export.parity.criteria import EAGER, Criterion, Pool, criterion_for
from albert_export.parity.flips import FlippedDecision
from albert_export.parity.histogram import histogram
from albert_export.parity.report import (
    ArtifactResult,
    CaseResult,
    CaseShape,
    CheckResult,
    EagerResult,
    OutputResult,
    UnroundedResult,
)
from albert_export.parity.rounding import reference_told, rounded_parts


def judge(
    artifact: Artifact,
    comparison: Comparison,
    cases: Sequence[Case],
    alone: Measured,
    again: Measured,
    typed: Measured,
    flipped: tuple[FlippedDecision, ...] = (),
) -> ArtifactResult:
    """Return the verdict on one artifact.

    Args:
        artifact: Its entry in the manifest.
        comparison: Its figures over all cases.
        cases: Those cases.
        alone: What :func:`albert_export.parity.checks.row_alone` measured.
        again: What :func:`albert_export.parity.checks.repeated` measured.
        typed: What :func:`albert_export.parity.checks.input_types` measured.
        flipped: What :func:`albert_export.parity.flips.tell_flips` tells.
    """
    criterion = criterion_for(artifact.precision)
    outputs = _judged(comparison.pools, criterion)
    limits = {output.output: output.limit for output in outputs if output.places == "real"}
    real = {name: pool for (name, places), pool in comparison.pools.items() if places == "real"}
    rows = {name: criterion.row_limit(pool) for name, pool in real.items()}
    repeats = {name: criterion.repeat_limit(pool) for name, pool in real.items()}
    return ArtifactResult(
        file=artifact.file,
        target=artifact.target,
        precision=artifact.precision,
        layers=artifact.layers,
        device=comparison.runtime.device,
        framework=comparison.framework,
        criterion=criterion,
        cases=tuple(CaseShape(case.name, case.shape, case.padding) for case in cases),
        outputs=outputs,
        by_case=tuple(
            CaseResult(case, output, pool.e0, pool.error, pool.error <= limits[output])
            for (case, output), pool in comparison.by_case.items()
        ),
        checks=(
            _finite(comparison),
            _check("row alone", alone, rows),
            _check("repeated run", again, repeats),
            _check("input types", typed, repeats),
            _dynamic_axes(comparison, cases),
        ),
        faults=tuple(comparison.faults),
        divergence=None,
        runtime=comparison.runtime.describe(),
        size=sum({record.sha256: record.size for record in artifact.files}.values()),
        flipped=flipped,
        reference=reference_told(rounded_parts(artifact)),
        unrounded=tuple(_unrounded(name, pool) for name, pool in comparison.unrounded.items()),
    )


def _unrounded(name: str, pool: Pool) -> UnroundedResult:
    return UnroundedResult(
        output=name,
        spread=pool.spread,
        error=pool.error,
        snr_db=pool.snr_db,
        cosine=pool.cosine,
        gain=pool.gain,
        decisions=pool.decisions,
        flips=len(pool.flipped),
    )


def judge_eager(framework: str, pools: Mapping[tuple[str, Places], Pool]) -> EagerResult:
    """Return the verdict on the eager model of a framework; see :meth:`albert_export.parity.compare.compare_eager`."""
    return EagerResult(framework, _judged(pools, EAGER))


def _judged(pools: Mapping[tuple[str, Places], Pool], criterion: Criterion) -> tuple[OutputResult, ...]:
    return tuple(
        OutputResult(
            output=name,
            places=places,
            count=pool.count,
            e0=pool.e0,
            scale=pool.scale,
            spread=pool.spread,
            error=pool.error,
            from_eager=pool.from_eager,
            limit=criterion.limit(pool),
            snr_db=pool.snr_db,
            cosine=pool.cosine,
            decisions=pool.decisions,
            flips=len(pool.flipped),
            clear_flips=pool.clear_flips,
            worst_case=pool.worst_case,
            # An output that was never compared must not pass; padding may be missing from all cases.
            ok=criterion.passes(pool) and (pool.count > 0 or places == "padding"),
            histogram=histogram(pool.errors),
            gain=pool.gain,
            gain_limit=criterion.gain_limit(pool),
        )
        for (name, places), pool in pools.items()
    )


def _finite(comparison: Comparison) -> CheckResult:
    found = [f"{fault.output} in {fault.case}" for fault in comparison.faults if fault.kind == "not finite"]
    detail = f"NaN or infinity in {', '.join(found)}" if found else "every number, at padding and in empty rows too"
    return CheckResult("finite", not found, detail)


def _dynamic_axes(comparison: Comparison, cases: Sequence[Case]) -> CheckResult:
    """Say at which sizes of each dynamic axis the artifact ran: one that was baked in works at one size only."""
    failed = {fault.case for fault in comparison.faults if fault.kind == "failed"}
    told, ok = [], True
    for place, axis in enumerate(map(str, comparison.runtime.task.inputs[0].axes)):
        if comparison.runtime.sizes.get(axis) is not None:
            continue
        offered = sorted({case.shape[place] for case in cases})
        ran = sorted({case.shape[place] for case in cases if case.name not in failed})
        ok = ok and ran == offered
        told.append(f"{axis} {', '.join(map(str, ran)) or 'never'}")
    if not told:
        return CheckResult("dynamic axes", None, "does not apply: every axis is fixed")
    return CheckResult("dynamic axes", ok, f"ran with {'; '.join(told)}")


def _margin(measured: Measured, limits: Mapping[str, float]) -> str:
    shares = [difference / limits[output] for output, difference in measured.differences.items() if limits[output]]
    return f"within the limits, of which the largest difference takes {max(shares, default=0.0):.1%}"


def _check(name: str, measured: Measured, limits: Mapping[str, float]) -> CheckResult:
    if measured.failed is not None:
        return CheckResult(name, False, f"{measured.detail}: {measured.failed}")
    if not measured.rows:
        return CheckResult(name, None, measured.detail)
    over = [
        f"{output} differs by {difference:.2e}, limit {limits[output]:.2e}"
        for output, difference in measured.differences.items()
        if not difference <= limits[output]
    ]
    compared = _margin(measured, limits) if measured.differences else "no output to compare"
    detail = f"{measured.detail}, {', '.join(over) or compared}"
    return CheckResult(name, bool(measured.differences) and not over, detail, measured.differences)
