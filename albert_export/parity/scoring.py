"""Answering data through the product's own pipelines, and adding up what the answers are worth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from albert_export.errors import InputError
from albert_export.parity.data import Dataset
from albert_export.parity.metric_formulas import Floats
from albert_export.pipelines import pipeline_class
from albert_export.pipelines.base import Job, Pipeline
from albert_export.runtimes import Runtime

AnyPipeline = Pipeline[Any, Any, Any, Any]
Record = Mapping[str, Any]

#: Items that are tokenised ahead, so that texts of like length share a run.
AHEAD = 256


@dataclass(frozen=True)
class Figure:
    """One metric over all items.

    Attributes:
        name: What it is called.
        value: As people quote it: in points, 0 to 100; perplexity as it is.
        points: The same in points, higher being better: what a drop is measured in.
        counted: Whether the same answers give exactly the same figure. Else it is made of the model's numbers
            themselves, whose last digits rounding changes.
    """

    name: str
    value: float
    points: float
    counted: bool = True


@dataclass(frozen=True)
class Scores:
    """What one model makes of all items.

    Attributes:
        figures: The metrics.
        worth: For each item how right it was; more is better.
    """

    figures: tuple[Figure, ...]
    worth: tuple[float, ...]


def share(name: str, of_one: float, *, counted: bool = True) -> Figure:
    """Return a figure from a share of 0 to 1."""
    points = 100 * float(of_one)
    return Figure(name, points, points, counted)


class Scorer(ABC):
    """The metrics of one task on one model.

    Args:
        runtime: The model, eager or an artifact.
        tokenizer: Tokenizer of the bundle.
        data: The items.

    Attributes:
        pipeline: The product's own, which answers.

    Raises:
        InputError: The task has no metric on data for this configuration.
    """

    task: ClassVar[str]

    def __init__(self, runtime: Runtime, tokenizer: Any, data: Dataset) -> None:
        self.pipeline: AnyPipeline = self._pipeline(runtime, tokenizer)
        self.config = runtime.config
        self.data = data
        self.options = self.pipeline.options()

    def score(self, progress: Callable[[int], None] | None = None) -> Scores:
        """Answer all items and score the answers.

        Args:
            progress: Called now and then with the number of items that are answered.

        Raises:
            InputError: An item is not of the task's form, or its texts do not fit; the message names the line.
            BundleError: The model computes numbers that are not finite.
        """
        items = self.data.items
        golds = [self._at(index, self._gold, item.record) for index, item in enumerate(items)]
        values: list[tuple[float, ...]] = []
        for start in range(0, len(items), AHEAD):
            indices = range(start, min(start + AHEAD, len(items)))
            jobs = [self._at(index, self._jobs, items[index].record, golds[index]) for index in indices]
            results = iter(self.pipeline.finish([job for own in jobs for job in own]))
            for index, own in zip(indices, jobs, strict=True):
                values.append(self._values(golds[index], [next(results) for _ in own]))
            if progress is not None:
                progress(len(values))
        table = np.asarray(values, dtype=np.float64)
        return Scores(self._figures(table), tuple(self._worth(table).tolist()))

    def _at(self, index: int, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function about one item; an error names its line."""
        try:
            return function(*arguments)
        except InputError as error:
            raise self.data.at(self.data.items[index], error) from error

    # ---- what a task defines -------------------------------------------------------------------------------------

    def _pipeline(self, runtime: Runtime, tokenizer: Any) -> AnyPipeline:
        return pipeline_class(self.task)(runtime, tokenizer)

    @abstractmethod
    def _gold(self, record: Record) -> Any:
        """Return the right answer, or raise an InputError that names the key."""

    def _jobs(self, record: Record, gold: Any) -> list[Job[Any, Any]]:  # noqa: ARG002  for masked words
        """Return what the pipeline is to answer: one job for most tasks."""
        return [self.pipeline.prepare(self.pipeline.request(record), self.options)]

    @abstractmethod
    def _values(self, gold: Any, results: Sequence[Any]) -> tuple[float, ...]:
        """Return what one item adds to the figures; always as many numbers."""

    @abstractmethod
    def _figures(self, values: Floats) -> tuple[Figure, ...]:
        """Return the figures of all items, from ``[items, numbers]``."""

    @abstractmethod
    def _worth(self, values: Floats) -> Floats:
        """Return for each item how right it was, ``[items]``; the same for all where no item is right by itself."""
