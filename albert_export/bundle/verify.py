"""Checking that the files of a bundle are those its manifest tells.

What is checked: every listed file is there, is a regular file inside the bundle, and has the size and the hash of its
record; the external data of ONNX files lies in listed files. Files that no record lists (a README, a model card, what
a hub client leaves behind) are the user's own: nothing of the bundle refers to them, so they are left alone.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Iterable
from pathlib import Path

from albert_export.bundle.external_data import check_external_data
from albert_export.bundle.manifest import Artifact, FileRecord
from albert_export.bundle.paths import inside
from albert_export.errors import BundleError, IntegrityError

_FIX = "copy the whole bundle again, or export it again"


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits; reads it in pieces (about 0.7 s for 1 GB).

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_file(root: Path, relative: str) -> FileRecord:
    """Return the record of the file ``root / relative`` as it is now.

    Raises:
        IntegrityError: The path leaves the bundle, or is no regular file.
        BundleError: It cannot be read.
    """
    path = inside(root, relative)
    size = _size(path, relative, root)
    return FileRecord(relative, _hash(path, relative, root), size)


def verify_files(root: Path, records: Iterable[FileRecord], *, hashes: bool = True, bundle: Path | None = None) -> None:
    """Check that each file is there with its size, then (``hashes``) with its SHA-256.

    Args:
        root: The directory that holds the files.
        records: What the manifest says of them.
        hashes: Also read them; without, only their sizes are looked at.
        bundle: What messages call the bundle, when ``root`` is a hidden directory it is being built in.

    Raises:
        IntegrityError: One is missing, altered, or outside the bundle; the message names it.
        BundleError: One cannot be read.
    """
    bundle = bundle or root
    records = tuple(records)
    for record in records:
        size = _size(inside(root, record.path), record.path, bundle)
        if size != record.size:
            rule = f"{record.path} of the bundle {bundle} must have {record.size} bytes, as its manifest says"
            raise IntegrityError(rule, received=f"{size} bytes", fix=_FIX)
    for record in records if hashes else ():
        digest = _hash(root / record.path, record.path, bundle)
        if digest != record.sha256:
            rule = f"{record.path} of the bundle {bundle} must have the sha256 {record.sha256}, as its manifest says"
            raise IntegrityError(rule, received=f"{digest}: the file was altered", fix=_FIX)


def verify_artifact(root: Path, artifact: Artifact) -> None:
    """Check that the artifact refers to no file outside its own list; see :func:`verify_files` for the files.

    Raises:
        IntegrityError: Its external data lies elsewhere, or an ``.onnx`` file of it is no ONNX model.
    """
    listed = frozenset(record.path for record in artifact.files)
    for path in sorted(listed):
        if path.endswith(".onnx"):
            check_external_data(root, path, listed)


def _size(path: Path, relative: str, bundle: Path) -> int:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise IntegrityError(
            f"{relative} of the bundle {bundle} must be there", received="no such file", fix=_FIX
        ) from error
    except OSError as error:
        raise BundleError(f"{relative} of the bundle {bundle} must be readable", received=error.strerror) from error
    if not stat.S_ISREG(status.st_mode):
        raise IntegrityError(f"{relative} of the bundle {bundle} must be a file", received="something else", fix=_FIX)
    return status.st_size


def _hash(path: Path, relative: str, bundle: Path) -> str:
    try:
        return hash_file(path)
    except OSError as error:
        raise BundleError(f"{relative} of the bundle {bundle} must be readable", received=error.strerror) from error
