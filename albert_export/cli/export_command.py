"""``onnx``: a checkpoint goes in, a bundle with a proven artifact comes out. Later targets are siblings of it."""

from __future__ import annotations

from pathlib import Path

import click

from albert_export.cli.options import (
    DIRECTORY,
    Command,
    checkpoint_options,
    complete_checkpoint,
    completing,
    json_option,
    quiet_option,
    task_names,
)
from albert_export.cli.output import print_json, progress
from albert_export.targets import get_target
from albert_export.tasks import TASKS

_ONNX = get_target("onnx")


@click.command(
    "onnx",
    cls=Command,
    short_help="Export one head of a checkpoint to ONNX, and prove it.",
    examples=(
        "albert-export onnx --task question-answering --out qa/                     # the built-in model",
        "albert-export onnx --task ner --model albert-ner/ --out ner/               # a directory",
        "albert-export onnx --task mlm --model albert/albert-base-v2 --out mlm/     # the Hugging Face hub",
        "albert-export onnx --task qa --model albert-qa/ --out qa/ --batch 1 --sequence 384",
        "albert-export onnx --task qa --model albert-qa/ --out qa/ --json | jq '.artifacts[].sharing'",
    ),
)
@click.option(
    "--task",
    required=True,
    shell_complete=completing(task_names),
    help=f"Head to export: {', '.join(task.name for task in TASKS)}; `albert-export tasks` lists aliases.",
)
@click.option(
    "--model",
    shell_complete=complete_checkpoint,
    help="Checkpoint: a directory, or a hub id (owner/name); by default the built-in model, which is untrained.",
)
@click.option("--out", required=True, type=DIRECTORY, help="Bundle to write, or to add this artifact to.")
@click.option(
    "--precision",
    type=click.Choice(_ONNX.precisions),
    default=_ONNX.precisions[0],
    show_default=True,
    help="Number format of the weights and the arithmetic.",
)
@click.option(
    "--layers",
    type=click.Choice(_ONNX.layers),
    help=f"The shared layer as one loop body, or written out once a layer; {_ONNX.layers[0]} by default.",
)
@click.option("--opset", type=int, help="ONNX operator set; by default the one that most runtimes read.")
@click.option("--batch", type=click.IntRange(min=1), help="Fix the batch size; any by default.")
@click.option("--sequence", type=click.IntRange(min=1), help="Fix the sequence length; any by default.")
@click.option("--choices", type=click.IntRange(min=1), help="Fix the number of choices; any by default.")
@click.option(
    "--parity/--no-parity",
    default=True,
    show_default=True,
    help="Prove the artifact equal to the eager model before the bundle is replaced.",
)
@click.option(
    "--allow-random-head",
    is_flag=True,
    help="Export although the checkpoint lacks this head's weights: they are drawn at random.",
)
@checkpoint_options
@json_option("what the bundle holds")
@quiet_option()
def onnx_command(
    task: str,
    model: str | None,
    out: Path,
    precision: str,
    layers: str | None,
    opset: int | None,
    batch: int | None,
    sequence: int | None,
    choices: int | None,
    parity: bool,
    allow_random_head: bool,
    revision: str | None,
    cache_dir: Path | None,
    local_files_only: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Export one head of a checkpoint to ONNX, and prove that it computes what the eager model computes.

    The bundle in OUT is replaced only with success: an export that fails, misses parity (exit code 1; the candidate and
    its report stay in OUT.rejected/) or is interrupted leaves what was there. Private checkpoints: HF_TOKEN.
    """
    from albert_export.exporting import export
    from albert_export.inspection import inspect_bundle, render

    bundle = export(
        _ONNX.name,
        model=model,
        task=task,
        out=out,
        precision=precision,
        layers=layers,
        opset=opset,
        batch=batch,
        sequence=sequence,
        choices=choices,
        parity=parity,
        allow_random_head=allow_random_head,
        revision=revision,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
        progress=progress(quiet),
    )
    description = inspect_bundle(bundle)
    if as_json:
        print_json(description)
    else:
        click.echo(render(description))
