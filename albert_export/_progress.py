"""Lines that tell how far something is."""

from __future__ import annotations


def silent(_: str) -> None:
    """Take a line of progress that nobody asked for."""
