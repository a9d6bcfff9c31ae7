"""The wheel, built once, and environments made from it."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.packaging.environments import Environment, make_environment

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def project() -> dict[str, Any]:
    """The table ``[project]`` of pyproject.toml."""
    table: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the tree: a build leaves files beside its sources."""
    copy, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy2(ROOT / name, copy / name)
    for name in ("albert_export", "graphs", "runtimes"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(copy)],
        check=True,
        capture_output=True,
        timeout=300,
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory, wheel: Path, project: dict[str, Any]) -> Environment:
    """The base install: no framework, no runtime."""
    return make_environment(tmp_path_factory.mktemp("bare"), wheel, project["dependencies"])


def app_environment(root: Path, wheel: Path, project: dict[str, Any], extra: str) -> Environment:
    """What ``pip install albert-export[EXTRA]`` gives an app."""
    return make_environment(root, wheel, [*project["dependencies"], *project["optional-dependencies"][extra]])


@pytest.fixture(scope="session")
def with_onnxruntime(tmp_path_factory: pytest.TempPathFactory, wheel: Path, project: dict[str, Any]) -> Environment:
    """An app that runs ONNX artifacts."""
    return app_environment(tmp_path_factory.mktemp("app"), wheel, project, "onnxruntime")


@pytest.fixture(scope="session")
def with_litert(tmp_path_factory: pytest.TempPathFactory, wheel: Path, project: dict[str, Any]) -> Environment:
    """An app that runs TFLite artifacts."""
    return app_environment(tmp_path_factory.mktemp("phone"), wheel, project, "tflite")
