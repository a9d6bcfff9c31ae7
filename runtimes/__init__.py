"""The runtimes, behind one protocol.

Importing this package imports no runtime; :func:`load` imports the one that the artifact needs.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from albert_export.errors import InputError
from albert_export.runtimes.choosing import choose_runtime
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
    buckets: Sequence[int] | str | None = None,
    runtime: str | None = None,
    device_memory: int | str | None = None,
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
        buckets: For StableHLO, which compiles every new shape: sequence lengths that shorter runs are padded to, or
            ``powers`` for powers of two. Outputs are cut back.
        runtime: Which runtime reads the artifact: one of those in the target's row, as ``openvino`` for ONNX and
            TFLite (``openvino:bf16`` computes in bf16 whatever the artifact's precision); ``auto`` for the one that was
            measured to be the fastest on such a processor, if it is installed; None for the target's own.
        device_memory: For runtimes on an NVIDIA GPU: the most bytes of its memory that they may take, or a number with
            K, M or G after it; None for all that is free. See docs/hardware.md for what each counts.

    Returns:
        The runtime, a context manager; its ``run`` is safe to call from several threads.

    Raises:
        BundleError: The directory is no bundle, was altered, or has no such artifact.
        DeviceError: The device is not there.
        MissingDependencyError: The package that runs this target is not installed.
        UnknownNameError: No target, precision or runtime of that name.
        InputError: ``device``, ``threads``, ``buckets``, ``runtime`` or ``device_memory`` is no value of its kind, or
            not this target's.
    """
    from albert_export.bundle import Bundle

    if isinstance(path, Bundle):
        bundle, artifact = path, path.select(target, precision, file=file)
    else:
        # Hashes only of what runs: the bundle may hold gigabytes of other precisions.
        bundle = Bundle.open(path, verify="sizes")
        artifact = bundle.select(target, precision, file=file)
        bundle.verify(artifact)
    chosen = choose_runtime(artifact, runtime)
    options: dict[str, Any] = {"device": device, "threads": threads}
    if buckets is not None:
        if not chosen.row.compiles_shapes:
            raise InputError(
                f"{get_target(artifact.target).title} artifacts run every length as it is",
                received=f"buckets={buckets}",
                fix="leave buckets out",
            )
        options["buckets"] = buckets
    if device_memory is not None:
        if not chosen.row.bounds_memory:
            raise InputError(
                f"{chosen.row.title} cannot be told how much memory of a device to take",
                received=f"device_memory={device_memory}",
                fix="leave device_memory out",
            )
        options["device_memory"] = device_memory
    return chosen.open(bundle, artifact, **options)
