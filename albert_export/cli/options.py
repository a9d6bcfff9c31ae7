"""What several commands share: the command class with examples, option groups, shell completion of names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from albert_export.builtin import DEFAULT_MODEL, HELD_OUT_SETS
from albert_export.runtime_table import RUNTIMES, runtime_names
from albert_export.targets import PRECISIONS, TARGETS
from albert_export.tasks import TASKS

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Decorator = Callable[[Decorated], Decorated]

#: Options and arguments take paths as they are: whether they serve is told by what opens them, in one line.
DIRECTORY = click.Path(path_type=Path)


class _WithExamples(click.Command):
    """Ends the help with commands that can be copied."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        # On each command, not inherited: click keeps a command's help option from its first context, whatever that was.
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": 100})
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as click does, but name all required parameters that are missing, and not the first alone."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.MissingParameter as error:
            with self.make_context(ctx.info_name, given, ctx.parent, resilient_parsing=True) as seen:
                missing = [
                    param for param in self.params if param.required and seen.params.get(param.name or "") is None
                ]
            if len(missing) < 2:
                raise
            hints = ", ".join(param.get_error_hint(ctx) for param in missing)
            raise click.UsageError(f"missing {hints}", ctx=ctx) from error

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002  click's signature
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:  # never wrapped: a wrapped command cannot be copied
                    formatter.write(f"{' ' * formatter.current_indent}{example}\n")


class Command(_WithExamples):
    """One command of the program."""


class Group(_WithExamples, click.Group):
    """A group of commands."""


def task_names() -> list[str]:
    """Names and aliases of all tasks, in the order of the table."""
    return [name for task in TASKS for name in (task.name, *task.aliases)]


def completing(names: Callable[[], Iterable[str]]) -> Callable[..., list[CompletionItem]]:
    """Complete an option's value in the shell, and leave its validation to the table that owns the names."""

    def complete(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(name) for name in names() if name.startswith(incomplete)]

    return complete


def complete_checkpoint(_context: click.Context, _option: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the names of built-in models, and directories."""
    from albert_export.builtin import BUILTIN_MODELS

    named = [CompletionItem(name) for name in BUILTIN_MODELS if name.startswith(incomplete)]
    return [*named, CompletionItem(incomplete, type="dir")]


def names_in(text: str) -> tuple[str, ...]:
    """Return the names that ``text`` lists, separated by commas."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def json_option(what: str) -> Decorator[Any]:
    """``--json``: print ``what`` as one JSON value on stdout."""
    return click.option("--json", "as_json", is_flag=True, help=f"Print {what} as JSON on stdout.")


def quiet_option() -> Decorator[Any]:
    """``-q``: no progress on stderr."""
    return click.option("-q", "--quiet", is_flag=True, help="No progress on stderr.")


def checkpoint_options(function: Decorated) -> Decorated:
    """Where a checkpoint named by ``--model`` is looked for."""
    for option in (
        click.option(
            "--offline",
            "--local-files-only",
            "local_files_only",
            is_flag=True,
            help="Take hub checkpoints from the cache alone.",
        ),
        click.option("--cache-dir", type=DIRECTORY, help="Cache of hub checkpoints; huggingface-hub's own by default."),
        click.option("--revision", help="Branch, tag or commit of a hub checkpoint."),
    ):
        function = option(function)
    return function


def data_options(function: Decorated) -> Decorated:
    """On which texts with right answers the task's metrics are measured, and how far they may fall."""
    for option in (
        click.option(
            "--max-drop",
            type=click.FloatRange(0, 100),
            metavar="POINTS",
            help="Largest drop of a metric on the data that passes; 0 by default in fp32, else 0.5.",
        ),
        click.option(
            "--data",
            metavar=f"FILE|none|{'|'.join(HELD_OUT_SETS)}",
            help="Measure the task's metrics, before export and after, on these JSON lines with the right answers; by "
            f"default, of {DEFAULT_MODEL}, on those that it was not trained on.",
        ),
    ):
        function = option(function)
    return function


def runtime_option() -> Decorator[Any]:
    """``--runtime``: what reads the artifacts."""
    return click.option(
        "--runtime",
        shell_complete=completing(lambda: ("auto", *runtime_names())),
        help="What reads ONNX or TFLite: the target's own runtime by default, or openvino, which openvino:bf16 and "
        "openvino:fp32 tell what to compute in; onnxruntime:tensorrt runs ONNX through TensorRT on a GPU; auto takes "
        "the one that was measured to be the fastest on such a processor, as doctor tells.",
    )


def runtime_options(function: Decorated) -> Decorated:
    """Which artifact of a bundle runs, in what, and on what."""
    devices = sorted({device for runtime in RUNTIMES for device in runtime.devices})
    for option in (
        runtime_option(),
        click.option(
            "--threads",
            type=click.IntRange(min=1),
            help="Threads that one run may use; the runtime's choice by default.",
        ),
        click.option(
            "--device",
            default="auto",
            show_default=True,
            shell_complete=completing(lambda: ("auto", *devices)),
            help=f"auto, {', '.join(devices)}: auto takes the best that is there.",
        ),
        click.option(
            "--file",
            metavar="FILE",
            help="One artifact of several, as `inspect` lists them, e.g. onnx/model_unrolled.onnx.",
        ),
        click.option(
            "--precision",
            shell_complete=completing(lambda: PRECISIONS),
            help=f"{', '.join(PRECISIONS)}; fp32 by default, else the only one in the bundle.",
        ),
        click.option(
            "--target",
            shell_complete=completing(lambda: [target.name for target in TARGETS]),
            help=f"{', '.join(target.name for target in TARGETS)}; the only one in the bundle by default.",
        ),
    ):
        function = option(function)
    return function
