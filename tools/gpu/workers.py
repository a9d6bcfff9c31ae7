"""Processes that do one thing each and tell of it line by line: one that dies takes nothing else with it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from albert_export._imports import import_path

ROOT = Path(__file__).parents[2]

#: What a worker prints before each of its lines, so that nothing else that is printed is taken for one.
MARK = "@@"

#: JAX takes three quarters of a GPU at its start otherwise, torch and others then find no place.
_ENVIRONMENT = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "HF_HUB_OFFLINE": "1"}


def tell(line: Mapping[str, Any]) -> None:
    """Tell one line; in the worker."""
    print(f"{MARK}{json.dumps(line)}", flush=True)


def request() -> dict[str, Any]:
    """Return what the worker was asked for; in the worker."""
    asked: dict[str, Any] = json.loads(sys.stdin.readline())
    return asked


def one_line(error: BaseException) -> str:
    """Return an error in one line, with its kind where it is no error of a user's."""
    from albert_export.errors import AlbertExportError

    text = " ".join(str(error).split())[:400]
    return text if isinstance(error, AlbertExportError) else f"{type(error).__name__}: {text}"


def end_workers_with_this() -> None:
    """Have a request to end this process, as a scheduler's or a CI job's, end the worker that runs as well.

    It has a session of its own, and so would outlive its parent, and keep the GPU.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def run_worker(module: str, asked: Mapping[str, Any], *, seconds: float) -> Iterator[dict[str, Any]]:
    """Run a worker and yield its lines; the last is ``{"ended": why, "late": bool}`` where it did not end well.

    Args:
        module: What is run.
        asked: The request, as JSON values.
        seconds: After which it is ended, with all processes that it started: a compiler that is left would hold the
            pipe open, and this process with it.
    """
    environment = {**os.environ, **_ENVIRONMENT, "PYTHONPATH": os.pathsep.join([str(ROOT), import_path()])}
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            errors="replace",
            env=environment,
            start_new_session=True,
        )
        late = threading.Event()

        def end() -> None:
            late.set()
            _end_group(process)

        timer = threading.Timer(max(seconds, 0.1), end)
        timer.start()
        assert process.stdin is not None and process.stdout is not None
        try:
            try:
                process.stdin.write(f"{json.dumps(asked)}\n")
                process.stdin.close()
            except BrokenPipeError:
                pass  # it ended before it read; its status says how
            for line in process.stdout:
                if line.startswith(MARK):
                    yield json.loads(line.removeprefix(MARK))
            status = process.wait()
        finally:
            timer.cancel()
            _end_group(process)
            process.wait()
            process.stdout.close()
        if status != 0:
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip().splitlines()
            why = f"the process ended with status {status}"
            if late.is_set():
                why = f"no time was left after {seconds:.0f} s"
            elif said:
                why = f"{why}: {said[-1][:300]}"
            yield {"ended": why, "late": late.is_set()}


def _end_group(process: subprocess.Popen[str]) -> None:
    """End a worker with all that it started; its session is its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
