"""The few operations on directories that a bundle needs, and their errors in a user's words."""

from __future__ import annotations

import errno
import logging
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from albert_export.errors import BundleError

_log = logging.getLogger(__name__)

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_UNMOVABLE = {errno.EBUSY, errno.EXDEV}


def bundle_error(error: OSError, action: str) -> BundleError:
    """Return the error of the operating system as one line: what was being done, what came back, what to do.

    Args:
        error: What the operating system said.
        action: What was being done, e.g. ``"writing the bundle qa"``.
    """
    where = f" ({os.fsdecode(error.filename)})" if isinstance(error.filename, str | bytes) else ""
    received = f"{error.strerror or error}{where}"
    if error.errno in _FULL:
        return BundleError(f"disk full while {action}", received=received, fix="free some space or choose another disk")
    if error.errno in _FORBIDDEN:
        return BundleError(f"no permission for {action}", received=received, fix="choose a directory you can write")
    if error.errno in _UNMOVABLE:
        fix = "choose a directory below it: this one is a mount point or lies across file systems"
        return BundleError(f"a directory cannot be replaced while {action}", received=received, fix=fix)
    return BundleError(f"the operating system failed while {action}", received=received)


@contextmanager
def told_plainly(action: str) -> Iterator[None]:
    """Raise every ``OSError`` of the block as :func:`bundle_error` tells it."""
    try:
        yield
    except OSError as error:
        raise bundle_error(error, action) from error


@contextmanager
def log_failure(action: str) -> Iterator[None]:
    """Log an ``OSError`` of the block instead of raising it: for tidying up, which must not hide the real error."""
    try:
        yield
    except OSError as error:
        _log.warning("%s failed (%s); the next export to this place tries again", action, error)


def concerns(error: OSError, directory: Path) -> bool:
    """Whether the error came from writing below ``directory``: a full disk is told without a file name."""
    if error.errno in _FULL:
        return True
    return isinstance(error.filename, str | bytes) and Path(os.fsdecode(error.filename)).is_relative_to(directory)


def missing_parents(path: Path) -> list[Path]:
    """Return the parents of ``path`` that are not there, the innermost first."""
    return [parent for parent in path.parents if not parent.exists()]


def remove_empty(directories: list[Path]) -> None:
    """Delete those of the directories that are there and empty, the innermost first."""
    for directory in directories:
        try:
            directory.rmdir()
        except FileNotFoundError:
            continue
        except OSError:
            return  # in use: it holds the bundle, or somebody else's files


def walk(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Yield ``(relative posix path, entry)`` of everything below ``root``, each directory before its contents.

    Links are yielded, never followed.
    """
    pending = [("", root)]
    while pending:
        prefix, directory = pending.pop()
        with os.scandir(directory) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                relative = f"{prefix}{entry.name}"
                yield relative, entry
                if entry.is_dir(follow_symlinks=False):
                    pending.append((f"{relative}/", Path(entry.path)))


def link_or_copy(source: Path, destination: Path) -> None:
    """Make ``destination`` the same file as ``source``: a hard link, or a copy where links are refused.

    A symbolic link is made anew with the same text.
    """
    if source.is_symlink():
        destination.symlink_to(source.readlink())
        return
    try:
        destination.hardlink_to(source)
    except FileNotFoundError:
        raise
    except OSError:
        # Refused: another file system, one without links, somebody else's file, or too many links. A copy may do;
        # when it does not, its own error says why.
        shutil.copyfile(source, destination)
        shutil.copymode(source, destination)


def unshare(path: Path) -> None:
    """Replace a hard link by a copy of the file, so that editing it changes no other name of it."""
    if path.is_symlink() or path.stat().st_nlink == 1:
        return
    copy = path.with_name(f"{path.name}.unshared")
    shutil.copyfile(path, copy)
    shutil.copymode(path, copy)
    copy.replace(path)


def sync_file(path: Path) -> None:
    """Wait until the file's bytes are on the disk."""
    # Windows syncs only handles that can write.
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Wait until the directory's entries are on the disk, where the system can."""
    if os.name == "nt":
        return  # Windows opens no directories; NTFS journals their entries
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network and FUSE file systems have no such operation; the entries are then as safe as they get.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)


def sync_tree(root: Path, *, already_there: set[str]) -> None:
    """Wait until everything below ``root`` is on the disk, but for the contents of files that were there before."""
    directories = [root]
    for relative, entry in walk(root):
        if entry.is_dir(follow_symlinks=False):
            directories.append(Path(entry.path))
        elif entry.is_file(follow_symlinks=False) and relative not in already_there:
            sync_file(Path(entry.path))
    for directory in reversed(directories):
        sync_directory(directory)


@contextmanager
def taking_place(directory: Path) -> Iterator[Path]:
    """Yield a directory beside ``directory`` that takes its place at the end, and vanishes when the block fails.

    Args:
        directory: Where it will be: absent, or an empty directory. Missing parents are made.
    """
    made = missing_parents(directory)
    unfinished = directory.with_name(f".{directory.name}.{secrets.token_hex(8)}.tmp")
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        sync_tree(unfinished, already_there=set())
        if os.name == "nt" and directory.exists():
            directory.rmdir()  # elsewhere a directory takes the place of an empty one by itself
        unfinished.replace(directory)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        remove_empty(made)
        raise


def remove_tree(path: Path) -> None:
    """Delete a directory that is out of use; what cannot be deleted now is logged, and left to the next writer."""
    with log_failure(f"deleting {path}"):
        shutil.rmtree(path)
