"""GPUs as nvidia-smi tells them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from albert_export._nvidia import Gpu, find_gpus


def program(directory: Path, says: str, status: int = 0) -> None:
    script = directory / "nvidia-smi"
    script.write_text(f"#!/bin/sh\nprintf '{says}'\nexit {status}\n", encoding="utf-8")
    script.chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="a script that is a program")
def test_gpus_are_read_and_odd_lines_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    program(tmp_path, "NVIDIA H200, 9.0, 580.95.05, 143771\\nNVIDIA L4, 8.9, 580.95.05, 23034\\n[Unknown Error]\\n")
    assert find_gpus() == (Gpu("NVIDIA H200", "9.0", "580.95.05", 143771), Gpu("NVIDIA L4", "8.9", "580.95.05", 23034))
    program(tmp_path, "NVIDIA-SMI has failed because it could not communicate with the driver", 9)
    assert find_gpus() == ()


def test_a_machine_without_the_program_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_gpus() == ()
