"""The wheel holds what the tree holds: a subpackage missing from the explicit list is silently absent from it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from tests.packaging.conftest import ROOT

#: Folder in the repository -> folder in an installation.
FOLDERS = {"albert_export": "albert_export", "graphs": "albert_export/graphs", "runtimes": "albert_export/runtimes"}


def files_of_the_tree() -> set[str]:
    found = set()
    for folder, installed in FOLDERS.items():
        for path in (ROOT / folder).rglob("*"):
            relative = path.relative_to(ROOT / folder)
            linked = any((ROOT / folder / part).is_symlink() for part in [relative.parts[0]])
            if path.is_file() and not linked and "__pycache__" not in relative.parts:
                found.add(f"{installed}/{relative.as_posix()}")
    return found


def test_the_wheel_holds_the_tree_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == files_of_the_tree()


def test_the_wheel_installs_no_top_level_package_besides_its_own(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        roots = {name.partition("/")[0] for name in archive.namelist()}
    assert {root for root in roots if not root.endswith(".dist-info")} == {"albert_export"}


def test_the_wheel_carries_type_marker_licence_and_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        entry_points = next(archive.read(name).decode() for name in names if name.endswith("entry_points.txt"))
    assert "albert_export/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "albert-export = albert_export.cli:main" in entry_points


def test_the_base_install_asks_for_no_framework(project: dict[str, Any]) -> None:
    frameworks = ("torch", "onnx", "tensorflow", "jax", "flax", "transformers")
    assert [line for line in project["dependencies"] if line.startswith(frameworks)] == []
