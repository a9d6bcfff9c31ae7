"""Doing what the plan says, each part in a process of its own, within the time there is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.gpu.plan import Check, Here, Skipped, Timing, plan_checks, plan_memory_checks, plan_timings, usable
from tools.gpu.workers import run_worker

Say = Callable[[str], None]
Work = Callable[..., Iterator[dict[str, Any]]]

#: Share of the time that checks may take; timing gets what is left.
_CHECKS_SHARE = 0.6


@dataclass(frozen=True)
class Settings:
    """What is asked for.

    Attributes:
        device: ``cuda`` or ``cpu``.
        tasks: Heads.
        precisions: Precisions, of checks and timings.
        batches: Rows of the shapes that are timed.
        sequences: Tokens of a row.
        checked_model: What is exported, run and compared: a built-in model or a directory.
        timed_model: Directory of the model that is timed.
        allow_random_head: Whether heads that the checked model lacks are filled.
        scratch: Where artifacts go.
        seconds: Time for each shape.
        minutes: Time for all of it.
        peak_sizes: Sizes of the matrices whose product is timed.
        ways: Names of the ways to look at; None for all.
    """

    device: str
    tasks: tuple[str, ...]
    precisions: tuple[str, ...]
    batches: tuple[int, ...]
    sequences: tuple[int, ...]
    checked_model: str
    timed_model: str
    allow_random_head: bool
    scratch: Path
    seconds: float
    minutes: float
    peak_sizes: tuple[int, ...]
    ways: tuple[str, ...] | None = None


@dataclass
class Found:
    """What was found so far, as JSON values.

    Attributes:
        checks: One entry for each check.
        planned: How many checks this machine has the parts for.
        peaks: One for each precision.
        timings: One for each way in each precision.
        skipped: What was not done.
    """

    checks: list[dict[str, Any]] = field(default_factory=list)
    planned: int = 0
    peaks: list[dict[str, Any]] = field(default_factory=list)
    timings: list[dict[str, Any]] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def drive(here: Here, settings: Settings, say: Say, *, work: Work = run_worker) -> Found:
    """Check and time everything that this machine can.

    Args:
        here: What it has.
        settings: What is asked for.
        say: Gets a line for everything that is done or skipped.
        work: Runs a worker; see :func:`tools.gpu.workers.run_worker`.
    """
    found = Found()
    until = time.time() + 60 * settings.minutes
    ways, skipped = usable(here)
    if settings.ways is not None:
        ways = [way for way in ways if way.name in settings.ways]
        skipped = [each for each in skipped if each.what in settings.ways]
    for each in skipped:
        say(f"skipped: {each.what}: {each.why}")
    found.skipped += skipped
    checks_until = time.time() + 60 * settings.minutes * _CHECKS_SHARE
    checks = plan_checks(ways, settings.tasks, settings.precisions)
    # The memory of each in a process of its own: what was run before would be in the figures.
    groups = [[check for check in checks if check.way == way.name] for way in ways]
    if settings.device != "cuda":
        found.skipped.append(Skipped("checks of memory", "a CPU has none of its own"))
        say(f"skipped: checks of memory: {found.skipped[-1].why}")
    groups = [group for group in groups if group] + [[each] for each in plan_memory_checks(ways, settings.device)]
    found.planned = sum(map(len, groups))
    for index, group in enumerate(groups):
        # An equal share of what is left for each that is to come: a slow one takes nothing from the others.
        left = max(checks_until - time.time(), 0.0)
        _check(group, settings, found, time.time() + left / (len(groups) - index), say, work)
    timings = plan_timings(ways, settings.precisions, settings.batches, settings.sequences)
    if timings:
        framework = next((name for name in ("torch", "jax") if here.lacks.get(name) is None), None)
        _measure_peaks(timings, framework, settings, found, until, say, work)
    for index, timing in enumerate(timings):
        left = max(until - time.time(), 0.0)
        _time(timing, settings, found, time.time() + left / (len(timings) - index), say, work)
    return found


def _check(checks: Sequence[Check], settings: Settings, found: Found, until: float, say: Say, work: Work) -> None:
    """Do the checks of one way; after one that ends the process, the rest in another."""
    left = list(checks)
    while left:
        seconds = until - time.time()
        if seconds <= 0:
            found.skipped.append(_unchecked(left, "no time was left"))
            say(f"skipped: {found.skipped[-1].what}: {found.skipped[-1].why}")
            return
        asked = {
            "checks": [vars(check) for check in left],
            "model": settings.checked_model,
            "timed": settings.timed_model,
            "device": settings.device,
            "scratch": str(settings.scratch),
            "allow_random_head": settings.allow_random_head,
        }
        done, begun, ended, late = 0, False, None, False
        for line in work("tools.gpu.check_worker", asked, seconds=seconds):
            if "begins" in line:
                begun = True
            elif "ended" in line:
                ended, late = line["ended"], bool(line.get("late"))
            else:
                found.checks.append(line)
                say(_told(line))
                done, begun = done + 1, False
        left = left[done:]
        if not left:
            return
        why = ended or "the process told nothing of it"
        if late:
            continue
        found.checks.append({**vars(left[0]), "ok": False, "error": why, "seconds": None})
        say(_told(found.checks[-1]))
        left = left[1:]
        if left and not begun:  # it cannot even start: none of them can
            found.skipped.append(_unchecked(left, why))
            say(f"skipped: {found.skipped[-1].what}: {why}")
            return


def _unchecked(checks: Sequence[Check], why: str) -> Skipped:
    first = checks[0]
    more = f" and {len(checks) - 1} more" if len(checks) > 1 else ""
    return Skipped(f"checks of {first.way}: {first.task} {first.precision}{more}", why)


def _told(check: Mapping[str, Any]) -> str:
    seconds = "" if check.get("seconds") is None else f" in {check['seconds']:.1f} s"
    name = f"{check['way']}, {check['task']}, {check['precision']}"
    if check["ok"]:
        return f"ok: {name} on {check['device']}: {check['figure']}{seconds}"
    return f"FAILS: {name}: {check.get('error', 'it missed')}{seconds}"


def _measure_peaks(
    timings: Sequence[Timing],
    framework: str | None,
    settings: Settings,
    found: Found,
    until: float,
    say: Say,
    work: Work,
) -> None:
    if framework is None:
        found.skipped.append(Skipped("peak of matrix products", "neither torch nor JAX reaches the device"))
        say(f"skipped: peak of matrix products: {found.skipped[-1].why}")
        return
    asked = {
        "framework": framework,
        "precisions": list(dict.fromkeys(timing.precision for timing in timings)),
        "device": settings.device,
        "sizes": list(settings.peak_sizes),
        "seconds": settings.seconds,
    }
    for line in work("tools.gpu.peak_worker", asked, seconds=max(until - time.time(), 1.0)):
        if "ended" in line:
            found.skipped.append(Skipped("peak of matrix products", line["ended"]))
            say(f"skipped: peak of matrix products: {line['ended']}")
            continue
        found.peaks.append(line)
        figure = f"{line['tflops']:.4g} TFLOP/s" if "tflops" in line else line["error"]
        say(f"peak of matrix products, {line['precision']}: {figure}")


def _time(timing: Timing, settings: Settings, found: Found, until: float, say: Say, work: Work) -> None:
    name = f"{timing.way}, {timing.precision}"
    seconds = until - time.time()
    if seconds < settings.seconds:
        found.skipped.append(Skipped(f"timing of {name}", "no time was left"))
        say(f"skipped: timing of {name}: no time was left")
        return
    asked = {
        "way": timing.way,
        "precision": timing.precision,
        "shapes": [list(shape) for shape in timing.shapes],
        "model": settings.timed_model,
        "device": settings.device,
        "scratch": str(settings.scratch),
        "seconds": settings.seconds,
        "until": until,
    }
    result: dict[str, Any] = {"way": timing.way, "precision": timing.precision, "rows": []}
    found.timings.append(result)
    untimed = 0
    # A shape that has begun may end, and what was exported be removed.
    for line in work("tools.gpu.bench_worker", asked, seconds=seconds + 60):
        if line.get("late"):
            found.skipped.append(
                Skipped(f"timing of {name} from its shape {len(result['rows']) + 1} on", line["ended"])
            )
            say(f"skipped: {found.skipped[-1].what}: {line['ended']}")
        elif "ended" in line:
            result["error"] = line["ended"]
        elif "shape" not in line:
            result |= line
        elif "skipped" in line:
            untimed += 1
        else:
            result["rows"].append(line)
            shape = "x".join(map(str, line["shape"]))
            say(f"{name}, {shape}: " + (f"{line['median'] * 1e3:.4g} ms" if "median" in line else line["error"]))
    if "error" in result:
        say(f"FAILS: timing of {name}: {result['error']}")
    if untimed:
        found.skipped.append(Skipped(f"timing of {name} at {untimed} of its shapes", "no time was left"))
        say(f"skipped: {found.skipped[-1].what}: no time was left")
