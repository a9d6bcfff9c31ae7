"""Environments of the clients, under ``build/clients/``: made from their registries once for a list of versions."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / "build" / "clients"
REQUIREMENTS = HERE / "requirements"
NODE = HERE / "node"
#: Written last: the hash of the list of versions that the environment was made from.
STAMP = ".installed"
INSTALL = ("-m", "pip", "install", "--quiet", "--no-compile")


class ClientError(Exception):
    """A client could not be installed or run; the message holds what it said."""


def python_environment(name: str, *, python: str | None = None) -> Path:
    """Return the Python of the environment with exactly what ``requirements/NAME.txt`` lists, made where there is none.

    Args:
        name: The environment.
        python: Version that its packages exist for, such as ``3.11``; None for any that the project runs with.

    Raises:
        ClientError: There is no such Python, or pip failed.
    """
    requirements = REQUIREMENTS / f"{name}.txt"
    directory = CACHE / name
    if not is_made(directory, requirements):
        runs = f"{sys.version_info.major}.{sys.version_info.minor}"
        base = sys.executable if python in (None, runs) else needed_program(f"python{python}")
        made([base, "-m", "venv", "--clear", str(directory)])
        made([str(directory / "bin" / "python"), *INSTALL, "--requirement", str(requirements)])
        stamp(directory, requirements)
    return directory / "bin" / "python"


def node_environment() -> Path:
    """Return the directory with the ``node_modules`` of ``node/package-lock.json``, installed where it is not there.

    Raises:
        ClientError: There is no npm, or it failed.
    """
    lock = NODE / "package-lock.json"
    directory = CACHE / "node"
    if not is_made(directory, lock):
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for file in (NODE / "package.json", lock):
            shutil.copy(file, directory)
        # The script of onnxruntime-node would download CUDA's provider.
        made([needed_program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory)
        stamp(directory, lock)
    return directory


def needed_program(*names: str) -> str:
    """Return the path of the first program that is there.

    Raises:
        ClientError: There is none. A client that cannot be run is not verified, so that no test of it is skipped.
    """
    for name in names:
        found = shutil.which(name)
        if found is not None:
            return found
    package = {"node": "nodejs"}.get(names[0], names[0])
    raise ClientError(f"the program {' or '.join(names)} must be installed; fix: apt install {package}")


def made(command: list[str], *, cwd: Path | None = None) -> None:
    """Run a command that makes an environment.

    Raises:
        ClientError: It failed; the message has the end of what it said.
    """
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ClientError(f"{' '.join(command)} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def is_made(directory: Path, versions: Path) -> bool:
    """Return whether an environment is whole, and made from this list of versions."""
    stamp = directory / STAMP
    return stamp.is_file() and stamp.read_text() == _hash(versions)


def stamp(directory: Path, versions: Path) -> None:
    """Say that an environment is whole."""
    (directory / STAMP).write_text(_hash(versions))


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
