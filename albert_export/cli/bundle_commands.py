"""``parity`` and ``inspect``: what a bundle computes, and what is in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from albert_export.cli.options import (
    DIRECTORY,
    Command,
    checkpoint_options,
    complete_checkpoint,
    completing,
    data_options,
    json_option,
    names_in,
    quiet_option,
    runtime_option,
    task_names,
)
from albert_export.cli.output import print_json, progress
from albert_export.cli.parity_outcome import Outcome, ReportPlace
from albert_export.cli.self_test import check_use, run_self_test
from albert_export.errors import InputError, UnknownNameError
from albert_export.targets import FRAMEWORKS, TARGETS

#: The keys of ``albert_export.parity.FORMS``, which is not imported for the sake of a quick `--help`.
REPORT_FORMS = ("json", "junit", "markdown", "html")


@click.command(
    "inspect",
    cls=Command,
    short_help="Show what is in a bundle.",
    examples=(
        "albert-export inspect qa/",
        "albert-export inspect qa/ --json | jq '.artifacts[] | {file, sharing, operators}'",
    ),
)
@click.argument("bundle", metavar="DIR", type=DIRECTORY)
@click.option(
    "--verify/--no-verify",
    default=True,
    show_default=True,
    help="Compare sizes and hashes of all files with the manifest first.",
)
@json_option("what the bundle holds")
def inspect_command(bundle: Path, verify: bool, as_json: bool) -> None:
    """Show what is in the bundle DIR: inputs, outputs, operators, sizes, sharing, precision, versions, parity."""
    from albert_export.bundle import Bundle
    from albert_export.inspection import inspect_bundle, render

    description = inspect_bundle(Bundle.open(bundle, verify=verify), verified=verify)
    if as_json:
        print_json(description)
    else:
        click.echo(render(description))


@click.command(
    "parity",
    cls=Command,
    short_help="Prove a bundle equal to its eager model again.",
    examples=(
        "albert-export parity qa/ --model albert-qa/",
        "albert-export parity qa/ --report html                   # qa/parity/report.html",
        "albert-export parity qa/ --report-dir reports/           # all forms, for continuous integration",
        "albert-export parity qa/ --compare main/report.json      # exit code 1, too, where something got worse",
        "albert-export parity qa/ --quick --skip savedmodel       # in a hurry; the report says what is left out",
        "albert-export parity qa/ --runtime openvino              # as it will be run, without a record",
        "albert-export parity qa/ --explain                       # on a miss: the first layer that diverges",
        "albert-export parity qa/ --model albert-qa/ --data dev.jsonl --max-drop 0.5   # exact match and F1 too",
        "albert-export parity qa/ --model albert-qa/ --json | jq .ok",
        "albert-export parity --self-test                         # are mistakes caught, for every target?",
    ),
)
@click.argument("bundle", metavar="DIR", type=DIRECTORY, required=False)
@click.option(
    "--model",
    shell_complete=complete_checkpoint,
    help="Checkpoint to compare with; by default the one named in the manifest. Its hash is compared first.",
)
@click.option(
    "--targets",
    default="all",
    show_default=True,
    shell_complete=completing(lambda: ("all", *(target.name for target in TARGETS))),
    help="Artifacts to check: all, or targets separated by commas; the report names the others. One that --runtime "
    "does not read is exit code 2.",
)
@click.option(
    "--skip",
    default="",
    metavar="TARGET,…",
    shell_complete=completing(lambda: [target.name for target in TARGETS]),
    help="Targets to leave out, separated by commas; the report names them. Nothing else is ever left out unsaid.",
)
@click.option(
    "--quick",
    is_flag=True,
    help="Run fewer cases and no data, for a first answer; every check is made, and the report says what is left out.",
)
@click.option(
    "--frameworks",
    default="",
    shell_complete=completing(lambda: ("all", *FRAMEWORKS)),
    help="Eager models to look at besides those that artifacts were traced from: all, or names, separated by commas.",
)
@click.option(
    "--report",
    "forms",
    default="",
    callback=lambda _context, _option, value: _report_forms(value),
    shell_complete=completing(lambda: REPORT_FORMS),
    help=f"Also write the report into DIR/parity/: {', '.join(REPORT_FORMS)}, separated by commas.",
)
@click.option(
    "--report-dir",
    type=DIRECTORY,
    help="Write it into this directory instead; in all forms, unless --report says which.",
)
@click.option(
    "--compare",
    metavar="OLD.json",
    type=DIRECTORY,
    help="Fail, too, where parity, size or memory is worse than in this older report of the same checkpoint.",
)
@click.option(
    "--memory/--no-memory",
    default=None,
    help="Measure each artifact's memory in a process of its own; by default where a report is written or compared, "
    "and not with --quick.",
)
@click.option(
    "--record/--no-record",
    default=None,
    help="Put the verdict into the manifest, as is done unless --runtime or --quick is given: the manifest holds what "
    "a full run on the targets' own runtimes gave. --no-record for a bundle that must not be written.",
)
@data_options
@click.option(
    "--explain", is_flag=True, help="On a miss, name the first layer, kind of operator and output that diverge."
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="On a miss, draw the error against depth: .png, .svg or .pdf (extra plot); --explain alone draws it in text.",
)
@click.option(
    "--self-test",
    "as_self_test",
    is_flag=True,
    help="Export the model again with one thing wrong, for each of seven mistakes, and see whether parity catches it: "
    "in the forms of the artifacts in DIR, or without DIR in fp32 for every target that --targets and --skip leave.",
)
@click.option(
    "--task",
    shell_complete=completing(task_names),
    help="With --self-test and without DIR: the head, question-answering by default.",
)
@click.option("--device", default="auto", show_default=True, help="Device that the artifacts run on.")
@runtime_option()
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of the random cases.")
@checkpoint_options
@json_option("the report")
@quiet_option()
@click.pass_context
def parity_command(
    ctx: click.Context,
    bundle: Path | None,
    model: str | None,
    targets: str,
    skip: str,
    quick: bool,
    frameworks: str,
    forms: tuple[str, ...],
    report_dir: Path | None,
    compare: Path | None,
    memory: bool | None,
    record: bool | None,
    data: str | None,
    max_drop: float | None,
    explain: bool,
    plot: Path | None,
    as_self_test: bool,
    task: str | None,
    device: str,
    runtime: str | None,
    seed: int,
    revision: str | None,
    cache_dir: Path | None,
    local_files_only: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Prove again that the artifacts in the bundle DIR compute what the eager model computes.

    Exit code 0: every artifact was compared and passes, but for those that --skip names or --targets does not; 1: one
    misses, or, with --compare, got worse; 2: one could not be compared, as when the reference checkpoint or a package
    is not there.
    """
    from albert_export.bench.footprint import measure_memory, with_memory
    from albert_export.bundle import Bundle
    from albert_export.parity import check_parity, compare_reports, read_old_report, record_parity, write_reports
    from albert_export.parity.depth_plot import check_plot, draw
    from albert_export.parity.forms import FOLDER

    chosen = names_in(targets) if targets != "all" else "all"
    check_use(ctx, asked=as_self_test)
    if as_self_test:
        source = {"revision": revision, "cache_dir": cache_dir, "local_files_only": local_files_only}
        what = {"model": model, "task": task, "targets": chosen, "skip": names_in(skip)}
        how = {"device": device, "seed": seed}
        run_self_test(ctx, bundle, as_json=as_json, say=progress(quiet), **what, **how, **source)
    assert bundle is not None, "check_use looked"
    if plot is not None:
        check_plot(plot)
    if record and (runtime is not None or quick):
        raise InputError(
            "the manifest holds the verdict of a full run on each target's own runtime",
            received="--record and " + ("--quick" if runtime is None else f"--runtime {runtime}"),
            fix="leave one out",
        )
    if report_dir is not None:
        forms = forms or REPORT_FORMS
    place = ReportPlace(report_dir or bundle, FOLDER if report_dir is None else "", forms)
    say = progress(quiet)
    with place.none_left_of_earlier():
        opened = Bundle.open(bundle)
        old = None if compare is None else read_old_report(compare)
        if old is not None:  # before anything takes time
            old.check_subject(task=opened.task.name, sha256=opened.manifest.source.sha256, seed=seed, quick=quick)
        # Memory is that of each target's own runtime.
        reported = (bool(forms) or old is not None) and runtime is None
        report = check_parity(
            opened,
            model=model,
            targets=chosen,
            skip=names_in(skip),
            quick=quick,
            frameworks=names_in(frameworks),
            revision=revision,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            data=data,
            max_drop=max_drop,
            explain=explain or plot is not None,
            depth="html" in forms and not quick,
            device=device,
            seed=seed,
            progress=say,
            runtime=runtime,
        )
        outcome = Outcome(report)
        if memory or (memory is None and reported and not quick):
            files = [artifact.file for artifact in report.artifacts]
            outcome.refine(
                lambda report: with_memory(report, measure_memory(opened, files, device=device, progress=say))
            )
        elif quick and reported:
            outcome.refine(lambda report: replace(report, left_out=(*report.left_out, "memory")))
        if old is not None:
            outcome.refine(lambda report: replace(report, comparison=compare_reports(old, report)))
    if as_json:
        print_json(outcome.report.to_dict())
    else:
        click.echo(outcome.report.summary_table())
    if report_dir is not None:
        outcome.leave(lambda report: write_reports(report, report_dir, forms, folder=""))
    within = forms if report_dir is None else ()
    # A short run, or one elsewhere, must not take the place of a full one.
    if record or (record is None and runtime is None and not quick):
        outcome.leave(lambda report: record_parity(opened, report, forms=within))
    elif within:
        outcome.leave(lambda report: write_reports(report, bundle, within))
    if plot is not None:
        outcome.leave(lambda report: draw(report, plot))
    ctx.exit(outcome.exit_code())


def _report_forms(text: str) -> tuple[str, ...]:
    """Check the forms before the artifacts are run, and not when the report is written."""
    names = names_in(text)
    for name in names:
        if name not in REPORT_FORMS:
            raise UnknownNameError("form of a report", name, REPORT_FORMS)
    return names
