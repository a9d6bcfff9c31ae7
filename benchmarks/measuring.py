"""What the benchmarks share: whole processes timed from outside, tables, and a result file."""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

#: ``albert-export`` as its installed script runs it, also from a checkout that is not installed.
ALBERT_EXPORT = (sys.executable, "-c", "from albert_export.cli import main; main()")


@dataclass(frozen=True)
class ProcessCost:
    """What one process took.

    Attributes:
        seconds: Wall time from its start to its end, interpreter and imports included.
        cpu_seconds: Processor time of it and its children, which a busy machine disturbs less.
        peak_bytes: Largest resident memory of it or of one of its children; mapped files count.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def run_process(command: Sequence[str], log: Path) -> ProcessCost:
    """Run a command without a network and measure it.

    The caller should be small: on Linux a new process begins with the memory of the one that starts it as its peak.

    Raises:
        RuntimeError: It failed; the message holds the end of its output.
    """
    offline = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
    with log.open("wb") as output:
        start = time.perf_counter()
        with subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ, **offline}) as process:
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        tail = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"exit code {process.returncode} of {' '.join(command)}\n{tail}")
    # Linux counts in KiB, macOS in bytes.
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return ProcessCost(seconds, usage.ru_utime + usage.ru_stime, peak)


def best(costs: Iterable[ProcessCost]) -> ProcessCost:
    """Return the least of each figure: what other programs on the machine add is never negative."""
    seconds, cpu_seconds, peaks = zip(
        *((cost.seconds, cost.cpu_seconds, cost.peak_bytes) for cost in costs), strict=True
    )
    return ProcessCost(min(seconds), min(cpu_seconds), min(peaks))


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Return a Markdown table, its columns aligned; numbers to the right."""
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(head, *texts, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join(padded)} |"

    rule = [("-" * width) if index == 0 else "-" * (width - 1) + ":" for index, width in enumerate(widths)]
    return "\n".join([line(head), line(rule), *(line(row) for row in texts)])


def save(path: Path | None, benchmark: str, options: argparse.Namespace, results: Mapping[str, Any]) -> None:
    """Write the results, and all that is needed to read them later, as JSON; without a path, nothing.

    Paths in the options are left out: they mean nothing elsewhere. NaN and infinities, which JSON lacks, become
    strings.
    """
    if path is None:
        return
    from albert_export._machine import describe_machine
    from albert_export.cli.output import json_text

    packages = ("albert-export", "jax", "jaxlib", "numpy", "onnx", "onnx-ir", "onnxruntime", "torch")
    document = {
        "benchmark": benchmark,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": asdict(describe_machine()),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in packages},
        "options": {name: value for name, value in vars(options).items() if not _is_path(value)},
        "results": results,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json_text(document) + "\n", encoding="utf-8")
    print(f"\nwritten to {path}")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None  # a checkout that is not installed


def _is_path(value: object) -> bool:
    return isinstance(value, Path) or (isinstance(value, list) and any(isinstance(item, Path) for item in value))
