"""Where a process of this interpreter imports from."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from albert_export._imports import import_path

ROOT = Path(__file__).parents[1]


def test_the_standard_library_comes_before_other_people_s_packages() -> None:
    """Where this package is installed, a module of site-packages must not take the place of one of Python's own."""
    parts = import_path().split(os.pathsep)
    assert str(ROOT) in parts and "" not in parts
    assert parts.index(sysconfig.get_path("stdlib")) < parts.index(sysconfig.get_path("purelib"))


def test_a_process_imports_what_this_one_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", ["", *(part for part in sys.path if Path(part or ".").resolve() != ROOT)])
    code = "import albert_export; print(albert_export.__file__)"
    variables = {**os.environ, "PYTHONPATH": import_path()}
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()).parents[1] == ROOT
