"""When an output counts as equal to the eager model's, and the figures that say so.

Every figure is pooled over all cases of a run. Per case they are luck: on an input of one token the eager model's own
rounding may happen to cancel, and a correct artifact would then miss a limit of almost nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from albert_export.errors import UnknownNameError

Float64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Criterion:
    """The largest error an output may have: ``noise_factor * e0 + scale_factor * scale``.

    Attributes:
        noise_factor: Multiple of ``e0``, the framework's own noise: max |eager fp32 - eager fp64|.
        scale_factor: Multiple of ``scale``, the root mean square of the float64 output. It is what remains where the
            framework happens to make no error at all.
    """

    noise_factor: float
    scale_factor: float

    def limit(self, e0: float, scale: float) -> float:
        """Return the largest error that passes, in the unit of the output."""
        return self.noise_factor * e0 + self.scale_factor * scale


#: Precision of an artifact -> its criterion. docs/parity.md tells how the factors were measured.
CRITERIA = {"fp32": Criterion(noise_factor=4.0, scale_factor=1e-6)}


def criterion_for(precision: str) -> Criterion:
    """Return the criterion of a precision.

    Raises:
        UnknownNameError: This release has none for it.
    """
    if precision not in CRITERIA:
        raise UnknownNameError("precision whose parity can be judged", precision, tuple(CRITERIA))
    return CRITERIA[precision]


@dataclass
class Pool:
    """The figures of one output over any number of batches.

    Attributes:
        count: Numbers compared.
        e0: max |eager fp32 - eager fp64|.
        error: max |artifact - eager fp64|; infinite where the artifact gave a number that is not finite.
        worst_case: Case in which ``error`` was met.
    """

    count: int = 0
    e0: float = 0.0
    error: float = 0.0
    worst_case: str = ""
    _squares: float = field(default=0.0, repr=False)
    _squared_errors: float = field(default=0.0, repr=False)

    @property
    def scale(self) -> float:
        """Root mean square of the float64 output."""
        return math.sqrt(self._squares / self.count) if self.count else 0.0

    @property
    def snr_db(self) -> float:
        """Signal-to-noise ratio of the artifact in dB: 20·log10(RMS of the output / RMS of the error)."""
        if self._squared_errors == 0.0:
            return math.inf if self._squares else math.nan
        if self._squares == 0.0:
            return -math.inf
        return 10.0 * (math.log10(self._squares) - math.log10(self._squared_errors))

    def add(self, other: Pool) -> None:
        """Take the figures of another pool in."""
        self.count += other.count
        self.e0 = max(self.e0, other.e0)
        if self.worst_case == "" or other.error > self.error:
            self.error, self.worst_case = other.error, other.worst_case
        self._squares += other._squares
        self._squared_errors += other._squared_errors


def measure(
    case: str, exact: Float64, single: npt.NDArray[np.float32], got: npt.NDArray[np.floating], where: Mask
) -> Pool:
    """Compare one output of one batch at the chosen places.

    Args:
        case: Name of the case, kept as ``worst_case``.
        exact: The eager model in float64.
        single: The eager model in float32, of the same shape.
        got: The artifact, of the same shape.
        where: The leading axes of that shape: True where a place is to be compared.
    """
    chosen = exact[where]
    if not chosen.size:
        return Pool()
    noise = np.subtract(single[where], chosen, dtype=np.float64)
    errors = np.subtract(got[where], chosen, dtype=np.float64)
    finite = bool(np.isfinite(errors).all())
    return Pool(
        count=chosen.size,
        e0=float(np.abs(noise, out=noise).max()),
        error=float(np.abs(errors, out=errors).max()) if finite else math.inf,
        worst_case=case,
        _squares=float(np.vdot(chosen, chosen)),
        _squared_errors=float(np.vdot(errors, errors)) if finite else math.inf,
    )
