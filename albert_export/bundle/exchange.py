"""Putting a finished directory in the place of another, so that a kill at any moment leaves one of the two.

Names beside a bundle ``qa``, all hidden:

===================== ============================================================================================
``.qa.lock``          held by the one writer; see ``lock.py``
``.qa.building-XXXX`` a bundle being built, or an old one being deleted: never of use to anyone else. The next writer
                      deletes it.
``.qa.replaced``      the old bundle, in the moment between two renames, where the system cannot exchange two
                      directories in one step. It is its own journal: while there is no ``qa``, the exchange was not
                      finished and is undone; once there is, it was finished.
===================== ============================================================================================
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import re
import secrets
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from albert_export.bundle.filesystem import remove_tree, sync_directory

_log = logging.getLogger(__name__)

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
# What a kernel, a file system or a sandbox answers that does not know the exchange. A lack of permission (EPERM) is
# among them because old container sandboxes answer so to calls they do not know; a real one shows in the renames.
_NO_EXCHANGE = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM}


def building_path(destination: Path) -> Path:
    """Return a new hidden name beside ``destination`` for a directory that no one else uses."""
    return destination.with_name(f".{destination.name}.building-{secrets.token_hex(4)}")


def replaced_path(destination: Path) -> Path:
    """Return the name of the old directory between the two renames."""
    return destination.with_name(f".{destination.name}.replaced")


def is_interrupted(destination: Path) -> bool:
    """Whether an exchange stopped half-way, so that ``destination`` is missing until :func:`recover`."""
    return not os.path.lexists(destination) and os.path.lexists(replaced_path(destination))


def exchange(candidate: Path, destination: Path) -> None:
    """Put the directory ``candidate`` in the place of ``destination``; what was there then lies at ``candidate``.

    The caller holds the writer lock, and both lie in one parent. Nothing needs to have been there before.

    Raises:
        OSError: It cannot be done; both are where they were.
    """
    if not os.path.lexists(destination):
        candidate.rename(destination)
    elif not _swap(candidate, destination):
        _rename_twice(candidate, destination)
    sync_directory(destination.parent)


def recover(destination: Path) -> None:
    """Undo an exchange that was interrupted; the caller holds the writer lock.

    Raises:
        OSError: The directory cannot be renamed.
    """
    replaced = replaced_path(destination)
    if not os.path.lexists(replaced):
        return
    if os.path.lexists(destination):
        replaced.rename(building_path(destination))  # finished: the old one is only to be deleted
    else:
        replaced.rename(destination)
    sync_directory(destination.parent)


def remove_leftovers(destination: Path) -> None:
    """Delete what killed writers left beside ``destination``; the caller holds the writer lock and has recovered.

    Raises:
        OSError: The parent cannot be listed.
    """
    leftover = re.compile(rf"\.{re.escape(destination.name)}\.building-[0-9a-f]{{8}}")
    for path in list(destination.parent.iterdir()):
        if leftover.fullmatch(path.name):
            remove_tree(path)


def _rename_twice(candidate: Path, destination: Path) -> None:
    replaced = replaced_path(destination)
    try:
        destination.rename(replaced)
        candidate.rename(destination)
    except BaseException:  # Ctrl-C between the two as well
        if is_interrupted(destination):
            replaced.rename(destination)
        raise
    try:
        replaced.rename(candidate)
    except OSError as error:
        # The exchange is done; the next writer finds the old directory under this name and deletes it.
        _log.warning("could not rename %s (%s); the next export to this place deletes it", replaced, error.strerror)


def _swap(first: Path, second: Path) -> bool:
    """Exchange two directories in one step; return False where the system cannot."""
    renameat2 = _renameat2()
    if renameat2 is None:
        return False
    if renameat2(_AT_FDCWD, os.fsencode(first), _AT_FDCWD, os.fsencode(second), _RENAME_EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(second))


@cache
def _renameat2() -> Callable[[int, bytes, int, bytes, int], int] | None:
    """Return Linux's ``renameat2`` (kernel 3.15, glibc 2.28, musl 1.2.6), or None."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):  # an older C library
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    result: Callable[[int, bytes, int, bytes, int], int] = function
    return result
