"""Which artifacts of which bundles are measured, and what each is called."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from albert_export.bench.contenders import ProcessContender
from albert_export.bench.shapes import CHOICES, IntArray, Shape, make_inputs
from albert_export.bundle import Artifact, Bundle
from albert_export.engines.profiles import Profile, read_profiles
from albert_export.errors import BundleError, InputError, UnknownNameError
from albert_export.positions import chooses_positions
from albert_export.runtime_table import RuntimeRow, get_runtime, is_installed, parse_runtime
from albert_export.runtimes.choosing import choose_runtime
from albert_export.targets import PRECISIONS, TARGETS, get_target

#: Stand for each target's own runtime, and for every one that is installed and reads the target.
OWN, ALL = "own", "all"


@dataclass(frozen=True)
class Entry:
    """One artifact in one runtime, which is measured.

    Attributes:
        name: What it is called in every table: its file, after the directory where there are several, and before
            ``@`` and the runtime where that is not the target's own.
        bundle: The opened, verified bundle.
        artifact: The artifact.
        runtime: What reads it, as for :func:`albert_export.load`; None for its target's own.
    """

    name: str
    bundle: Bundle
    artifact: Artifact
    runtime: str | None = None

    @property
    def runtime_row(self) -> RuntimeRow:
        """The row of what reads it."""
        return choose_runtime(self.artifact, self.runtime).row

    @property
    def file_bytes(self) -> int:
        """Size of the artifact's files; one that has two names, as hard links are, counts once."""
        return sum({record.sha256: record.size for record in self.artifact.files}.values())

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Shapes of an engine; nothing of all other artifacts."""
        return read_profiles(self.artifact.facts.get("profiles", ()))

    def takes(self, shape: Shape) -> bool:
        """Whether the artifact can run the shape; one of fixed sizes runs no other, an engine none beyond a profile."""
        sizes = self.artifact.shapes
        given = {"batch": shape.batch, "choices": self.choices or 1, "sequence": shape.sequence}
        within = not self.profiles or any(
            all(given[axis] <= most for axis, most in zip(profile.axes, profile.largest, strict=True))
            for profile in self.profiles
        )
        return within and all(sizes.get(axis) in (None, given[axis]) for axis in ("batch", "sequence"))

    @property
    def limits(self) -> str:
        """The sizes that the artifact takes only, in words."""
        fixed = [f"{axis} {size}" for axis, size in self.artifact.shapes.items() if size is not None]
        largest = ["x".join(map(str, profile.largest)) for profile in self.profiles]
        return ", ".join(fixed or [f"shapes up to {' or '.join(largest)}"])

    @property
    def choices(self) -> int | None:
        """Rows of one question (multiple choice); None for all other heads."""
        if "choices" not in self.bundle.task.dynamic_axes:
            return None
        return self.artifact.shapes.get("choices") or CHOICES

    def inputs(self, shape: Shape, seed: int) -> Mapping[str, IntArray]:
        """Return the inputs of the shape; the same for all artifacts of a bundle that take the same."""
        config = self.bundle.config
        pad = min(config.pad_token_id or 0, config.vocab_size - 1)
        return make_inputs(
            shape,
            vocabulary=config.vocab_size,
            pad=pad,
            choices=self.choices,
            chosen=chooses_positions(self.bundle.task_of(self.artifact)),
            seed=seed,
        )

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
            request={**place, "device": device, "threads": threads, "runtime": self.runtime},
            takes=self.takes,
            inputs=lambda shape: self.inputs(shape, seed),
        )


def choose_entries(
    directories: Sequence[str | os.PathLike[str]],
    *,
    targets: Sequence[str] = (),
    precisions: Sequence[str] = (),
    files: Sequence[str] = (),
    runtimes: Sequence[str] = (),
) -> list[Entry]:
    """Open the bundles and return the artifacts that are meant, verified.

    Args:
        directories: Of the bundles, in the order of the tables.
        targets: Names in the table of targets; empty for all.
        precisions: Names in the table of precisions; empty for all.
        files: Artifacts' files in their bundles; empty for all.
        runtimes: What reads them: names in the table of runtimes, ``own`` for each target's own, ``all`` for every one
            that is installed and reads the target; an artifact is an entry for each that reads it. Empty for ``own``.

    Raises:
        UnknownNameError: A target, precision, file or runtime that there is none of.
        BundleError: A directory is no bundle, was altered, or none of its artifacts is meant.
        InputError: A directory is named twice, or a runtime reads none of the artifacts.
    """
    _check_names("target", targets, [target.name for target in TARGETS])
    _check_names("precision", precisions, list(PRECISIONS))
    for name in runtimes:
        if name not in (OWN, ALL):
            parse_runtime(name)
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
            for runtime in _reading(artifact, runtimes or (OWN,)):
                name = prefix + artifact.file + (f"@{runtime}" if runtime else "")
                entries.append(Entry(name, bundle, artifact, runtime))
    _check_runtimes(runtimes, entries)
    return entries


def _reading(artifact: Artifact, runtimes: Sequence[str]) -> list[str | None]:
    """Return those of the named runtimes that read the artifact, None for its target's own."""
    target = get_target(artifact.target)
    found: list[str | None] = []
    for name in runtimes:
        if name == OWN:
            found.append(None)
        elif name == ALL:
            others = [row.name for row in map(get_runtime, target.runtimes[1:]) if is_installed(row)]
            found += [None, *others]
        elif parse_runtime(name)[0].name in target.runtimes:
            found.append(None if name == target.runtimes[0] else name)
    return list(dict.fromkeys(found))


def _check_runtimes(runtimes: Sequence[str], entries: Sequence[Entry]) -> None:
    for name in runtimes:
        if name not in (OWN, ALL) and parse_runtime(name)[0] not in [entry.runtime_row for entry in entries]:
            raise InputError(
                "a runtime must read one of the artifacts", received=name, fix="leave it out, or name other artifacts"
            )


def _check_names(kind: str, names: Sequence[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise UnknownNameError(kind, name, known)
