"""The rules of design that live in the linter do fire, where they should and nowhere else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.packaging.conftest import ROOT


def rules_broken(source: str, path: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--output-format=json", f"--stdin-filename={path}", "-"],
        input=f'"""A module."""\n\n{source}\n',
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    return {finding["code"] for finding in json.loads(done.stdout)}


@pytest.mark.parametrize(
    "source",
    [
        "import graphs",
        "from graphs import tracing",
        "import runtimes",
        "from runtimes.protocol import Runtime",
        "import transformers",
        "import pickle",
    ],
)
@pytest.mark.parametrize("path", ["albert_export/module.py", "graphs/module.py", "tests/test_module.py"])
def test_banned_imports_are_found(source: str, path: str) -> None:
    assert "TID251" in rules_broken(source, path)


def test_the_packages_own_names_for_them_are_allowed() -> None:
    allowed = "import albert_export.graphs\n\nprint = albert_export.graphs"
    assert "TID251" not in rules_broken(allowed, "albert_export/module.py")


@pytest.mark.parametrize("framework", ["torch", "onnx", "onnx_ir", "onnxruntime", "tensorflow", "jax", "h5py"])
def test_frameworks_are_imported_inside_functions(framework: str) -> None:
    at_the_top = f"import {framework}\n\nNAME = {framework}.__name__"
    inside = f'def name() -> str:\n    """Name."""\n    import {framework}\n\n    return str({framework}.__name__)'
    assert "TID253" in rules_broken(at_the_top, "albert_export/module.py")
    assert "TID253" not in rules_broken(inside, "albert_export/module.py")


def test_a_print_in_the_package_is_found() -> None:
    assert "T201" in rules_broken('print("hello")', "albert_export/module.py")
