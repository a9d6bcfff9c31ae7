"""The rule for every path that a bundle names: it stays inside the bundle, on every operating system."""

from __future__ import annotations

import os
import re
from pathlib import Path

from albert_export.errors import BundleError, IntegrityError

#: Name of the file that describes the others; it cannot hold its own hash, so no record names it.
MANIFEST_NAME = "manifest.json"

# Opening one of these opens a device on Windows, whatever the directory and the ending.
_WINDOWS_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
# Backslash and colon separate on Windows; the others cannot be in a name there; control characters hide in a terminal.
_FORBIDDEN = re.compile(r'[\\:<>"|?*\x00-\x1f\x7f]')


def check_relative_path(path: object) -> str:
    """Return ``path`` when it names a place inside a bundle.

    The rule is that of the strictest system, so that a bundle made on Linux opens on Windows and a hostile one
    escapes nowhere: parts joined by ``/``; no part empty, ``.`` or ``..``; none that ends in a dot or a space (Windows
    drops them: ``"..  "`` would be ``..``); no drive, device name, backslash or control character.

    Raises:
        IntegrityError: The rule is broken.
    """
    rule = "a path of a bundle must be relative, joined by '/', without '.', '..', drives or special characters"
    if not isinstance(path, str) or not path:
        raise IntegrityError(rule, received=path if path is not None else "nothing")
    for part in path.split("/"):
        if not part or part[-1] in ". " or _FORBIDDEN.search(part) or _WINDOWS_DEVICES.fullmatch(part):
            raise IntegrityError(
                rule, received=repr(path), fix="use a bundle from a source you trust, or export it again"
            )
    try:
        path.encode("utf-8")
    except UnicodeEncodeError as error:
        raise IntegrityError(rule, received=ascii(path)) from error
    return path


def real_path(path: str | os.PathLike[str]) -> Path:
    """Return the path absolute and free of links; it need not exist.

    Raises:
        BundleError: No path can look so.
    """
    try:
        return Path(os.path.realpath(path))
    except ValueError as error:
        raise BundleError("a path must not hold a null character", received=ascii(os.fspath(path))) from error


def inside(directory: Path, relative: str) -> Path:
    """Return ``directory / relative``, made sure that no symbolic link leads it out of ``directory``.

    Args:
        directory: The bundle's directory, itself free of links (``os.path.realpath``).
        relative: A path that :func:`check_relative_path` accepts; checked again here.

    Raises:
        IntegrityError: The path breaks the rule, or a link on it leads elsewhere.
    """
    path = directory / check_relative_path(relative)
    real = os.path.realpath(path)
    if not Path(real).is_relative_to(directory):
        raise IntegrityError(
            f"no link of a bundle may lead out of it: {relative} in {directory}",
            received=f"a link to {real}",
            fix="put the file itself there (copy the bundle with cp -RL; download it from a hub with local_dir=)",
        )
    return path
