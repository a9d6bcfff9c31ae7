"""Ctrl-C inside a destructor, where Python forgets it, still ends the work before anything is replaced."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys
from albert_export import _interrupts

{remember}

class Frameworks:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(10_000):
            pass

thing = Frameworks()
del thing
try:
    _interrupts.check()
except KeyboardInterrupt:
    print("stopped")
else:
    print("went on")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
@pytest.mark.parametrize(("remember", "told"), [("_interrupts.remember()", "stopped"), ("", "went on")])
def test_an_interrupt_inside_a_destructor_is_remembered(remember: str, told: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(remember=remember)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == told
    assert (done.stderr == "") is bool(remember), "and no traceback of the destructor is shown"


@pytest.mark.skipif(sys.platform == "win32", reason="signals are those of POSIX")
def test_a_handler_that_somebody_chose_stays() -> None:
    from albert_export import _interrupts

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _interrupts.remember()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
