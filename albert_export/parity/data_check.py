"""Measuring the task's metrics on data: of the eager model once, and of every artifact."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from albert_export.errors import InputError
from albert_export.parity.compare import RUN_FAILURES, Fault
from albert_export.parity.data import Dataset
from albert_export.parity.metrics import allowed_drop, check_can_fall, compare, lost_items, score
from albert_export.parity.oracle import Oracle
from albert_export.parity.report import ArtifactResult, CheckResult
from albert_export.parity.scoring import Scores
from albert_export.runtimes import Runtime

#: Between lines of progress.
SECONDS_BETWEEN_LINES = 5.0

#: Sequence length that an artifact fixes, or None -> what the eager model makes of texts cut to it, or why data that
#: nobody asked for cannot be cut to it.
EagerScores = dict[int | None, Scores | InputError]


class DataCheck:
    """The data of one parity run.

    Args:
        data: The items.
        oracle: Has the eager model.
        tokenizer: Tokenizer of the bundle.
        max_drop: The largest drop that passes, in points, or None for that of the precision.
        say: Gets a line now and then.
        eager_scores: What the eager model makes of the data, as far as that is known; what is found out is added.
    """

    def __init__(
        self,
        data: Dataset,
        oracle: Oracle,
        tokenizer: Any,
        max_drop: float | None,
        say: Callable[[str], None],
        eager_scores: EagerScores | None = None,
    ) -> None:
        self._data = data
        self._oracle = oracle
        self._tokenizer = tokenizer
        self._max_drop = max_drop
        self._say = say
        self._before: EagerScores = {} if eager_scores is None else eager_scores

    def add(self, result: ArtifactResult, runtime: Runtime) -> ArtifactResult:
        """Return the verdict on an artifact with its metrics.

        Args:
            result: The verdict so far.
            runtime: The artifact, opened.

        Raises:
            InputError: The user's data are not of the task's form, or do not fit into the artifact's fixed length.
        """
        bounded = runtime.longest if runtime.longest < runtime.config.max_position_embeddings else None
        before = self.prepare(runtime.sizes.get("sequence") or bounded)
        if isinstance(before, InputError):
            skipped = CheckResult("data", None, f"does not apply: {before.rule}")
            return replace(result, checks=(*result.checks, skipped))
        try:
            after = score(runtime, self._tokenizer, self._data, progress=self._progress(result.file))
        except RUN_FAILURES as error:  # the eager model has taken every item, so it is not the data
            fault = Fault(self._data.name, None, "failed", str(error))
            return replace(result, faults=(*result.faults, fault))
        return replace(
            result,
            metrics=compare(before, after, allowed_drop(result.precision, self._max_drop)),
            lost=lost_items(before, after, self._data),
        )

    def prepare(self, length: int | None) -> Scores | InputError:
        """Return what the eager model makes of the data, or why data that nobody asked for are not to be measured on.

        Args:
            length: Sequence length that an artifact fixes, or None.

        Raises:
            InputError: As for :meth:`add`, or a metric of the user's data is 0 before the export, and cannot fall.
        """
        if length not in self._before:
            progress = self._progress("the eager model")
            with self._oracle.runtime() as runtime:
                try:
                    scores = score(runtime, self._tokenizer, self._data, max_length=length, progress=progress)
                    check_can_fall(scores, self._data)
                    self._before[length] = scores
                except InputError as error:
                    # Unasked, and the fixed length is too short for them, say: nobody made a mistake.
                    if self._data.own or length is None:
                        raise
                    self._before[length] = error
        return self._before[length]

    def _progress(self, who: str) -> Callable[[int], None]:
        """Say who answers, and now and then how many items are done."""
        last, count = time.perf_counter(), len(self._data.items)
        self._say(f"parity: {count} items of {self._data.name}, answered by {who}")

        def answered(done: int) -> None:
            nonlocal last
            if done < count and time.perf_counter() - last > SECONDS_BETWEEN_LINES:
                last = time.perf_counter()
                self._say(f"parity: {done} of {count} items of {self._data.name}, answered by {who}")

        return answered
