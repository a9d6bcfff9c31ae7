"""What the doctor found, as text for a person."""

from __future__ import annotations

from collections.abc import Sequence

from albert_export.doctor import Ability, Diagnosis
from albert_export.runtimes.advice import MEASURED, Advice
from albert_export.targets import get_target


def render(diagnosis: Diagnosis) -> str:
    """Return the diagnosis as text for a person."""
    machine = diagnosis.machine
    features = ", ".join(f"{flag} ({what})" for flag, what in machine.features.items())
    memory = f", {machine.memory_bytes / 2**30:.1f} GiB" if machine.memory_bytes else ""
    lines = [
        f"albert-export {diagnosis.tool}, {diagnosis.python}, {machine.system}",
        f"{machine.cpu}, {machine.threads} threads{memory}{f'; {features}' if features else ''}",
        "",
    ]
    for ability in diagnosis.abilities:
        state = "yes" if ability.able else f"no: needs {', '.join(ability.needs)}; fix: {ability.fix}"
        processors = f" for {', '.join(get_target(ability.target).compiled_for)}" if ability.verb == "compile" else ""
        by = f" with {ability.runtime}" if ability.runtime else ""
        lines.append(f"{ability.verb} {ability.target}{processors}{by}: {state}")
    if diagnosis.fastest:
        lines += ["", *(_told(advice, diagnosis.abilities) for advice in diagnosis.fastest)]
        lines.append(f"({MEASURED}; albert-export bench DIR --runtimes all measures it here)")
    lines += ["", *map(str, diagnosis.nvidia), ""]
    for package in diagnosis.packages:
        facts = ", ".join(
            f"{name.replace('_', ' ')}: {', '.join(value) if isinstance(value, list) else value}"
            for name, value in package.facts.items()
            if name != "version"
        )
        state = "" if package.state == "ok" else f" ({package.state}; {package.requirement} is asked for)"
        lines.append(f"{package.name} {package.installed or '-'}{state}{f'; {facts}' if facts else ''}")
    lines += [""] if diagnosis.problems or diagnosis.hints else []
    lines += [f"problem: {problem.what}; fix: {problem.fix}" for problem in diagnosis.problems]
    lines += [f"hint: {hint.what}; fix: {hint.fix}" for hint in diagnosis.hints]
    return "\n".join(lines)


def _told(advice: Advice, abilities: Sequence[Ability]) -> str:
    """Return the line that says which runtime to take, and how to get it where it is not there."""
    calibrated = " calibrated" if advice.calibrated else ""
    own = get_target(advice.target).own_runtime.name
    by = None if advice.runtime == own else advice.runtime
    runs = next(each for each in abilities if (each.target, each.verb, each.runtime) == (advice.target, "run", by))
    fix = "" if runs.able else f"; fix: {runs.fix}"
    return f"best for {advice.target} {advice.precision}{calibrated}: {advice.runtime}; {advice.why}{fix}"
