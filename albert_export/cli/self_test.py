"""``parity --self-test``: whether the comparator catches what it should."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from albert_export.cli.output import print_json

#: Options of ``parity`` that say nothing to a self-test, by their name in the context.
_NOT_HERE = {
    "--frameworks": "frameworks",
    "--report": "forms",
    "--report-dir": "report_dir",
    "--compare": "compare",
    "--memory": "memory",
    "--quick": "quick",
    "--data": "data",
    "--max-drop": "max_drop",
    "--explain": "explain",
    "--plot": "plot",
    "--runtime": "runtime",
}


def check_use(ctx: click.Context, *, asked: bool) -> None:
    """Check that options and argument are those of what was asked for.

    Raises:
        UsageError: An option of the self-test without it, or one beside it that it does not have.
    """
    if not asked:
        if ctx.params["bundle"] is None:
            raise click.UsageError("missing argument 'DIR'", ctx=ctx)
        if ctx.params["task"] is not None:
            raise click.UsageError("--task is for --self-test: a bundle has its task", ctx=ctx)
        return
    default = click.core.ParameterSource.DEFAULT
    for option, name in _NOT_HERE.items():
        if name in ctx.params and ctx.get_parameter_source(name) != default:
            raise click.UsageError(f"{option} cannot be given with --self-test", ctx=ctx)


def run_self_test(
    ctx: click.Context, bundle: Path | None, *, as_json: bool, say: Callable[[str], None] | None, **options: Any
) -> None:
    """Test the comparator, print what was found, and end with its exit code."""
    from albert_export.selftest import self_test

    report = self_test(bundle, progress=say, **options)
    if as_json:
        print_json(report.to_dict())
    else:
        click.echo(report.summary_table())
    ctx.exit(0 if report.ok else 1)
