"""Disks that are full, read-only, or somebody else's."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from albert_export.bundle import BundleWriter
from albert_export.errors import BundleError
from tests.bundle.builders import SOURCE, TASK, fill, names, tree, write_bundle

ROOT = Path(__file__).parents[2]


@cache
def unshare() -> tuple[str, ...]:
    """The command that gives a program mounts of its own, or nothing where this machine allows none."""
    for flags in ("-m", "-rm"):
        command = ("unshare", flags)
        probe = (*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt")
        if shutil.which("unshare") and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return command
    return ()


def run(*command: str) -> Any:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_disk_that_is_full_or_read_only_leaves_the_old_bundle(tmp_path: Path) -> None:
    if not unshare():
        pytest.skip("mounting a small disk needs Linux and the right to; the other tests here stand in for the error")
    result = run(*unshare(), sys.executable, "-m", "tests.bundle.small_disk", str(tmp_path))
    assert result["problems"] == []
    assert result["refused"] >= 5 and result["written"] >= 2
    replaced, new, half = result["read_only"]
    for answer in (replaced, new, half):
        assert "Read-only file system" in answer and "fix: " in answer and "\n" not in answer
    assert "must be put back after an export that was killed" in half and ".half.replaced to " in half


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has other permissions")
def test_somebody_elses_directory_is_told_in_one_line() -> None:
    answers = run(sys.executable, "-m", "tests.bundle.unprivileged")
    assert answers["left"] == "qa"
    assert answers["read"] == answers["allowed"] == "done"
    for place in ("replace", "new", "deep"):
        assert "no permission for" in answers[place] and "fix: choose a directory you can write" in answers[place]
    assert "config.json of the bundle" in answers["hidden"] and "must be readable" in answers["hidden"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_in_an_emitter_is_one_line_and_leaves_the_old_bundle(tmp_path: Path, code: int) -> None:
    write_bundle(tmp_path / "qa")
    before = tree(tmp_path)
    with (
        pytest.raises(BundleError, match=r"disk full while writing the bundle .*qa; received .*; fix: free some space"),
        BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE) as writer,
    ):
        fill(writer, {"onnx/model.onnx": "second"})
        raise OSError(code, os.strerror(code))
    assert tree(tmp_path) == before and names(tmp_path) == ["qa"]


def test_an_error_of_the_system_is_told_plainly_when_it_concerns_the_bundle_alone(tmp_path: Path) -> None:
    with (
        pytest.raises(BundleError, match=r"failed while writing the bundle .*; received No such file or directory \("),
        BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE) as writer,
    ):
        (writer.directory / "no/such/folder").write_bytes(b"x")
    with (
        pytest.raises(FileNotFoundError, match="checkpoint"),
        BundleWriter(tmp_path / "qa", task=TASK, source=SOURCE),
    ):
        (tmp_path / "checkpoint").read_bytes()
    assert names(tmp_path) == []
