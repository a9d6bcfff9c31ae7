"""The measuring side's end of a measured process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from albert_export._imports import import_path
from albert_export.errors import AlbertExportError

#: A process of another environment imports from here what it answers with, and all else from its own.
_PACKAGE_PARENT = Path(__file__).parents[2]

#: JAX takes three quarters of a GPU at its start, and no other artifact would find a place beside it.
_DEFAULTS = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false"}

_SECONDS_TO_END = 5


class Child:
    """A process that answers requests, see :mod:`albert_export.bench.serving`; a context manager that ends it.

    Args:
        name: What it measures, for errors.
        command: The command; by default that of one artifact of a bundle.
    """

    def __init__(self, name: str, command: Sequence[str] | None = None) -> None:
        self.name = name
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  closed in close()
        if command is None:
            # -P: nothing in the current directory is imported by accident.
            command = [sys.executable, "-P", "-m", "albert_export.bench.worker"]
        self._process = subprocess.Popen(
            list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env=_environment(os.environ, python=command[0]),
        )

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Send a request and wait for its reply.

        Raises:
            AlbertExportError: The process met an error of the user's, or ended.
            RuntimeError: It met a defect.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps({"do": do, **fields}) + "\n")
            self._process.stdin.flush()
        except OSError:  # a broken pipe, which Windows tells as a wrong argument
            raise self._ended(do) from None
        line = self._process.stdout.readline()
        if not line.endswith("\n"):
            raise self._ended(do)
        reply: dict[str, Any] = json.loads(line)
        if "error" in reply:
            told = f"{self.name}: {reply['error']}"
            raise AlbertExportError(told) if reply["user"] else RuntimeError(told)
        return reply

    def _ended(self, do: str) -> AlbertExportError:
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "nothing on stderr")
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        return AlbertExportError(
            f"the process that measures {self.name} must live until it is told to end",
            received=f"{how} during {do}: {last}",
            fix="measure fewer artifacts or smaller shapes, should memory have run out",
        )

    def close(self) -> None:
        """End the process; closing twice does nothing."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            try:
                self._process.stdin.close()
                self._process.wait(_SECONDS_TO_END)
            except (OSError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                try:
                    pipe.close()
                except OSError:
                    continue  # a request that was never read

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._process.poll() is None:
            self._process.kill()  # it may be in the middle of a run that takes minutes
        self.close()


def _environment(variables: Mapping[str, str], *, python: str) -> dict[str, str]:
    """Return the variables of a process; our packages are none of those of another environment's Python."""
    other = os.pathsep.join(filter(None, (str(_PACKAGE_PARENT), variables.get("PYTHONPATH"))))
    return {**_DEFAULTS, **variables, "PYTHONPATH": import_path() if python == sys.executable else other}
