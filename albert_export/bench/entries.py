"""Which artifacts of which bundles are measured, and what each is called."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from albert_export.bench.contenders import ProcessContender
from albert_export.bench.shapes import CHOICES, IntArray, Shape, make_inputs
from albert_export.bundle import Artifact, Bundle
from albert_export.errors import BundleError, InputError, UnknownNameError
from albert_export.targets import PRECISIONS, TARGETS


@dataclass(frozen=True)
class Entry:
    """One artifact that is measured.

    Attributes:
        name: What it is called in every table: its file, after the directory where there are several.
        bundle: The opened, verified bundle.
        artifact: The artifact.
    """

    name: str
    bundle: Bundle
    artifact: Artifact

    @property
    def file_bytes(self) -> int:
        """Size of the artifact's files; one that has two names, as hard links are, counts once."""
        return sum({record.sha256: record.size for record in self.artifact.files}.values())

    def takes(self, shape: Shape) -> bool:
        """Whether the artifact can run the shape; one of fixed sizes runs no other."""
        sizes = self.artifact.shapes
        return sizes.get("batch") in (None, shape.batch) and sizes.get("sequence") in (None, shape.sequence)

    @property
    def choices(self) -> int | None:
        """Rows of one question (multiple choice); None for all other heads."""
        if "choices" not in self.bundle.task.dynamic_axes:
            return None
        return self.artifact.shapes.get("choices") or CHOICES

    def inputs(self, shape: Shape, seed: int) -> Mapping[str, IntArray]:
        """Return the inputs of the shape; the same for all artifacts of a bundle that take as many choices."""
        config = self.bundle.config
        pad = min(config.pad_token_id or 0, config.vocab_size - 1)
        return make_inputs(shape, vocabulary=config.vocab_size, pad=pad, choices=self.choices, seed=seed)

    def start(self, *, device: str, threads: int | None, seed: int) -> ProcessContender:
        """Start the process that will load and run the artifact.

        Args:
            device: As for :func:`albert_export.load`.
            threads: Likewise.
            seed: Of the inputs.
        """
        place = {"bundle": str(self.bundle.path), "file": self.artifact.file}
        return ProcessContender(
            self.name,
            request={**place, "device": device, "threads": threads},
            takes=self.takes,
            inputs=lambda shape: self.inputs(shape, seed),
        )


def choose_entries(
    directories: Sequence[str | os.PathLike[str]],
    *,
    targets: Sequence[str] = (),
    precisions: Sequence[str] = (),
    files: Sequence[str] = (),
) -> list[Entry]:
    """Open the bundles and return the artifacts that are meant, verified.

    Args:
        directories: Of the bundles, in the order of the tables.
        targets: Names in the table of targets; empty for all.
        precisions: Names in the table of precisions; empty for all.
        files: Artifacts' files in their bundles; empty for all.

    Raises:
        UnknownNameError: A target, precision or file that there is none of.
        BundleError: A directory is no bundle, was altered, or none of its artifacts is meant.
        InputError: A directory is named twice.
    """
    _check_names("target", targets, [target.name for target in TARGETS])
    _check_names("precision", precisions, list(PRECISIONS))
    bundles = [(os.fspath(directory), Bundle.open(directory, verify="sizes")) for directory in directories]
    if len({bundle.path for _, bundle in bundles}) < len(bundles):
        raise InputError(
            "a bundle must be named once", received=" ".join(given for given, _ in bundles), fix="leave one out"
        )
    there = dict.fromkeys(artifact.file for _, bundle in bundles for artifact in bundle.manifest.artifacts)
    _check_names("file", files, list(there))
    entries = []
    for given, bundle in bundles:
        chosen = [
            artifact
            for artifact in bundle.manifest.artifacts
            if (not targets or artifact.target in targets)
            and (not precisions or artifact.precision in precisions)
            and (not files or artifact.file in files)
        ]
        if not chosen:
            wanted = ", ".join((*targets, *precisions, *files)) or "any"
            listed = ", ".join(artifact.file for artifact in bundle.manifest.artifacts) or "nothing"
            raise BundleError(
                f"the bundle {bundle.path} must hold an artifact that is asked for ({wanted})",
                received=f"a bundle with {listed}",
                fix="ask for one of these, or leave the bundle out",
            )
        prefix = f"{Path(given).as_posix()}/" if len(bundles) > 1 else ""
        for artifact in chosen:
            bundle.verify(artifact)
            entries.append(Entry(prefix + artifact.file, bundle, artifact))
    return entries


def _check_names(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError(kind, name, known)
