"""``convert``: a checkpoint from one format into another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from albert_export._text import human_size
from albert_export.cli.options import (
    DIRECTORY,
    Command,
    checkpoint_options,
    complete_checkpoint,
    completing,
    json_option,
    quiet_option,
)
from albert_export.cli.output import print_json, progress

if TYPE_CHECKING:
    from albert_export.converting import Converted

#: Names of :data:`albert_export.checkpoints.formats.FORMATS`, which is not imported for a help text.
FORMATS = ("safetensors", "torch", "h5", "msgpack")


@click.command(
    "convert",
    cls=Command,
    short_help="Convert a checkpoint into another format.",
    examples=(
        "albert-export convert albert_base/ albert-base/ --to safetensors    # Google's release, as it was unpacked",
        "albert-export convert albert-qa/ albert-qa-tf/ --to h5",
        "albert-export convert albert-xxlarge/ shards/ --to torch --max-shard-size 200MB",
        "albert-export convert owner/name albert/ --to safetensors --json | jq .heads",
    ),
)
@click.argument("src", shell_complete=complete_checkpoint)
@click.argument("dst", type=DIRECTORY)
@click.option(
    "--to",
    required=True,
    metavar="FORMAT",
    shell_complete=completing(lambda: FORMATS),
    help="safetensors (model.safetensors), torch (pytorch_model.bin), h5 (tf_model.h5) or msgpack "
    "(flax_model.msgpack).",
)
@click.option("--max-shard-size", metavar="SIZE", help="Largest file of safetensors or torch: 5GB by default.")
@checkpoint_options
@json_option("what was written")
@quiet_option()
def convert_command(
    src: str,
    dst: Path,
    to: str,
    max_shard_size: str | None,
    revision: str | None,
    cache_dir: Path | None,
    local_files_only: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Convert the checkpoint SRC into another format, and write it with its configuration and tokenizer into DST.

    SRC is a directory, a hub id or the name of a built-in model, in any format that is read: model.safetensors,
    pytorch_model.bin, tf_model.h5, flax_model.msgpack, or Google's own releases (model.ckpt-*, or an export to TF Hub).
    All heads in it are converted; every weight keeps its bits, and is read back and compared. DST must be absent or
    empty, and is there whole or not at all.
    """
    from albert_export.converting import convert

    converted = convert(
        src,
        dst,
        to=to,
        max_shard_size=max_shard_size,
        revision=revision,
        cache_dir=cache_dir,
        local_files_only=local_files_only,
        progress=progress(quiet),
    )
    if as_json:
        print_json(converted.to_dict())
    else:
        click.echo(_describe(converted))


def _describe(converted: Converted) -> str:
    return "\n".join(
        (
            f"{converted.directory}: {converted.format}, from {converted.source} in {converted.source_format}",
            f"  {converted.weights} weights, {human_size(converted.weight_bytes)} of {' and '.join(converted.dtypes)}",
            f"  heads: {', '.join(converted.heads) or 'none'}",
            f"  files: {', '.join(converted.files)}",
        )
    )
