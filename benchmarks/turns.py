"""Files that take turns in processes of their own, and the table of what the least of the rounds were."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.measuring import ROOT, table
from benchmarks.seeded_checkpoint import SIZES


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of :func:`take_turns`, and where results go."""
    parser.add_argument("--size", choices=SIZES, default="base")
    parser.add_argument("--batches", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--sequences", nargs="+", type=int, default=[16, 128, 384])
    parser.add_argument("--threads", type=int, help="threads of one run; the runtime's default when left out")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="time for each shape in each round")
    parser.add_argument("--scratch", type=Path, help="where the models go; by default the temporary directory")
    parser.add_argument("--save", type=Path, help="where to write the results")


def make_checkpoint(size: str, directory: Path) -> None:
    """Make the seeded checkpoint in a process of its own: the caller stays small."""
    make = [sys.executable, "-m", "benchmarks.seeded_checkpoint", size, str(directory)]
    subprocess.run(make, cwd=ROOT, check=True)


def take_turns(
    files: dict[str, Path], worker: str, arguments: argparse.Namespace, shapes: list[list[int]] | None = None
) -> dict[str, Any]:
    """Run every file in turn; return the least of each figure.

    Args:
        files: Name in the table -> file.
        worker: Module that loads one file and times it, as :mod:`benchmarks.onnxruntime_worker` describes.
        arguments: What :func:`add_options` parsed.
        shapes: What the worker is asked to run; by default each batch with each sequence length.
    """
    shapes = shapes or [[batch, sequence] for batch in arguments.batches for sequence in arguments.sequences]
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
            done = subprocess.run(
                [sys.executable, "-m", worker],
                cwd=ROOT,
                input=json.dumps(request),
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            rounds[name].append(json.loads(done.stdout))
    reference = next(iter(rounds.values()))[0]["sample"]
    return {name: _least(each, files[name], reference) for name, each in rounds.items()}


def _least(rounds: list[dict[str, Any]], file: Path, reference: list[float]) -> dict[str, Any]:
    figures = [key for key, value in rounds[0].items() if key.endswith(("_seconds", "_bytes")) and value is not None]
    return {
        **{key: min(each[key] for each in rounds) for key in figures},
        **{
            key: {shape: min(each[key][shape] for each in rounds) for shape in rounds[0][key]}
            for key in rounds[0]
            if key.endswith("milliseconds")
        },
        "file_bytes": sum(part.stat().st_size for part in file.parent.glob(f"{file.name}*")),
        "largest_difference": _largest_difference(rounds[0]["sample"], reference),
    }


def _largest_difference(sample: list[float], reference: list[float]) -> float | None:
    if len(sample) != len(reference):  # answers of one file that the other has more of
        return None
    return max(abs(a - b) for a, b in zip(sample, reference, strict=True))


def report(results: dict[str, Any], memory: dict[str, str]) -> str:
    """Return the table.

    Args:
        results: What :func:`take_turns` returned.
        memory: Head of a column -> the figure in bytes that it shows.
    """
    shapes = list(next(iter(results.values()))["milliseconds"])
    rows = [
        (
            name,
            f"{result['file_bytes'] / 1e6:.1f}",
            f"{result['load_seconds']:.3f}",
            *(f"{result[key] / 1e6:.0f}" for key in memory.values()),
            *(f"{result['milliseconds'][shape]:.2f}" for shape in shapes),
            f"{result['largest_difference']:.1e}",
        )
        for name, result in results.items()
    ]
    return table(("", "file MB", "load s", *memory, *shapes, "difference"), rows)
