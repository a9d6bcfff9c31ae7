"""What a caller can say of how an engine is built."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from albert_export._text import parse_bytes
from albert_export.errors import InputError


@dataclass(frozen=True)
class EngineOptions:
    """How an engine is built; every field has a default that suits one machine.

    Attributes:
        profiles: Optimisation profiles, each ``MIN,OPT,MAX``; see :mod:`albert_export.engines.profiles`. A default one
            where there are none; a single one may be a string.
        workspace: Bytes of device memory that the builder and the kernels that it tries may use, or a number with K, M
            or G after it; None for all that is free.
        timing_cache: File that measured kernels are read from and written to, so that the next build on such a GPU
            takes a fraction of the time; None keeps none.
        version_compatible: Whether later TensorRT releases of the same major version run the engine as well; larger and
            sometimes slower.
        hardware_compatible: Whether other GPUs run it as well: ``ampere+``, or ``same``: those of the same compute
            capability; None for the GPU that it was built on.
    """

    profiles: Sequence[str] | str = ()
    workspace: int | str | None = None
    timing_cache: str | os.PathLike[str] | None = None
    version_compatible: bool = False
    hardware_compatible: str | None = None


#: Value of ``hardware_compatible`` -> TensorRT's name of the level, in Python and of trtexec.
HARDWARE_LEVELS = {"ampere+": "AMPERE_PLUS", "same": "SAME_COMPUTE_CAPABILITY"}
TRTEXEC_LEVELS = {"ampere+": "ampere+", "same": "sameComputeCapability"}


def workspace_bytes(workspace: int | str) -> int:
    """Return the bytes of a builder's workspace.

    Args:
        workspace: Bytes, or a number with K, M or G after it, for powers of 1024.

    Raises:
        InputError: It is neither.
    """
    found = parse_bytes(workspace)
    if not found:
        raise InputError(
            "workspace must be a number of bytes, or one with K, M or G after it", received=workspace, fix="write 4G"
        )
    return found


def check_timing_cache(file: str | os.PathLike[str]) -> None:
    """Check that measured kernels can be written to a file: it is written after the build, which takes minutes.

    Raises:
        InputError: It is a folder, or lies in none that can be written to.
    """
    path = Path(file)
    folder = path.absolute().parent
    # Polygraphy writes a lock file beside it.
    if path.is_dir() or not folder.is_dir() or not os.access(folder, os.W_OK):
        raise InputError(
            "timing_cache must be a file in a folder that can be written to",
            received=str(file),
            fix="make the folder, or name another file",
        )
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise InputError("timing_cache must be a file that can be read and written", received=str(file))
