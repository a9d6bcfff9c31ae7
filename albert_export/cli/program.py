"""The program: its group of commands, and the one place where an exception becomes a line and an exit code.

=====  ===============================================================================
exit   meaning
=====  ===============================================================================
0      done
1      a check failed: a parity miss, or a problem that ``doctor`` found
2      the request cannot be met as it stands: bad input, missing package, no model …
70     a defect of this program; ``--debug`` shows the traceback
130    interrupted (Ctrl-C); no file was left half-written
141    the reader of the output went away (a closed pipe)
=====  ===============================================================================
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from albert_export import _interrupts
from albert_export._version import __version__
from albert_export.cli.bench_command import bench_command
from albert_export.cli.bundle_commands import inspect_command, parity_command
from albert_export.cli.convert_command import convert_command
from albert_export.cli.export_command import EXPORT_COMMANDS
from albert_export.cli.layout_command import layout_command
from albert_export.cli.machine_commands import completion_command, doctor_command, targets_command, tasks_command
from albert_export.cli.options import Command, Group
from albert_export.cli.output import error_text
from albert_export.cli.run_command import run_command
from albert_export.errors import AlbertExportError

EXIT_USER = 2
EXIT_DEFECT = 70
EXIT_INTERRUPTED = 130
EXIT_CLOSED_PIPE = 141

DEBUG_VARIABLE = "ALBERT_EXPORT_DEBUG"


class _ClosedPipeError(Exception):
    """The reader of the output went away."""


@contextmanager
def _kept_from_click() -> Iterator[None]:
    """Click prints a blank line after an interrupt, and ends with 1, our code of a miss, after a closed pipe."""
    try:
        yield
    except KeyboardInterrupt:
        raise click.Abort from None
    except BrokenPipeError:
        raise _ClosedPipeError from None


class Program(Group):
    """A group whose every failure is one line on stderr and an exit code."""

    command_class = Command

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """As :meth:`click.Group.main`; in standalone mode it never returns."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        _interrupts.remember()
        debug = _debug_asked(sys.argv[1:] if args is None else args)
        try:
            _escape_what_stdout_lacks()
            status = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            if sys.stdout is not None:  # the shell's `>&-` closes it
                sys.stdout.flush()  # a closed pipe shows here and not in the interpreter's last breath
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(error.exit_code)
        except click.UsageError as error:
            _fail(_usage_line(error), error.exit_code)
        except click.ClickException as error:
            _fail(error.format_message(), error.exit_code)
        except (click.Abort, KeyboardInterrupt):
            _fail("interrupted; no file was left half-written", EXIT_INTERRUPTED)
        except (_ClosedPipeError, BrokenPipeError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(EXIT_CLOSED_PIPE)
        except OSError as error:
            if debug:
                traceback.print_exc()
            _fail(error_text(error), EXIT_USER)
        except AlbertExportError as error:
            if debug:
                traceback.print_exc()
            _fail(str(error), error.exit_code)
        except Exception as error:  # noqa: BLE001  the last place before the user
            if debug:
                traceback.print_exc()
            _fail(_defect_line(error), EXIT_DEFECT)
        sys.exit(status if isinstance(status, int) else 0)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what click would answer in its own way is kept from it."""
        with _kept_from_click():
            return super().invoke(ctx)

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse the arguments; ``--help`` and ``--version`` print here."""
        with _kept_from_click():
            return super().make_context(info_name, args, parent, **extra)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """The commands in the order in which they are used, not of the alphabet."""
        return list(self.commands)


def _debug_asked(args: Sequence[str]) -> bool:
    """Before parsing, because the parser itself may be what fails."""
    return "--debug" in args[:1] or os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")


def _escape_what_stdout_lacks() -> None:
    """Print the characters that stdout's encoding lacks as escapes: cp1252, as on Windows, has no Chinese ones.

    Half a surrogate pair, as in a file name that is no UTF-8, so becomes what JSON writes for it as well.
    """
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")


def _usage_line(error: click.UsageError) -> str:
    command = error.ctx.command_path if error.ctx else "albert-export"
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{message[:1].lower()}{message[1:]}; fix: see `{command} --help`"


def _defect_line(error: Exception) -> str:
    what = " ".join(str(error).split())
    return (
        f"unexpected {type(error).__name__}{': ' + what if what else ''}; this is a defect of albert-export; "
        "fix: run `albert-export --debug …` for the traceback and report it"
    )


def _fail(line: str, status: int) -> NoReturn:
    click.echo(f"error: {line}", err=True)
    sys.exit(status)


@click.group(
    cls=Program,
    examples=(
        "albert-export onnx --task qa --model albert-qa/ --out qa/",
        'albert-export run qa/ --question "Who?" --context "Ada did."',
        "albert-export parity qa/ --model albert-qa/",
    ),
)
@click.version_option(__version__, prog_name="albert-export", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def program() -> None:
    """Compile ALBERT checkpoints, keep the shared layer shared, and prove the result equals the eager model.

    Results go to stdout; progress and errors go to stderr. Exit codes: 0 done, 1 a check failed, 2 the
    request cannot be met, 70 a defect of this program, 130 interrupted.
    """


for command in (
    *EXPORT_COMMANDS,
    run_command,
    parity_command,
    inspect_command,
    bench_command,
    layout_command,
    convert_command,
    tasks_command,
    targets_command,
    doctor_command,
    completion_command,
):
    program.add_command(command)
