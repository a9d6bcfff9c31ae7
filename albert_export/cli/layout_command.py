"""``bundle``: a bundle's files as another program looks for them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from albert_export._text import human_size
from albert_export.cli.options import DIRECTORY, Command, completing, json_option, quiet_option
from albert_export.cli.output import print_json, progress
from albert_export.targets import PRECISIONS

if TYPE_CHECKING:
    from albert_export.layouts import LaidOut

#: Names of :data:`albert_export.layouts.CONSUMERS`, and of the backends of Triton, which are not imported for a help
#: text.
CONSUMERS = ("transformersjs", "tfserving", "triton", "sparknlp", "mediapipe", "web")
BACKENDS = ("onnxruntime", "onnxruntime-tensorrt", "tensorrt")


@click.command(
    "bundle",
    cls=Command,
    short_help="Lay a bundle out as another program looks for it.",
    examples=(
        "albert-export bundle qa/ --for transformersjs --out site/models/qa/",
        "albert-export bundle qa/ --for tfserving --out serving/ --name qa",
        "albert-export bundle qa/ --for triton --out repository/ --precision int8 --max-batch-size 16",
        "albert-export bundle qa/ --for sparknlp --out spark-qa/",
        "albert-export bundle reviews/ --for mediapipe --out app/assets/reviews/",
        "albert-export bundle qa/ --for web --out site/",
    ),
)
@click.argument("bundle", metavar="DIR", type=DIRECTORY)
@click.option(
    "--for",
    "consumer",
    required=True,
    metavar="PROGRAM",
    shell_complete=completing(lambda: CONSUMERS),
    help=f"{', '.join(CONSUMERS)}.",
)
@click.option("--out", required=True, type=DIRECTORY, help="Directory to write; absent or empty.")
@click.option("--name", help="The model's name on a server; that of DIR by default. For tfserving, triton.")
@click.option(
    "--precision",
    shell_complete=completing(lambda: PRECISIONS),
    help="Precision of the model: fp32 by default, else the only one; for web int8 where it is there. For triton, "
    "sparknlp, mediapipe, web.",
)
@click.option(
    "--file", metavar="FILE", help="One artifact of several, as `inspect` lists them. Not for transformersjs."
)
@click.option(
    "--model-type",
    metavar="TYPE",
    help="What config.json is to call the model. For transformersjs, which has token classification for bert and not "
    "for albert: there bert by default.",
)
@click.option(
    "--backend",
    metavar="BACKEND",
    shell_complete=completing(lambda: BACKENDS),
    help=f"{', '.join(BACKENDS)}; the first by default. For triton.",
)
@click.option("--plan", type=DIRECTORY, metavar="FILE", help="TensorRT's plan of the ONNX file. For triton's tensorrt.")
@click.option(
    "--vendor",
    type=DIRECTORY,
    help="A node_modules with the page's libraries, so that npm need not fetch them. For web.",
)
@click.option(
    "--max-batch-size",
    type=click.IntRange(min=0),
    metavar="ROWS",
    help="Most rows that the server puts together into one run; 32 by default, 0 for none. For triton.",
)
@click.option(
    "--queue-delay",
    type=click.IntRange(min=0),
    metavar="MICROSECONDS",
    help="How long a request may wait for others; 500 by default. For triton.",
)
@click.option(
    "--instances",
    type=click.IntRange(min=1),
    help="Copies of the model that run side by side on a device; 1 by default. For triton.",
)
@json_option("what was written")
@quiet_option()
def layout_command(bundle: Path, consumer: str, out: Path, as_json: bool, quiet: bool, **choices: Any) -> None:
    """Write what another program reads of the bundle DIR into a directory of its own, laid out as it expects.

    Files that stay as they are become hard links, where the file system has them: they take no room, and must not be
    edited. The directory is there whole or not at all, and the command that starts the program on it is printed.
    """
    from albert_export.layouts import lay_out

    laid_out = lay_out(bundle, consumer, out, **choices)
    if say := progress(quiet):
        for note in laid_out.notes:
            say(f"note: {note}")
    if as_json:
        print_json(laid_out.to_dict())
    else:
        click.echo(_describe(laid_out))


def _describe(laid_out: LaidOut) -> str:
    lines = [f"{laid_out.directory}: for {laid_out.consumer}, {human_size(laid_out.size)}"]
    lines += [f"  {file}" for file in laid_out.files]
    return "\n".join((*lines, f"start it with: {laid_out.start}"))
