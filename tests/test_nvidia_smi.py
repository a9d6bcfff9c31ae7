"""What NVIDIA's program says of driver and GPUs, as it prints it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from albert_export import _nvidia
from albert_export._nvidia import Driver, Gpu, ask_driver, find_gpus, parse_cuda, parse_gpus

TWO = "NVIDIA H200, 9.0, 580.159.03, 143771\nNVIDIA A100-SXM4-80GB, 8.0, 580.159.03, 81920\n"
TABLE = """Fri Nov 28 12:00:00 2026
+-----------------------------------------------------------------------------------------+
| NVIDIA-SMI 580.159.03             Driver Version: 580.159.03     CUDA Version: 13.0     |
+-----------------------------------------+------------------------+----------------------+
"""
OLD = 'Field "compute_cap" is not a valid field to query.\n'
FAILED = (
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA "
    "driver is installed and running.\n"
)


def program(*answers: tuple[int, str]) -> tuple[list[list[str]], _nvidia.Ask]:
    """A program that gives these answers in turn, and what it was asked."""
    asked: list[list[str]] = []

    def ask(arguments: Sequence[str]) -> tuple[int, str]:
        asked.append(list(arguments))
        return answers[len(asked) - 1]

    return asked, ask


def test_gpus_and_the_newest_cuda() -> None:
    asked, ask = program((0, TWO), (0, TABLE))
    driver = ask_driver(ask)
    assert driver.gpus == (
        Gpu("NVIDIA H200", "9.0", "580.159.03", 143771),
        Gpu("NVIDIA A100-SXM4-80GB", "8.0", "580.159.03", 81920),
    )
    assert (driver.cuda, driver.version, driver.problem) == ("13.0", "580.159.03", None)
    assert asked == [
        ["--query-gpu=name,compute_cap,driver_version,memory.total", "--format=csv,noheader,nounits"],
        [],
    ]
    assert str(driver.gpus[0]) == "NVIDIA H200, 143771 MiB, compute capability 9.0, driver 580.159.03"


def test_an_old_driver_is_asked_for_less() -> None:
    asked, ask = program((2, OLD), (0, "Tesla V100-SXM2-16GB, 470.82.01, 16160\n"), (0, "CUDA Version: 11.4"))
    assert ask_driver(ask) == Driver((Gpu("Tesla V100-SXM2-16GB", "", "470.82.01", 16160),), "11.4")
    assert asked[1][0] == "--query-gpu=name,driver_version,memory.total"


def test_a_driver_that_does_not_answer_is_the_problem() -> None:
    _, ask = program((9, FAILED))
    driver = ask_driver(ask)
    assert driver.gpus == () and driver.version is None
    assert (
        driver.problem is not None and driver.problem.startswith("NVIDIA-SMI has failed") and "\n" not in driver.problem
    )
    _, silent = program((12, ""))
    assert ask_driver(silent).problem == "nvidia-smi ended with status 12"


def test_no_program_is_a_problem_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_nvidia.shutil, "which", lambda _: None)
    assert ask_driver() == Driver(problem="there is no nvidia-smi")
    assert find_gpus() == ()


@pytest.mark.parametrize(
    ("text", "gpus"),
    [
        ("No devices were found\n", ()),
        ("", ()),
        ("NVIDIA GB10, 12.1, 580.95, [N/A]\n", (Gpu("NVIDIA GB10", "12.1", "580.95", None),)),
        ("NVIDIA X, [N/A], 1.2, 10\n", (Gpu("NVIDIA X", "", "1.2", 10),)),
    ],
)
def test_answers_of_other_forms(text: str, gpus: tuple[Gpu, ...]) -> None:
    assert parse_gpus(text) == gpus


@pytest.mark.parametrize(
    ("text", "version"),
    [(TABLE, "13.0"), ("| CUDA UMD Version: 13.2 |", "13.2"), ("CUDA Version: N/A", None), ("", None)],
)
def test_the_newest_cuda(text: str, version: str | None) -> None:
    assert parse_cuda(text) == version
