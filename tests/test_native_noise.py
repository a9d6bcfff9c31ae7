from __future__ import annotations

import os

import pytest

from albert_export._native_noise import caught_stderr


def test_what_native_code_prints_meanwhile_is_caught(capfd: pytest.CaptureFixture[str]) -> None:
    with caught_stderr() as caught:
        os.write(2, b"noise\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
    assert caught.text == "noise\n"


def test_an_error_ends_the_catching(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ImportError), caught_stderr() as caught:
        os.write(2, b"a library is missing\n")
        raise ImportError("no such library")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
    assert caught.text == "a library is missing\n"
