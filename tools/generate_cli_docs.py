"""Write docs/cli.md from the commands, so that the page cannot say anything else than ``--help``."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from albert_export.cli import program
from albert_export.pipelines import PIPELINES, pipeline_class

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"
WIDTH = 100

INTRODUCTION = """\
# The command line

Written by `make docs` from the commands' own help; a test compares the two.

Results go to stdout, progress and errors to stderr, so that `--json` output can be piped. An error is one line that
states the rule, what was received and the fix.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | a check failed: a parity miss, or a problem that `doctor` found |
| 2 | the request cannot be met: bad input, a missing package or device, no reference model |
| 70 | a defect of this program; `albert-export --debug …` shows the traceback |
| 130 | interrupted (Ctrl-C); no file was left half-written |
| 141 | the reader of the output went away (a closed pipe) |
"""


def render() -> str:
    """Return the whole page."""
    sections = [INTRODUCTION]
    for path, command in _commands(program, "albert-export"):
        options = {**command.context_settings, "max_content_width": WIDTH, "terminal_width": WIDTH}
        context = click.Context(command, info_name=path, **options)
        sections.append(f"## {path}\n\n```text\n{command.get_help(context)}\n```\n")
    sections.append(_options_of_the_heads())
    return "\n".join(sections)


def _options_of_the_heads() -> str:
    """Return what ``run -o NAME=VALUE`` takes, from the pipelines' own dataclasses."""
    lines = [
        "## Options of the heads",
        "",
        "What `albert-export run DIR -o NAME=VALUE` takes, and what the pipelines take as keyword arguments. Where\n"
        "the model's `config.json` has other values in `task_specific_params` under the name of the head, these are\n"
        "the defaults (albert-mini: answers of at most 10 tokens). Those that decide the form of the result are no\n"
        "model's to set: `top_k`, `aggregation`, `pooling`, `normalize`, `targets`.",
        "",
        "| head | option | default | |",
        "|---|---|---|---|",
    ]
    for task in PIPELINES:
        options = pipeline_class(task).options_class
        meanings = _attributes(inspect.getdoc(options) or "")
        for field in dataclasses.fields(options):
            default = json.dumps(field.default).strip('"')
            lines.append(f"| {task} | `{field.name}` | `{default}` | {meanings[field.name]} |")
    return "\n".join(lines) + "\n"


def _attributes(docstring: str) -> dict[str, str]:
    """Return the entries of the section ``Attributes``, each on one line of Markdown."""
    section = docstring.partition("Attributes:\n")[2]
    entries = re.findall(r"^    (\w+): (.*(?:\n {8}.*)*)", section, re.MULTILINE)
    return {name: " ".join(text.split()).replace("``", "`").replace("|", "\\|") for name, text in entries}


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from _commands(child, f"{path} {name}")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(Path.cwd()) if PAGE.is_relative_to(Path.cwd()) else PAGE}", file=sys.stderr)
