"""The proof of an export: its reports, and what a miss is told as."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from albert_export.bundle import Artifact, Bundle, BundleWriter
from albert_export.checkpoints import Checkpoint
from albert_export.errors import InputError, ParityError
from albert_export.targets import FRAMEWORKS, Target

if TYPE_CHECKING:
    from albert_export.parity import ParityReport
    from albert_export.parity.data_check import EagerScores
    from albert_export.parity.metrics import MetricResult
    from albert_export.parity.report import ArtifactResult


def remove_reports(writer: BundleWriter) -> None:
    """Leave out the reports of the old bundle, which speak of an artifact that may be gone."""
    from albert_export.parity import REPORT_FILES

    for name in REPORT_FILES:
        writer.remove(name)


class Proof:
    """Proves artifacts of a bundle that is being written.

    Args:
        writer: The bundle.
        checkpoint: Where its weights come from.
        target: Whose artifacts are proven: a new one, and those of the old bundle beside it.
        allow_random_head: Whether a head that the checkpoint lacks is filled as the export filled it.
        data: Texts with the right answers; see :func:`albert_export.check_parity`.
        max_drop: The largest drop of a metric that passes; see there.
        say: Gets a line now and then.
    """

    def __init__(
        self,
        writer: BundleWriter,
        checkpoint: Checkpoint,
        target: Target,
        *,
        allow_random_head: bool,
        data: str | os.PathLike[str] | None,
        max_drop: float | None,
        say: Callable[[str], None],
    ) -> None:
        self._writer = writer
        self._checkpoint = checkpoint
        self._target = target
        self._allow_random_head = allow_random_head
        self._data = data
        self._max_drop = max_drop
        self._say = say
        self._eager_scores: EagerScores = {}

    def of(self, file: str) -> ParityReport:
        """Compare the new artifact, and the older ones, with the eager model; write reports and verdicts."""
        from albert_export.parity import check_parity

        self._say(f"parity: {file} against the eager model in float64")
        candidate = self._writer.candidate()
        older = [each.file for each in candidate.manifest.artifacts if each.target == self._target.name]
        older.remove(file)
        if older:
            self._say(f"parity: with it again {', '.join(older)}, which the bundle holds already")
        report = check_parity(
            candidate,
            model=self._checkpoint,
            targets=[self._target.name],
            allow_random_head=self._allow_random_head,
            data=self._data,
            max_drop=self._max_drop,
            eager_scores=self._eager_scores,
            progress=self._say,
        )
        self.record(report)
        return report

    def record(self, report: ParityReport) -> None:
        """Write a report on the bundle as it is now, and its verdicts."""
        from albert_export.parity import write_reports

        write_reports(report, self._writer.directory)
        for proven in self._writer.candidate().manifest.artifacts:
            if proven.target == self._target.name:
                self._writer.put_artifact(dataclasses.replace(proven, parity=report.for_artifact(proven.file)))

    def measure(self, artifact: Artifact) -> tuple[MetricResult, ...]:
        """Return the metrics of an artifact of the bundle, whose first form :meth:`of` has measured on the same data.

        Raises:
            BundleError: The artifact computes numbers that are not finite.
        """
        from albert_export.parity.data import choose_data
        from albert_export.parity.metrics import allowed_drop, compare, score
        from albert_export.parity.profiles import longest_of
        from albert_export.runtimes import load
        from albert_export.tokenization import load_tokenizer

        candidate = self._writer.candidate()
        data = choose_data(self._data, self._checkpoint.source, candidate.task)
        before = self._eager_scores[artifact.shapes.get("sequence") or longest_of(artifact, candidate.config)]
        assert data is not None, "metrics were measured"
        assert not isinstance(before, InputError), "metrics were measured"
        tokenizer = load_tokenizer(candidate.path, config=candidate.config)
        with load(candidate, file=artifact.file) as runtime:
            after = score(runtime, tokenizer, data)
        return compare(before, after, allowed_drop(artifact.precision, self._max_drop))

    def judge(self, artifact: Artifact) -> ArtifactResult:
        """Return the verdict of a short run, without data, on one artifact of the bundle alone."""
        from albert_export.parity import check_parity

        candidate = self._writer.candidate()
        report = check_parity(
            Bundle(candidate.path, dataclasses.replace(candidate.manifest, artifacts=(artifact,))),
            model=self._checkpoint,
            targets=[self._target.name],
            allow_random_head=self._allow_random_head,
            quick=True,
        )
        return report.artifact(artifact.file)

    def miss(self, report: ParityReport, file: str) -> ParityError:
        """Put the bundle that would have been written into ``OUT.rejected``, and return the error."""
        return _miss(report, file, self._writer.reject())


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
