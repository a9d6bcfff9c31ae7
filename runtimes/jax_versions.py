"""Holding a serialised export to the versions that the installed jax reads, before it stumbles over them."""

from __future__ import annotations

import re

from albert_export.errors import BundleError

#: How a module in portable bytecode begins: MLIR's magic number, then the oldest StableHLO that reads it.
_HEADER = re.compile(rb"ML\xefR.StableHLO_v([0-9]+)\.([0-9]+)\.([0-9]+)\0", re.DOTALL)


def check_versions(
    file: str,
    *,
    jax_version: str,
    calling_convention: int,
    supported: tuple[int, int],
    module: bytes,
    current: str,
) -> None:
    """Check that an artifact is inside the window of compatibility of the installed jax.

    Args:
        file: What to call the artifact.
        jax_version: The installed jax.
        calling_convention: Version of the artifact's calling convention.
        supported: Oldest and newest that this jax has.
        module: Its StableHLO module.
        current: Version of StableHLO that this jax has.

    Raises:
        BundleError: The artifact is older or newer than this jax reads, or its module is none.
    """
    oldest, newest = supported
    if not oldest <= calling_convention <= newest:
        older = calling_convention < oldest
        raise BundleError(
            f"{file} must have a calling convention that jax {jax_version} has, {oldest} to {newest}",
            received=f"{calling_convention}, of {'an older' if older else 'a newer'} jax",
            fix="export it again" if older else "pip install --upgrade jax, or export it again",
        )
    found = _HEADER.match(module)
    if found is None:
        raise BundleError(f"{file} must hold a StableHLO module", received=repr(module[:16]), fix="export it again")
    if tuple(map(int, found.groups())) > tuple(map(int, current.split("."))):
        raise BundleError(
            f"{file} must be of a StableHLO that jax {jax_version} reads, up to {current}",
            received=".".join(part.decode() for part in found.groups()),
            fix="pip install --upgrade jax, or export it again",
        )
