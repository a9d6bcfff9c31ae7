"""Pretraining: whether two texts stand in order, and the words that fit a [MASK]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from albert_export.errors import InputError
from albert_export.pipelines.base import BATCH_SIZE, Job, Pipeline, copied
from albert_export.pipelines.encoding import Window, encode_cut
from albert_export.pipelines.fill_mask import Fill, FillMaskOptions, FillMaskPipeline
from albert_export.pipelines.numerics import Logits, softmax
from albert_export.pipelines.requests import PairRequest, TextRequest
from albert_export.runtimes.protocol import Array, Runtime

if TYPE_CHECKING:
    from albert_export.pipelines.encoding import Tokenizer


@dataclass(frozen=True)
class SentenceOrder:
    """Whether the second text followed the first, or was swapped with it (ALBERT paper, section 3.1).

    Attributes:
        in_order: Probability that the first text comes first, 0 to 1.
        swapped: Probability that the second does.
    """

    in_order: float
    swapped: float

    @property
    def label(self) -> str:
        """``in order`` or ``swapped``."""
        return "in order" if self.in_order >= self.swapped else "swapped"

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"label": self.label, "in_order": self.in_order, "swapped": self.swapped}


class _MaskHead(FillMaskPipeline):
    """The masked-LM half of the pretraining head."""

    output = "prediction_logits"


class PretrainingPipeline(
    Pipeline[PairRequest, FillMaskOptions, Logits, "SentenceOrder | list[Fill] | list[list[Fill]]"]
):
    """Judges the order of a pair; fills the masks of a text without a pair.

    A pair that is too long is cut, of the longer text, and the log says so.
    """

    task: ClassVar[str] = "pretraining"
    request_class = PairRequest
    options_class = FillMaskOptions

    def __init__(self, runtime: Runtime, tokenizer: Tokenizer) -> None:
        super().__init__(runtime, tokenizer)
        self._masks = _MaskHead(runtime, tokenizer)

    def __call__(
        self,
        text: str | Mapping[str, str] | Iterable[str] | Iterable[Mapping[str, str]],
        text_pair: str | Iterable[str] | None = None,
        *,
        top_k: int = 5,
        targets: Sequence[str] | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> Any:
        r"""Judge the order of one pair or many, or fill masks.

        Args:
            text: A text, a list of texts, or a record or list of records with ``text`` and perhaps ``text_pair``.
            text_pair: The text that may follow, one for all or one for each.
            top_k: For masks: how many tokens for each.
            targets: For masks: words to choose from.
            batch_size: Texts in one run of the model.

        Returns:
            For a pair a :class:`SentenceOrder`; for a text alone its :class:`~.fill_mask.Fill`\ s as in
            :class:`~.fill_mask.FillMaskPipeline`; for many a list.

        Raises:
            InputError: A text alone has no mask, or a text or option breaks its rule.
        """
        return self._call(text, text_pair, self.options(top_k=top_k, targets=targets), batch_size)

    def _encode(self, request: PairRequest, options: FillMaskOptions) -> list[Window]:
        if not request.text_pair:
            return self._masks._encode(TextRequest(request.text), options)
        encoded = encode_cut(self.tokenizer, request.text, request.text_pair, self.max_length)
        return [encoded.window(range(len(encoded)), range(len(encoded)))]

    def _keep(
        self,
        job: Job[PairRequest, FillMaskOptions],
        window: Window,
        outputs: dict[str, Array],
    ) -> Logits:
        if not job.request.text_pair:
            return self._masks._keep(_alone(job), window, outputs)
        return copied(outputs["sop_logits"])

    def _finish(
        self, job: Job[PairRequest, FillMaskOptions], kept: list[Logits]
    ) -> SentenceOrder | list[Fill] | list[list[Fill]]:
        if not job.request.text_pair:
            return self._masks._finish(_alone(job), kept)
        return sentence_order(kept[0])


def _alone(job: Job[PairRequest, FillMaskOptions]) -> Job[TextRequest, FillMaskOptions]:
    return Job(TextRequest(job.request.text), job.options, job.windows)


def sentence_order(logits: Logits) -> SentenceOrder:
    """Turn the two logits of the sentence-order head, 0 for in order and 1 for swapped, into probabilities.

    Raises:
        InputError: The head has another number of labels.
    """
    if np.shape(logits) != (2,):
        raise InputError(
            "a sentence-order head must have 2 labels", received=list(np.shape(logits)), fix="export with num_labels=2"
        )
    in_order, swapped = softmax(logits)
    return SentenceOrder(float(in_order), float(swapped))
