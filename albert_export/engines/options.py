"""What a caller can say of how an engine is built."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from albert_export.errors import InputError

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


@dataclass(frozen=True)
class EngineOptions:
    """How an engine is built; every field has a default that suits one machine.

    Attributes:
        profiles: Optimisation profiles, each ``MIN,OPT,MAX``; see :mod:`albert_export.engines.profiles`. A default one
            where there are none.
        workspace: Bytes of device memory that the builder and the kernels that it tries may use, or a number with K, M
            or G after it; None for all that is free.
        timing_cache: File that measured kernels are read from and written to, so that the next build on such a GPU
            takes a fraction of the time; None keeps none.
        version_compatible: Whether later TensorRT releases of the same major version run the engine as well; larger and
            sometimes slower.
        hardware_compatible: Whether other GPUs run it as well: ``ampere+``, or ``same``: those of the same compute
            capability; None for the GPU that it was built on.
    """

    profiles: Sequence[str] = ()
    workspace: int | str | None = None
    timing_cache: str | os.PathLike[str] | None = None
    version_compatible: bool = False
    hardware_compatible: str | None = None


#: Value of ``hardware_compatible`` -> TensorRT's name of the level, in Python and of trtexec.
HARDWARE_LEVELS = {"ampere+": "AMPERE_PLUS", "same": "SAME_COMPUTE_CAPABILITY"}
TRTEXEC_LEVELS = {"ampere+": "ampere+", "same": "sameComputeCapability"}


def parse_bytes(text: int | str) -> int:
    """Return a number of bytes, which may be written with K, M or G for powers of 1024.

    Raises:
        InputError: It is none.
    """
    match = re.fullmatch(r"(\d{1,15})\s*([KMG]?)(?:i?B)?", str(text).strip(), re.IGNORECASE)
    found = int(match[1]) * _UNITS[match[2].upper()] if match and not isinstance(text, bool) else 0
    if found < 1:
        raise InputError(
            "workspace must be a number of bytes, or one with K, M or G after it", received=text, fix="write 4G"
        )
    return found
