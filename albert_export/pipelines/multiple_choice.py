"""Multiple choice: which of several continuations fits a prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

from albert_export.errors import InputError
from albert_export.pipelines.base import BATCH_SIZE, Job, Pipeline, copied, records_of
from albert_export.pipelines.checks import check_text
from albert_export.pipelines.encoding import Window, collate, encode_cut
from albert_export.pipelines.numerics import Logits, softmax
from albert_export.runtimes.protocol import Array


@dataclass(frozen=True)
class ChoiceRequest:
    """A prompt and at least two choices."""

    prompt: str
    choices: Sequence[str]

    def __post_init__(self) -> None:
        check_text("prompt", self.prompt)
        if isinstance(self.choices, str) or not isinstance(self.choices, Sequence) or len(self.choices) < 2:
            several = isinstance(self.choices, Sequence) and not isinstance(self.choices, str)
            raise InputError(
                "choices must be a list of at least two texts",
                received=", ".join(map(repr, self.choices)) or "none" if several else repr(self.choices),
                fix="give two or more; on the command line, --choice once for each",
            )
        for index, choice in enumerate(self.choices):
            check_text(f"choices[{index}]", choice)


@dataclass(frozen=True)
class Choice:
    """The choice that fits best, and how well each fits.

    Attributes:
        index: Number of the best choice, from 0; of equals the first.
        text: The best choice.
        score: Its probability, 0 to 1.
        scores: Probability of each choice, in their order.
    """

    index: int
    text: str
    score: float
    scores: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "scores": list(self.scores)}


@dataclass(frozen=True)
class MultipleChoiceOptions:
    """There are none."""


class MultipleChoicePipeline(Pipeline[ChoiceRequest, MultipleChoiceOptions, Logits, Choice]):
    """Chooses. Prompts may have different numbers of choices; a pair that is too long is cut, which the log says."""

    task: ClassVar[str] = "multiple-choice"
    request_class = ChoiceRequest
    options_class = MultipleChoiceOptions

    def __call__(
        self,
        prompt: str | Mapping[str, Any] | Iterable[str] | Iterable[Mapping[str, Any]],
        choices: Sequence[str] | Sequence[Sequence[str]] | None = None,
        *,
        batch_size: int = BATCH_SIZE,
    ) -> Any:
        """Choose for one prompt or many.

        Args:
            prompt: A prompt, a list of prompts, or a record or list of records with ``prompt`` and ``choices``.
            choices: The choices; for a list of prompts a list of choices for each.
            batch_size: Choices in one run of the model.

        Returns:
            A :class:`Choice`; for many prompts a list of them.

        Raises:
            InputError: A text is no string, or there are fewer than two choices.
        """
        single = isinstance(prompt, str)
        records, alone = records_of(
            prompt, [choices] if single and choices is not None else choices, ("prompt", "choices")
        )
        results = self.run([self.request(record) for record in records], batch_size=batch_size)
        return results[0] if single or alone else results

    def _encode(self, request: ChoiceRequest, options: MultipleChoiceOptions) -> list[Window]:  # noqa: ARG002
        windows = []
        for choice in request.choices:
            encoded = encode_cut(self.tokenizer, request.prompt, choice, self.max_length)
            windows.append(encoded.window(range(len(encoded)), range(len(encoded))))
        return windows

    def _rows(self, batch_size: int) -> int:
        rows, choices = self.runtime.sizes.get("batch"), self.runtime.sizes.get("choices")
        return rows * (choices or 1) if rows else batch_size

    def _outputs(self, windows: Sequence[Window]) -> Iterable[dict[str, Array]]:
        """Run pairs, each as a row: the head scores every choice by itself, so that it matters not which share a row.

        Prompts with different numbers of choices then need no choice that is padding.
        """
        sizes = self.runtime.sizes
        choices = sizes.get("choices") or 1
        rows = sizes.get("batch") or -(-len(windows) // choices)
        flat = collate(windows, pad_id=self._pad_id, rows=rows * choices, length=sizes.get("sequence"))
        outputs = self.runtime.run(**{name: ids.reshape(rows, choices, -1) for name, ids in flat.items()})
        for logit in outputs["logits"].reshape(-1)[: len(windows)]:
            yield {"logits": logit}

    def _keep(
        self,
        job: Job[ChoiceRequest, MultipleChoiceOptions],  # noqa: ARG002
        window: Window,  # noqa: ARG002
        outputs: dict[str, Array],
    ) -> Logits:
        return copied(outputs["logits"])

    def _finish(self, job: Job[ChoiceRequest, MultipleChoiceOptions], kept: list[Logits]) -> Choice:
        return choose(np.stack(kept), job.request.choices)


def choose(logits: Logits, choices: Sequence[str]) -> Choice:
    """Turn one logit a choice into the result."""
    scores = softmax(logits)
    best = int(np.argmax(scores))
    return Choice(best, choices[best], float(scores[best]), tuple(map(float, scores)))
