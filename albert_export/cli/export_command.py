"""The commands of the targets, ``onnx`` to ``tensorrt``: a checkpoint in, a bundle with a proven artifact out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from albert_export.builtin import BUILTIN_MODELS, DEFAULT_MODEL
from albert_export.calibration import BUILTIN_TEXTS
from albert_export.cli.engine_options import check_plan_options, engine_options, show_plan, taken_out
from albert_export.cli.options import (
    DIRECTORY,
    Command,
    checkpoint_options,
    complete_checkpoint,
    completing,
    data_options,
    json_option,
    quiet_option,
    task_names,
)
from albert_export.cli.output import print_json, progress
from albert_export.parts import NARROW, PARTS
from albert_export.targets import FRAMEWORKS, TARGETS, Target
from albert_export.tasks import TASKS

_Option = Callable[[Callable[..., None]], Callable[..., None]]

#: Target -> commands that can be copied, beside those that are the same for all.
_EXAMPLES: Mapping[str, Sequence[str]] = {
    "onnx": (
        "albert-export onnx --task ner --model albert-ner/ --out ner/               # a directory",
        "albert-export onnx --task mlm --model albert/albert-base-v2 --out mlm/     # the Hugging Face hub",
        "albert-export onnx --task mlm --model albert/albert-base-v2 --out mlm/ --positions",
        "albert-export onnx --task qa --model albert-qa/ --out qa/ --batch 1 --sequence 384",
        "albert-export onnx --task qa --model albert-qa/ --out qa/ --precision int8",
        "albert-export onnx --task qa --model albert-qa/ --out qa/ --precision int8 --quantize embeddings,ffn",
        "albert-export onnx --task qa --model albert-qa/ --out qa/ --precision int4          # the smallest file",
        "albert-export onnx --task qa --model albert-qa/ --out qa/ --precision int8 --calibrate sentences.txt",
        "albert-export onnx --task qa --model albert-qa/ --out qa/ --tokens packed          # batches of mixed lengths",
        "albert-export onnx --task qa --model albert-qa/ --out qa/ --json | jq '.artifacts[].sharing'",
    ),
    "savedmodel": (
        "albert-export savedmodel --task ner --model albert-ner/ --out ner/",
        "albert-export savedmodel --task qa --model albert-qa/ --out qa/ --batch 1 --sequence 384",
    ),
    "tflite": (
        "albert-export tflite --task qa --model albert-qa/ --out qa/ --precision int8",
        "albert-export tflite --task qa --model albert-qa/ --out qa/ --precision int8 --calibrate sentences.txt",
        "albert-export tflite --task qa --model albert-qa/ --out qa/ --compat task-library",
        "albert-export tflite --task seqcls --model albert-reviews/ --out reviews/ --compat mediapipe",
    ),
    "stablehlo": (
        "albert-export stablehlo --task qa --model albert-qa/ --out qa/ --precision bf16",
        "albert-export stablehlo --task qa --model albert-qa/ --out qa/ --batch 1 --sequence 384 --aot tpu:v5e",
        "albert-export stablehlo --task ner --model albert-ner/ --out ner/ --embed-weights",
    ),
    "tensorrt": (
        "albert-export tensorrt --task qa --model albert-qa/ --plan --precision fp16          # on any machine",
        "albert-export tensorrt --task qa --model albert-qa/ --out qa/ --precision fp16 --profile 1x16,8x128,64x384",
        "albert-export tensorrt --task ner --model albert-ner/ --out ner/ --precision int8 --timing-cache kernels.bin",
    ),
}


def _options(target: Target) -> list[_Option]:
    """The options of a target's command, in the order of its help."""
    return [
        click.option(
            "--task",
            required=True,
            shell_complete=completing(task_names),
            help=f"Head to export: {', '.join(task.name for task in TASKS)}; `albert-export tasks` lists aliases.",
        ),
        click.option(
            "--model",
            shell_complete=complete_checkpoint,
            help=f"Checkpoint: a directory, a hub id (owner/name), or {' or '.join(BUILTIN_MODELS)}, which come with "
            f"the package; {DEFAULT_MODEL} by default, a small one that is trained.",
        ),
        click.option(
            "--out",
            required=not target.built_on_device,
            type=DIRECTORY,
            help=f"Bundle to write, or to add this artifact to{'; not with --plan' if target.built_on_device else ''}.",
        ),
        click.option(
            "--precision",
            metavar=f"[{'|'.join(target.precisions)}]",
            shell_complete=completing(lambda: target.precisions),
            default=target.precisions[0],
            show_default=True,
            help="Number format of the weights and the arithmetic.",
        ),
        *_calibrate_option(target),
        *_quantize_option(target),
        click.option(
            "--layers",
            type=click.Choice(target.layers),
            help="The shared layer as one loop body, or written out once a layer; "
            f"{_default_layers(target)} by default.",
        ),
        *_tokens_option(target),
        *_opset_option(target),
        click.option("--batch", type=click.IntRange(min=1), help="Fix the batch size; any by default."),
        click.option("--sequence", type=click.IntRange(min=1), help="Fix the sequence length; any by default."),
        click.option("--choices", type=click.IntRange(min=1), help="Fix the number of choices; any by default."),
        *_compat_option(target),
        *_embed_option(target),
        *_aot_option(target),
        _positions_option(target),
        *(engine_options() if target.built_on_device else []),
        click.option(
            "--parity/--no-parity",
            default=True,
            show_default=True,
            help="Prove the artifact equal to the eager model before the bundle is replaced.",
        ),
        data_options,
        click.option(
            "--allow-random-head",
            is_flag=True,
            help="Export although the checkpoint lacks this head's weights: they are drawn at random.",
        ),
        checkpoint_options,
        json_option("what the bundle holds, or the plan," if target.built_on_device else "what the bundle holds"),
        quiet_option(),
    ]


def _default_layers(target: Target) -> str:
    return ", ".join((target.layers[0], *(f"{layers} in {name}" for name, layers in target.layers_of.items())))


def _opset_option(target: Target) -> list[_Option]:
    if target.opsets is None:
        return []
    return [click.option("--opset", type=int, help="ONNX operator set; by default the one that most runtimes read.")]


def _tokens_option(target: Target) -> list[_Option]:
    if len(target.tokens) < 2:
        return []
    text = (
        "Leave padding out of all that is computed token by token (packed), so that a batch of mixed lengths costs its "
        f"real tokens, or compute it as any token (padded); {target.tokens[0]} by default."
    )
    return [click.option("--tokens", type=click.Choice(target.tokens), help=text)]


def _calibrate_option(target: Target) -> list[_Option]:
    if not target.calibrated:
        return []
    return [
        click.option(
            "--calibrate",
            metavar=f"FILE|{BUILTIN_TEXTS}",
            help=f"With {' or '.join(target.calibrated)}: give activations the fixed ranges that these sentences show, "
            f"one a line; by default {_without_calibration(target)}.",
        )
    ]


def _without_calibration(target: Target) -> str:
    return "each run measures its own" if target.calibrated_on is None else "those that come with the package"


def _quantize_option(target: Target) -> list[_Option]:
    if not target.by_part:
        return []
    text = (
        f"With {' or '.join(target.by_part)}: the parts it is for, of {', '.join(PARTS)}; all by default, but those "
        "that cost more of a metric than --max-drop allows. Matrices with fewer than "
        f"{NARROW} outputs stay as they are."
    )
    return [click.option("--quantize", metavar="PART,…", help=text)]


def _compat_option(target: Target) -> list[_Option]:
    if not target.readers:
        return []
    names = [reader.name for reader in target.readers]
    titles = " or ".join(reader.title for reader in target.readers)
    return [click.option("--compat", type=click.Choice(names), help=f"Write the form that {titles} takes.")]


def _embed_option(target: Target) -> list[_Option]:
    if not target.embeds:
        return []
    text = "Put the weights inside the graph's file; by default they lie beside it, once for all artifacts."
    return [click.option("--embed-weights", is_flag=True, help=text)]


def _aot_option(target: Target) -> list[_Option]:
    if not target.compiled_for:
        return []
    text = "Compile for this processor too, and tell flops, bytes, memory and the estimated time; it need not be here."
    return [click.option("--aot", type=click.Choice(target.compiled_for), help=text)]


def _positions_option(target: Target) -> _Option:
    text = "Fill-mask: one more input names the positions whose logits are wanted, and no others are computed."
    # Hidden where it cannot be had: the error then names the targets where it can.
    return click.option("--positions", is_flag=True, hidden=not target.chooses_positions, help=text)


def export_command(target: Target) -> click.Command:
    """Return the command that exports to a target."""

    def command(out: Path | None, as_json: bool, quiet: bool, **options: Any) -> None:
        from albert_export.exporting import export
        from albert_export.inspection import inspect_bundle, render

        if target.built_on_device:
            planning = {name: options.pop(name) for name in ("tensorrt", "save_network")}
            plan = options.pop("plan")
            check_plan_options(plan, out, **planning)
            options["engine"] = taken_out(options)
            if plan:
                show_plan(as_json, progress(quiet), **options, **planning)
                return
        assert out is not None, "click asks for it"
        bundle = export(target.name, out=out, progress=progress(quiet), **options)
        description = inspect_bundle(bundle)
        if as_json:
            print_json(description)
        else:
            click.echo(render(description))

    for option in reversed(_options(target)):
        command = option(command)
    return click.command(
        target.name,
        cls=Command,
        short_help=f"Export one head of a checkpoint to {target.title}, and prove it.",
        help=f"""Export one head of a checkpoint to {target.title}, and prove that it computes what the eager model
        computes.

        Traced from the {FRAMEWORKS[target.framework].title} model. The bundle in OUT is replaced only with success: an
        export that fails, misses parity (exit code 1; the candidate and its report stay in OUT.rejected/) or is
        interrupted leaves what was there. Private checkpoints: HF_TOKEN.
        """,
        examples=(
            f"albert-export {target.name} --task question-answering --out qa/".ljust(76) + f"# {DEFAULT_MODEL}",
            *_EXAMPLES[target.name],
        ),
    )(command)


EXPORT_COMMANDS = tuple(export_command(target) for target in TARGETS)
