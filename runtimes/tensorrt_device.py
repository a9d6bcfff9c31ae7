"""The GPU that an engine runs on, and the memory of it that the engine takes."""

from __future__ import annotations

import contextlib
import ctypes
from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export.engines.profiles import Profile
from albert_export.errors import DeviceError
from albert_export.runtimes.device_memory import shown_bytes
from albert_export.tasks import TensorSpec

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig


class Device:
    """One GPU.

    CUDA keeps the current GPU for each thread, and an engine computes only where its own is current: whatever a thread
    did before, it is made current for each call and given back after it.

    Args:
        cuda: Polygraphy's ``cuda.wrapper()``.
        index: CUDA's number of the GPU.
    """

    def __init__(self, cuda: Any, index: int) -> None:
        self._cuda = cuda
        self.index = index

    @contextlib.contextmanager
    def current(self) -> Iterator[None]:
        """Make the GPU current in this thread while a block runs.

        Raises:
            Exception: Polygraphy's own, where CUDA does not do it.
        """
        before = ctypes.c_int()
        self._cuda.check(self._cuda.handle.cudaGetDevice(ctypes.byref(before)))
        self._cuda.check(self._cuda.handle.cudaSetDevice(ctypes.c_int(self.index)))
        try:
            yield
        finally:
            # What the block raised is the reason; a GPU that failed in it fails here as well.
            self._cuda.handle.cudaSetDevice(before)


def memory_of(
    engine: Any, profiles: Sequence[Profile], outer: Sequence[TensorSpec], config: AlbertConfig, stored: int
) -> tuple[int, ...]:
    """Return the bytes of device memory that an engine takes in each of its profiles.

    Args:
        engine: TensorRT's, loaded.
        profiles: Its profiles.
        outer: Its inputs and outputs.
        config: Gives the axes that are the model's.
        stored: Bytes of its file: weights and kernels, which are copied to the device.
    """
    # 10.0 has only the first, which 11 lacks.
    asked = getattr(engine, "get_device_memory_size_for_profile_v2", None)
    asked = engine.get_device_memory_size_for_profile if asked is None else asked
    return tuple(
        stored + int(asked(index)) + sum(_bytes(spec, config, _sizes(profile)) for spec in outer)
        for index, profile in enumerate(profiles)
    )


def within(limit: int, memory: Sequence[int], profiles: Sequence[Profile], file: str, rebuild: str) -> tuple[int, ...]:
    """Return the indices of the profiles that a limit suffices for.

    Args:
        limit: Most bytes of device memory.
        memory: Of each profile, as :func:`memory_of` tells.
        profiles: The profiles.
        file: The engine's file, for the message.
        rebuild: The command that builds it.

    Raises:
        DeviceError: It suffices for none.
    """
    fitting = tuple(index for index, taken in enumerate(memory) if taken <= limit)
    if not fitting:
        least = min(range(len(memory)), key=memory.__getitem__)
        raise DeviceError(
            f"{file} must fit into device_memory, {shown_bytes(limit)}",
            received=f"{shown_bytes(memory[least])} for inputs up to {'x'.join(map(str, profiles[least].largest))}",
            fix=f"raise device_memory, or build it with a --profile that ends smaller: {rebuild}",
        )
    return fitting


def _sizes(profile: Profile) -> dict[str, int]:
    return dict(zip(profile.axes, profile.largest, strict=True))


def _bytes(spec: TensorSpec, config: AlbertConfig, sizes: Mapping[str, int]) -> int:
    return prod(spec.shape(config, sizes)) * np.dtype(spec.dtype).itemsize
