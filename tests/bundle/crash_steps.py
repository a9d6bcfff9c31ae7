"""Stops a writer at each of its steps, and looks at what is left; run as a program of its own.

A step is a call that changes the file system: creating, opening for writing, linking, renaming, deleting, syncing,
exchanging. At step N the child process ends without any cleaning up (``die``, as by ``kill -9``), or finds the disk
full (``full``), or is interrupted (``interrupt``, as by Ctrl-C); then the parent looks. N goes up until the child comes
through. It runs apart from pytest because it forks.

Usage: ``python -m tests.bundle.crash_steps ACTION MECHANISM MANNER``. Prints ``{"steps": …, "old": …, "new": …, "none":
…, "problems": [...]}`` as JSON: how many steps there were, how often the old bundle, the new one or none was there
afterwards, and everything that should not have been.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from albert_export.bundle import Bundle, BundleWriter, exchange
from albert_export.errors import BundleError
from tests.bundle.builders import SOURCE, TASK, fill, names, write_bundle

_CHANGING = {"os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.symlink", "os.truncate", "os.chmod"}
_KILLED = 137
_IN_MEMORY = "/dev/shm"  # where there is one, hundreds of small trees are made and deleted faster


class Steps:
    """Stops the process at the step of that number, in that manner."""

    def __init__(self, number: int, manner: str) -> None:
        self.left = number
        self.manner = manner
        self.stopped_at = ""

    def step(self, name: str) -> None:
        self.left -= 1
        if self.left != 0:
            return
        self.stopped_at = name
        if self.manner == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self.manner == "interrupt":
            raise KeyboardInterrupt
        os._exit(_KILLED)

    def watch(self) -> None:
        sys.addaudithook(self._audit)
        os.fsync = lambda descriptor: self.step("os.fsync")
        swap = exchange._renameat2()
        if swap is not None:

            def watched(*arguments: Any) -> int:
                self.step("renameat2")
                return swap(*arguments)

            exchange._renameat2 = lambda: watched  # type: ignore[assignment]

    def _audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _CHANGING or (event == "open" and _writes(arguments[2])):
            self.step(event)


def _writes(flags: object) -> bool:
    return isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) != 0


def replace(out: Path) -> None:
    write_bundle(out, {"onnx/model.onnx": "second"})


def add(out: Path) -> None:
    write_bundle(out, {"onnx/model_unrolled.onnx": "other"})


def reject(out: Path) -> None:
    with BundleWriter(out, task=TASK, source=SOURCE) as writer:
        fill(writer, {"onnx/model_unrolled.onnx": "other"})
        writer.reject()


def recover(out: Path) -> None:
    Bundle.open(out)


def carelessly(out: Path) -> None:
    """What the tester must catch: the new bundle is copied over the old one."""
    new = write_bundle(out.with_name("new"), {"onnx/model.onnx": "second"}).path
    shutil.rmtree(out)
    shutil.copytree(new, out)
    shutil.rmtree(new)


ACTIONS: dict[str, Callable[[Path], None]] = {
    "first": replace,
    "replace": replace,
    "add": add,
    "reject": reject,
    "recover": recover,
    "carelessly": carelessly,
}


def texts(out: Path) -> dict[str, str]:
    """What a bundle holds, in a form to compare; opening it checks every hash."""
    return {path: (out / path).read_text() for path in [*(r.path for r in Bundle.open(out).manifest.records())]}


def stop_at(number: int, manner: str, action: str, out: Path) -> tuple[bool, str]:
    """Run the action in a child that is stopped at that step.

    Returns:
        Whether it got so far, and what was wrong with the way it ended.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        steps = Steps(number, manner)
        steps.watch()
        told = ""
        try:
            ACTIONS[action](out)
            if manner == "interrupt" and steps.stopped_at:
                told = f"the interrupt at {steps.stopped_at} was swallowed"
        except KeyboardInterrupt:
            pass
        except Exception as error:  # noqa: BLE001 — told to the parent
            expected = "must be put back" if action == "recover" else "disk full"
            if not isinstance(error, BundleError) or expected not in str(error) or "\n" in str(error):
                told = f"{steps.stopped_at}: {error!r}"
        left = set(names(out.parent)) - {"qa", "qa.rejected", ".qa.replaced"}
        deleting = steps.stopped_at in ("os.remove", "os.rmdir", "os.rename")
        if left and manner == "full" and not deleting and action != "recover":  # opening deletes nothing
            told += f"{steps.stopped_at} left {sorted(left)}"
        os.write(writing, json.dumps([bool(steps.stopped_at), told]).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) == _KILLED:
        return True, ""
    stopped, told = json.loads(text)
    return stopped, told


def prepare(action: str, out: Path) -> dict[str, str]:
    """Make the bundle that is there before, with a file of the user's, and return what it holds."""
    if action == "first":
        return {}
    write_bundle(out)
    (out / "README.md").write_text("mine")
    if action == "reject":
        reject(out)
    before = texts(out)
    if action == "recover":  # as a writer leaves it that is killed between the two renames
        out.rename(exchange.replaced_path(out))
        exchange.building_path(out).mkdir()
    return before


def look(out: Path, expected: dict[str, dict[str, str]], problems: list[str], told: str) -> str:
    """Return which of the expected bundles is there."""
    try:
        found = texts(out)
    except BundleError as error:
        if not expected["old"] and not out.exists():
            return "none"
        problems.append(f"{told}: {error}")
        return "broken"
    if expected["old"] and not (out / "README.md").is_file():
        problems.append(f"{told}: the user's own file is gone")
    for name in ("old", "new"):
        if found == expected[name]:
            return name
    problems.append(f"{told}: neither the old nor the new bundle, but {sorted(found)}")
    return "mixed"


def inspect(action: str, mechanism: str, manner: str) -> dict[str, Any]:
    if mechanism == "two renames":
        exchange._renameat2 = lambda: None  # type: ignore[assignment]
    counts: Counter[str] = Counter()
    problems: list[str] = []
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY if os.access(_IN_MEMORY, os.W_OK) else None) as scratch:
        model, prepared = Path(scratch) / "model" / "qa", Path(scratch) / "prepared"
        model.parent.mkdir()
        expected = {"old": prepare(action, model)}
        shutil.copytree(model.parent, prepared)
        ACTIONS[action](model)
        expected["new"] = texts(model)
        step = 0
        while True:
            step += 1
            stopped = False
            for opened_first in (True, False):
                parent = Path(scratch) / f"{step}-{opened_first}"
                shutil.copytree(prepared, parent)
                out = parent / "qa"
                told = f"step {step}, {'opened' if opened_first else 'written to'} first"
                got_so_far, wrong = stop_at(step, manner, action, out)
                stopped |= got_so_far
                if wrong:
                    problems.append(f"{told}: {wrong}")
                if opened_first:
                    counts[look(out, expected, problems, told)] += 1
                try:
                    replace(out)
                    after = texts(out)["onnx/model.onnx"]
                    if not after.endswith("second"):
                        problems.append(f"{told}: the next writer's model is not there, but {after!r}")
                except BundleError as error:
                    problems.append(f"{told}: the next writer failed: {error}")
                left = set(names(parent)) - {"qa", "qa.rejected"}
                if left:
                    problems.append(f"{told}: the next writer left {sorted(left)}")
                if (parent / "qa.rejected").exists():
                    Bundle.open(parent / "qa.rejected")
                shutil.rmtree(parent)
            if not stopped:
                return {"steps": step - 1, **counts, "problems": problems}


if __name__ == "__main__":
    logging.disable()  # what could not be deleted is told there; here it is seen
    os.fsync = lambda descriptor: None  # the death of a process loses nothing that was written; only time is saved
    print(json.dumps(inspect(*sys.argv[1:])))
