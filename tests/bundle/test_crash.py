"""A bundle survives the death of its writer; see ``crash_steps.py`` for how."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from albert_export.bundle import Bundle, exchange
from albert_export.errors import BundleError, ConflictError
from tests.bundle.builders import TASK, names, onnx_bytes, write_bundle

ROOT = Path(__file__).parents[2]
MECHANISMS = ["exchange", "two renames"]

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork; the steps are the same there")


def steps(action: str, mechanism: str, manner: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.bundle.crash_steps", action, mechanism, manner]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}


OUTCOMES = {
    "first": {"none", "new"},
    "replace": {"old", "new"},
    "add": {"old", "new"},
    "reject": {"old"},
    "recover": {"old"},
}


@pytest.mark.parametrize(
    ("action", "mechanism", "manner"),
    [
        *((action, mechanism, "die") for action in OUTCOMES for mechanism in MECHANISMS),
        *((action, "two renames", manner) for action in OUTCOMES for manner in ("full", "interrupt")),
        ("replace", "exchange", "full"),
        ("replace", "exchange", "interrupt"),
    ],
)
def test_stopping_at_any_step_leaves_the_old_bundle_or_the_new_one(action: str, mechanism: str, manner: str) -> None:
    result = steps(action, mechanism, manner)
    assert result.pop("problems") == []
    assert result.pop("steps") >= (5 if action == "recover" else 15)
    assert set(result) == OUTCOMES[action]


def test_the_tester_catches_a_careless_writer() -> None:
    result = steps("carelessly", "exchange", "die")
    assert result["broken"] > 0
    assert any("must be there" in problem or "without manifest" in problem for problem in result["problems"])


WRITER = """
import itertools, sys
from pathlib import Path
from albert_export import _interrupts
from albert_export.bundle import exchange
from tests.bundle.builders import write_bundle
_interrupts.remember()  # as the command line does: one that a destructor swallows is not lost
if sys.argv[2] == "two renames":
    exchange._renameat2 = lambda: None
print("ready", flush=True)
for count in itertools.count():
    _interrupts.check()
    write_bundle(Path(sys.argv[1]), {"onnx/model.onnx": f"number {count % 10}"})
"""


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_kill_9_at_any_moment_leaves_a_whole_bundle(tmp_path: Path, mechanism: str) -> None:
    out = write_bundle(tmp_path / "qa").path
    (out / "README.md").write_text("mine")
    moments = random.Random(0)
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(out), mechanism]
        with subprocess.Popen(command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE) as child:
            assert child.stdout is not None and child.stdout.readline() == b"ready\n"
            time.sleep(moments.uniform(0.0, 0.1))
            child.send_signal(signal.SIGKILL)
        bundle = Bundle.open(out)
        assert bundle.file(bundle.select()).read_bytes()[4:10] in (b"first", b"number")
        assert (out / "README.md").read_text() == "mine"
    write_bundle(out)
    assert names(tmp_path) == ["qa"]


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_ctrl_c_at_any_moment_leaves_a_whole_bundle_and_nothing_beside_it(tmp_path: Path, mechanism: str) -> None:
    out = write_bundle(tmp_path / "qa").path
    moments = random.Random(1)
    for _ in range(5):
        command = [sys.executable, "-c", WRITER, str(out), mechanism]
        with subprocess.Popen(
            command, cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"
            time.sleep(moments.uniform(0.0, 0.1))
            child.send_signal(signal.SIGINT)
            try:
                _, stderr = child.communicate(timeout=60)
            finally:
                child.kill()  # one that goes on would be waited for for ever
        assert "KeyboardInterrupt" in stderr
        assert Bundle.open(out).manifest.task == TASK
    write_bundle(out)
    assert names(tmp_path) == ["qa"]


def test_an_interrupt_between_the_two_renames_is_undone_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = write_bundle(tmp_path / "qa").path
    monkeypatch.setattr(exchange, "_renameat2", lambda: None)
    real = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.name.startswith(".qa.building-"):
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(out, {"onnx/model.onnx": "second"})
    assert names(tmp_path) == ["qa"]
    assert (out / "onnx/model.onnx").read_bytes() == onnx_bytes("first")


def test_a_finished_exchange_whose_old_bundle_was_left_is_not_undone(tmp_path: Path) -> None:
    write_bundle(tmp_path / "qa", {"onnx/model.onnx": "second"})
    write_bundle(tmp_path / "old").path.rename(exchange.replaced_path(tmp_path / "qa"))
    bundle = Bundle.open(tmp_path / "qa")
    assert bundle.file(bundle.select()).read_bytes() == onnx_bytes("second")
    write_bundle(tmp_path / "qa", {"onnx/model_unrolled.onnx": "other"})
    assert names(tmp_path) == ["qa"]
    assert (tmp_path / "qa/onnx/model.onnx").read_bytes() == onnx_bytes("second")


def test_a_half_finished_exchange_of_a_writer_that_stays_away_from_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = write_bundle(tmp_path / "qa").path
    out.rename(exchange.replaced_path(out))
    from albert_export.bundle import bundle
    from albert_export.bundle.lock import writer_lock

    monkeypatch.setattr(bundle, "_PAUSE_SECONDS", 0.001)
    with writer_lock(out), pytest.raises(ConflictError, match=f"process {os.getpid()} on "):
        Bundle.open(out)
    assert Bundle.open(out).manifest.task == TASK
    assert names(tmp_path) == ["qa"]


def test_the_system_without_an_exchange_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """ENOSYS and EINVAL fall back to two renames; anything else is an error and changes nothing."""
    import ctypes
    import errno

    out = write_bundle(tmp_path / "qa").path

    def answering(code: int) -> object:
        def renameat2(*_: object) -> int:
            ctypes.set_errno(code)
            return -1

        return lambda: renameat2

    for code in (errno.ENOSYS, errno.EINVAL, errno.EPERM):
        monkeypatch.setattr(exchange, "_renameat2", answering(code))
        write_bundle(out, {"onnx/model.onnx": f"by {code}"})
        assert (out / "onnx/model.onnx").read_bytes() == onnx_bytes(f"by {code}")
    monkeypatch.setattr(exchange, "_renameat2", answering(errno.EBUSY))
    with pytest.raises(BundleError, match="a directory cannot be replaced"):
        write_bundle(out, {"onnx/model.onnx": "second"})
    assert (out / "onnx/model.onnx").read_bytes() == onnx_bytes(f"by {errno.EPERM}")
    assert names(tmp_path) == ["qa"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux exchanges two directories in one step")
def test_linux_exchanges_in_one_step(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).touch()
    assert exchange._swap(tmp_path / "a", tmp_path / "b")
    assert names(tmp_path / "a") == ["b"] and names(tmp_path / "b") == ["a"]
    with pytest.raises(FileNotFoundError):
        exchange._swap(tmp_path / "a", tmp_path / "missing")
