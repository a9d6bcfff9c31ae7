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

import albert_export
from albert_export.errors import AlbertExportError

#: Where this package was imported from: the processes import the same one, installed or not.
PACKAGE_PARENT = Path(albert_export.__file__).parents[1]

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
        self._process = subprocess.Popen(
            # -P: nothing in the current directory is imported by accident.
            [sys.executable, "-P", "-m", "albert_export.bench.worker"] if command is None else list(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env=_environment(os.environ),
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
        except BrokenPipeError:
            raise self._ended(do) from None
        line = self._process.stdout.readline()
        if not line:
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
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # a request that was never read

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and self._process.poll() is None:
            self._process.kill()  # it may be in the middle of a run that takes minutes
        self.close()


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    path = os.pathsep.join(filter(None, (str(PACKAGE_PARENT), variables.get("PYTHONPATH"))))
    return {**variables, "PYTHONPATH": path}
