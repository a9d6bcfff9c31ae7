"""From the figures of a comparison to a verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from albert_export.bundle import Artifact
from albert_export.parity.cases import Case
from albert_export.parity.checks import Measured
from albert_export.parity.compare import PLACES, Comparison
from albert_export.parity.criteria import criterion_for
from albert_export.parity.report import ArtifactResult, CaseResult, CaseShape, CheckResult, OutputResult


def judge(
    artifact: Artifact, comparison: Comparison, cases: Sequence[Case], alone: Measured, again: Measured
) -> ArtifactResult:
    """Return the verdict on one artifact.

    Args:
        artifact: Its entry in the manifest.
        comparison: Its figures over all cases.
        cases: Those cases.
        alone: What :func:`albert_export.parity.checks.row_alone` measured.
        again: What :func:`albert_export.parity.checks.repeated` measured.
    """
    criterion = criterion_for(artifact.precision)
    outputs = []
    limits: dict[str, float] = {}
    for spec in comparison.runtime.task.outputs:
        for places in PLACES:
            pool = comparison.pools[spec.name, places]
            limit = criterion.limit(pool.e0, pool.scale)
            if places == "real":
                limits[spec.name] = limit
            # An output that was never compared must not pass; padding may be missing from all cases.
            ok = pool.error <= limit and (pool.count > 0 or places == "padding")
            outputs.append(
                OutputResult(
                    output=spec.name,
                    places=places,
                    count=pool.count,
                    e0=pool.e0,
                    scale=pool.scale,
                    error=pool.error,
                    limit=limit,
                    snr_db=pool.snr_db,
                    worst_case=pool.worst_case,
                    ok=ok,
                )
            )
    return ArtifactResult(
        file=artifact.file,
        target=artifact.target,
        precision=artifact.precision,
        layers=artifact.layers,
        device=comparison.runtime.device,
        noise_factor=criterion.noise_factor,
        scale_factor=criterion.scale_factor,
        cases=tuple(CaseShape(case.name, case.shape, case.padding) for case in cases),
        outputs=tuple(outputs),
        by_case=tuple(
            CaseResult(case, output, pool.e0, pool.error, pool.error <= limits[output])
            for (case, output), pool in comparison.by_case.items()
        ),
        checks=(_finite(comparison), _check("row alone", alone, limits), _check("repeated run", again, limits)),
        faults=tuple(comparison.faults),
        divergence=None,
        runtime=comparison.runtime.describe(),
    )


def _finite(comparison: Comparison) -> CheckResult:
    found = [f"{fault.output} in {fault.case}" for fault in comparison.faults if fault.kind == "not finite"]
    detail = f"NaN or infinity in {', '.join(found)}" if found else "every number, at padding and in empty rows too"
    return CheckResult("finite", not found, detail)


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
    compared = "within the limits" if measured.differences else "no output to compare"
    detail = f"{measured.detail}, {', '.join(over) or compared}"
    return CheckResult(name, bool(measured.differences) and not over, detail, measured.differences)
