"""``run``: text in, answers out."""

from __future__ import annotations

from pathlib import Path

import click

from albert_export.cli.options import DIRECTORY, Command, json_option, quiet_option, runtime_options


@click.command("run", cls=Command)
@click.argument("bundle", metavar="DIR", type=DIRECTORY)
@runtime_options
@json_option("the answer")
@quiet_option()
def run_command(
    bundle: Path,
    target: str | None,
    precision: str | None,
    device: str,
    threads: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Run."""
