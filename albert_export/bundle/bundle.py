"""Opening a bundle and choosing one of its artifacts."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from albert_export.bundle.exchange import is_interrupted, recover, replaced_path
from albert_export.bundle.filesystem import bundle_error, told_plainly
from albert_export.bundle.lock import writer_lock
from albert_export.bundle.manifest import Artifact, Manifest
from albert_export.bundle.paths import MANIFEST_NAME, inside, real_path
from albert_export.bundle.verify import verify_artifact, verify_files
from albert_export.errors import BundleError, ConflictError, UnknownNameError
from albert_export.positions import POSITIONS, task_with
from albert_export.targets import PRECISIONS, TARGETS, get_target
from albert_export.tasks import Task, get_task

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig

# A reader meets at most one exchange of directories at a time; these bound how long it follows a busy writer.
_TRIES = 20
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True)
class Bundle:
    """A directory with everything one task of one checkpoint needs to run, on every target exported so far.

    Attributes:
        path: The directory, absolute and free of links.
        manifest: What it holds.
    """

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, verify: bool | Literal["sizes"] = True) -> Bundle:
        """Open the bundle at ``path``; nothing is written, unless a killed writer left it half-exchanged.

        Args:
            path: The bundle's directory.
            verify: True reads every file and compares its SHA-256 (about 0.7 s for 1 GB); ``"sizes"`` only looks at
                the files' presence and sizes, for a caller that then calls :meth:`verify` on the one artifact it
                runs; False looks at nothing but the manifest.

        Raises:
            BundleError: There is no bundle, its manifest breaks a rule, or a newer release wrote it.
            IntegrityError: A file is missing, altered, or outside the bundle.
            UnknownNameError: Its task is none this release knows.
        """
        root = real_path(path)
        for attempt in range(_TRIES):
            identity, text = _read_manifest(root)
            try:
                bundle = cls(root, Manifest.from_json(text))
                get_task(bundle.manifest.task)
                if verify is not False:
                    bundle.verify(hashes=verify is True)
            except BundleError:
                # When a writer has meanwhile put another directory here, the manifest was of the one before.
                if attempt == _TRIES - 1 or _identity(root) == identity:
                    raise
            else:
                return bundle
        raise AssertionError("unreachable: the last attempt returns or raises")

    @property
    def task(self) -> Task:
        """The task head, as a row of the table of tasks."""
        return get_task(self.manifest.task)

    def task_of(self, artifact: Artifact) -> Task:
        """Return the task head as the artifact computes it: with chosen positions where it was exported so."""
        return task_with(self.task, [str(tensor["name"]) for tensor in artifact.inputs])

    @cached_property
    def config(self) -> AlbertConfig:
        """The model's configuration, read from ``config.json`` when it is first asked for.

        Raises:
            ConfigError: It cannot be read, or breaks a rule.
        """
        from albert_export.config import AlbertConfig

        return AlbertConfig.from_json_file(self.path / "config.json")

    def verify(self, artifact: Artifact | None = None, *, hashes: bool = True) -> None:
        """Compare files with the manifest: those of one artifact and the shared ones, or all.

        Args:
            artifact: One of the manifest's artifacts; None checks every file of the bundle.
            hashes: Also read the files and compare their SHA-256, not only their sizes.

        Raises:
            IntegrityError: A file is missing, altered, or outside the bundle.
        """
        if artifact is None:
            records, artifacts = self.manifest.records(), self.manifest.artifacts
        else:
            records, artifacts = (*self.manifest.files, *artifact.files), (artifact,)
        verify_files(self.path, records, hashes=hashes)
        for each in artifacts:
            verify_artifact(self.path, each)

    def select(self, target: str | None = None, precision: str | None = None, *, file: str | None = None) -> Artifact:
        """Return the artifact that matches, fp32 by default, else the only one present.

        Where one target and precision has several forms, the one in the target's default form of the layers and of the
        tokens with all axes dynamic is meant; ``file`` chooses any other.

        Args:
            target: Name in the table of targets; None accepts any, when only one is there.
            precision: Name in the table of precisions; None prefers ``fp32``.
            file: The artifact's file, relative to the bundle, e.g. ``onnx/model_unrolled.onnx``.

        Raises:
            UnknownNameError: No such target or precision exists.
            BundleError: Nothing matches, or more than one does; the message lists what is there.
        """
        if target is not None and all(artifact.target != target for artifact in self.manifest.artifacts):
            get_target(target)
        if precision is not None and precision not in PRECISIONS:
            raise UnknownNameError("precision", precision, tuple(PRECISIONS))
        matching = [
            artifact
            for artifact in self.manifest.artifacts
            if target in (None, artifact.target)
            and precision in (None, artifact.precision)
            and file in (None, artifact.file)
        ]
        if precision is None:
            matching = _prefer(matching, [artifact for artifact in matching if artifact.precision == "fp32"])
        if len({(artifact.target, artifact.precision) for artifact in matching}) == 1:
            matching = _prefer(matching, [artifact for artifact in matching if _is_default_form(artifact)])
        if len(matching) == 1:
            return matching[0]
        wanted = ", ".join(
            f"{name}={value}" for name, value in (("target", target), ("precision", precision), ("file", file)) if value
        )
        there = ", ".join(_describe(artifact) for artifact in self.manifest.artifacts) or "no artifact"
        if matching:
            rule = f"one artifact of the bundle {self.path} must be meant"
            fix = "name a target, a precision or a file"
        else:
            rule = f"the bundle {self.path} must hold the artifact asked for ({wanted or 'any'})"
            fix = "choose one of these, or export it"
        raise BundleError(rule, received=f"a bundle with {there}", fix=fix)

    def file(self, artifact: Artifact) -> Path:
        """Return where the artifact's main file lies.

        Raises:
            IntegrityError: A link leads it out of the bundle.
        """
        return inside(self.path, artifact.file)


def _prefer(every: list[Artifact], preferred: list[Artifact]) -> list[Artifact]:
    return preferred or every


def _is_default_form(artifact: Artifact) -> bool:
    defaults = {target.name: target.layers[0] for target in TARGETS}
    tokens = {target.name: target.tokens[0] for target in TARGETS}.get(artifact.target)
    general = all(size is None for size in artifact.shapes.values()) and "compat" not in artifact.facts
    return (
        general
        and POSITIONS not in artifact.shapes
        and "calibration_texts" not in artifact.facts
        and artifact.facts.get("tokens", tokens) == tokens
        and artifact.layers == defaults.get(artifact.target, "rolled")
    )


def _describe(artifact: Artifact) -> str:
    return f"{artifact.file} ({artifact.target}, {artifact.precision})"


def _identity(root: Path) -> tuple[int, ...] | None:
    """Return what tells one directory from any that takes its place; the times because numbers are used again."""
    try:
        status = root.stat()
    except OSError:
        return None  # between two renames; it is another one when it is back
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _read_manifest(root: Path) -> tuple[tuple[int, ...] | None, bytes]:
    """Return the directory's identity and its manifest's text, after undoing what a killed writer left half-done."""
    for attempt in range(_TRIES):
        identity = _identity(root)
        try:
            return identity, inside(root, MANIFEST_NAME).read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            if not is_interrupted(root):
                if _identity(root) != identity:
                    continue  # a writer finished between the two looks
                raise _no_bundle(root) from error
            try:
                _recover(root)
            except ConflictError:
                # Its writer is alive, between two renames; the next moment the bundle is there.
                if attempt == _TRIES - 1:
                    raise
                time.sleep(_PAUSE_SECONDS)
        except OSError as error:
            raise bundle_error(error, f"reading the bundle {root}") from error
    raise _no_bundle(root)


def _recover(root: Path) -> None:
    try:
        with writer_lock(root), told_plainly(f"putting the bundle {root} back"):
            recover(root)
    except ConflictError:
        raise
    except BundleError as error:
        raise BundleError(
            f"the bundle {root} must be put back after an export that was killed while it replaced it",
            received=error.received,
            fix=f"rename {replaced_path(root)} to {root}",
        ) from error


def _no_bundle(root: Path) -> BundleError:
    if root.is_dir():
        received = f"a directory without {MANIFEST_NAME}: {root}"
    else:
        received = f"{'a file' if root.exists() else 'no such directory'}: {root}"
    return BundleError(
        f"a bundle must be a directory with a {MANIFEST_NAME}",
        received=received,
        fix="make one, e.g. albert-export onnx --task qa --out DIR",
    )
