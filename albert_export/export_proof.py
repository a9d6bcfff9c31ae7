"""The proof of an export: its reports, and what a miss is told as."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from albert_export.bundle import Artifact, BundleWriter
from albert_export.checkpoints import Checkpoint
from albert_export.errors import ParityError
from albert_export.targets import FRAMEWORKS

if TYPE_CHECKING:
    from albert_export.parity import ParityReport


def remove_reports(writer: BundleWriter) -> None:
    """Leave out the reports of the old bundle, which speak of an artifact that may be gone."""
    from albert_export.parity import REPORT_FILES

    for name in REPORT_FILES:
        writer.remove(name)


def prove(
    writer: BundleWriter,
    artifact: Artifact,
    checkpoint: Checkpoint,
    *,
    allow_random_head: bool,
    say: Callable[[str], None],
    data: str | os.PathLike[str] | None,
    max_drop: float | None,
) -> None:
    """Compare the new artifact, and the older ones of its target, with the eager model; write reports and verdicts.

    Raises:
        ParityError: One of them differs; the bundle that would have been written lies in ``OUT.rejected``.
    """
    from albert_export.parity import check_parity, write_reports

    say(f"parity: {artifact.file} against the eager model in float64")
    candidate = writer.candidate()
    older = [each.file for each in candidate.manifest.artifacts if each.target == artifact.target]
    older.remove(artifact.file)
    if older:
        say(f"parity: with it again {', '.join(older)}, which the bundle holds already")
    report: ParityReport = check_parity(
        candidate,
        model=checkpoint,
        targets=[artifact.target],
        allow_random_head=allow_random_head,
        data=data,
        max_drop=max_drop,
        progress=say,
    )
    write_reports(report, writer.directory)
    for proven in writer.candidate().manifest.artifacts:
        if proven.target == artifact.target:
            writer.put_artifact(dataclasses.replace(proven, parity=report.for_artifact(proven.file)))
    if not report.ok:
        raise _miss(report, artifact.file, writer.reject())


def _miss(report: ParityReport, new: str, rejected: Path) -> ParityError:
    """Return the error of a miss: older artifacts of the target are proven again, and one of them may have missed."""
    files = [result.file for result in report.artifacts if not result.ok]
    missed = [file if file == new else f"{file}, which the bundle held before," for file in files]
    if not missed:
        missed = [f"the eager {FRAMEWORKS[eager.framework].title} model" for eager in report.eager if not eager.ok]
    older = [file for file in files if file != new]
    received = report.worst()
    fix = f"read {rejected}/parity/report.md; the old bundle stays as it was"
    if older:
        # Exporting one of several proves the others again, which still miss.
        again = f"first export {older[0]} again, or " if len(older) == 1 else ""
        fix = f"{again}export {new} into another directory; {fix}"
        if new not in files:
            received = f"{received}; the new {new} passes"
    return ParityError(f"{' and '.join(missed)} must compute what the eager model computes", received=received, fix=fix)
