"""Which artifacts of a bundle are checked, and which are not, and why."""

from __future__ import annotations

from collections.abc import Sequence

from albert_export.bundle import Artifact, Bundle
from albert_export.errors import BundleError
from albert_export.parity.report import Skipped
from albert_export.runtime_table import RuntimeRow, parse_runtime
from albert_export.runtimes.choosing import AUTO
from albert_export.targets import get_target


def choose_artifacts(
    bundle: Bundle, targets: str | Sequence[str], skip: Sequence[str], runtime: str | None = None
) -> list[Artifact]:
    """Return the artifacts to check.

    Args:
        bundle: Holds them.
        targets: ``all``, or names in the table of targets.
        skip: Names of targets to leave out; a bundle need not hold them.
        runtime: What is to read them; None for each target's own.

    Raises:
        BundleError: There is none, or a target that was asked for by name has none: nobody would look at it. Or the
            runtime does not read one of them, which nobody said is to be left out.
        UnknownNameError: No target of that name.
    """
    wanted = None if targets == "all" else [targets] if isinstance(targets, str) else list(targets)
    names = None if wanted is None or "all" in wanted else {get_target(name).name for name in wanted}
    left = {get_target(name).name for name in skip}
    artifacts = [artifact for artifact in bundle.manifest.artifacts if names is None or artifact.target in names]
    if not artifacts:
        raise BundleError(
            "parity needs an artifact to check",
            received=f"a bundle without one of {', '.join(sorted(names))}" if names else "a bundle without any",
            fix="export one",
        )
    absent = (names or set()) - left - {artifact.target for artifact in artifacts}
    if absent:
        raise BundleError(
            "a bundle must hold an artifact of every target that is to be checked",
            received=f"one without {', '.join(sorted(absent))}",
            fix=f"export it, or leave {', '.join(sorted(absent))} out",
        )
    artifacts = [artifact for artifact in artifacts if artifact.target not in left]
    if not artifacts:
        raise BundleError(
            "parity needs an artifact to check",
            received=f"nothing but {', '.join(sorted(left))}, which is to be skipped",
            fix="skip fewer targets",
        )
    row = _one_for_all(runtime)
    if row is None:
        return artifacts
    read = {artifact.target for artifact in artifacts if row.name in get_target(artifact.target).runtimes}
    unread = {artifact.target for artifact in artifacts} - read
    if not read:
        raise BundleError(
            f"parity needs an artifact that {row.title} reads",
            received=", ".join(artifact.file for artifact in artifacts),
            fix="leave runtime out",
        )
    if unread:  # a pass of the others alone would say more than was looked at
        raise BundleError(
            f"{row.title} must read every artifact that is to be checked",
            received=", ".join(artifact.file for artifact in artifacts if artifact.target in unread),
            fix=f"--targets {','.join(sorted(read))}, or --skip {','.join(sorted(unread))}",
        )
    return artifacts


def skipped_artifacts(bundle: Bundle, checked: Sequence[Artifact], skip: Sequence[str]) -> tuple[Skipped, ...]:
    """Return the artifacts that are not checked, each with the reason; arguments as for :func:`choose_artifacts`."""
    left = {get_target(name).name for name in skip}
    files = {artifact.file for artifact in checked}
    return tuple(
        Skipped(
            artifact.file,
            artifact.target,
            f"{artifact.target} is to be skipped" if artifact.target in left else "other targets were asked for",
        )
        for artifact in bundle.manifest.artifacts
        if artifact.file not in files
    )


def _one_for_all(runtime: str | None) -> RuntimeRow | None:
    """Return the row of the runtime that is to read all artifacts; None where each has its own."""
    return None if runtime is None or runtime == AUTO else parse_runtime(runtime)[0]
