"""Compare TFLite files in LiteRT: ours rolled and unrolled, in every precision, and the usual way.

The usual way is TensorFlow's converter as it comes, on a SavedModel whose layers are written out. Every measurement is
a process of its own that loads one file; the files take turns, and of the rounds the least counts. ``load`` is the time
to make the interpreter, ``export peak`` the largest resident memory of the process that made the file (for the usual
way of the conversion alone), ``first RSS`` the resident memory that loading and one run of 1x128 added, ``run RSS``
what all runs did. The difference to the first file's answers is shown: precisions differ, forms of one precision must
not.

Usage: ``python -m benchmarks.litert_latency [--size base] [--precisions fp32 fp16 int8 int8-static] [--save FILE]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measuring import ALBERT_EXPORT, run_process, save
from benchmarks.turns import add_options, make_checkpoint, report, take_turns

_MEMORY = {"export peak MB": "export_peak_bytes", "first RSS MB": "first_bytes", "run RSS MB": "run_bytes"}

#: Name in the table -> options of our command.
_PRECISIONS = {
    "fp32": (),
    "fp16": ("--precision", "fp16"),
    "int8": ("--precision", "int8"),
    "int8-static": ("--precision", "int8", "--calibrate", "builtin"),
}
#: Those that the converter as it comes has too, with its own options.
_USUAL: dict[str, tuple[str, ...]] = {"fp32": (), "int8": ("--int8",)}


def main() -> None:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--precisions", nargs="+", choices=_PRECISIONS, default=list(_PRECISIONS))
    parser.add_argument("--layers", nargs="+", choices=["rolled", "unrolled"], default=["rolled", "unrolled"])
    parser.add_argument("--usual", action=argparse.BooleanOptionalAction, default=True, help="the usual way, too")
    add_options(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        files, peaks = export_all(Path(scratch), arguments)
        results = take_turns(files, "benchmarks.litert_worker", arguments)
    for name, peak in peaks.items():
        results[name]["export_peak_bytes"] = peak
    print(f"\n{arguments.size}, question answering, ms for each batch x sequence\n")
    print(report(results, _MEMORY))
    save(arguments.save, "litert_latency", arguments, results)


def export_all(scratch: Path, arguments: argparse.Namespace) -> tuple[dict[str, Path], dict[str, int]]:
    """Export the same checkpoint in every way; return files, and peaks in bytes, by their names in the table."""
    checkpoint, log = scratch / "checkpoint", scratch / "log.txt"
    make_checkpoint(arguments.size, checkpoint)
    chosen = ["--task", "question-answering", "--model", str(checkpoint), "--quiet", "--no-parity"]
    files: dict[str, Path] = {}
    peaks: dict[str, int] = {}
    saved_model = scratch / "saved_model"
    if arguments.usual:
        run_process([*ALBERT_EXPORT, "savedmodel", *chosen, "--layers", "unrolled", "--out", str(saved_model)], log)
    for precision in arguments.precisions:
        for layers in arguments.layers:
            out = scratch / f"{precision}-{layers}"
            options = [*_PRECISIONS[precision], "--layers", layers]
            cost = run_process([*ALBERT_EXPORT, "tflite", *chosen, *options, "--out", str(out)], log)
            peaks[f"{precision} {layers}"] = cost.peak_bytes
            (files[f"{precision} {layers}"],) = out.rglob("*.tflite")
        if arguments.usual and precision in _USUAL:
            file = scratch / f"usual-{precision}.tflite"
            convert = [sys.executable, "-m", "benchmarks.plain_tflite", str(next(saved_model.glob("saved_model*/1")))]
            peaks[f"{precision} usual"] = run_process([*convert, str(file), *_USUAL[precision]], log).peak_bytes
            files[f"{precision} usual"] = file
    return files, peaks


if __name__ == "__main__":
    main()
