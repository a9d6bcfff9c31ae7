"""One runtime per target, one protocol.

Importing this package imports no runtime; :func:`load` imports the one that the artifact needs.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from albert_export._imports import resolve
from albert_export.runtimes.protocol import Runtime
from albert_export.targets import get_target

if TYPE_CHECKING:
    from albert_export.bundle import Bundle

__all__ = ["Runtime", "load"]


def load(
    path: str | os.PathLike[str] | Bundle,
    *,
    target: str | None = None,
    precision: str | None = None,
    file: str | None = None,
    device: str = "auto",
    threads: int | None = None,
) -> Runtime:
    """Open a bundle and load one of its artifacts.

    Args:
        path: The bundle's directory, or an opened bundle.
        target: Which target, e.g. ``onnx``; may be left out where there is one.
        precision: fp32 when left out, else the only one present.
        file: The artifact's file in the bundle, e.g. ``onnx/model_unrolled.onnx``; when left out, the one in the
            target's default form, with all axes dynamic, or the only one.
        device: ``auto`` for the best that is really there (``.device`` then says which), or ``cpu``, ``cuda`` …
        threads: Threads of one run; None for one on each processor that this process has.

    Returns:
        The runtime, a context manager; its ``run`` is safe to call from several threads.

    Raises:
        BundleError: The directory is no bundle, was altered, or has no such artifact.
        DeviceError: The device is not there.
        MissingDependencyError: The package that runs this target is not installed.
        UnknownNameError: No target or precision of that name.
        InputError: ``device`` or ``threads`` is no value of its kind.
    """
    from albert_export.bundle import Bundle

    if isinstance(path, Bundle):
        bundle, artifact = path, path.select(target, precision, file=file)
    else:
        # Hashes only of what runs: the bundle may hold gigabytes of other precisions.
        bundle = Bundle.open(path, verify="sizes")
        artifact = bundle.select(target, precision, file=file)
        bundle.verify(artifact)
    runtime_class: type[Runtime] = resolve(get_target(artifact.target).runtime)
    return runtime_class.open(bundle, artifact, device=device, threads=threads)
