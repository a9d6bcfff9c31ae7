from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
import threading
from pathlib import Path

import pytest

from albert_export._native_noise import caught_stderr


def test_what_native_code_prints_meanwhile_is_caught(capfd: pytest.CaptureFixture[str]) -> None:
    with caught_stderr() as caught:
        os.write(2, b"noise\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
    assert caught.text == "noise\n"


def test_an_error_ends_the_catching_and_what_was_caught_is_told_after_all(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError), caught_stderr() as caught:
        os.write(2, b"a library is missing\n")
        raise ImportError("no such library")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "a library is missing\nafter\n"
    assert caught.text == "a library is missing\n"


def test_where_no_temporary_file_can_be_made_nothing_is_caught(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise FileNotFoundError("no usable temporary directory")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    before = free_descriptor()
    with caught_stderr() as caught:
        os.write(2, b"noise\n")
    assert free_descriptor() == before
    assert (caught.text, capfd.readouterr().err) == ("", "noise\n")


def free_descriptor() -> int:
    """The number that the next file gets: it grows with each that is left open."""
    with Path(os.devnull).open() as file:
        return file.fileno()


def run(program: str) -> subprocess.CompletedProcess[str]:
    lines = "import os, threading\nfrom albert_export._native_noise import caught_stderr\n" + textwrap.dedent(program)
    return subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, timeout=30, check=True)


def test_a_process_without_stderr_runs_the_block() -> None:
    done = run("""
        os.close(2)
        with caught_stderr() as caught:
            print("run")
        print(repr(caught.text))
        try:
            os.fstat(2)
        except OSError:
            print("still closed")
    """)
    assert done.stdout == "run\n''\nstill closed\n"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_process_forked_meanwhile_can_print_and_catch() -> None:
    done = run("""
        inside, go = threading.Event(), threading.Event()

        def load():
            with caught_stderr():
                inside.set()
                go.wait()

        thread = threading.Thread(target=load)
        thread.start()
        inside.wait()
        child = os.fork()
        if child == 0:
            os.write(2, b"told by the child\\n")
            with caught_stderr():
                os.write(2, b"noise\\n")
            os._exit(0)
        os.waitpid(child, 0)
        go.set()
        thread.join()
    """)
    assert done.stderr == "told by the child\n"


def test_blocks_of_several_threads_follow_each_other(capfd: pytest.CaptureFixture[str]) -> None:
    texts: dict[int, str] = {}

    def load(number: int) -> None:
        for _ in range(20):
            with caught_stderr() as caught:
                for _ in range(3):
                    os.write(2, f"{number}\n".encode())
            texts[number] = texts.get(number, "") + caught.text

    threads = [threading.Thread(target=load, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(2, b"after\n")
    assert texts == {number: f"{number}\n" * 60 for number in range(4)}
    assert capfd.readouterr().err == "after\n"
