"""Running the command line: in this process, and as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from albert_export.cli import program

ROOT = Path(__file__).parent.parent.parent

Invoke = Callable[..., Result]
Spawn = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def invoke() -> Invoke:
    """Run a command in this process; stdout and stderr are kept apart."""

    def run(*args: str | Path, stdin: str | None = None) -> Result:
        return CliRunner().invoke(program, [str(arg) for arg in args], input=stdin, prog_name="albert-export")

    return run


@pytest.fixture
def spawn() -> Spawn:
    """Start a command as a user's shell would."""

    def start(*args: str | Path, **variables: str) -> subprocess.Popen[str]:
        command = "from albert_export.cli import main; main()"
        return subprocess.Popen(
            [sys.executable, "-c", command, *map(str, args)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        )

    return start
