"""Compare packed and padded tokens in ONNX Runtime, over how much of a batch is padding.

Ours of one checkpoint, in each precision, with ``--tokens`` padded and packed: every measurement is a process of its
own that loads one file; the files take turns, and of the rounds the least counts. Rows have lengths from a seed:
``8x128 50%`` is 8 rows of up to 128 tokens of which half are padding, and ``0%`` shows what packing costs where nothing
is left out.

Usage: ``python -m benchmarks.mixed_lengths --threads 2 [--size base] [--precisions fp32 int8] [--save FILE]``
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import ALBERT_EXPORT, run_process, save, table
from benchmarks.turns import add_options, make_checkpoint, take_turns


def main() -> None:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precisions", nargs="+", default=["fp32", "int8"])
    parser.add_argument("--paddings", nargs="+", type=int, default=[0, 25, 50, 75], help="percent of the tokens")
    parser.add_argument("--task", default="question-answering", choices=["question-answering", "fill-mask"])
    add_options(parser)
    arguments = parser.parse_args()
    shapes = [
        [batch, sequence, padding]
        for batch in arguments.batches
        for sequence in arguments.sequences
        for padding in (arguments.paddings if batch > 1 else [0])
    ]
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        files = export_all(Path(scratch), arguments)
        results = take_turns(files, "benchmarks.onnxruntime_worker", arguments, shapes)
    print(f"\n{arguments.size}, {arguments.task}, ms for each batch x sequence and share of padding\n")
    print(report(results, arguments.precisions))
    save(arguments.save, "mixed_lengths", arguments, results)


def export_all(scratch: Path, arguments: argparse.Namespace) -> dict[str, Path]:
    """Export the same checkpoint in every way; return the files by their names in the table."""
    checkpoint = scratch / "checkpoint"
    make_checkpoint(arguments.size, checkpoint)
    files = {}
    for precision in arguments.precisions:
        for tokens in ("padded", "packed"):
            out = scratch / f"{precision}-{tokens}"
            command = [*ALBERT_EXPORT, "onnx", "--task", arguments.task, "--model", str(checkpoint), "--quiet"]
            head = ["--no-parity", "--allow-random-head"]
            run_process(
                [*command, "--precision", precision, "--tokens", tokens, *head, "--out", str(out)], scratch / "log.txt"
            )
            files[f"{precision} {tokens}"] = min(out.rglob("*.onnx"), key=lambda file: len(file.name))
    return files


def report(results: dict[str, Any], precisions: list[str]) -> str:
    """Return the table: for each shape, both forms and what the packed one takes of the padded one."""
    head = ["", *(f"{precision} {column}" for precision in precisions for column in ("padded", "packed", "ratio"))]
    rows = []
    for shape in next(iter(results.values()))["milliseconds"]:
        row = [shape]
        for precision in precisions:
            padded, packed = (
                results[f"{precision} {tokens}"]["milliseconds"][shape] for tokens in ("padded", "packed")
            )
            row += [f"{padded:.2f}", f"{packed:.2f}", f"{packed / padded:.3f}"]
        rows.append(row)
    return table(head, rows)


if __name__ == "__main__":
    main()
