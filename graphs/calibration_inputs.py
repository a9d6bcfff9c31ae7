"""What calibration inputs must be, in every target alike."""

from __future__ import annotations

import math
from collections.abc import Iterable

from albert_export.errors import ExportError

#: Least and largest number of an activation.
Range = tuple[float, float]


def check_names(given: Iterable[str], wanted: Iterable[str]) -> None:
    """Check that the arrays given are the model's inputs.

    Raises:
        ExportError: One lacks, or is no input.
    """
    if sorted(given) != sorted(wanted):
        raise ExportError(
            f"calibration inputs must be {', '.join(sorted(wanted))}",
            received=", ".join(sorted(given)) or "none",
            fix="give an array for each of them, and no other",
        )


def check_finite(name: str, seen: Range) -> Range:
    """Return the range of an activation.

    Raises:
        ExportError: It is not finite.
    """
    if not all(map(math.isfinite, seen)):
        raise ExportError(
            "activations must be finite on calibration inputs",
            received=f"{seen[0]} to {seen[1]} of {name}",
            fix="mend the checkpoint, whose weights or activations are too large for float32",
        )
    return seen


def no_input() -> ExportError:
    """Return the error where there is nothing to calibrate on."""
    return ExportError(
        "calibration needs at least one input", received="none", fix="give some, or leave calibration out"
    )


def does_not_run(error: Exception) -> ExportError:
    """Return the error where the model fails on an input."""
    return ExportError(
        "the model must run on the calibration inputs",
        received=str(error).strip().splitlines()[-1][:300],
        fix="give ids of the vocabulary, in shapes that the artifact takes",
    )
