"""JavaScript libraries for a layout: from a directory that has them, or fetched by npm in locked versions."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from albert_export.errors import BundleError, InputError

#: Seconds that npm may take for all packages.
LONGEST = 600


@contextmanager
def packages(locked: Path, there: Path | None = None) -> Iterator[Path]:
    """Provide a ``node_modules`` with the packages that ``locked/package.json`` names, in just these versions.

    Args:
        locked: Directory of ``package.json`` and ``package-lock.json``: npm compares what it fetches with the hashes
            there, and runs no script of a package.
        there: A ``node_modules`` that has them; nothing is fetched then.

    Raises:
        InputError: ``there`` lacks a package, or has it in another version.
        BundleError: npm is not installed, or failed.
    """
    wanted: dict[str, str] = json.loads((locked / "package.json").read_text(encoding="utf-8"))["dependencies"]
    if there is not None:
        for name, version in wanted.items():
            found = _version(there / name)
            if found != version:
                raise InputError(
                    f"the directory of packages must have {name} {version}",
                    received=f"{there} {'without it' if found is None else f'with {found}'}",
                    fix=f"npm install {' '.join(f'{each}@{number}' for each, number in wanted.items())}",
                )
        yield there
        return
    npm = shutil.which("npm")
    if npm is None:
        raise BundleError(
            "npm must be there to fetch the page's libraries",
            received="no npm on PATH",
            fix="install Node.js, or name a node_modules with them: --vendor DIR",
        )
    with TemporaryDirectory(prefix="albert-export-npm-") as folder:
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(locked / name, Path(folder, name))
        _fetch(npm, folder)
        yield Path(folder, "node_modules")


def _fetch(npm: str, folder: str) -> None:
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    fix = "see that npm reaches its registry, or name a node_modules with the packages: --vendor DIR"
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, encoding="utf-8", errors="replace", timeout=LONGEST
        )
    except subprocess.TimeoutExpired as error:
        raise BundleError(
            f"npm must fetch the page's libraries within {LONGEST} seconds", received="no answer", fix=fix
        ) from error
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if line.strip() and "A complete log" not in line]
        raise BundleError(
            "npm must fetch the page's libraries", received=told[0] if told else f"exit {done.returncode}", fix=fix
        )


def _version(package: Path) -> str | None:
    try:
        found = json.loads((package / "package.json").read_text(encoding="utf-8")).get("version")
    except (OSError, ValueError, AttributeError):
        return None
    return found if isinstance(found, str) else None
