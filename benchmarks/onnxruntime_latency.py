"""Compare ONNX files in ONNX Runtime: ours rolled and unrolled, at several opsets, and optimum's.

Every measurement is a process of its own that loads one file; the files take turns, and of the rounds the least counts.
``load`` is the time to make the session, ``RSS`` the resident memory that the session (``load``) and then all the runs
(``run``) added. The difference to the first file's answers is shown, so that nobody compares different models.

Usage: ``python -m benchmarks.onnxruntime_latency --peers PEERS_PYTHON [--size base] [--opsets 18 20 23] [--save FILE]``
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.export_vs_optimum import OPTIMUM
from benchmarks.measuring import ALBERT_EXPORT, ROOT, run_process, save
from benchmarks.turns import add_options, make_checkpoint, report, take_turns

_MEMORY = {"load RSS MB": "load_bytes", "run RSS MB": "run_bytes"}


def main() -> None:
    """Parse the arguments, measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--peers", type=Path, help="Python of an environment with optimum; without it only ours is timed"
    )
    parser.add_argument("--opsets", nargs="+", type=int, default=[], help="our opsets; the default one when left out")
    parser.add_argument("--layers", nargs="+", choices=["rolled", "unrolled"], default=["rolled", "unrolled"])
    add_options(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.scratch) as scratch:
        files = export_all(Path(scratch), arguments)
        results = take_turns(files, "benchmarks.onnxruntime_worker", arguments)
    print(f"\n{arguments.size}, question answering, ms for each batch x sequence\n")
    print(report(results, _MEMORY))
    save(arguments.save, "onnxruntime_latency", arguments, results)


def export_all(scratch: Path, arguments: argparse.Namespace) -> dict[str, Path]:
    """Export the same checkpoint in every way; return the files by their names in the table."""
    checkpoint = scratch / "checkpoint"
    make_checkpoint(arguments.size, checkpoint)
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


if __name__ == "__main__":
    main()
