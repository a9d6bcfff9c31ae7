"""What ``parity`` leaves behind: the reports, the record in the manifest, a picture; and the exit code.

The exit code is the verdict's. What cannot be written is told, and makes a pass exit code 2, but never hides a miss.
Where nothing could be checked, no report of an earlier run is left that would pass for one of this run.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from albert_export.cli.output import error_text
from albert_export.errors import AlbertExportError

if TYPE_CHECKING:
    from albert_export.parity import ParityReport

#: What a step may fail with and be told in a line.
_TOLD = (AlbertExportError, OSError)


@dataclass(frozen=True)
class ReportPlace:
    """Where the reports go.

    Attributes:
        directory: The bundle, or a directory of the user's own.
        folder: Folder in it; empty for none.
        forms: Forms that were asked for.
    """

    directory: Path
    folder: str
    forms: tuple[str, ...]

    @contextlib.contextmanager
    def none_left_of_earlier(self) -> Iterator[None]:
        """Where nothing could be checked, put that in the place of the reports of an earlier run."""
        try:
            yield
        except _TOLD as error:
            with contextlib.suppress(*_TOLD):  # the error that is raised is the one that matters
                from albert_export.parity import write_unchecked

                write_unchecked(error_text(error), self.directory, self.forms, folder=self.folder)
            raise


class Outcome:
    """A verdict that is on its way out.

    Args:
        report: What was found.

    Attributes:
        report: The same, with what :meth:`refine` added.
    """

    def __init__(self, report: ParityReport) -> None:
        self.report = report
        self._problems: list[Exception] = []

    def refine(self, step: Callable[[ParityReport], ParityReport]) -> None:
        """Add to the report. What fails is an error of the whole, unless there is a miss to be told.

        Raises:
            AlbertExportError, OSError: The step failed, and the report so far would pass.
        """
        try:
            self.report = step(self.report)
        except _TOLD as error:
            if self.report.ok:
                raise
            self._problems.append(error)

    def leave(self, step: Callable[[ParityReport], object]) -> None:
        """Write something. What fails is told at the end, after all that can be written."""
        try:
            step(self.report)
        except _TOLD as error:
            self._problems.append(error)

    def exit_code(self) -> int:
        """Tell what failed, and return 1 for a miss, else 2 where something failed, else 0."""
        for problem in self._problems:
            click.echo(f"error: {error_text(problem)}", err=True)
        if not self.report.ok:
            return 1
        return 2 if self._problems else 0
