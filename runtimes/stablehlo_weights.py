"""The weights of StableHLO artifacts on a device, once for all artifacts that are open there and take them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from albert_export.errors import BundleError, CheckpointError, DeviceError
from albert_export.runtimes.cuda_failures import lacks_memory, read_failure
from albert_export.runtimes.shared_loads import Lease, SharedLoads
from albert_export.runtimes.signatures import not_loadable

#: By their file's content, the device, and what is taken of them: artifacts of one precision have one file of weights.
_there: SharedLoads[dict[str, Any]] = SharedLoads()


def lease_weights(
    jax: Any, exported: Any, path: Path | None, *, file: str, place: Any, shared_as: str | None
) -> Lease[dict[str, Any]]:
    """Put the weights of an artifact on a device, or share those that are there.

    Args:
        jax: The package.
        exported: What ``jax.export`` read.
        path: The safetensors file with the weights; None where they lie inside the artifact.
        file: Name of the artifact's file.
        place: JAX's device.
        shared_as: Hash of the weights' file; None for weights that are nobody else's.

    Raises:
        BundleError: The weights are not those that the function takes.
        DeviceError: The device has not the memory, or takes nothing any more.
    """
    (_, wanted), _ = jax.tree_util.tree_unflatten(exported.in_tree, exported.in_avals)

    def load() -> dict[str, Any]:
        try:
            return _put(jax, wanted, path, file, place)
        except jax.errors.JaxRuntimeError as error:
            said = str(error)
            received = (said.splitlines() or [type(error).__name__])[0][:300]
            if lacks_memory(said):
                raise DeviceError(
                    f"{place.platform} must have the memory for the weights of {file}",
                    received=received,
                    fix="free memory of other processes, or export in a lower precision",
                ) from error
            failure = read_failure(said)
            fix = "start the process again" if failure is None else failure.fix
            raise DeviceError(
                f"{place.platform} must take the weights of {file}", received=received, fix=fix
            ) from error

    if shared_as is None:
        return Lease(load(), lambda: None)
    taken = tuple(sorted((name, str(aval.dtype), tuple(aval.shape)) for name, aval in wanted.items()))
    return _there.acquire((shared_as, str(place), taken), load)


def _put(jax: Any, wanted: Any, path: Path | None, file: str, place: Any) -> dict[str, Any]:
    """Put the weights on the device, one by one, after holding them to what the function takes."""
    from albert_export.checkpoints.safetensors_file import numpy_tensors

    if path is None:
        if wanted:
            raise not_loadable(file, f"a function of {len(wanted)} weights, without their file")
        return {}
    try:
        tensors = numpy_tensors([path])
    except CheckpointError as error:
        raise BundleError(
            f"{path.name} must hold the weights of {file}", received=str(error.received or error), fix="export it again"
        ) from error
    differing = sorted(
        {*wanted} ^ {*tensors}
        | {name for name in {*wanted} & {*tensors} if tuple(wanted[name].shape) != tensors[name].shape}
    )
    if differing:
        raise BundleError(
            f"{path.name} must hold the weights of {file}",
            received=f"others, or of another shape: {', '.join(differing)}",
            fix="export it again",
        )
    # bfloat16 comes as float32 here, and loses nothing on the way back.
    return {
        name: jax.device_put(tensors[name].astype(wanted[name].dtype, copy=False), place) for name in sorted(wanted)
    }
