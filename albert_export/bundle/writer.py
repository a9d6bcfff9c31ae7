"""Building a bundle beside the one it replaces.

A writer fills a hidden sibling directory. Nothing in it shares storage with the old bundle while files are being
written: the old bundle's unchanged files are hard-linked into it only when it is completed, at places where no new
file lies. So opening any file of :attr:`BundleWriter.directory` for writing is safe, and a failure costs nothing.
"""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from albert_export._version import __version__
from albert_export.bundle.bundle import Bundle
from albert_export.bundle.destination import check_destination, check_is_bundle_or_empty, rejected_path
from albert_export.bundle.exchange import building_path, exchange, recover, remove_leftovers, replaced_path
from albert_export.bundle.filesystem import (
    bundle_error,
    concerns,
    link_or_copy,
    log_failure,
    missing_parents,
    remove_empty,
    sync_tree,
    told_plainly,
    unshare,
    walk,
)
from albert_export.bundle.lock import lock_path, writer_lock
from albert_export.bundle.manifest import SCHEMA_VERSION, UPGRADE, Artifact, FileRecord, Manifest
from albert_export.bundle.paths import MANIFEST_NAME, check_relative_path, inside
from albert_export.bundle.verify import record_file, verify_artifact, verify_files
from albert_export.checkpoints import Source
from albert_export.errors import BundleError, ConflictError, IntegrityError
from albert_export.tasks import get_task


class BundleWriter:
    """Writes one bundle; a context manager.

    ::

        with BundleWriter("qa", task="question-answering", source=checkpoint.source) as writer:
            (writer.directory / "config.json").write_text(...)
            writer.put_file("config.json")
            ...
            writer.put_artifact(Artifact(...))
            writer.commit()  # or writer.reject(); leaving without either discards everything

    Entering takes the writer lock; the old bundle, if any, can be read until :meth:`commit` replaces it in one step.
    What the old bundle holds besides is kept: its other artifacts, and files no manifest lists.

    Args:
        out: The bundle's directory: absent, empty, or a bundle of the same task and checkpoint. Missing parents are
            made.
        task: Name or alias of the task head.
        source: The checkpoint, as its reader tells it.
        timeout: Seconds to wait for another writer; 0 fails at once.

    Raises:
        UnknownNameError: No task has that name.
    """

    def __init__(self, out: str | os.PathLike[str], *, task: str, source: Source, timeout: float = 0.0) -> None:
        self._out = out
        self._task = get_task(task).name
        self._source = source
        self._timeout = timeout
        self._resources: ExitStack | None = None

    def __enter__(self) -> Self:
        """Take the lock and make the sibling directory.

        Raises:
            ConflictError: The directory holds another task, another checkpoint or something else, or another writer
                is at work.
            BundleError: It cannot be written, or the manifest in it cannot be read.
        """
        self._destination = check_destination(self._out)
        self._action = f"writing the bundle {self._destination}"
        with ExitStack() as resources:
            with told_plainly(self._action):
                missing = missing_parents(self._destination)
                resources.callback(remove_empty, missing)
                for parent in reversed(missing):
                    parent.mkdir(exist_ok=True)
            resources.enter_context(writer_lock(self._destination, timeout=self._timeout))
            resources.callback(self._clean)
            with told_plainly(self._action):
                recover(self._destination)
                remove_leftovers(self._destination)
                check_is_bundle_or_empty(self._destination)
                self._finish_rejection()
            self._identity = _identity(self._destination)
            self._previous = self._read_previous()
            self._files = {record.path: record for record in self._previous.files} if self._previous else {}
            self._artifacts = {each.file: each for each in self._previous.artifacts} if self._previous else {}
            self._linked: set[str] = set()
            self._dropped: set[str] = set()
            self._building = building_path(self._destination)
            with told_plainly(self._action):
                self._building.mkdir()
                if self._identity is not None:
                    shutil.copymode(self._destination, self._building)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Discard what was not committed, and let go of the lock.

        Raises:
            BundleError: In place of an ``OSError`` of the block that concerns this bundle, such as a full disk.
        """
        resources, self._resources = self._resources, None
        if resources is not None:
            resources.close()
        if isinstance(error, OSError) and concerns(error, self._building):
            raise bundle_error(error, self._action) from error

    @property
    def directory(self) -> Path:
        """The sibling being built: empty at first, to be written freely; see the module's text."""
        self._check_open()
        return self._building

    @property
    def previous(self) -> Manifest | None:
        """The manifest of the bundle that will be replaced, or None."""
        self._check_open()
        return self._previous

    def path_for_new_file(self, relative: str) -> Path:
        """Return where to write the file, its directories made, and nothing there: not even a link to an old one.

        Raises:
            IntegrityError: The path leaves the bundle.
            BundleError: A directory cannot be made.
        """
        path = self.directory / check_relative_path(relative)
        with told_plainly(self._action):
            inside(self._building, relative).parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
        self._linked.discard(relative)
        self._dropped.discard(relative)
        return path

    def write_bytes(self, relative: str, data: bytes) -> FileRecord:
        """Write a file anew and return its record.

        Raises:
            IntegrityError: The path leaves the bundle.
            BundleError: It cannot be written.
        """
        path = self.path_for_new_file(relative)
        with told_plainly(self._action):
            path.write_bytes(data)
        return self.record(relative)

    def record(self, relative: str) -> FileRecord:
        """Return the record of a file: the new one, or else the old bundle's.

        Raises:
            IntegrityError: There is none, or the path leaves the bundle.
        """
        check_relative_path(relative)
        is_new = self._previous is None or os.path.lexists(self.directory / relative)
        return record_file(self._building if is_new else self._destination, relative)

    def settle(self, relative: str) -> FileRecord:
        """Return the record of a new file; one that the old bundle holds too is taken from there when completed.

        Raises:
            IntegrityError: There is none, or the path leaves the bundle.
        """
        record = self.record(relative)
        if self._previous is not None and record in self._previous.records() and self._holds_unharmed(record):
            with told_plainly(self._action):
                (self.directory / relative).unlink(missing_ok=True)
        return record

    def _holds_unharmed(self, record: FileRecord) -> bool:
        # Exporting again is how a damaged bundle is mended.
        try:
            return record_file(self._destination, record.path) == record
        except IntegrityError:
            return False

    def put_file(self, relative: str) -> FileRecord:
        """List a file that all artifacts share, such as ``config.json``, and return its record.

        Raises:
            IntegrityError: There is none, or the path leaves the bundle.
        """
        self._files[relative] = record = self.record(relative)
        return record

    def put_artifact(self, artifact: Artifact) -> None:
        """List an artifact, in the place of the one with the same ``file``.

        Files that only the replaced one listed are left out of the new bundle.
        """
        self._check_open()
        self._artifacts[artifact.file] = artifact

    def remove(self, relative: str) -> None:
        """Leave a file or an artifact of the old bundle out of the new one; nothing happens where there is none."""
        path = self.directory / check_relative_path(relative)
        self._dropped.add(relative)
        self._files.pop(relative, None)
        self._artifacts.pop(relative, None)
        with told_plainly(self._action):
            path.unlink(missing_ok=True)

    def candidate(self) -> Bundle:
        """Return the bundle as it would be committed now, complete and readable in :attr:`directory`.

        For running it before it is accepted. It is gone after :meth:`commit`, which returns the real one.

        Raises:
            BundleError: The directory cannot be completed.
        """
        return Bundle(self.directory, self._complete(keep_unlisted=False))

    def commit(self) -> Bundle:
        """Put the new bundle in the place of the old one, in one step, once every byte of it is on the disk.

        Raises:
            IntegrityError: A listed file is missing or is not what its record says.
            ConflictError: Someone has put something else in the place meanwhile.
            BundleError: It cannot be written. In all three cases the old bundle stays.
        """
        manifest = self._complete(keep_unlisted=True)
        verify_files(self._building, manifest.records(), bundle=self._destination)
        for artifact in manifest.artifacts:
            verify_artifact(self._building, artifact)
        with told_plainly(self._action):
            sync_tree(self._building, already_there=self._linked)
            self._check_unchanged()
            exchange(self._building, self._destination)
        self._close()
        return Bundle(self._destination, manifest)

    def reject(self) -> Path:
        """Leave the old bundle as it is, and put the new one into ``DIR.rejected`` for its reader to look at.

        Returns:
            That directory. An older one is replaced. It shares no storage with the bundle, so it may be edited.

        Raises:
            BundleError: It cannot be written.
        """
        self._complete(keep_unlisted=False)
        rejected = rejected_path(self._destination)
        with told_plainly(self._action):
            for relative in self._linked:
                unshare(self._building / relative)
            with writer_lock(rejected):
                recover(rejected)
                check_is_bundle_or_empty(rejected)
                exchange(self._building, rejected)
        self._close()
        return rejected

    def _complete(self, *, keep_unlisted: bool) -> Manifest:
        """Write the manifest, and link what of the old bundle belongs into the new one."""
        self._check_open()
        manifest = Manifest(
            SCHEMA_VERSION, __version__, self._task, self._source, tuple(self._files.values()),
            tuple(self._artifacts.values()),
        )  # fmt: skip
        listed = {record.path for record in manifest.records()}
        with told_plainly(self._action):
            self._check_unchanged()
            for relative in self._linked - listed:
                (self._building / relative).unlink(missing_ok=True)
                self._linked.discard(relative)
            if self._previous is not None:
                self._link_old(self._previous, listed, keep_unlisted=keep_unlisted)
            path = self.path_for_new_file(MANIFEST_NAME)
            path.write_text(manifest.to_json(), encoding="utf-8", newline="\n")
        return manifest

    def _link_old(self, previous: Manifest, listed: set[str], *, keep_unlisted: bool) -> None:
        was_listed = {MANIFEST_NAME, *(record.path for record in previous.records())}
        for relative, entry in walk(self._destination):
            is_ours = relative in was_listed
            if relative in self._dropped or (relative not in listed and (is_ours or not keep_unlisted)):
                continue
            path = self._building / relative
            if entry.is_dir(follow_symlinks=False):
                if next(Path(entry.path).iterdir(), None) is None:
                    path.mkdir(parents=True, exist_ok=True)
            elif not os.path.lexists(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                link_or_copy(Path(entry.path), path)
                self._linked.add(relative)

    def _read_previous(self) -> Manifest | None:
        path = self._destination / MANIFEST_NAME
        if not path.is_file():
            return None
        with told_plainly(self._action):
            text = path.read_bytes()
        try:
            previous = Manifest.from_json(text)
        except BundleError as error:
            # "Export the bundle again", a reader's fix, is what is being done.
            rule = f"{self._destination} can be written to only where its manifest can be read: {error.rule}"
            other = "choose another output directory"
            fix = f"{UPGRADE}, or {other}" if error.fix == UPGRADE else f"remove {self._destination}, or {other}"
            raise type(error)(rule, received=error.received, fix=fix) from error
        if previous.task != self._task:
            raise ConflictError(
                f"the bundle {self._destination} holds the task {previous.task}, and a bundle holds one task",
                received=self._task,
                fix="choose another output directory",
            )
        if previous.source.sha256 != self._source.sha256:
            raise ConflictError(
                f"the bundle {self._destination} was made from {_describe(previous.source)}, "
                "and a bundle holds one checkpoint",
                received=_describe(self._source),
                fix="choose another output directory, or remove this one",
            )
        return previous

    def _check_unchanged(self) -> None:
        """Check that the place still holds the old bundle, or still nothing."""
        identity = _identity(self._destination)
        is_same = identity == self._identity
        if self._previous is None:
            is_same = identity is None or next(self._destination.iterdir(), None) is None
        if not is_same:
            raise ConflictError(
                f"the output {self._destination} must stay as it was while a bundle is written to it",
                received="another directory in its place" if identity else "no directory in its place",
                fix="export again",
            )

    def _finish_rejection(self) -> None:
        """Tidy up after a writer that was killed while it put a candidate into ``DIR.rejected``."""
        rejected = rejected_path(self._destination)
        if not os.path.lexists(lock_path(rejected)) and not os.path.lexists(replaced_path(rejected)):
            return
        try:
            with writer_lock(rejected):
                recover(rejected)
                remove_leftovers(rejected)
        except ConflictError:
            return  # the lock is no leftover: someone is at work in there, which hinders only a rejection

    def _check_open(self) -> None:
        if self._resources is None:
            raise RuntimeError("a BundleWriter is used inside its `with` block, until commit() or reject()")

    def _close(self) -> None:
        resources, self._resources = self._resources, None
        assert resources is not None, "only an open writer is closed"
        resources.close()

    def _clean(self) -> None:
        with log_failure(f"cleaning up beside {self._destination}"):
            recover(self._destination)
            remove_leftovers(self._destination)


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_dev, status.st_ino


def _describe(source: Source) -> str:
    revision = f" at {source.revision}" if source.revision else ""
    return f"the checkpoint {source.name}{revision} (sha256 {source.sha256[:12]}…)"
