"""Putting the files of a built-in model into a directory: whole or not at all, and never trusted unseen."""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from albert_export.errors import CheckpointError


def materialise(
    name: str, variant: str, files: Mapping[str, bytes], cache: str | os.PathLike[str] | None = None
) -> Path:
    """Return a directory that holds exactly ``files``, from the cache when it is there unharmed.

    The directory's name contains a hash of the files, so that releases with different files do not disturb each
    other. It is written beside its place and renamed: a second process sees it whole or not at all.

    Args:
        name: Name of the model.
        variant: What kind of it; begins the directory's last name.
        files: File name -> contents.
        cache: Parent directory; by default :func:`cache_directory`.

    Raises:
        CheckpointError: Neither the cache nor a temporary directory can be written.
    """
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(f"{file} {hashlib.sha256(files[file]).hexdigest()}\n".encode())
    relative = Path("builtin", name, f"{variant}-{digest.hexdigest()[:16]}")
    problems = []
    for parent in (lambda: cache_directory() if cache is None else Path(cache), _temporary_directory):
        try:
            return _materialise_in(parent() / relative, files)
        except OSError as error:
            problems.append(str(error))
    raise CheckpointError(
        "the files of a built-in model need a directory that can be written",
        received="; ".join(problems),
        fix="set ALBERT_EXPORT_CACHE to one",
    )


def cache_directory() -> Path:
    """Return ``$ALBERT_EXPORT_CACHE``, else ``albert-export`` in the cache directory that the system gives a user.

    Raises:
        OSError: The user has no home directory.
    """
    chosen = os.environ.get("ALBERT_EXPORT_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if os.environ.get("XDG_CACHE_HOME"):
        return Path(os.environ["XDG_CACHE_HOME"]) / "albert-export"
    try:
        home = Path.home()
    except RuntimeError as error:
        raise OSError(str(error)) from error
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "albert-export" / "cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "albert-export"
    return home / ".cache" / "albert-export"


@cache
def _temporary_directory() -> Path:
    # Made anew for this process: a fixed name in a shared directory could belong to anybody.
    directory = tempfile.mkdtemp(prefix="albert-export-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return Path(directory)


def _materialise_in(target: Path, files: Mapping[str, bytes]) -> Path:
    if _holds(target, files):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as name:
        made = Path(name, "made")
        made.mkdir()
        for file, contents in files.items():
            (made / file).write_bytes(contents)
        if target.exists() and not _holds(target, files):
            # Damaged: it goes with the temporary directory.
            target.rename(Path(name, "damaged"))
        try:
            made.rename(target)
        except OSError:
            # Another process was faster.
            if not _holds(target, files):
                raise
    return target


def _holds(directory: Path, files: Mapping[str, bytes]) -> bool:
    try:
        return all((directory / file).read_bytes() == contents for file, contents in files.items())
    except (FileNotFoundError, NotADirectoryError):
        return False
