"""What TensorRT's log says of a failure, in the words of TensorRT and of Polygraphy."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest

from albert_export._tensorrt_log import Heard, listen, read_trouble


@pytest.mark.parametrize(
    ("text", "kind", "fix"),
    [
        ("Error Code 2: OutOfMemory (Requested size was 9126805504 bytes.)", "memory", "run fewer or shorter"),
        ("Error Code 1: Cuda Runtime (out of memory)", "memory", "free memory"),
        ("Requested amount of GPU memory (9 bytes) could not be allocated.", "memory", "run fewer"),
        ("CUDA Error: 2. To figure out what this means, refer to https://docs.nvidia.com/cuda", "memory", "run fewer"),
        ("Error Code 1: Cuda Runtime (an illegal memory access was encountered)", "dead", "start the process again"),
        ("Error Code 1: Cuda Runtime (unspecified launch failure)", "dead", "start the process again"),
        ("CUDA Error: 700. To figure out what this means, refer to", "dead", "start the process again"),
        (
            "CUDA initialization failure with error: 35. Please check your CUDA installation",
            "start",
            "check nvidia-smi",
        ),
        ("CUDA Error: 35. To figure out what this means, refer to", "start", "check nvidia-smi"),
        (
            "libcudart.so.13: cannot open shared object file: No such file",
            "library",
            "libcudart.so.13 on LD_LIBRARY_PATH",
        ),
    ],
)
def test_trouble_with_the_device(text: str, kind: str, fix: str) -> None:
    trouble = read_trouble(text)
    assert trouble is not None
    assert trouble.kind == kind
    assert fix in trouble.fix


@pytest.mark.parametrize(
    "text",
    [
        "Error Code 10: Internal Error (Could not find any implementation for node {ForeignNode[a...b]}.)",
        "In node 3 with name: x and operator: Loop (importLoop): UNSUPPORTED_NODE",
        "The engine plan file is not compatible with this version of TensorRT",
        "CUDA Error: 200. To figure out what this means",
        "the weights stay in memory",
    ],
)
def test_what_is_about_the_network_or_the_engine_is_none(text: str) -> None:
    assert read_trouble(text) is None


def logger() -> SimpleNamespace:
    return SimpleNamespace(ERROR=40, module_severity=20, use_python_logging_system=False, colors=True)


def test_errors_are_heard_and_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    polygraphy = logger()
    listen(polygraphy)
    assert (polygraphy.use_python_logging_system, polygraphy.module_severity, polygraphy.colors) == (True, 40, False)
    log = logging.getLogger("Polygraphy")
    log.error("[E] before")
    with Heard() as heard:
        log.error("\x1b[91m[E] [optimizer.cpp::computeCosts::4116] Error Code 10:\n    Internal Error\x1b[0m")
        log.error("[E] Error Code 10: Internal Error")
        log.error("[E] In node 3")
        log.warning("[W] no matter")
        log.critical("[!] Invalid Engine")
        assert heard.told(ValueError("see the log")) == "Error Code 10: Internal Error; In node 3"
    log.error("[E] after")
    assert "after" not in heard.told(ValueError())
    said = capfd.readouterr()
    assert said.out + said.err == ""


def test_the_last_words_are_told_of_many() -> None:
    with Heard() as heard:
        for number in range(9):
            logging.getLogger("Polygraphy").error("[E] tactic %d", number)
        assert heard.told(ValueError()) == "tactic 6; tactic 7; tactic 8"


def test_where_nothing_is_logged_the_exception_is_told() -> None:
    with Heard() as heard:
        assert heard.told(ValueError("[!] what\n  was raised")) == "what was raised"
        assert heard.told(ValueError()) == "ValueError"
