"""Time whole export processes: ``albert-export onnx`` against ``optimum-cli export onnx``.

Same checkpoint, same task (question answering), both without validation; beside it ours with its parity check, which
has no counterpart of equal strength there. The contenders take turns, so that a disturbance of the machine meets all of
them; of the repetitions the least time and the least peak memory count. The first round warms the file cache and is
counted too: the least time is never a cold one when there are more rounds than one.

Usage: ``python -m benchmarks.export_vs_optimum --peers PEERS_PYTHON [--sizes base xxlarge] [--save FILE]``
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.measuring import ALBERT_EXPORT, ROOT, ProcessCost, best, run_process, save, table
from benchmarks.seeded_checkpoint import SIZES

OURS, OURS_PARITY, OPTIMUM = "albert-export", "albert-export, with parity", "optimum-cli"

#: Rounds where ``--repeats`` says nothing: a large export is long enough to be steady.
REPEATS = {"xlarge": 3, "xxlarge": 2}


def main() -> None:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--peers", type=Path, help="Python of an environment with optimum; without it only ours is timed"
    )
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=["base"])
    parser.add_argument("--repeats", type=int, help="rounds of every size; by default 5, and 2 for xxlarge")
    parser.add_argument("--no-with-parity", action="store_true", help="leave out ours with parity")
    parser.add_argument(
        "--scratch", type=Path, help="where checkpoints and outputs go; by default the temporary directory"
    )
    parser.add_argument("--save", type=Path, help="where to write the results")
    arguments = parser.parse_args()
    results = {}
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
            results[size] = measure(size, Path(scratch), arguments)
        print(f"\n{size}: {results[size]['weights_bytes'] / 1e6:.1f} MB of weights\n")
        print(report(results[size]))
    save(arguments.save, "export_vs_optimum", arguments, results)


def measure(size: str, scratch: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Export one size by every contender in turn; return all measurements."""
    checkpoint = scratch / "checkpoint"
    # In a process of its own: this one must stay small, see run_process.
    subprocess.run([sys.executable, "-m", "benchmarks.seeded_checkpoint", size, str(checkpoint)], cwd=ROOT, check=True)
    commands = contenders(checkpoint, arguments)
    costs: dict[str, list[ProcessCost]] = {name: [] for name in commands}
    files: dict[str, int] = {}
    repeats = arguments.repeats or REPEATS.get(size, 5)
    for round_number in range(1, repeats + 1):
        for name, command in commands.items():
            out = scratch / "out"
            cost = run_process([*command, str(out)], scratch / "log.txt")
            costs[name].append(cost)
            files[name] = sum(file.stat().st_size for file in out.rglob("*.onnx*"))
            shutil.rmtree(out)
            print(f"{size} round {round_number}/{repeats} {name}: {cost.seconds:.2f} s", file=sys.stderr)
    return {
        "weights_bytes": sum(file.stat().st_size for file in checkpoint.glob("*.safetensors")),
        "contenders": {
            name: {**asdict(best(each)), "onnx_bytes": files[name], "rounds": [asdict(cost) for cost in each]}
            for name, each in costs.items()
        },
    }


def contenders(checkpoint: Path, arguments: argparse.Namespace) -> dict[str, list[str]]:
    """Return the commands, each to be completed by the output directory."""
    ours = [*ALBERT_EXPORT, "onnx", "--task", "question-answering", "--model", str(checkpoint), "--quiet"]
    commands = {OURS: [*ours, "--no-parity", "--out"]}
    if arguments.peers is not None:
        driver = str(ROOT / "benchmarks/optimum_export.py")
        task = ["--model", str(checkpoint), "--task", "question-answering"]
        commands[OPTIMUM] = [str(arguments.peers), driver, "export", "onnx", *task]
    if not arguments.no_with_parity:
        commands[OURS_PARITY] = [*ours, "--out"]
    return commands


def report(result: dict[str, Any]) -> str:
    """Return the table of one size."""
    contenders = result["contenders"]
    reference = contenders.get(OPTIMUM)
    rows = []
    for name, cost in contenders.items():
        against = f"{cost['seconds'] / reference['seconds']:.2f}" if reference else "-"
        rows.append(
            (
                name,
                f"{cost['seconds']:.2f}",
                against,
                f"{cost['cpu_seconds']:.2f}",
                f"{cost['peak_bytes'] / 1e6:.0f}",
                f"{cost['peak_bytes'] / result['weights_bytes']:.2f}",
                f"{cost['onnx_bytes'] / 1e6:.1f}",
            )
        )
    return table(("", "s", "of optimum", "CPU s", "peak MB", "peak / weights", "ONNX MB"), rows)


if __name__ == "__main__":
    main()
