"""The forms a report is written in, and writing them: each file appears whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path

from albert_export.errors import BundleError, UnknownNameError
from albert_export.parity.junit_report import junit_error
from albert_export.parity.report import ParityReport

#: Name of a form -> the name of its file, and what writes it.
FORMS: dict[str, tuple[str, Callable[[ParityReport], str]]] = {
    "json": ("report.json", ParityReport.to_json),
    "junit": ("report.xml", ParityReport.to_junit),
    "markdown": ("report.md", ParityReport.to_markdown),
    "html": ("report.html", ParityReport.to_html),
}

#: Where the reports of a bundle lie, relative to it.
FOLDER = "parity"
REPORT_FILES = tuple(f"{FOLDER}/{file}" for file, _ in FORMS.values())


def write_reports(
    report: ParityReport,
    directory: str | os.PathLike[str],
    forms: Iterable[str] = tuple(FORMS),
    *,
    folder: str = FOLDER,
) -> tuple[Path, ...]:
    """Write the report into ``parity/`` of a bundle.

    Args:
        report: What to write.
        directory: The bundle's directory; any other is made if it is absent.
        forms: Keys of :data:`FORMS`.
        folder: Folder in it that the files go into; empty for none.

    Returns:
        The files, in the order of ``forms``.

    Raises:
        UnknownNameError: No such form; nothing is written.
        BundleError: A file cannot be written. The other forms are, and what stood in its place, of an earlier run, is
            removed where it can be.
    """
    forms = tuple(forms)
    for form in forms:
        if form not in FORMS:
            raise UnknownNameError("form of a report", form, tuple(FORMS))
    texts = [(FORMS[form][0], FORMS[form][1](report)) for form in forms]
    written, failed = [], []
    for name, text in texts:
        path = Path(directory, folder, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, text)
        except OSError as error:
            _remove(path)
            failed.append((path, error))
        else:
            written.append(path)
    if failed:
        path, first = failed[0]
        raise BundleError(
            "a parity report must be written where there is room for it",
            received=f"{path}: {first.strerror}",
            fix="choose another directory",
        ) from first
    return tuple(written)


def write_unchecked(
    told: str, directory: str | os.PathLike[str], forms: Iterable[str], *, folder: str = FOLDER
) -> None:
    """Put in the place of reports of an earlier run that nothing could be checked.

    JUnit says so in a test with an error; the other forms, which have no way to, are removed.

    Args:
        told: Why, in a line.
        directory: As for :func:`write_reports`.
        forms: Likewise.
        folder: Likewise.

    Raises:
        OSError: A file cannot be written.
    """
    for form in forms:
        path = Path(directory, folder, FORMS[form][0])
        _remove(path)
        if form == "junit":
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, junit_error(told))


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()


def _replace(path: Path, text: str) -> None:
    """Put a whole file in the place of another, which may be a hard link that a bundle shares with an older one."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with unfinished.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
