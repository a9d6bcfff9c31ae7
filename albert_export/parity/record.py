"""Writing a verdict into the bundle it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from albert_export.bundle import Bundle, BundleWriter
from albert_export.errors import ConflictError
from albert_export.parity.report import ParityReport, write_reports


def record_parity(bundle: Bundle, report: ParityReport, *, forms: Iterable[str] = ()) -> Bundle:
    """Put the verdicts into the manifest and the reports into ``parity/``; the bundle is replaced in one step.

    Args:
        bundle: The bundle as it was checked.
        report: The result of :func:`albert_export.check_parity` on it.
        forms: Reports to write as well; see :func:`albert_export.parity.write_reports`.

    Raises:
        ConflictError: The bundle has changed since it was checked, or another writer is at work in it.
        BundleError: It cannot be written.
    """
    with BundleWriter(bundle.path, task=bundle.manifest.task, source=bundle.manifest.source) as writer:
        if writer.previous != bundle.manifest:
            raise ConflictError(
                f"the bundle {bundle.path} must stay as it was while its parity is checked",
                received="another manifest",
                fix="check it again",
            )
        for artifact in bundle.manifest.artifacts:
            if any(result.file == artifact.file for result in report.artifacts):
                writer.put_artifact(replace(artifact, parity=report.for_artifact(artifact.file)))
        write_reports(report, writer.directory, forms)
        return writer.commit()
