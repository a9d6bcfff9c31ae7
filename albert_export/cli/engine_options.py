"""Options of engines: ``tensorrt`` has them beside those of every export, and the plan of an engine as text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from albert_export.cli.options import completing
from albert_export.cli.output import print_json
from albert_export.engines.options import HARDWARE_LEVELS, EngineOptions
from albert_export.engines.support import RELEASES

_FILE = click.Path(path_type=Path)
_Option = Callable[[Callable[..., None]], Callable[..., None]]


def engine_options() -> list[_Option]:
    """The options, in the order of the help."""
    majors = [str(release.major) for release in RELEASES]
    return [
        click.option(
            "--profile",
            "profiles",
            multiple=True,
            metavar="MIN,OPT,MAX",
            help="Shapes that the engine takes and is tuned for, BATCHxSEQUENCE each (BATCHxCHOICESxSEQUENCE for "
            "multiple choice), e.g. 1x16,8x128,32x384; several times for several profiles. By default 1x1,8x128,32xS, "
            "S the longest that the model takes.",
        ),
        click.option(
            "--workspace",
            metavar="BYTES",
            help="Device memory that the builder and its kernels may use, e.g. 4G; all that is free by default.",
        ),
        click.option(
            "--timing-cache",
            type=_FILE,
            metavar="FILE",
            help="Read and write measured kernels here: the next build on such a GPU takes a fraction of the time.",
        ),
        click.option(
            "--version-compatible",
            is_flag=True,
            help="Let later releases of TensorRT run the engine too; it can be slower.",
        ),
        click.option(
            "--hardware-compatible",
            type=click.Choice(tuple(HARDWARE_LEVELS)),
            help="Let other GPUs run the engine too: ampere+, or the same compute capability; it can be slower.",
        ),
        click.option(
            "--plan",
            is_flag=True,
            help="Build nothing, and need neither TensorRT nor a GPU: print operators, types, shapes, memory and the "
            "trtexec command; exit code 2 where TensorRT would refuse the network.",
        ),
        click.option(
            "--tensorrt",
            metavar="VERSION",
            shell_complete=completing(lambda: majors),
            help=f"With --plan: for this release, {' or '.join(majors)}; {majors[-1]} by default.",
        ),
        click.option(
            "--save-network", type=_FILE, metavar="FILE", help="With --plan: write the network, typed, as ONNX."
        ),
    ]


def taken_out(options: dict[str, Any]) -> EngineOptions:
    """Take the options of the build out of a command's, and return them as one."""
    names = ("profiles", "workspace", "timing_cache", "version_compatible", "hardware_compatible")
    return EngineOptions(**{name: options.pop(name) for name in names})


#: Options of an export that say nothing of a network.
_OF_A_PROOF = ("parity", "data", "max_drop")


def show_plan(as_json: bool, progress: Callable[[str], None] | None, **options: Any) -> None:
    """Print the plan of an engine.

    Raises:
        ExportError: TensorRT would refuse the network; the plan is printed all the same.
    """
    from albert_export.planning import plan_engine, render

    for name in _OF_A_PROOF:
        options.pop(name)
    plan = plan_engine(progress=progress, **options)
    if as_json:
        print_json(plan.to_dict())
    else:
        click.echo(render(plan))
    plan.network.check(plan.release)


def check_plan_options(plan: bool, out: Path | None, tensorrt: str | None, save_network: Path | None) -> None:
    """Check that what only a plan takes is given with one, and a bundle's directory without.

    Raises:
        click.UsageError: It is not.
    """
    if plan and out is not None:
        raise click.UsageError("--plan writes no bundle: leave out --out, or --plan", ctx=click.get_current_context())
    if not plan and out is None:
        raise click.UsageError("missing option '--out'", ctx=click.get_current_context())
    if not plan and (tensorrt is not None or save_network is not None):
        raise click.UsageError("--tensorrt and --save-network belong to --plan", ctx=click.get_current_context())
