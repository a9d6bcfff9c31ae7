"""Which numbers the narrower floating-point types hold: one rule for every target."""

from __future__ import annotations

from albert_export.errors import ExportError

#: Type -> the largest number that it holds. What is above becomes infinite, and every answer with it NaN.
LARGEST = {"float32": 3.4028e38, "float16": 65504.0, "bfloat16": 3.3895e38}


def check_fits(name: str, largest: float, dtype: str) -> None:
    """Check that a type holds a weight.

    Args:
        name: Of the weight.
        largest: Its largest magnitude.
        dtype: A key of :data:`LARGEST`.

    Raises:
        ExportError: The weight has a larger number, or one that is not finite.
    """
    limit = LARGEST[dtype]
    if not largest <= limit:
        raise ExportError(
            f"weights must be at most {limit:.5g} in {dtype}",
            received=f"{largest:.5g} in {name}",
            fix="choose a precision with a wider range",
        )
