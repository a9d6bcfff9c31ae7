"""Time the check of a bundle: ``albert-export parity`` on several targets, as it comes and with ``--quick``.

A checkpoint is made from a seed and exported to every target without a proof; then whole processes of the check take
turns. Of the repetitions the least counts. ``CPU s`` is what other programs disturb less: the check takes about that at
most where it has the processors for itself.

Usage: ``python -m benchmarks.parity_time [--size base] [--targets onnx tflite stablehlo] [--repeats 3] [--save FILE]``
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from albert_export.targets import TARGETS
from benchmarks.measuring import ALBERT_EXPORT, ROOT, ProcessCost, best, run_process, save, table
from benchmarks.seeded_checkpoint import SIZES

#: What is added to the command -> its name in the table.
FORMS: dict[str, tuple[str, ...]] = {"default": (), "--quick": ("--quick",), "all reports": ("--report-dir",)}


def main() -> None:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="base")
    names = [target.name for target in TARGETS]
    parser.add_argument("--targets", nargs="+", choices=names, default=["onnx", "tflite", "stablehlo"])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--scratch", type=Path, help="where files go; by default the temporary directory")
    parser.add_argument("--save", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        results = measure(arguments, Path(scratch))
    rows = [
        (name, f"{cost['seconds']:.1f}", f"{cost['cpu_seconds']:.1f}", f"{cost['peak_bytes'] / 1e6:.0f}")
        for name, cost in results.items()
    ]
    print(table((", ".join(arguments.targets), "s", "CPU s", "peak MB"), rows))
    save(arguments.save, "parity_time", arguments, results)


def measure(arguments: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """Make the bundle and time the check in every form, in turn."""
    checkpoint, bundle, log = scratch / "checkpoint", scratch / "bundle", scratch / "log.txt"
    # In a process of its own: this one must stay small, see run_process.
    command = [sys.executable, "-m", "benchmarks.seeded_checkpoint", arguments.size, str(checkpoint)]
    subprocess.run(command, cwd=ROOT, check=True)
    for target in arguments.targets:
        model = ["--task", "question-answering", "--model", str(checkpoint), "--out", str(bundle)]
        run_process([*ALBERT_EXPORT, target, *model, "--no-parity", "--quiet"], log)
        print(f"exported {target}", file=sys.stderr)
    check = [*ALBERT_EXPORT, "parity", str(bundle), "--model", str(checkpoint), "--no-record", "--quiet"]
    costs: dict[str, list[ProcessCost]] = {name: [] for name in FORMS}
    for round_number in range(1, arguments.repeats + 1):
        for name, added in FORMS.items():
            place = [str(scratch / "reports")] if "--report-dir" in added else []
            cost = run_process([*check, *added, *place], log)
            costs[name].append(cost)
            print(f"round {round_number}/{arguments.repeats} {name}: {cost.seconds:.1f} s", file=sys.stderr)
    return {name: {**asdict(best(each)), "rounds": [asdict(cost) for cost in each]} for name, each in costs.items()}


if __name__ == "__main__":
    main()
