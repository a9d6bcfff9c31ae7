"""Every eager model and every artifact in one table, all against torch in float64: of int4, with rounded matrices."""

from __future__ import annotations

from collections.abc import Iterable

from albert_export.parity.report import OutputResult, ParityReport
from albert_export.targets import FRAMEWORKS

HEADER = ("computed by", "precision", "output", "max error", "of the limit", "SNR dB", "from its eager fp32", "")
#: The columns of numbers.
NUMBERS = range(3, 7)


def rows(report: ParityReport) -> list[tuple[str, ...]]:
    """Return a row for each eager model or artifact and each of its outputs, at real places.

    Nothing where there is one artifact and no other framework: then the artifact's own table says it all.
    """
    if not report.eager and len(report.artifacts) < 2:
        return []
    found: list[tuple[str, ...]] = []
    for eager in report.eager:
        found += _rows(f"eager {FRAMEWORKS[eager.framework].title}", "fp32", eager.outputs, apart=False)
    for artifact in report.artifacts:
        name = f"{artifact.file} (to rounded matrices)" if artifact.unrounded else artifact.file
        found += _rows(name, artifact.precision, artifact.outputs, apart=True)
    return found


def _rows(name: str, precision: str, outputs: Iterable[OutputResult], *, apart: bool) -> Iterable[tuple[str, ...]]:
    for output in outputs:
        if output.places == "real":
            share = f"{output.error / output.limit:.1%}" if output.limit else "-"
            yield (
                name,
                precision,
                output.output,
                f"{output.error:.2e}",
                share,
                f"{output.snr_db:.1f}",
                f"{output.from_eager:.2e}" if apart else "-",
                "ok" if output.ok else "MISS",
            )
