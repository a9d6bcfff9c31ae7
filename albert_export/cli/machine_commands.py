"""``tasks``, ``targets``, ``doctor`` and ``completion``: about the program and the machine, without a bundle."""

from __future__ import annotations

import dataclasses
from typing import Any

import click
from click.shell_completion import get_completion_class

from albert_export._text import table
from albert_export.cli.options import Command, json_option
from albert_export.cli.output import print_json
from albert_export.runtime_table import get_runtime
from albert_export.targets import FRAMEWORKS, PRECISIONS, TARGETS, Target
from albert_export.tasks import TASKS, Task


@click.command(
    "tasks",
    cls=Command,
    short_help="List the heads that can be exported.",
    examples=("albert-export tasks", "albert-export tasks --json | jq -r '.[].name'"),
)
@json_option("the table")
def tasks_command(as_json: bool) -> None:
    """List the task heads that can be exported: names, aliases, inputs and outputs."""
    if as_json:
        print_json([dataclasses.asdict(task) for task in TASKS])
        return
    click.echo("\n\n".join(map(_describe_task, TASKS)))


def _describe_task(task: Task) -> str:
    aliases = f" ({', '.join(task.aliases)})" if task.aliases else ""
    takes = f"{', '.join(tensor.name for tensor in task.inputs)} [{', '.join(map(str, task.inputs[0].axes))}]"
    gives = ", ".join(f"{tensor.name} [{', '.join(map(str, tensor.axes))}]" for tensor in task.outputs)
    return f"{task.name}{aliases}: {task.summary}\n  takes {takes}\n  gives {gives}"


@click.command(
    "targets",
    cls=Command,
    short_help="List what can be made, and in which precisions.",
    examples=("albert-export targets", "albert-export targets --json | jq '.[] | {name, precisions}'"),
)
@json_option("the table")
def targets_command(as_json: bool) -> None:
    """List the kinds of artifacts that can be made: precisions, forms of int8 and int4, layers, devices, extras."""
    if as_json:
        print_json([_target_fields(target) for target in TARGETS])
        return
    rows = [["", *PRECISIONS, "int8 calibrated", "by part"]]
    for target in TARGETS:
        marks = ["default" if name == target.precisions[0] else "yes" for name in PRECISIONS]
        held = [mark if name in target.precisions else "-" for name, mark in zip(PRECISIONS, marks, strict=True)]
        calibrated = "yes" if "int8" in target.calibrated else "-"
        rows.append([target.name, *held, calibrated, ", ".join(target.by_part) or "-"])
    click.echo(table(rows))
    click.echo("\n" + "\n\n".join(map(_describe_target, TARGETS)))


def _describe_target(target: Target) -> str:
    framework = FRAMEWORKS[target.framework].title
    lines = [f"{target.name}: {target.place.format(form='[_FORM]')}, traced from {framework}"]
    if target.int8_form is not None:
        lines.append(f"  int8     by default {target.int8_form}")
    if target.calibrated:
        lines.append("           with --calibrate activations with fixed ranges")
    if target.int4_form is not None:
        lines.append(f"  int4     {target.int4_form}")
    lines.append(f"  layers   {' or '.join(target.layers)}, the first by default")
    for row in map(get_runtime, target.runtimes):
        how = f"{row.title} on {', '.join(row.devices)}: albert-export[{row.extra}]"
        lines.append(f"  run by   {how}" if row is target.own_runtime else f"  or by    {how}, --runtime {row.name}")
    lines.append(f"  export   albert-export[{','.join(target.export_extras)}]")
    return "\n".join(lines)


def _target_fields(target: Target) -> dict[str, Any]:
    shown = ("name", "title", "place", "framework", "precisions", "calibrated", "by_part", "int8_form")
    fields = dataclasses.asdict(target)
    runtime = target.own_runtime
    return {
        **{key: fields[key] for key in (*shown, "int4_form", "layers")},
        "devices": runtime.devices,
        "runtimes": target.runtimes,
        "build_extra": ",".join(target.export_extras),
        "run_extra": runtime.extra,
    }


@click.command(
    "doctor",
    cls=Command,
    short_help="Show what this machine can do, and what is missing.",
    examples=("albert-export doctor", "albert-export doctor --json"),
)
@json_option("what was found")
@click.pass_context
def doctor_command(ctx: click.Context, as_json: bool) -> None:
    """Show what this machine can export, run and prove, and what is missing, with the command that brings it.

    Exit code 1 when something is installed in a way that will fail; a package that is only missing is no failure.
    """
    from albert_export.doctor import examine
    from albert_export.doctor_text import render

    diagnosis = examine()
    if as_json:
        print_json(diagnosis.to_dict())
    else:
        click.echo(render(diagnosis))
    ctx.exit(0 if diagnosis.healthy else 1)


@click.command(
    "completion",
    cls=Command,
    short_help="Print a script of shell completion.",
    examples=(
        "albert-export completion bash > ~/.local/share/bash-completion/completions/albert-export",
        'albert-export completion zsh > "${fpath[1]}/_albert-export"',
        "albert-export completion fish > ~/.config/fish/completions/albert-export.fish",
    ),
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands, options, tasks and targets in SHELL: bash, zsh or fish."""
    kind = get_completion_class(shell)
    assert kind is not None  # the argument admits only shells that click knows
    click.echo(kind(ctx.find_root().command, {}, "albert-export", "_ALBERT_EXPORT_COMPLETE").source())
