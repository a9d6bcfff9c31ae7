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
    """What an output must meet.

    In full precision nothing but rounding may lie between the artifact and the model, and the largest error says so.
    In a lower one, the weights themselves are others: there the error's energy and direction, and what an application
    decides by the output, say whether it is still the same model.

    Attributes:
        noise_factor: The largest error may be this multiple of ``e0``, the framework's own noise
            (max |eager fp32 - eager fp64|), and
        scale_factor: this multiple of ``scale``, the root mean square of the float64 output, besides. In full precision
            it is what remains where the framework happens to make no error at all.
        least_snr_db: Least signal-to-noise ratio in dB; None where the largest error says it all.
        least_cosine: Least cosine between the outputs; None likewise.
        keeps_decisions: Whether a decision that flips is a miss, where its float64 margin is larger than the largest
            error of that output.
    """

    noise_factor: float
    scale_factor: float
    least_snr_db: float | None = None
    least_cosine: float | None = None
    keeps_decisions: bool = False

    def limit(self, e0: float, scale: float) -> float:
        """Return the largest error that passes, in the unit of the output."""
        return self.noise_factor * e0 + self.scale_factor * scale

    def passes(self, pool: Pool) -> bool:
        """Whether the figures of an output are within this criterion; one that was never compared is."""
        if pool.count == 0:
            return True
        return (
            pool.error <= self.limit(pool.e0, pool.scale)
            and (self.least_snr_db is None or not pool.snr_db < self.least_snr_db)
            and (self.least_cosine is None or not pool.cosine < self.least_cosine)
            and not (self.keeps_decisions and pool.clear_flips)
        )


#: Precision of an artifact -> its criterion. docs/parity.md tells how the figures were measured.
CRITERIA = {
    "fp32": Criterion(noise_factor=4.0, scale_factor=1e-6),
    "fp16": Criterion(4.0, 0.1, least_snr_db=30.0, least_cosine=0.999, keeps_decisions=True),
    "bf16": Criterion(4.0, 2.0, least_snr_db=14.0, least_cosine=0.98, keeps_decisions=True),
    "int8": Criterion(4.0, 3.0, least_snr_db=7.0, least_cosine=0.9, keeps_decisions=True),
}


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
        from_eager: max |artifact - eager fp32|; infinite likewise.
        worst_case: Case in which ``error`` was met.
        decisions: Decisions that the output was read for: labels, words, ends of spans.
        flipped: float64 margin of each decision that the artifact takes otherwise, in the unit of the output.
    """

    count: int = 0
    e0: float = 0.0
    error: float = 0.0
    from_eager: float = 0.0
    worst_case: str = ""
    decisions: int = 0
    flipped: list[float] = field(default_factory=list)
    _squares: float = field(default=0.0, repr=False)
    _squared_errors: float = field(default=0.0, repr=False)
    _squares_got: float = field(default=0.0, repr=False)
    _products: float = field(default=0.0, repr=False)

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

    @property
    def cosine(self) -> float:
        """Cosine of the angle between the artifact's numbers and the float64 ones; NaN where either are all 0."""
        if self._squares == 0.0 or self._squares_got == 0.0 or not math.isfinite(self._squares_got):
            return math.nan
        return self._products / math.sqrt(self._squares) / math.sqrt(self._squares_got)

    @property
    def clear_flips(self) -> int:
        """Decisions taken otherwise whose float64 margin is larger than the largest error: more than a tie."""
        return sum(margin > self.error for margin in self.flipped)

    def add(self, other: Pool) -> None:
        """Take the figures of another pool in."""
        self.count += other.count
        self.e0 = max(self.e0, other.e0)
        if self.worst_case == "" or other.error > self.error:
            self.error, self.worst_case = other.error, other.worst_case
        self.from_eager = max(self.from_eager, other.from_eager)
        self.decisions += other.decisions
        self.flipped = [*self.flipped, *other.flipped]
        self._squares += other._squares
        self._squared_errors += other._squared_errors
        self._squares_got += other._squares_got
        self._products += other._products


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
    there = got[where].astype(np.float64)
    noise = np.subtract(single[where], chosen, dtype=np.float64)
    from_eager = np.subtract(there, single[where], dtype=np.float64)
    errors = there - chosen
    finite = bool(np.isfinite(errors).all())
    return Pool(
        count=chosen.size,
        e0=float(np.abs(noise, out=noise).max()),
        error=float(np.abs(errors, out=errors).max()) if finite else math.inf,
        from_eager=float(np.abs(from_eager, out=from_eager).max()) if finite else math.inf,
        worst_case=case,
        _squares=float(np.vdot(chosen, chosen)),
        _squared_errors=float(np.vdot(errors, errors)) if finite else math.inf,
        _squares_got=float(np.vdot(there, there)) if finite else math.inf,
        _products=float(np.vdot(chosen, there)) if finite else math.nan,
    )
