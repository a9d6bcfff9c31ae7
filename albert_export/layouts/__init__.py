"""A bundle as other people's programs look for it: one module a program, and the table of them."""

from albert_export.layouts.consumers import CONSUMERS, Consumer, get_consumer
from albert_export.layouts.laying_out import LaidOut, lay_out

__all__ = ["CONSUMERS", "Consumer", "LaidOut", "get_consumer", "lay_out"]
