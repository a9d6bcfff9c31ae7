"""Which directories a bundle may be written to."""

from __future__ import annotations

import os
import re
from pathlib import Path

from albert_export.bundle.filesystem import told_plainly
from albert_export.bundle.paths import MANIFEST_NAME, real_path
from albert_export.errors import BundleError, ConflictError


def check_destination(out: str | os.PathLike[str]) -> Path:
    """Return the directory to write to, absolute and free of links, after checking that it can be replaced.

    A link to a directory is followed: what it points to is replaced, the link stays.

    Raises:
        ConflictError: Something that is no bundle is there: a file, or a directory with other contents.
        BundleError: It is the file system's root, a mount point, holds the current directory, or its path is no text.
    """
    path = real_path(out)
    shown = os.fsencode(path).decode("utf-8", "replace")
    if shown != str(path):
        raise BundleError(
            "the path of the output must be text, because runtimes take no other",
            received=shown,
            fix="choose another place",
        )
    with told_plainly(f"looking at the output directory {path}"):
        if path.parent == path:
            raise BundleError("the output must be a directory of its own", received=str(path), fix="name one below it")
        if path.exists() and not path.is_dir():
            raise ConflictError("the output must be a directory", received=f"a file: {path}", fix="choose another name")
        around = next(parent for parent in path.parents if os.path.lexists(parent))
        if not around.is_dir():
            received = f"one below a file: {around}"
            raise BundleError("the output must lie in a directory", received=received, fix="choose another place")
        if _holds_current_directory(path):
            raise BundleError(
                "the output must not hold the current directory, because it is replaced as a whole",
                received=str(path),
                fix=f"choose a directory below it, e.g. {path / 'bundle'}, or name it from somewhere else",
            )
        if _is_mount(path):
            raise BundleError(
                "the output must not be a mount point, because it is replaced as a whole",
                received=str(path),
                fix=f"choose a directory below it, e.g. {path / 'bundle'}",
            )
        check_is_bundle_or_empty(path)
        check_is_bundle_or_empty(rejected_path(path))
    return path


def rejected_path(destination: Path) -> Path:
    """Return where a candidate lies that failed parity."""
    return destination.with_name(f"{destination.name}.rejected")


def check_is_bundle_or_empty(path: Path) -> None:
    """Check that replacing ``path`` loses nothing but a bundle.

    Raises:
        ConflictError: It holds something else.
        OSError: It cannot be listed.
    """
    if not os.path.lexists(path):
        return
    if not path.is_dir():
        found = f"a file: {path}"
    elif (path / MANIFEST_NAME).is_file() or next(path.iterdir(), None) is None:
        return
    else:
        found = f"a directory with other contents: {path}"
    raise ConflictError(
        "only a bundle or an empty directory may be replaced",
        received=found,
        fix="move it away, or choose another name",
    )


def _holds_current_directory(path: Path) -> bool:
    try:
        return real_path(Path.cwd()).is_relative_to(path)
    except FileNotFoundError:
        return False  # the current directory was deleted


def _is_mount(path: Path) -> bool:
    if os.path.ismount(path):  # not Path.is_mount, which Windows lacks before Python 3.12
        return True
    # A bind mount within one file system (as containers make) shows only in the kernel's list.
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return False  # no Linux, or no /proc: the renames tell
    points = (re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), line.split()[4]) for line in lines)
    return os.fsencode(path) in points
