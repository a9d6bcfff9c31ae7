"""Writing a verdict into the bundle it is about."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from albert_export.bundle import Bundle, BundleWriter
from albert_export.errors import ConflictError
from albert_export.parity.forms import write_reports
from albert_export.parity.report import ParityReport

#: How long to wait for another writer: a check may take minutes, and its result should not be lost to a passing one.
_PATIENCE_SECONDS = 10.0


def record_parity(bundle: Bundle, report: ParityReport, *, forms: Iterable[str] = ()) -> Bundle:
    """Put the verdicts into the manifest and the reports into ``parity/``; the bundle is replaced in one step.

    Where the manifest holds the same verdicts already, and no report is to be written, nothing is touched.

    Args:
        bundle: The bundle as it was checked.
        report: The result of :func:`albert_export.check_parity` on it.
        forms: Reports to write as well; see :func:`albert_export.parity.write_reports`.

    Raises:
        ConflictError: The bundle has changed since it was checked, or another writer is at work in it.
        BundleError: It cannot be written.
    """
    forms = tuple(forms)
    proven = {result.file: report.for_artifact(result.file) for result in report.artifacts}
    changed = [
        replace(artifact, parity=proven[artifact.file])
        for artifact in bundle.manifest.artifacts
        if artifact.file in proven and artifact.parity != proven[artifact.file]
    ]
    if not changed and not forms:
        return bundle
    manifest = bundle.manifest
    with BundleWriter(bundle.path, task=manifest.task, source=manifest.source, timeout=_PATIENCE_SECONDS) as writer:
        if writer.previous != manifest:
            raise ConflictError(
                f"the bundle {bundle.path} must stay as it was while its parity is checked",
                received="another manifest",
                fix="check it again",
            )
        for artifact in changed:
            writer.put_artifact(artifact)
        write_reports(report, writer.directory, forms)
        return writer.commit()
