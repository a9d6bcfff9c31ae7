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
from albert_export.parity.histogram import Counts, count_errors, no_errors

Float64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Criterion:
    """What an output must meet.

    In full precision nothing but rounding may lie between the artifact and the model, and the largest error says so.
    In a lower one, the weights themselves are others: there the error's energy and direction, and what an application
    decides by the output, say whether it is still the same model. They are measured on what the inputs change: an
    offset that every answer has, as a bias gives it, is right even where everything before it is wrong.

    Attributes:
        noise_factor: The largest error may be this multiple of ``e0``, the framework's own noise
            (max |eager fp32 - eager fp64|), and
        scale_factor: this multiple besides: in full precision of ``scale``, the root mean square of the float64 output,
            which is what remains where the framework happens to make no error at all; in a lower one of ``spread``, or
            less where the output has few numbers: twice what the largest of as many normally distributed errors would
            be at ``least_snr_db``.
        least_snr_db: Least signal-to-noise ratio in dB; None in full precision.
        least_cosine: Least cosine between the outputs; None where ``least_snr_db`` says as much: an error of share r of
            the spread leaves a cosine of at least sqrt(1 - r^2).
        most_gain: The slope of the artifact's numbers on the float64 ones, each less their mean, may differ from 1 by
            this much, and three of its standard errors: rounding scatters numbers, and stretches them little. None in
            full precision.
        most_flips: Largest share of decisions that may be taken otherwise; two may in any case. None of them may be
            clear.
        row_factor: A row alone may differ by this multiple of ``spread``; None for the limit of the output itself.
        last_digit: A repeated run may differ by ``e0`` and this multiple of ``scale``, about the last digit of what the
            artifact computes in: the same program gets the same numbers.
    """

    noise_factor: float
    scale_factor: float
    least_snr_db: float | None = None
    least_cosine: float | None = None
    most_gain: float | None = None
    most_flips: float | None = None
    row_factor: float | None = None
    last_digit: float = 1e-6

    @property
    def lossy(self) -> bool:
        """Whether it is that of a lower precision."""
        return self.least_snr_db is not None

    def limit(self, pool: Pool) -> float:
        """Return the largest error that passes, in the unit of the output."""
        if self.least_snr_db is None:
            return self.noise_factor * pool.e0 + self.scale_factor * pool.scale
        largest = 2.0 * math.sqrt(2.0 * math.log(max(2, pool.count))) * math.pow(10.0, -self.least_snr_db / 20.0)
        return self.noise_factor * pool.e0 + min(self.scale_factor, largest) * pool.spread

    def row_limit(self, pool: Pool) -> float:
        """Return how far a row alone may lie from the batch, in the unit of the output."""
        if self.row_factor is None:
            return self.limit(pool)
        return self.noise_factor * pool.e0 + self.row_factor * pool.spread

    def repeat_limit(self, pool: Pool) -> float:
        """Return how far a repeated run may lie from the first, in the unit of the output."""
        return pool.e0 + self.last_digit * pool.scale

    def gain_limit(self, pool: Pool) -> float:
        """Return how far from 1 the gain may be: of few numbers it is luck; infinite in full precision."""
        return math.inf if self.most_gain is None else self.most_gain + _GAIN_ERRORS * pool.gain_error

    def passes(self, pool: Pool) -> bool:
        """Whether the figures of an output are within this criterion; one that was never compared is."""
        if pool.count == 0:
            return True
        if not pool.error <= self.limit(pool):
            return False
        # Where the output is the same whatever the input, the largest error says it all.
        if not self.lossy or pool.spread == 0.0:
            return True
        assert self.least_snr_db is not None, "lossy says so"
        return (
            pool.snr_db >= self.least_snr_db
            and (self.least_cosine is None or pool.cosine >= self.least_cosine)
            and abs(pool.gain - 1.0) <= self.gain_limit(pool)
            and (self.most_flips is None or len(pool.flipped) <= max(2, self.most_flips * pool.decisions))
            and not pool.clear_flips
        )


#: Precision of an artifact -> its criterion. docs/parity.md tells how the figures were measured.
CRITERIA = {
    "fp32": Criterion(noise_factor=4.0, scale_factor=1e-6),
    "fp16": Criterion(4.0, 0.5, least_snr_db=30.0, most_gain=0.01, most_flips=0.05, row_factor=0.08, last_digit=1e-3),
    "bf16": Criterion(4.0, 2.0, least_snr_db=15.0, most_gain=0.03, most_flips=0.25, row_factor=0.3, last_digit=8e-3),
    "int8": Criterion(4.0, 3.0, least_snr_db=7.0, least_cosine=0.9, most_gain=0.15, most_flips=0.25, row_factor=0.2),
    # Against the eager model with the same matrices: what is left is rounding, on a processor that may have less of it.
    "int4": Criterion(4.0, 0.5, least_snr_db=30.0, most_gain=0.01, most_flips=0.05, row_factor=0.02),
}

#: The eager model of another framework against torch in float64, with torch's noise as e0: on a few numbers, as an
#: artifact of small fixed shape has them, that happens to be small.
EAGER = Criterion(noise_factor=8.0, scale_factor=1e-5)

#: Standard errors by which a gain may be off besides.
_GAIN_ERRORS = 3.0

#: A decision taken otherwise is clear where its float64 margin is above this multiple of the root mean square of the
#: error, or above its largest.
_CLEAR = 6.0
#: Rounding is not the same everywhere: the error of the scores beside a decision counts where it is larger than that of
#: the whole output, up to this multiple of it, so that one place that is wrong does not excuse itself.
_UNEVEN = 1.5


def criterion_for(precision: str) -> Criterion:
    """Return the criterion of a precision.

    Raises:
        UnknownNameError: This release has none for it.
    """
    if precision not in CRITERIA:
        raise UnknownNameError("precision whose parity can be judged", precision, tuple(CRITERIA))
    return CRITERIA[precision]


@dataclass(frozen=True)
class Flip:
    """A decision that the artifact takes otherwise.

    Attributes:
        margin: Distance in float64 from the decision taken to the next best, in the unit of the output.
        noise: Root mean square of the error of the scores beside those that were decided between, in the same unit; 0
            where there are none.
        place: Where it was taken: indices of the output's leading axes, and the label of several that may hold at once.
        expected: What the eager model decides: index of a token, word, label or choice; 1 or 0 for a label that holds
            or not.
        got: What the artifact decides.
        case: Name of the case.
    """

    margin: float
    noise: float
    place: tuple[int, ...] = field(default=(), compare=False)
    expected: int = field(default=0, compare=False)
    got: int = field(default=0, compare=False)
    case: str = field(default="", compare=False)


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
        flipped: The decisions that the artifact takes otherwise.
        errors: How many errors are how large, see :mod:`albert_export.parity.histogram`.
    """

    count: int = 0
    e0: float = 0.0
    error: float = 0.0
    from_eager: float = 0.0
    worst_case: str = ""
    decisions: int = 0
    flipped: list[Flip] = field(default_factory=list)
    errors: Counts = field(default_factory=no_errors, repr=False, compare=False)
    _squares: float = field(default=0.0, repr=False)
    _squared_errors: float = field(default=0.0, repr=False)
    _squares_got: float = field(default=0.0, repr=False)
    _products: float = field(default=0.0, repr=False)
    #: By entry of the last axis, where an entry means the same in every place: numbers, and their sums.
    _counts: float = field(default=0.0, repr=False)
    _sums: Float64 = field(default_factory=lambda: np.zeros(1), repr=False)
    _sums_got: Float64 = field(default_factory=lambda: np.zeros(1), repr=False)

    @property
    def scale(self) -> float:
        """Root mean square of the float64 output."""
        return math.sqrt(self._squares / self.count) if self.count else 0.0

    @property
    def spread(self) -> float:
        """Root mean square of what the inputs change: of the float64 output less its mean over all places."""
        return math.sqrt(self._variation / self.count) if self.count else 0.0

    @property
    def _variation(self) -> float:
        return max(0.0, self._squares - self._of_means(self._sums, self._sums))

    def _of_means(self, one: Float64, other: Float64) -> float:
        return float(np.vdot(one, other)) / self._counts if self._counts else 0.0

    @property
    def snr_db(self) -> float:
        """Signal-to-noise ratio of the artifact in dB: 20·log10(spread / root mean square of the error)."""
        if self._squared_errors == 0.0:
            return math.inf if self._squares else math.nan
        if self._variation == 0.0:
            return -math.inf
        return 10.0 * (math.log10(self._variation) - math.log10(self._squared_errors))

    @property
    def cosine(self) -> float:
        """Cosine of the angle between the artifact's numbers and the float64 ones, each less their mean.

        0 where the artifact's are all the same, NaN where the float64 ones are.
        """
        variation = self._variation
        if variation == 0.0 or not math.isfinite(self._squares_got):
            return math.nan
        got = self._squares_got - self._of_means(self._sums_got, self._sums_got)
        if got <= 0.0:
            return 0.0
        return (self._products - self._of_means(self._sums, self._sums_got)) / math.sqrt(variation) / math.sqrt(got)

    @property
    def gain(self) -> float:
        """Slope of the line that fits the artifact's numbers best, over the float64 ones, each less their mean.

        1 where they are the same but for scatter and offset, NaN where the float64 ones are all the same.
        """
        variation = self._variation
        if variation == 0.0 or not math.isfinite(self._squares_got):
            return math.nan
        return (self._products - self._of_means(self._sums, self._sums_got)) / variation

    @property
    def gain_error(self) -> float:
        """Standard error of :attr:`gain`, from how far the artifact's numbers scatter about the line that fits them."""
        variation, gain = self._variation, self.gain
        if math.isnan(gain):
            return math.nan
        got = self._squares_got - self._of_means(self._sums_got, self._sums_got)
        return math.sqrt(max(0.0, got / variation - gain * gain) / self.count)

    @property
    def clear_flips(self) -> int:
        """Decisions taken otherwise whose float64 margin is well above the error: more than a tie."""
        return sum(map(self.is_clear, self.flipped))

    def is_clear(self, flip: Flip) -> bool:
        """Whether a decision that was taken otherwise is more than a tie."""
        noise = math.sqrt(self._squared_errors / self.count)
        return flip.margin > min(self.error, _CLEAR * min(max(noise, flip.noise), _UNEVEN * noise))

    def add(self, other: Pool) -> None:
        """Take the figures of another pool in."""
        self.count += other.count
        self.e0 = max(self.e0, other.e0)
        if self.worst_case == "" or other.error > self.error:
            self.error, self.worst_case = other.error, other.worst_case
        self.from_eager = max(self.from_eager, other.from_eager)
        self.decisions += other.decisions
        self.flipped = [*self.flipped, *other.flipped]
        self.errors = self.errors + other.errors
        self._squares += other._squares
        self._squared_errors += other._squared_errors
        self._squares_got += other._squares_got
        self._products += other._products
        self._counts += other._counts
        self._sums = self._sums + other._sums
        self._sums_got = self._sums_got + other._sums_got


def measure(
    case: str,
    exact: Float64,
    single: npt.NDArray[np.float32],
    got: npt.NDArray[np.floating],
    where: Mask,
    *,
    by_entry: bool = False,
) -> Pool:
    """Compare one output of one batch at the chosen places.

    Args:
        case: Name of the case, kept as ``worst_case``.
        exact: The eager model in float64.
        single: The eager model in float32, of the same shape.
        got: The artifact, of the same shape.
        where: The leading axes of that shape: True where a place is to be compared.
        by_entry: Whether an entry of the last axis means the same in every place (a word, a label, a hidden unit), so
            that each has a mean of its own.
    """
    chosen = exact[where]
    if not chosen.size:
        return Pool()
    there = got[where].astype(np.float64)
    noise = np.subtract(single[where], chosen, dtype=np.float64)
    from_eager = np.subtract(there, single[where], dtype=np.float64)
    errors = there - chosen
    finite = bool(np.isfinite(errors).all())
    entries = exact.shape[-1] if by_entry else 1
    return Pool(
        count=chosen.size,
        e0=float(np.abs(noise, out=noise).max()),
        error=float(np.abs(errors, out=errors).max()) if finite else math.inf,
        from_eager=float(np.abs(from_eager, out=from_eager).max()) if finite else math.inf,
        worst_case=case,
        errors=count_errors(errors),
        _squares=float(np.vdot(chosen, chosen)),
        _squared_errors=float(np.vdot(errors, errors)) if finite else math.inf,
        _squares_got=float(np.vdot(there, there)) if finite else math.inf,
        _products=float(np.vdot(chosen, there)) if finite else math.nan,
        _counts=chosen.size / entries,
        _sums=chosen.reshape(-1, entries).sum(0),
        _sums_got=there.reshape(-1, entries).sum(0),
    )
