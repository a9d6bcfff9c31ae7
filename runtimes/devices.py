"""The devices that callers name."""

from __future__ import annotations

import re

from albert_export.errors import InputError


def parse_device(device: str) -> tuple[str, int]:
    """Split ``auto``, ``cpu``, ``cuda`` or ``cuda:N`` into kind and index.

    Raises:
        InputError: It is none of them.
    """
    match = re.fullmatch(r"(auto|cpu)|(cuda)(?::(\d+))?", device) if isinstance(device, str) else None
    if match is None:
        raise InputError(
            "device must be auto, cpu, cuda or cuda:N", received=device, fix="auto takes the best there is"
        )
    return match[1] or match[2], int(match[3] or 0)
