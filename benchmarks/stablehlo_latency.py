"""Compare StableHLO artifacts in JAX: rolled and unrolled, in every precision, weights beside or inside.

Every measurement is a process of its own that loads one artifact; the artifacts take turns, and of the rounds the least
counts. ``file`` is the graph alone, ``load`` the time to read it and place the weights, ``compile s`` that to lower and
compile the program of 1x128; ``first RSS`` the resident memory that both and one run of 1x128 added, ``run RSS`` what
all runs did.
The difference to the first artifact's answers is shown: precisions differ, forms of one precision must not.

Usage: ``python -m benchmarks.stablehlo_latency [--size base] [--precisions fp32 bf16 fp16] [--embedded] [--save FILE]``
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.measuring import ALBERT_EXPORT, run_process, save, table
from benchmarks.turns import add_options, make_checkpoint, report, take_turns

_MEMORY = {"first RSS MB": "first_bytes", "run RSS MB": "run_bytes"}


def main() -> None:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precisions", nargs="+", choices=["fp32", "bf16", "fp16"], default=["fp32", "bf16", "fp16"])
    parser.add_argument("--layers", nargs="+", choices=["rolled", "unrolled"], default=["rolled", "unrolled"])
    parser.add_argument("--embedded", action="store_true", help="artifacts with their weights inside, too")
    add_options(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        files = export_all(Path(scratch), arguments)
        results = take_turns(files, "benchmarks.stablehlo_worker", arguments)
    print(f"\n{arguments.size}, question answering, ms for each batch x sequence\n")
    print(report(results, _MEMORY))
    print()
    print(table(("", "compile s"), [(name, f"{one['compile_seconds']:.2f}") for name, one in results.items()]))
    save(arguments.save, "stablehlo_latency", arguments, results)


def export_all(scratch: Path, arguments: argparse.Namespace) -> dict[str, Path]:
    """Export the same checkpoint in every way; return the files by their names in the table."""
    checkpoint, log = scratch / "checkpoint", scratch / "log.txt"
    make_checkpoint(arguments.size, checkpoint)
    chosen = ["--task", "question-answering", "--model", str(checkpoint), "--quiet", "--no-parity"]
    forms = {"": (), " embedded": ("--embed-weights",)} if arguments.embedded else {"": ()}
    files: dict[str, Path] = {}
    for precision in arguments.precisions:
        for layers in arguments.layers:
            for form, options in forms.items():
                name = f"{precision} {layers}{form}"
                out = scratch / name.replace(" ", "-")
                more = ["--precision", precision, "--layers", layers, *options, "--out", str(out)]
                run_process([*ALBERT_EXPORT, "stablehlo", *chosen, *more], log)
                (files[name],) = out.rglob("*.jax")
    return files


if __name__ == "__main__":
    main()
