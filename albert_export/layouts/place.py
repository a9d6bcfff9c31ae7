"""The directory that a layout is written into: links to the bundle's files, and a few files of its own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from albert_export.bundle import Artifact, Bundle
from albert_export.bundle.filesystem import link_or_copy
from albert_export.bundle.paths import inside
from albert_export.errors import BundleError, InputError

#: Servers take a model's name into paths and addresses.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Place:
    """The unfinished directory of one layout.

    Args:
        root: The directory, empty.
        bundle: Where files are linked from.
    """

    def __init__(self, root: Path, bundle: Bundle) -> None:
        self._root = root
        self.bundle = bundle
        self.notes: list[str] = []

    def link(self, relative: str, *, to: str) -> None:
        """Make the bundle's file ``relative`` appear at ``to``: a hard link, or a copy on another file system."""
        self.link_file(inside(self.bundle.path, relative), to=to)

    def link_file(self, source: Path, *, to: str) -> None:
        """Make a file from anywhere appear at ``to``."""
        target = self._root / to
        target.parent.mkdir(parents=True, exist_ok=True)
        # A link into somebody's cache would be made anew as a link: the file itself is meant.
        link_or_copy(source.resolve(), target)

    def copy_file(self, source: Path, *, to: str) -> None:
        """Copy a file from anywhere to ``to``."""
        target = self._root / to
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def write(self, relative: str, text: str) -> None:
        """Write a file of the layout's own."""
        target = self._root / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")

    def note(self, line: str) -> None:
        """Tell the user something that the directory does not show."""
        self.notes.append(line)

    def shared(self, name: str, *, needed_by: str) -> str:
        """Return the path of a file that all artifacts share, such as ``spiece.model``.

        Raises:
            BundleError: The bundle has none.
        """
        if all(record.path != name for record in self.bundle.manifest.files):
            raise BundleError(
                f"{needed_by} needs {name}",
                received=f"the bundle {self.bundle.path} without it",
                fix=f"export again from a checkpoint with {name}",
            )
        return name


def folder_of(artifact: Artifact) -> str:
    """Return the directory of an artifact's main file, relative to the bundle and ended by ``/``."""
    return artifact.file.rpartition("/")[0] + "/"


def check_name(name: str) -> str:
    """Return a name for a model on a server.

    Raises:
        InputError: It has other characters than letters, digits, ``_``, ``.`` and ``-``.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            "the name of a model must be letters, digits, _, . and -, the first a letter or digit",
            received=name,
            fix="give one with --name",
        )
    return name
