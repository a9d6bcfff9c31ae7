"""The devices that callers name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from albert_export.errors import DeviceError, InputError


def parse_device(device: str, kinds: Sequence[str] = ("cpu", "cuda")) -> tuple[str, int]:
    """Split ``auto``, ``cpu``, ``cuda``, ``cuda:N``, ``tpu`` or ``tpu:N`` into kind and index.

    Args:
        device: What a caller named.
        kinds: Those that the runtime knows, besides ``auto``.

    Raises:
        InputError: It is none of them.
        DeviceError: It is one, but not of this runtime.
    """
    match = re.fullmatch(r"(auto|cpu)|(cuda|tpu)(?::(\d+))?", device) if isinstance(device, str) else None
    if match is None:
        *others, last = (name for kind in kinds for name in ((kind,) if kind == "cpu" else (kind, f"{kind}:N")))
        raise InputError(
            f"device must be auto, {', '.join(others)} or {last}", received=device, fix="auto takes the best there is"
        )
    kind = match[1] or match[2]
    if kind not in ("auto", *kinds):
        raise DeviceError(
            f"artifacts of this target run on {' or '.join(kinds)}", received=device, fix="choose another target"
        )
    return kind, int(match[3] or 0)
