"""What `make` says on machines that lack something, and that a second run installs nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

pytestmark = pytest.mark.skipif(
    shutil.which("make") is None, reason="make is for working on the project from a checkout"
)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the rules for the environment depend on, and nothing else."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def make(checkout: Path, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # The make that runs the tests hands its own variables on.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    return subprocess.run(
        ["make", *args],
        cwd=checkout,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fake_python(directory: Path, *, version: str, refuses: str) -> Path:
    """A Python that fails on code that mentions ``refuses``."""
    script = directory / "fake-python"
    script.write_text(
        f'#!/bin/sh\ncase "$*" in --version) echo "Python {version}";; *{refuses}*) exit 1;; *) exit 0;; esac\n',
        encoding="utf-8",
    )
    script.chmod(0o755)
    return script


@pytest.mark.parametrize("goal", ["demo", "test", "lint"])
def test_no_python_is_told(checkout: Path, goal: str) -> None:
    done = make(checkout, goal, "PYTHON=no-such-python")
    assert done.returncode == 2
    assert "error: no Python found as 'no-such-python'; fix: install Python 3.11 to 3.13" in done.stderr
    assert not (checkout / ".venv").exists()


def test_an_old_python_is_told(checkout: Path, tmp_path: Path) -> None:
    python = fake_python(tmp_path, version="3.9.18", refuses="version_info")
    done = make(checkout, "test", f"PYTHON={python}")
    assert done.returncode == 2
    assert f"error: Python 3.11 to 3.13 is needed; received Python 3.9.18 from '{python}'" in done.stderr
    assert not (checkout / ".venv").exists()


def test_a_python_without_venv_is_told(checkout: Path, tmp_path: Path) -> None:
    done = make(checkout, "test", f"PYTHON={fake_python(tmp_path, version='3.12.3', refuses='ensurepip')}")
    assert done.returncode == 2
    assert "comes without its venv module; fix: install it (Debian and Ubuntu: apt install python3-venv)" in done.stderr


def test_this_python_is_found_and_its_packages_are_pinned(checkout: Path) -> None:
    planned = make(checkout, "--dry-run", "test", f"PYTHON={sys.executable}").stdout
    installs = [line for line in planned.splitlines() if " pip install " in line]
    assert len(installs) == 2
    assert all("--constraint constraints.txt" in line for line in installs)


def test_the_rules_leave_the_choice_of_index_to_the_user() -> None:
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    recipes = "".join(line for line in rules.splitlines() if line.startswith("\t"))
    assert "index-url" not in recipes
    assert "find-links" not in recipes
    assert "PIP_" not in recipes


@pytest.mark.parametrize(("goal", "extra"), [("demo", "onnx,onnxruntime"), ("test", "dev")])
def test_a_second_run_installs_nothing(checkout: Path, goal: str, extra: str) -> None:
    assert f"'.[{extra}]'" in make(checkout, "--dry-run", goal).stdout
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / f".installed-{extra}").touch()
    assert "pip" not in make(checkout, "--dry-run", goal).stdout
    later = time.time() + 10
    os.utime(checkout / "constraints.txt", (later, later))
    assert f"'.[{extra}]'" in make(checkout, "--dry-run", goal).stdout


def test_the_demo_takes_the_environment_that_the_tests_made(checkout: Path) -> None:
    (checkout / ".venv").mkdir()
    (checkout / ".venv" / ".installed-dev").touch()
    assert "pip" not in make(checkout, "--dry-run", "demo").stdout


@pytest.mark.parametrize(("given", "told"), [(None, "."), ("site", ".:site")])
def test_the_checks_on_a_gpu_find_what_the_caller_finds(checkout: Path, given: str | None, told: str) -> None:
    python = checkout / "python-of-a-container"
    python.write_text('#!/bin/sh\necho "$PYTHONPATH $*"\n', encoding="utf-8")
    python.chmod(0o755)
    variables = {} if given is None else {"PYTHONPATH": given}
    arguments = ("--silent", "test-gpu", "GPU_PYTHON=./python-of-a-container", "GPU_ARGS=--minutes 9")
    done = make(checkout, *arguments, **variables)
    assert done.stdout.splitlines()[-1] == f"{told} -m tools.gpu --minutes 9"


def test_help_lists_every_goal(checkout: Path) -> None:
    goals = {line.split()[1] for line in make(checkout).stdout.splitlines()}
    rules = (ROOT / "Makefile").read_text(encoding="utf-8")
    (phony,) = (line for line in rules.splitlines() if line.startswith(".PHONY:"))
    assert goals == set(phony.split()[1:])
