"""Compare ONNX files in ONNX Runtime: ours rolled and unrolled, at several opsets, and optimum's.

Every measurement is a process of its own that loads one file; the files take turns, and of the rounds the least counts.
``load`` is the time to make the session, ``RSS`` the resident memory that the session (``load``) and then all the runs
(``run``) added. The difference to the first file's answers is shown, so that nobody compares different models.

Usage: ``python -m benchmarks.onnxruntime_latency --peers PEERS_PYTHON [--size base] [--opsets 18 20 23] [--json FILE]``
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.export_vs_optimum import OPTIMUM
from benchmarks.measuring import ALBERT_EXPORT, ROOT, run_process, save, table
from benchmarks.seeded_checkpoint import SIZES


def main() -> None:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--peers", type=Path, help="Python of an environment with optimum; without it only ours is timed"
    )
    parser.add_argument("--size", choices=SIZES, default="base")
    parser.add_argument("--opsets", nargs="+", type=int, default=[], help="our opsets; the default one when left out")
    parser.add_argument("--layers", nargs="+", choices=["rolled", "unrolled"], default=["rolled", "unrolled"])
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--sequences", nargs="+", type=int, default=[16, 128, 384])
    parser.add_argument("--threads", type=int, help="threads of one run; ONNX Runtime's default when left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each shape in each round")
    parser.add_argument("--scratch", type=Path, help="where the models go; by default the temporary directory")
    parser.add_argument("--json", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        files = export_all(Path(scratch), arguments)
        results = measure(files, arguments)
    print(f"\n{arguments.size}, question answering, ms for each batch x sequence\n")
    print(report(results))
    save(arguments.json, "onnxruntime_latency", arguments, results)


def export_all(scratch: Path, arguments: argparse.Namespace) -> dict[str, Path]:
    """Export the same checkpoint in every way; return the files by their names in the table."""
    checkpoint = scratch / "checkpoint"
    make = [sys.executable, "-m", "benchmarks.seeded_checkpoint", arguments.size, str(checkpoint)]
    subprocess.run(make, cwd=ROOT, check=True)
    files = {}
    for opset in arguments.opsets or [None]:
        for layers in arguments.layers:
            out = scratch / f"{layers}-{opset}"
            ours = [*ALBERT_EXPORT, "onnx", "--task", "question-answering", "--model", str(checkpoint), "--quiet"]
            chosen = [] if opset is None else ["--opset", str(opset)]
            run_process([*ours, "--layers", layers, *chosen, "--no-parity", "--out", str(out)], scratch / "log.txt")
            (file,) = out.rglob("*.onnx")
            files[layers if opset is None else f"{layers}, opset {opset}"] = file
    if arguments.peers is not None:
        driver, out = str(ROOT / "benchmarks/optimum_export.py"), scratch / "optimum"
        task = ["--model", str(checkpoint), "--task", "question-answering"]
        run_process([str(arguments.peers), driver, "export", "onnx", *task, str(out)], scratch / "log.txt")
        files[OPTIMUM] = out / "model.onnx"
    return files


def measure(files: dict[str, Path], arguments: argparse.Namespace) -> dict[str, Any]:
    """Run every file in turn; return the least of each figure."""
    shapes = [[batch, sequence] for batch in arguments.batches for sequence in arguments.sequences]
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in files}
    for number in range(1, arguments.rounds + 1):
        for name, file in files.items():
            request = {
                "file": str(file),
                "shapes": shapes,
                "threads": arguments.threads,
                "vocabulary": SIZES[arguments.size].get("vocab_size", 30000),
                "seconds": arguments.seconds,
            }
            print(f"round {number}/{arguments.rounds} {name}", file=sys.stderr)
            worker = [sys.executable, "-m", "benchmarks.onnxruntime_worker"]
            done = subprocess.run(
                worker, cwd=ROOT, input=json.dumps(request), stdout=subprocess.PIPE, text=True, check=True
            )
            rounds[name].append(json.loads(done.stdout))
    reference = next(iter(rounds.values()))[0]["sample"]
    return {name: _least(each, files[name], reference) for name, each in rounds.items()}


def _least(rounds: list[dict[str, Any]], file: Path, reference: list[float]) -> dict[str, Any]:
    least = {key: min(each[key] for each in rounds) for key in ("load_seconds", "load_bytes", "run_bytes")}
    return {
        **least,
        "milliseconds": {
            shape: min(each["milliseconds"][shape] for each in rounds) for shape in rounds[0]["milliseconds"]
        },
        "file_bytes": sum(part.stat().st_size for part in file.parent.glob(f"{file.name}*")),
        "largest_difference": max(abs(a - b) for a, b in zip(rounds[0]["sample"], reference, strict=True)),
    }


def report(results: dict[str, Any]) -> str:
    """Return the table."""
    shapes = list(next(iter(results.values()))["milliseconds"])
    rows = [
        (
            name,
            f"{result['file_bytes'] / 1e6:.1f}",
            f"{result['load_seconds']:.3f}",
            f"{result['load_bytes'] / 1e6:.0f}",
            f"{result['run_bytes'] / 1e6:.0f}",
            *(f"{result['milliseconds'][shape]:.2f}" for shape in shapes),
            f"{result['largest_difference']:.1e}",
        )
        for name, result in results.items()
    ]
    return table(("", "file MB", "load s", "load RSS MB", "run RSS MB", *shapes, "difference"), rows)


if __name__ == "__main__":
    main()
