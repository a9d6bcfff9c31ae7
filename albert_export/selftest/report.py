"""What a self-test found: for each control and artifact, what caught it."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from albert_export._text import table
from albert_export.parity.report import ArtifactResult, OutputResult, plain

#: Version of the JSON form. 1, since 2026-11-28: everything below but ``by``; 2, since 2026-11-28: that too.
SCHEMA_VERSION = 2

#: What caught a control that the export itself refuses: the guarantee that no shared weight is stored twice. The
#: comparison has not seen it.
SHARING = "sharing"

Verdict = Literal["passes", "caught", "undetectable", "MISSED", "does not apply", "not tested"]


@dataclass(frozen=True)
class Trial:
    """One control on one artifact.

    Attributes:
        control: Name of the control; ``unchanged`` for the healthy export.
        file: The artifact's main file; in words what would have been made where it was not tested.
        target: Name of the target.
        precision: Name of the precision; None where the artifact was not made.
        verdict: ``caught``, as it should be; ``undetectable`` where the control changes less than the precision lets
            pass; ``MISSED`` where it changes more and passes all the same, or where the healthy export misses;
            ``passes`` of the healthy export; ``does not apply`` where the model cannot have this wrong; ``not tested``
            where the target is to be skipped.
        case: The case in which it was caught; None where it was not, or by a check of no single case.
        by: What caught it: ``max error``, ``SNR``, ``cosine``, ``gain``, ``decisions``, the kind of a fault, the name
            of a check, or ``sharing``, where the export was refused and nothing was compared; empty where nothing did.
        found: The first figure that failed; else why it was not caught.
        effect_db: What the control changes of the eager model in float64, against the spread of the output it changes
            most, in dB; minus infinity where it changes nothing. None where it was not measured.
        threshold_db: The noise that the criterion lets pass, in dB likewise; None where it was not tested.
    """

    control: str
    file: str
    target: str
    precision: str | None
    verdict: Verdict
    case: str | None
    found: str
    by: str = ""
    effect_db: float | None = None
    threshold_db: float | None = None


@dataclass(frozen=True)
class SelfTestReport:
    """The result of a self-test.

    Attributes:
        task: Name of the task.
        model: The checkpoint's name.
        controls: Name of each control -> what is wrong in it.
        trials: One for each control and artifact, in the order of the controls.
        seed: Of the random ids.
        seconds: Time that it took: exports, runs and comparisons.
    """

    task: str
    model: str
    controls: Mapping[str, str]
    trials: tuple[Trial, ...]
    seed: int
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether something was caught, and nothing that should be was missed."""
        verdicts = {trial.verdict for trial in self.trials}
        return "caught" in verdicts and "MISSED" not in verdicts

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values. Numbers JSON lacks come as ``"inf"``, ``"-inf"`` and ``"nan"``."""
        fields = {"schema_version": SCHEMA_VERSION, "ok": self.ok, **dataclasses.asdict(self)}
        result: dict[str, Any] = plain({**fields, "seconds": round(self.seconds, 3)})
        return result

    def to_json(self) -> str:
        """Return :meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def summary_table(self) -> str:
        """Return the report as a table and a line, for a terminal."""
        header = ("control", "artifact", "precision", "verdict", "by", "in the case", "because")
        rows = [
            (trial.control, trial.file, trial.precision, trial.verdict, trial.by, trial.case, trial.found)
            for trial in self.trials
        ]
        counts = Counter(trial.verdict for trial in self.trials)
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        refused = sum(trial.by == SHARING for trial in self.trials)
        told += f" ({refused} of them by sharing, before there was anything to compare)" if refused else ""
        verdict = "the comparator catches what it should" if self.ok else "SELF-TEST FAILED"
        return f"{table(rows, header)}\n{verdict}: {told}; {self.model}, {self.task}, {self.seconds:.0f} s"


def first_failure(result: ArtifactResult) -> tuple[str, str | None, str]:
    """Return by what an artifact misses parity, in which case (None for a check of no single case), and the figure.

    Args:
        result: A verdict that is a miss.
    """
    for fault in result.faults:
        return fault.kind, fault.case, f"{fault.output or 'the run'}: {fault.kind}, {fault.detail}"
    for output in result.outputs:
        if not output.ok:
            by, told = _figure(result, output)
            return by, output.worst_case or None, f"{output.output} at {output.places} places: {told}"
    for check in result.checks:
        if check.ok is False:
            return check.name, None, f"{check.name}: {check.detail}"
    return "verdict", None, "its verdict"


def _figure(result: ArtifactResult, output: OutputResult) -> tuple[str, str]:
    """Return the first figure of an output that does not meet the criterion, in the order in which it is judged."""
    criterion = result.criterion
    if not output.count:
        return "missing", "it was never compared"
    if not output.error <= output.limit:
        return "max error", f"max error {output.error:.2e}, limit {output.limit:.2e}"
    if criterion.least_snr_db is not None and not output.snr_db >= criterion.least_snr_db:
        return "SNR", f"SNR {output.snr_db:.1f} dB, at least {criterion.least_snr_db:g}"
    if criterion.least_cosine is not None and not output.cosine >= criterion.least_cosine:
        return "cosine", f"cosine {output.cosine:.4f}, at least {criterion.least_cosine:g}"
    if not abs(output.gain - 1) <= output.gain_limit:
        return "gain", f"gain {output.gain:.3f}, within 1 ± {output.gain_limit:.3f}"
    if output.clear_flips:
        return "decisions", f"{output.clear_flips} of {output.decisions} decisions flip clearly, none may"
    most = criterion.most_flips or 0
    return "decisions", f"{output.flips} of {output.decisions} decisions flip, at most {most:.0%}"
