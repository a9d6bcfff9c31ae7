"""Choosing the runtime that reads an artifact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from albert_export._imports import resolve
from albert_export._machine import cpu_features
from albert_export.errors import InputError
from albert_export.runtime_table import RuntimeRow, get_runtime, is_installed, parse_runtime
from albert_export.runtimes.advice import Advice, advise
from albert_export.targets import Target, get_target

if TYPE_CHECKING:
    from albert_export.bundle import Artifact, Bundle
    from albert_export.runtimes.protocol import Runtime

#: Stands for the runtime that :func:`albert_export.runtimes.advice.advise` names, where it is installed.
AUTO = "auto"


@dataclass(frozen=True)
class Chosen:
    """A runtime for an artifact.

    Attributes:
        row: The runtime's row.
        told: What it is told by name, a precision to compute in or what to run through; None for its choice.
        why: Why this one, where it was not named.
    """

    row: RuntimeRow
    told: str | None = None
    why: str | None = None

    def open(self, bundle: Bundle, artifact: Artifact, *, device: str = "auto", **options: Any) -> Runtime:
        """Load the artifact; see :meth:`Runtime.open`."""
        runtime_class: type[Runtime] = resolve(self.row.location)
        if self.told is not None:
            options["computes_in" if self.told in self.row.computes_in else "through"] = self.told
        opened = runtime_class.open(bundle, artifact, device=device, **options)
        # Only where all was left to us, and the CPU is what there is: elsewhere nothing was compared.
        if self.why is not None and device == "auto" and opened.device == "cpu":
            opened.reason = f"{opened.reason}; {self.why}"
        return opened


def choose_runtime(artifact: Artifact, name: str | None = None) -> Chosen:
    """Return the runtime of that name for the artifact.

    Args:
        artifact: What is to be read.
        name: As in the table of runtimes, with what it is told after a colon where it is; ``auto`` for the one that
            was measured to be the fastest here, if it is installed; None for the target's own.

    Raises:
        UnknownNameError: No runtime has the name.
        InputError: It does not read the artifact's target, or is not told that.
    """
    target = get_target(artifact.target)
    if name is None or name == AUTO:
        return _best(target, artifact, told=name is None)
    row, by_name = parse_runtime(name)
    if row.name not in target.runtimes:
        raise InputError(
            f"{target.title} artifacts are run by {' or '.join(target.runtimes)}",
            received=name,
            fix=f"name {target.runtimes[0]}" if len(target.runtimes) == 1 else "name one of them",
        )
    return Chosen(row, by_name)


def advise_for(artifact: Artifact) -> Advice:
    """Return the advice for one artifact on this processor."""
    calibrated = "calibration_texts" in artifact.facts
    return advise(get_target(artifact.target), artifact.precision, calibrated=calibrated, features=cpu_features())


def _best(target: Target, artifact: Artifact, *, told: bool) -> Chosen:
    """Return the target's own runtime, and say where another is faster; or, unless it is only told, that other."""
    own = target.own_runtime
    others = [row for row in map(get_runtime, target.runtimes[1:]) if is_installed(row)]
    if not others:
        return Chosen(own)
    advice = advise_for(artifact)
    if advice.runtime not in [row.name for row in others]:
        return Chosen(own, why=None if told else f"{own.name} reads it: {advice}")
    if told:
        return Chosen(own, why=f"runtime={advice.runtime} would be faster: {advice}")
    return Chosen(get_runtime(advice.runtime), why=f"{advice.runtime} reads it: {advice}")
