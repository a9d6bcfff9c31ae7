"""Token classification: a label for each token, such as named entities."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from albert_export.pipelines.base import BATCH_SIZE, Job, Pipeline, copied
from albert_export.pipelines.checks import check_count, check_list, check_one_of
from albert_export.pipelines.encoding import Window, encode
from albert_export.pipelines.entities import (
    AGGREGATIONS,
    Entity,
    TokenLabel,
    group_entities,
    label_pieces,
    most_context,
)
from albert_export.pipelines.numerics import Logits, softmax
from albert_export.pipelines.requests import TextRequest
from albert_export.pipelines.words import trimmed, word_starts
from albert_export.runtimes.protocol import Array


@dataclass(frozen=True)
class TokenClassificationOptions:
    """Options of a call.

    Attributes:
        aggregation: ``first``: neighbouring words with the same label are an entity, and a word has the label of its
            first token, which is what most models are trained to give. ``average``, ``max``: the same with the label
            that is best in the mean of its tokens' scores, or that of its surest token. ``simple``: neighbouring
            tokens, whatever the words. ``none``: every token by itself.
        ignore_labels: Labels to leave out, as the result shows them.
        stride: Tokens that a window of a long text shares with the next; at most half a window.
    """

    aggregation: str = "first"
    ignore_labels: Sequence[str] = ("O",)
    stride: int = 128

    def __post_init__(self) -> None:
        check_one_of("aggregation", self.aggregation, AGGREGATIONS)
        check_list("ignore_labels", self.ignore_labels, of="labels", fix='["O"]')
        check_count("stride", self.stride, least=0)


class TokenClassificationPipeline(
    Pipeline[TextRequest, TokenClassificationOptions, Logits, "list[Entity] | list[TokenLabel]"]
):
    """Labels the tokens of texts of any length.

    A text that is longer than the model takes is cut into overlapping windows, and each token is labelled where it
    has most context; then entities are grouped over the whole text. A text without a token has no entities.

    Where it differs from the pipeline of transformers: the default is ``first``, not ``none``; that one groups each
    window by itself and keeps the longer of two entities that overlap, gives punctuation and a possessive ``'s``
    at the end of a word the label of the word, and shows the decoded text of an entity instead of its own characters.
    """

    task: ClassVar[str] = "token-classification"
    request_class = TextRequest
    options_class = TokenClassificationOptions

    def __call__(
        self,
        text: str | Mapping[str, str] | Iterable[str] | Iterable[Mapping[str, str]],
        *,
        aggregation: str = "first",
        batch_size: int = BATCH_SIZE,
        **options: Any,
    ) -> Any:
        """Label one text or many.

        Args:
            text: A text, a record with ``text``, or a list of either.
            aggregation: How tokens become entities; see :class:`TokenClassificationOptions`.
            batch_size: Windows in one run of the model.
            **options: See :class:`TokenClassificationOptions`.

        Returns:
            For one text a list of :class:`Entity`, in the order of the text; with ``aggregation="none"`` of
            :class:`TokenLabel`. For many a list of these.

        Raises:
            InputError: A text is no string, or an option breaks its rule.
        """
        return self._call(text, None, self.options(aggregation=aggregation, **options), batch_size)

    def _encode(self, request: TextRequest, options: TokenClassificationOptions) -> list[Window]:
        return encode(self.tokenizer, request.text).windows(0, self.max_length, options.stride)

    def _keep(
        self,
        job: Job[TextRequest, TokenClassificationOptions],  # noqa: ARG002
        window: Window,  # noqa: ARG002
        outputs: dict[str, Array],
    ) -> Logits:
        return copied(outputs["logits"])

    def _finish(
        self, job: Job[TextRequest, TokenClassificationOptions], kept: list[Logits]
    ) -> list[Entity] | list[TokenLabel]:
        encoded, text = job.encoded, job.request.text
        tokens = encoded.text_range(0)
        if not tokens:
            return []
        logits = [kept[number][position] for number, position in zip(*most_context(job.windows), strict=True)]
        names = self.runtime.config.id2label
        starts = word_starts(text, encoded)
        offsets = [encoded.offsets[token] for token in tokens]
        pieces = label_pieces(softmax(np.stack(logits)), offsets, starts, names, job.options.aggregation)
        if job.options.aggregation != "none":
            return [entity for entity in group_entities(text, pieces) if entity.label not in job.options.ignore_labels]
        words = self.tokenizer.convert_ids_to_tokens([encoded.input_ids[token] for token in tokens])
        return [
            TokenLabel(piece.label, piece.score, word, token, *trimmed(text, piece.start, piece.end))
            for piece, word, token in zip(pieces, words, tokens, strict=True)
            if piece.label not in job.options.ignore_labels
        ]
