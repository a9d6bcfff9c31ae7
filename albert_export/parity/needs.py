"""What a parity check needs installed, looked for before anything takes time."""

from __future__ import annotations

import importlib.util

from albert_export.errors import MissingDependencyError
from albert_export.runtime_table import RuntimeRow
from albert_export.targets import FRAMEWORKS, Target


def check_needs(target: Target, runtime: RuntimeRow | None = None, *, otherwise: str | None = None) -> None:
    """Check that a target's artifacts can be run, and compared with the eager models; nothing is imported.

    Args:
        target: Row of the table.
        runtime: What runs the artifacts; None for the target's own.
        otherwise: How to do without a proof, for the error.

    Raises:
        MissingDependencyError: A package is absent; names the extras that bring all that export and parity take.
    """
    eager = FRAMEWORKS[target.framework].package
    runtime = runtime or target.own_runtime
    extras = tuple(runtime.extra if extra == target.own_runtime.extra else extra for extra in target.proof_extras)
    for package in (FRAMEWORKS["torch"].package, eager, runtime.package):
        if importlib.util.find_spec(package) is None:
            raise MissingDependencyError(
                package,
                needed_for=f"proving {target.title} artifacts",
                extra=",".join(extras),
                otherwise=otherwise,
            )
