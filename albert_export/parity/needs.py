"""What a parity check needs installed, looked for before anything takes time."""

from __future__ import annotations

import importlib.util

from albert_export.errors import MissingDependencyError
from albert_export.targets import FRAMEWORKS, Target


def check_needs(target: Target, *, otherwise: str | None = None) -> None:
    """Check that a target's artifacts can be run, and compared with the eager models; nothing is imported.

    Args:
        target: Row of the table.
        otherwise: How to do without a proof, for the error.

    Raises:
        MissingDependencyError: A package is absent; names the extras that bring all that export and parity take.
    """
    eager = FRAMEWORKS[target.framework].package
    for package in (FRAMEWORKS["torch"].package, eager, target.run_package):
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError(
                package,
                needed_for=f"proving {target.title} artifacts",
                extra=",".join(target.proof_extras),
                otherwise=otherwise,
            )
