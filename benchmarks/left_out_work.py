"""Compare ONNX files that leave out what nobody reads with files that compute it, in ONNX Runtime.

``text-classification``: the last layer for all tokens, and for the first one, which is all that the head reads.
``fill-mask``: the words at every position, and at one position of each row (``--positions``).

Ours of one checkpoint: every measurement is a process of its own that loads one file; the files take turns, and of the
rounds the least counts. ``load`` and ``run`` are the resident memory that the session, and then all runs too, added.
With ``--processor-time`` the time of the processors counts: that of one thread is nearly the same when others use the
machine.

Usage: ``python -m benchmarks.left_out_work --threads 2 [--size base] [--precisions fp32 int8] [--save FILE]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.measuring import ALBERT_EXPORT, run_process, save, table
from benchmarks.turns import add_options, make_checkpoint, take_turns

#: Task -> what its two files compute, the one that leaves nothing out first.
FORMS = {
    "text-classification": ("all tokens", "first token"),
    "fill-mask": ("every position", "one position"),
}


def main() -> None:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precisions", nargs="+", default=["fp32", "int8"])
    parser.add_argument("--tasks", nargs="+", default=list(FORMS), choices=FORMS)
    parser.add_argument("--processor-time", action="store_true", help="show what the processors spent; take one thread")
    add_options(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        checkpoint = Path(scratch, "checkpoint")
        make_checkpoint(arguments.size, checkpoint)
        results = {}
        for task in arguments.tasks:
            files = export_both(Path(scratch), checkpoint, task, arguments.precisions)
            results[task] = take_turns(files, "benchmarks.onnxruntime_worker", arguments)
    for task, measured in results.items():
        figure = "processor_milliseconds" if arguments.processor_time else "milliseconds"
        print(f"\n{arguments.size}, {task}, {figure.replace('_', ' ')} for each batch x sequence, and MB of memory\n")
        print(report(measured, FORMS[task], arguments.precisions, figure))
    save(arguments.save, "left_out_work", arguments, results)


def export_both(scratch: Path, checkpoint: Path, task: str, precisions: list[str]) -> dict[str, Path]:
    """Export the checkpoint with and without the work; return the files by their names in the table."""
    files = {}
    for precision in precisions:
        for form in FORMS[task]:
            out = scratch / f"{task}-{precision}-{form.replace(' ', '-')}"
            options = ["--task", task, "--precision", precision]
            if form == "all tokens":
                build = [sys.executable, "-m", "benchmarks.all_tokens_build", str(checkpoint), str(out / "model.onnx")]
                run_process([*build, *options], scratch / "log.txt")
            else:
                command = [*ALBERT_EXPORT, "onnx", "--model", str(checkpoint), *options, "--quiet", "--out", str(out)]
                head = ["--no-parity", "--allow-random-head", *["--positions"] * (form == "one position")]
                run_process([*command, *head], scratch / "log.txt")
            files[f"{precision} {form}"] = min(out.rglob("*.onnx"), key=lambda file: len(file.name))
    return files


def report(results: dict[str, Any], forms: tuple[str, str], precisions: list[str], figure: str) -> str:
    """Return the table: for each shape, both forms and what the second takes of the first; then their memory."""
    head = ["", *(f"{precision} {column}" for precision in precisions for column in (*forms, "ratio"))]
    rows = []
    for shape in next(iter(results.values()))[figure]:
        pairs = [[results[f"{precision} {form}"][figure][shape] for form in forms] for precision in precisions]
        rows.append([shape, *(cell for whole, less in pairs for cell in _cells(whole, less, ".2f"))])
    for name in ("load", "run"):
        pairs = [[results[f"{precision} {form}"][f"{name}_bytes"] / 1e6 for form in forms] for precision in precisions]
        rows.append([f"{name} MB", *(cell for whole, less in pairs for cell in _cells(whole, less, ".0f"))])
    return table(head, rows)


def _cells(whole: float, less: float, form: str) -> tuple[str, str, str]:
    return f"{whole:{form}}", f"{less:{form}}", f"{less / whole:.3f}"


if __name__ == "__main__":
    main()
