"""Every failure is one line on stderr and an exit code; stdout stays empty."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from albert_export.cli import program
from albert_export.errors import AlbertExportError, CheckpointError, ParityError, UnknownNameError
from tests.cli.conftest import ROOT, Invoke, Spawn


@pytest.fixture
def failing() -> Iterator[list[BaseException]]:
    """A command ``fail`` that raises what the test puts into the list."""
    errors: list[BaseException] = []

    @program.command("fail")
    def fail() -> None:
        raise errors[0]

    yield errors
    del program.commands["fail"]


def error_line(stderr: str) -> str:
    """The one line that stderr holds."""
    assert stderr.endswith("\n")
    assert stderr.count("\n") == 1, stderr
    assert stderr.startswith("error: ")
    return stderr[len("error: ") : -1]


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (
            CheckpointError("a checkpoint must be there", received="nothing", fix="name one"),
            2,
            "a checkpoint must be there; received nothing; fix: name one",
        ),
        (AlbertExportError("a rule\nin two lines"), 2, "a rule in two lines"),
        (UnknownNameError("task", "qaa", ["qa", "ner"]), 2, "task must be one of qa, ner; received qaa; fix:"),
        (ParityError("the artifact must compute the same"), 1, "the artifact must compute the same"),
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "x.txt"),
            2,
            "No such file or directory: x.txt",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted; no file was left half-written"),
        (ValueError("two\nlines"), 70, "unexpected ValueError: two lines; this is a defect of albert-export; fix: run"),
        (MemoryError(), 70, "unexpected MemoryError; this is a defect"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_failure_is_one_line_and_its_exit_code(
    invoke: Invoke, failing: list[BaseException], error: BaseException, status: int, line: str
) -> None:
    failing.append(error)
    result = invoke("fail")
    assert result.exit_code == status
    assert result.stdout == ""
    assert error_line(result.stderr).startswith(line)


@pytest.mark.parametrize(
    ("error", "status"), [(CheckpointError("a rule"), 2), (ParityError("a miss"), 1), (ZeroDivisionError("zero"), 70)]
)
def test_debug_adds_the_traceback_and_keeps_the_exit_code(
    invoke: Invoke, failing: list[BaseException], error: BaseException, status: int
) -> None:
    failing.append(error)
    result = invoke("--debug", "fail")
    assert result.exit_code == status
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: ")


def test_debug_can_be_asked_for_in_the_environment(
    invoke: Invoke, failing: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing.append(ZeroDivisionError("zero"))
    monkeypatch.setenv("ALBERT_EXPORT_DEBUG", "1")
    assert "Traceback" in invoke("fail").stderr
    monkeypatch.setenv("ALBERT_EXPORT_DEBUG", "0")
    assert "Traceback" not in invoke("fail").stderr


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["onxx"], "no such command 'onxx'"),
        (["tasks", "--jsn"], "no such option '--jsn'"),
        (["onnx", "--task", "qa"], "missing option '--out'"),
        (["onnx", "--task", "qa", "--out", "x", "--batch", "0"], "invalid value for '--batch': 0 is not in the range"),
        (["inspect"], "missing argument 'DIR'"),
        (["parity", "qa", "--seed", "-1"], "invalid value for '--seed': -1 is not in the range x>=0"),
        (["completion", "tcsh"], "invalid value for '{bash|zsh|fish}': 'tcsh' is not one of"),
    ],
)
def test_a_wrong_call_is_one_line_that_points_to_the_help(invoke: Invoke, args: list[str], line: str) -> None:
    result = invoke(*args)
    assert result.exit_code == 2
    assert result.stdout == ""
    told = error_line(result.stderr)
    assert told.startswith(line)
    assert told.endswith("--help`")


def test_no_arguments_show_the_help(invoke: Invoke) -> None:
    result = invoke()
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: albert-export ")


def test_the_version_is_the_packages(invoke: Invoke) -> None:
    from albert_export import __version__

    assert invoke("--version").stdout == f"albert-export {__version__}\n"


@pytest.mark.parametrize("name", sorted(program.commands))
def test_every_help_has_examples_that_call_the_command(invoke: Invoke, name: str) -> None:
    result = invoke(name, "--help")
    assert result.exit_code == 0
    assert invoke(name, "-h").stdout == result.stdout
    examples = result.stdout.partition("\nExamples:\n")[2].splitlines()
    assert examples
    assert all(example.startswith(f"  albert-export {name}") for example in examples)


@pytest.mark.parametrize("name", sorted(program.commands))
def test_the_options_in_the_examples_exist(name: str) -> None:
    command = program.commands[name]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for example in command.examples:  # type: ignore[attr-defined]
        ours = example.partition(" | ")[0].partition("   #")[0]
        used = {word for word in ours.split() if word.startswith("-") and word != "-"}
        assert used <= known


def test_commands_are_listed_in_the_order_of_use() -> None:
    listed = program.list_commands(click.Context(program))
    assert listed[:8] == ["onnx", "savedmodel", "tflite", "stablehlo", "tensorrt", "run", "parity", "inspect"]


def test_exit_codes_reach_the_shell(spawn: Spawn) -> None:
    process = spawn("onnx", "--task", "qa")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    assert error_line(err).startswith("missing option '--out'")


@pytest.mark.parametrize("command", ["--help", "tasks"])
def test_what_the_encoding_of_stdout_lacks_is_escaped(spawn: Spawn, command: str) -> None:
    """As on Windows, where a file or a pipe gets the old code page of the system."""
    plain = spawn(command).communicate(timeout=60)[0]
    process = spawn(command, PYTHONIOENCODING="latin-1")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out == plain.encode("latin-1", "backslashreplace").decode("latin-1")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell of POSIX")
def test_a_stdout_that_is_closed_is_no_defect() -> None:
    code = "from albert_export.cli import main; main()"
    done = subprocess.run(
        ["sh", "-c", '"$0" -c "$1" tasks >&-', sys.executable, code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_reader_that_goes_away_is_no_error(spawn: Spawn) -> None:
    process = spawn("tasks", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    with process.stderr:
        assert process.wait(timeout=60) == 141
        assert process.stderr.read() == ""
