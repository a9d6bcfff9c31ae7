"""``bench``: how fast, how large and how exact the artifacts of bundles are, side by side."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from albert_export.cli.options import (
    DIRECTORY,
    Command,
    checkpoint_options,
    complete_checkpoint,
    completing,
    json_option,
    names_in,
    quiet_option,
)
from albert_export.cli.output import json_text, print_json, progress
from albert_export.errors import InputError
from albert_export.runtime_table import runtime_names
from albert_export.targets import PRECISIONS, TARGETS

if TYPE_CHECKING:
    from albert_export.bench.shapes import Shape

#: A short text, a paragraph, and eight of them, full and padded.
DEFAULT_SHAPES = "1x16,1x128,8x128,8x128p"


@click.command(
    "bench",
    cls=Command,
    short_help="Measure latency, memory and error side by side.",
    examples=(
        "albert-export bench qa/",
        "albert-export bench qa/ --targets onnx --shapes 1x16,1x128,1x384,8x128p --plot bench.png",
        "albert-export bench base/ large/ --baseline base/onnx/model.onnx --save bench.json",
        "albert-export bench qa/ --file onnx/model.onnx --file onnx/model_int8.onnx --threads 1",
        "albert-export bench qa/ --runtimes own,openvino,openvino:bf16",
        "albert-export bench qa/ --json | jq '.artifacts[] | {name, speed}'",
    ),
)
@click.argument("bundles", metavar="DIR...", type=DIRECTORY, nargs=-1, required=True)
@click.option(
    "--targets",
    default="all",
    show_default=True,
    shell_complete=completing(lambda: ("all", *(target.name for target in TARGETS))),
    help="Artifacts to measure: all, or those of targets separated by commas.",
)
@click.option(
    "--precisions",
    default="all",
    show_default=True,
    shell_complete=completing(lambda: ("all", *PRECISIONS)),
    help="Of these the ones in all precisions, or in those named, separated by commas.",
)
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="FILE",
    help="Of these one file, as `inspect` lists them, e.g. onnx/model_int8.onnx; can be given several times.",
)
@click.option(
    "--runtimes",
    default="own",
    show_default=True,
    shell_complete=completing(lambda: ("own", "all", *runtime_names())),
    help="What reads them, each in turn, separated by commas: own for each target's own runtime, openvino, "
    "openvino:bf16, …, or all that are installed.",
)
@click.option(
    "--shapes",
    default=DEFAULT_SHAPES,
    show_default=True,
    callback=lambda _context, _option, value: _shapes(value),
    help="Batches to time, separated by commas: BxS is B rows of S tokens; in BxSp half of the tokens are padding.",
)
@click.option(
    "--baseline",
    metavar="NAME",
    help="Artifact that ratios are to, by its name in the table; by default the first that takes a shape.",
)
@click.option(
    "--repeats",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="Timed runs of each artifact at each shape; the artifacts take turns.",
)
@click.option(
    "--loads",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Fresh processes that load each artifact; the table shows the least time.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Threads of one run; the runtime's choice by default, and in any case JAX's of StableHLO artifacts.",
)
@click.option("--device", default="auto", show_default=True, help="Device that the artifacts run on.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of ids, lengths and turns."
)
@click.option(
    "--error/--no-error",
    default=True,
    show_default=True,
    help="Measure the error to PyTorch in float64, where the checkpoint is found.",
)
@click.option(
    "--model",
    shell_complete=complete_checkpoint,
    help="Checkpoint that the bundles were made from; by default that of each manifest, where it is here.",
)
@checkpoint_options
@json_option("everything that was measured")
@click.option("--save", type=DIRECTORY, metavar="FILE.json", help="Also write everything that was measured as JSON.")
@click.option(
    "--plot",
    type=DIRECTORY,
    metavar="FILE.png",
    help="Also draw latency against length, and error against speed (.png, .svg or .pdf).",
)
@quiet_option()
def bench_command(
    bundles: tuple[Path, ...],
    targets: str,
    precisions: str,
    files: tuple[str, ...],
    runtimes: str,
    shapes: tuple[Shape, ...],
    baseline: str | None,
    repeats: int,
    loads: int,
    threads: int | None,
    device: str,
    seed: int,
    error: bool,
    model: str | None,
    revision: str | None,
    cache_dir: Path | None,
    local_files_only: bool,
    as_json: bool,
    save: Path | None,
    plot: Path | None,
    quiet: bool,
) -> None:
    """Measure the artifacts in the bundles DIR side by side, on a machine that does nothing else.

    Each artifact runs in a process of its own, so that memory is that of one; warm runs take turns, so that what else
    the machine does meets all alike. Load and memory: the table's idle is the process with its runtime before the
    artifact is loaded, resident is after that, peak is after all runs; it is memory of the host, not of a GPU. Error is
    the largest distance from PyTorch in float64 at real tokens, speed how many times as fast as the baseline, over all
    shapes.
    """
    from albert_export.bench.bundles import Model, bench_bundles
    from albert_export.bench.plot import check_plot, draw

    for path in (save, plot):
        if path is not None:
            _check_place(path)
    if plot is not None:
        check_plot(plot)
    about_errors = {"--model": model, "--revision": revision, "--cache-dir": cache_dir, "--offline": local_files_only}
    for option, value in about_errors.items():
        if value and not error:
            raise InputError(
                f"{option} says what errors are measured against", received="--no-error", fix="leave one out"
            )
    report = bench_bundles(
        bundles,
        shapes,
        targets=() if targets == "all" else names_in(targets),
        precisions=() if precisions == "all" else names_in(precisions),
        files=files,
        runtimes=names_in(runtimes),
        baseline=baseline,
        device=device,
        threads=threads,
        repeats=repeats,
        loads=loads,
        seed=seed,
        model=Model(model, revision, cache_dir, local_files_only) if error else None,
        say=progress(quiet) or (lambda _: None),
    )
    # Neither a reader that went away nor a file that cannot be written costs what comes after it.
    with ExitStack() as last:
        if plot is not None:
            last.callback(draw, report, plot)
        if save is not None:
            last.callback(save.write_text, f"{json_text(report.to_dict())}\n", encoding="utf-8")
        if as_json:
            print_json(report.to_dict())
        else:
            click.echo(report.render())


def _shapes(text: str) -> tuple[Shape, ...]:
    from albert_export.bench.shapes import parse_shapes

    return parse_shapes(text)


def _check_place(path: Path) -> None:
    """Check before minutes of measuring that there is a place for what they give."""
    if path.is_dir():
        raise InputError("an output must be a file", received=f"a directory: {path}", fix="name a file in it")
    if not path.parent.is_dir():
        raise InputError("an output must lie in a directory", received=str(path), fix=f"make {path.parent} first")
