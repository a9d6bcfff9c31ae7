"""One writer at a time: the lock beside a bundle.

The operating system holds it for the process, so a killed writer leaves no lock behind, only an empty-handed file.
Readers take no lock: the exchange of directories is atomic for them.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import filelock

from albert_export.bundle.exchange import building_path
from albert_export.bundle.filesystem import told_plainly
from albert_export.errors import ConflictError

# From release 4 on, filelock tries again when the file it locked was deleted meanwhile, and leaves the path alone when
# it lets go. Only both together make it safe to delete the file; with an older release it stays, which harms nobody.
_REMOVABLE = int(filelock.__version__.partition(".")[0]) >= 4


def lock_path(destination: Path) -> Path:
    """Return the lock file of the bundle at ``destination``."""
    return destination.with_name(f".{destination.name}.lock")


@contextmanager
def writer_lock(destination: Path, *, timeout: float = 0.0) -> Iterator[None]:
    """Be the only writer of ``destination`` inside the block.

    Args:
        destination: The bundle's directory; its parent exists.
        timeout: Seconds to wait for another writer; 0 fails at once.

    Raises:
        ConflictError: Another writer is at work; the message tells its process.
        BundleError: The lock file cannot be made.
    """
    path = lock_path(destination)
    # thread_local=False: the thread that leaves the block may be another than the one that entered it.
    lock = filelock.FileLock(path, thread_local=False)
    action = f"locking the bundle {destination}"
    with told_plainly(action):
        try:
            lock.acquire(timeout=timeout)
        except filelock.Timeout as error:
            _probe(destination)
            raise ConflictError(
                f"only one writer may be at work in {destination}",
                received=f"another one is: {_holder(path)}",
                fix="wait until it has finished",
            ) from error
    # On a file system without locks, filelock falls back to the mere existence of the file, and keeps its notes in it.
    ours = not isinstance(lock, filelock.SoftFileLock)
    try:
        if ours:
            _sign(path)
        yield
    finally:
        if ours and _REMOVABLE:
            _remove(path)
        lock.release()


def _probe(destination: Path) -> None:
    """Raise what the system says when no file can be made here: filelock takes some of it for a reason to wait."""
    probe = building_path(destination)
    probe.mkdir()
    with suppress(FileNotFoundError):  # the next writer, at work by now, deleted it as a leftover
        probe.rmdir()


def _sign(path: Path) -> None:
    try:
        path.write_text(f"process {os.getpid()} on {socket.gethostname()}\n", encoding="utf-8")
    except OSError:
        return  # Windows lets nobody write a locked file, a full disk has no room: the signature is only a courtesy


def _holder(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip() or "an unknown process"
    except OSError:
        return "an unknown process"  # it has just finished, or Windows lets nobody read a locked file


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # Windows deletes no open file; it stays, and is taken over by the next writer
