"""Comparing a report with an older one of the same model: what got worse, and by how much.

Every figure has a threshold, since rounding, the processor and the allocator move it a little from run to run.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export._text import human_size
from albert_export.errors import InputError

if TYPE_CHECKING:
    from albert_export.parity.report import ParityReport

#: An error may grow to this multiple of the old one, and by this multiple of ``e0`` besides: in fp32 a correct artifact
#: of a base model lies 1.1 e0 from the truth in the middle, and 2.2 at most (docs/parity.md).
ERROR_FACTOR, NOISE_FACTOR = 1.25, 1.0
#: The signal-to-noise ratio of a lower precision may fall by this many dB: 1.25 times the error.
SNR_DB = 2.0
#: Above it there is no noise that anybody would find.
_NO_NOISE_DB = 100.0
#: So many decisions more may flip, or this share of all of them.
FLIPS, FLIPS_SHARE = 2, 0.01
#: Points by which a metric on data may fall further below the eager model's than before.
METRIC_POINTS = 0.5
#: Growth of the files; of the memory, which below some bytes is the allocator's.
SIZE_SHARE = 0.01
MEMORY_SHARE, MEMORY_BYTES = 0.10, 4_000_000

_READ = (1, 2, 3)
_FIX = "give the report.json of an earlier run on the same checkpoint and task"


@dataclass(frozen=True)
class Worse:
    """One thing that got worse.

    Attributes:
        artifact: Main file of the artifact.
        what: What got worse: ``size``, ``memory``, ``case text`` …
        old: What it was, in words.
        new: What it is.
        allowed: What would have passed.
    """

    artifact: str
    what: str
    old: str
    new: str
    allowed: str

    def told(self) -> str:
        """Return it in one line."""
        return f"{self.artifact}: {self.what} is {self.new}, was {self.old}, allowed {self.allowed}"


@dataclass(frozen=True)
class ReportComparison:
    """A report against an older one.

    Attributes:
        old: Last name of the older report's file.
        old_environment: Its versions and machine.
        compared: How many figures were compared.
        worse: What got worse.
        notes: What could not be compared, and why.
    """

    old: str
    old_environment: Mapping[str, Any]
    compared: int
    worse: tuple[Worse, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing got worse."""
        return not self.worse

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"ok": self.ok, **dataclasses.asdict(self)}


@dataclass(frozen=True)
class OldReport:
    """An older report, read and found to be one."""

    name: str
    fields: Mapping[str, Any]

    def check_subject(self, *, task: str, sha256: str, seed: int, quick: bool) -> None:
        """Check that it is of the same thing, looked at in the same way.

        Raises:
            InputError: It is of another task, checkpoint or set of cases: its figures say nothing about these.
        """
        for what, there, here in (
            ("task", self.fields["task"], task),
            ("checkpoint, by its sha256,", self.fields["source"]["sha256"], sha256),
            ("seed", self.fields["seed"], seed),
            ("cases (--quick or not)", _cases(bool(self.fields.get("quick", False))), _cases(quick)),
        ):
            if there != here:
                raise InputError(
                    f"an older report must have the {what} of this run: {here}",
                    received=f"{self.name}: {there}",
                    fix=_FIX,
                )


def read_old_report(path: str | os.PathLike[str]) -> OldReport:
    """Read an older report in its JSON form.

    Raises:
        InputError: It cannot be read, or is no parity report of a version that this release knows.
    """
    name = Path(path).name
    try:
        fields = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            "an older report must be a file that can be read", received=f"{path}: {error.strerror}", fix=_FIX
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError("an older report must be JSON", received=f"{path}: {error}", fix=_FIX) from None
    if not isinstance(fields, dict) or not {"schema_version", "task", "source", "artifacts"} <= set(fields):
        raise InputError("an older report must be a parity report", received=f"{path}, which is none", fix=_FIX)
    if fields["schema_version"] not in _READ:
        raise InputError(
            f"an older report must have schema_version {' or '.join(map(str, _READ))}",
            received=f"{path}: {fields['schema_version']}",
            fix="make it again with this release",
        )
    try:
        _check_fields(fields)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            "an older report must have the fields of one", received=f"{path}: {type(error).__name__} {error}", fix=_FIX
        ) from None
    return OldReport(name, fields)


def compare_reports(old: OldReport, report: ParityReport) -> ReportComparison:
    """Return what got worse.

    Raises:
        InputError: The older report is of something else, or of another runtime or device.
    """
    old.check_subject(task=report.task, sha256=report.source.sha256, seed=report.seed, quick=report.quick)
    now = report.to_dict()
    found = _Found(report)
    artifacts = {each["file"]: each for each in now["artifacts"]}
    same_data = _sha256(old.fields.get("data")) == _sha256(now["data"])
    for each in old.fields["artifacts"]:
        if each["file"] not in artifacts:
            found.gone(each["file"], each["target"])
            continue
        new = artifacts[each["file"]]
        _check_place(old.name, each, new)
        before, after = dict(_of_artifact(each)), dict(_of_artifact(new))
        if not same_data and each["metrics"] and new["metrics"]:
            before, after = _without_metrics(before), _without_metrics(after)
            found.notes.append(f"{each['file']}: the metrics are of other data than before, and not compared")
        found.compare(each["file"], before, after)
    eager = {name: _of_eager(each) for name, each in _eager(now).items()}
    for name, each in _eager(old.fields).items():
        if name in eager:
            found.compare(name, _of_eager(each), eager[name])
        else:  # it is looked at for the sake of artifacts, which are told themselves
            found.notes.append(f"{name} was looked at before, and not now: nothing that is checked was traced from it")
    known = {*(each["file"] for each in old.fields["artifacts"]), *_eager(old.fields)}
    found.notes += [f"{name} is new" for name in (*artifacts, *eager) if name not in known]
    return ReportComparison(old.name, old.fields["environment"], found.compared, tuple(found.worse), tuple(found.notes))


class _Found:
    """What a comparison has found so far.

    Attributes:
        compared: How many figures were compared.
        worse: What got worse.
        notes: What could not be compared, and why.
    """

    def __init__(self, report: ParityReport) -> None:
        self._report = report
        self.compared = 0
        self.worse: list[Worse] = []
        self.notes: list[str] = []

    def gone(self, file: str, target: str) -> None:
        """Take in an artifact that was checked before and is not now: nobody may lose one unsaid."""
        if target in self._report.skip:
            self.notes.append(f"{file} was checked before, and not now: {target} is to be skipped")
            return
        reason = next((each.reason for each in self._report.skipped if each.file == file), None)
        new = "not in the bundle" if reason is None else f"not checked: {reason}"
        self.worse.append(Worse(file, "the artifact", "checked", new, f"to be checked, or skipped by --skip {target}"))

    def compare(self, file: str, before: Mapping[str, _Figure], after: Mapping[str, _Figure]) -> None:
        """Compare the figures of one artifact, or of an eager model."""
        for what, figure in before.items():
            if what not in after:
                self._vanished(file, what, figure)
                continue
            self.compared += 1
            found = figure.against(after[what])
            if found is not None:
                self.worse.append(Worse(file, what, *found))
        self.notes += [f"{file}: {what} is new" for what in after if what not in before]

    def _vanished(self, file: str, what: str, figure: _Figure) -> None:
        data_left_out = figure.of_data and self._report.quick and self._report.data is None
        if figure.kind is _MEMORY or data_left_out:
            self.notes.append(f"{file}: {what} was measured before, and not now")
        else:  # a case, check or metric that is no longer looked at cannot miss
            old = figure.kind.shown(figure.value)
            self.worse.append(Worse(file, what, old, "not looked at any more", "to be looked at"))


def _sha256(data: Mapping[str, Any] | None) -> Any:
    return None if data is None else data["sha256"]


def _without_metrics(figures: Mapping[str, _Figure]) -> dict[str, _Figure]:
    return {what: figure for what, figure in figures.items() if not figure.of_data}


def _check_place(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Check that an artifact ran on the same device and in the same runtime: elsewhere all figures are others.

    Raises:
        InputError: It did not.
    """
    there, here = _place(old), _place(new)
    if there != here:
        raise InputError(
            f"an older report must have {new['file']} in the same runtime and on the same device: {here}",
            received=f"{name}: {there}",
            fix="give a report of the same --runtime and --device",
        )


def _place(artifact: Mapping[str, Any]) -> str:
    runtime = artifact["runtime"]
    packages = " and ".join(runtime.get("versions", {})) or "its own runtime"
    computes_in = f" in {runtime['computes_in']}" if runtime.get("computes_in") else ""
    return f"{packages}{computes_in} on {artifact['device']}"


def _cases(quick: bool) -> str:
    return "the few of --quick" if quick else "all"


@dataclass(frozen=True)
class _Kind:
    """How figures of one kind are compared and shown.

    Attributes:
        worst: From the old figure and its slack, the worst that passes.
        shown: The figure in words.
        sign: 1 where more is worse, -1 where less is.
    """

    worst: Callable[[float, float], float]
    shown: Callable[[float], str]
    sign: int = 1


@dataclass(frozen=True)
class _Figure:
    """A number of a report; what its slack is depends on the kind. That of a metric is ``of_data``."""

    kind: _Kind
    value: float
    slack: float = 0.0
    of_data: bool = False

    def against(self, new: _Figure) -> tuple[str, str, str] | None:
        """Return the old figure, the new one, which is worse, and the worst that passes, in words; None if none is."""
        allowed = self.kind.worst(self.value, max(self.slack, new.slack))
        if self.kind.sign * new.value <= self.kind.sign * allowed:
            return None
        shown = self.kind.shown
        grown = f" ({100 * (new.value / self.value - 1):+.1f}%)" if self.kind in (_SIZE, _MEMORY) and self.value else ""
        least = "at most" if self.kind.sign > 0 else "at least"
        return shown(self.value), f"{shown(new.value)}{grown}", f"{least} {shown(allowed)}"


#: 1 for a miss; its words name the verdict.
_VERDICT = _Kind(lambda old, _: old, lambda value: "a miss" if value else "a pass")
_ERROR = _Kind(lambda old, e0: ERROR_FACTOR * old + NOISE_FACTOR * e0, lambda value: f"{value:.2e}")
_SNR = _Kind(lambda old, _: old - SNR_DB, lambda value: f"{value:.1f} dB", sign=-1)
_FLIPS = _Kind(lambda old, count: old + max(FLIPS, int(FLIPS_SHARE * count)), lambda value: f"{value:.0f}")
_DROP = _Kind(lambda old, _: old + METRIC_POINTS, lambda value: f"a drop of {value:.2f} points")
_SIZE = _Kind(lambda old, _: old * (1 + SIZE_SHARE), human_size)
_MEMORY = _Kind(lambda old, _: max(old * (1 + MEMORY_SHARE), old + MEMORY_BYTES), human_size)


def _check_fields(fields: Mapping[str, Any]) -> None:
    """Read everything that a comparison reads.

    Raises:
        AttributeError, KeyError, TypeError, ValueError: Something is not there, or of another kind.
    """
    for each in fields["artifacts"]:
        dict(_of_artifact(each))
        _ = each["file"], each["target"], _place(each)
    for each in _eager(fields).values():
        _of_eager(each)
    _ = fields["source"]["sha256"], fields["seed"], dict(fields["environment"]), _sha256(fields.get("data"))


def _eager(fields: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {f"the eager {each['framework']} model": each for each in fields["eager"]}


def _of_eager(fields: Mapping[str, Any]) -> dict[str, _Figure]:
    return {"verdict": _Figure(_VERDICT, float(not fields["ok"]))}


def _of_artifact(fields: Mapping[str, Any]) -> Iterator[tuple[str, _Figure]]:
    faulty = {fault["case"] for fault in fields["faults"]} | {
        each["case"] for each in fields["by_case"] if not each["ok"]
    }
    for case in fields["cases"]:
        yield f"case {case['name']}", _Figure(_VERDICT, float(case["name"] in faulty))
    for check in fields["checks"]:
        if check["ok"] is not None:
            yield f"check {check['name']}", _Figure(_VERDICT, float(not check["ok"]))
    lossy = fields["criterion"]["least_snr_db"] is not None
    for output in fields["outputs"]:
        name = f"{output['output']} at {output['places']} places"
        yield f"verdict on {name}", _Figure(_VERDICT, float(not output["ok"]))
        if not output["count"]:
            continue
        yield f"error of {name}", _Figure(_ERROR, float(output["error"]), float(output["e0"]))
        if lossy and not math.isnan(float(output["snr_db"])):
            yield f"signal-to-noise ratio of {name}", _Figure(_SNR, min(_NO_NOISE_DB, float(output["snr_db"])))
        if output["decisions"]:
            yield f"flipped decisions of {name}", _Figure(_FLIPS, output["flips"], output["decisions"])
    for metric in fields["metrics"]:
        yield f"verdict on {metric['metric']}", _Figure(_VERDICT, float(not metric["ok"]), of_data=True)
        yield metric["metric"], _Figure(_DROP, float(metric["drop"]), of_data=True)
    if fields.get("size"):
        yield "size", _Figure(_SIZE, fields["size"])
    if fields.get("memory"):
        yield "memory", _Figure(_MEMORY, fields["memory"])
