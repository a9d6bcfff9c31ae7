"""Environments that hold the wheel and a chosen part of what is installed here, made without network.

An interpreter of its own, without pip, whose site-packages links to the distributions that a set of requirements
needs, found by walking their metadata. What is not linked cannot be imported.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


@dataclass(frozen=True)
class Environment:
    """A virtual environment that sees only the distributions it was given."""

    root: Path

    @property
    def python(self) -> Path:
        return self.root / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        return self.root / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"

    def run(self, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run its Python away from the repository, with nothing inherited that would widen what it sees."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ}
        return subprocess.run(
            [str(self.python), *args],
            cwd=self.root,
            env={**kept, **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def python_code(self, code: str) -> str:
        """Run ``code`` and return what it printed; a failure shows its stderr."""
        done = self.run("-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout


def make_environment(root: Path, wheel: Path, requirements: Iterable[str]) -> Environment:
    """Make an environment in ``root`` with the wheel and what ``requirements`` need."""
    venv.create(root, symlinks=True, with_pip=False)
    environment = Environment(root)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(environment.site_packages)
    for name in sorted(closure(requirements)):
        _link(importlib.metadata.distribution(name), environment.site_packages)
    return environment


def closure(requirements: Iterable[str]) -> set[str]:
    """Return the names of all distributions that ``requirements`` need, themselves included."""
    found: set[str] = set()
    seen: set[tuple[str, str]] = set()
    todo = [Requirement(line) for line in requirements]
    while todo:
        requirement = todo.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            found.add(name)
            for line in importlib.metadata.distribution(name).requires or ():
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    todo.append(needed)
    return found


def _link(distribution: importlib.metadata.Distribution, site_packages: Path) -> None:
    source = Path(str(distribution.locate_file("")))
    for file in distribution.files or ():
        if file.parts[0] == ".." or "__pycache__" in file.parts:
            continue
        regular_package = (source / file.parts[0] / "__init__.py").is_file() or file.parts[0].endswith(".dist-info")
        # A folder without __init__.py is a namespace that several distributions may share: link its files one by one.
        part = Path(file.parts[0]) if regular_package else Path(*file.parts)
        link = site_packages / part
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(source / part)
