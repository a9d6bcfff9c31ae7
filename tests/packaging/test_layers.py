"""Each arrow goes one way: no stage imports a later one, not even inside a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.packaging.conftest import ROOT

#: The parts of the package, earlier ones first; parts of one row know nothing of each other.
STAGES = (
    ("_nvidia", "_cuda", "_tensorrt_log", "_openvino"),
    ("_version", "_interrupts", "_text", "_machine", "_native_noise", "_probes", "_progress", "errors"),
    ("_imports", "_config_rules", "parts", "readers", "runtime_table"),
    ("targets",),
    ("_jax", "_tensorflow"),
    # A configuration is read from a checkpoint, a checkpoint holds a configuration, and the built-in model is one.
    ("tasks + config + checkpoints + builtin",),
    ("positions",),
    ("calibration", "models", "tokenization", "engines"),
    ("_tensorrt",),
    ("graphs", "bundle"),
    ("runtimes",),
    ("pipelines",),
    ("parity",),
    ("export_options", "export_files", "export_proof", "artifact_making"),
    ("choosing_parts",),
    ("exporting", "converting", "planning"),
    ("nvidia_parts",),
    ("inspection", "doctor", "bench", "selftest", "layouts"),
    ("doctor_text",),
    ("cli",),
)
PARTS = {name: (rank, part) for rank, row in enumerate(STAGES) for part in row for name in part.split(" + ")}

FOLDERS = {"albert_export": (), "graphs": ("graphs",), "runtimes": ("runtimes",)}


def modules() -> Iterator[tuple[str, Path]]:
    """Every module with the name of its part; links to the other two folders are not followed."""
    for folder, prefix in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = (*prefix, *path.relative_to(ROOT / folder).with_suffix("").parts)
            if folder != "albert_export" or parts[0] not in FOLDERS:
                yield parts[0], path


def imported_parts(source: str) -> set[str]:
    """The parts of albert_export that a module imports when it runs; for type checkers alone does not count."""
    tree = ast.parse(source)
    skipped = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    names: list[str] = []
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("albert_export.")}


def wrong_imports(part: str, source: str) -> set[str]:
    rank, group = PARTS[part]
    return {
        other
        for other in imported_parts(source)
        if other in PARTS and PARTS[other][1] != group and PARTS[other][0] >= rank
    }


ALL = [pytest.param(part, path, id=path.relative_to(ROOT).as_posix()) for part, path in modules() if part in PARTS]


def test_every_module_belongs_to_a_stage() -> None:
    assert {part for part, _ in modules()} - {"__init__"} == set(PARTS)


@pytest.mark.parametrize(("part", "path"), ALL)
def test_no_module_imports_a_later_stage(part: str, path: Path) -> None:
    assert wrong_imports(part, path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    ("part", "source", "found"),
    [
        ("runtimes", "from albert_export.pipelines.base import Pipeline", {"pipelines"}),
        ("graphs", "def f():\n    from albert_export import bundle", {"bundle"}),
        ("models", "import albert_export.tokenization", {"tokenization"}),
        ("config", "from albert_export.checkpoints import layout", set()),
        ("cli", "from albert_export.exporting import export", set()),
        ("tasks", "if TYPE_CHECKING:\n    from albert_export.cli import program", set()),
    ],
)
def test_the_test_finds_what_it_looks_for(part: str, source: str, found: set[str]) -> None:
    assert wrong_imports(part, source) == found
