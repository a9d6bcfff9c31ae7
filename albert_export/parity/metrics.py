"""Task metrics before and after export: what the loss of precision costs in answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from albert_export.errors import InputError
from albert_export.parity.data import NO_DATA, Dataset
from albert_export.parity.scorers import SCORERS
from albert_export.parity.scoring import Scores
from albert_export.runtimes import Runtime

#: Drops that are allowed unless the user says otherwise, in points: full precision loses nothing.
ALLOWED_DROPS = {"fp32": 0.0}
ALLOWED_DROP = 0.5

#: Figures made of rounded numbers, not of counted answers, differ by less than they are printed with.
_DIGITS = 2
#: What adding up shares of a hundred leaves.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class MetricResult:
    """One metric of an artifact.

    Attributes:
        metric: Its name: ``exact match``, ``F1``, ``accuracy``, ``entity F1``, ``top-1``, ``top-5``, ``perplexity`` or
            ``Spearman``.
        before: Of the eager float32 model: in points, 0 to 100; perplexity as it is.
        after: Of the artifact.
        drop: How many points it fell by; negative where it rose. Of perplexity p, 100/p is what fell: the geometric
            mean, in points, of the probabilities of the right words.
        max_drop: The largest drop that passes.
    """

    metric: str
    before: float
    after: float
    drop: float
    max_drop: float

    @property
    def ok(self) -> bool:
        """Whether the drop is allowed."""
        return self.drop <= self.max_drop + _ROUNDING

    def told(self) -> str:
        """Return the result in one line."""
        return (
            f"{self.metric} {self.before:.2f} before, {self.after:.2f} after: a drop of {self.drop:.2f} points, "
            f"at most {self.max_drop:.2f} allowed"
        )


def allowed_drop(precision: str, given: float | None) -> float:
    """Return the largest drop that passes, in points: what was given, or else what the precision may cost."""
    return ALLOWED_DROPS.get(precision, ALLOWED_DROP) if given is None else given


def score(
    runtime: Runtime,
    tokenizer: Any,
    data: Dataset,
    *,
    max_length: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> Scores:
    """Return what a model makes of data.

    Args:
        runtime: The eager model, or an artifact.
        tokenizer: Tokenizer of the bundle.
        data: The items.
        max_length: Most tokens of one run, where an artifact that this is compared with fixes them.
        progress: Called now and then with the number of items that are answered.

    Raises:
        InputError: An item is not of the task's form, or its texts do not fit; the message names the line.
        BundleError: The artifact computes numbers that are not finite.
    """
    scorer = SCORERS[runtime.task.name](runtime, tokenizer, data)
    if max_length is not None:
        scorer.pipeline.max_length = max_length
    return scorer.score(progress)


def check_can_fall(before: Scores, data: Dataset) -> None:
    """Check that every metric of the eager model can fall: one of 0, as without a right answer, lets all pass.

    Raises:
        InputError: One is 0 (Spearman is, too, where all labels are the same, or there is one line): it proves nothing.
    """
    for figure in before.figures:
        if (figure.points if figure.counted else round(figure.points, _DIGITS)) == 0:
            raise InputError(
                f"{figure.name} of the eager model must be other than 0 on data that an export is judged by: "
                "from 0 it cannot fall",
                received=f"{figure.value:.2f} on {len(data.items)} item(s) of {data.name}",
                fix=f"give lines that the model answers rightly, with more than one label, or data {NO_DATA}",
            )


def compare(before: Scores, after: Scores, max_drop: float) -> tuple[MetricResult, ...]:
    """Return each metric before and after, and how far it fell."""
    results = []
    for old, new in zip(before.figures, after.figures, strict=True):
        drop = old.points - new.points
        # 0.0 in place of -0.0
        shown = drop if old.counted else round(drop, _DIGITS) + 0.0
        results.append(MetricResult(old.name, old.value, new.value, shown, max_drop))
    return tuple(results)


def lost_items(before: Scores, after: Scores, data: Dataset) -> tuple[str, ...]:
    """Return the names of the items that the artifact answers worse than the eager model."""
    pairs = zip(data.items, before.worth, after.worth, strict=True)
    return tuple(item.name for item, old, new in pairs if new < old)
