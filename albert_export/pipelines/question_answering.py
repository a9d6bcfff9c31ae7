"""Question answering: the span of a context that answers a question."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, overload

import numpy as np

from albert_export.errors import InputError
from albert_export.pipelines.base import BATCH_SIZE, Job, Pipeline, copied
from albert_export.pipelines.checks import check_count, check_flag, check_number, check_text
from albert_export.pipelines.encoding import Encoded, Window, encode
from albert_export.pipelines.numerics import Logits
from albert_export.pipelines.spans import Spans, WindowLogits
from albert_export.pipelines.words import trimmed, whole_words
from albert_export.runtimes.protocol import Array

#: Lengths of BERT's SQuAD evaluation.
MAX_SEQ_LEN = 384
DOC_STRIDE = 128


@dataclass(frozen=True)
class Question:
    """A question and the text that may answer it; neither is empty."""

    question: str
    context: str

    def __post_init__(self) -> None:
        check_text("question", self.question, filled=True)
        check_text("context", self.context, filled=True)


@dataclass(frozen=True)
class Answer:
    """A span of the context, or that there is no answer.

    Attributes:
        text: ``context[start:end]``, just as it is written there; empty for no answer.
        score: Probability of the span, or of no answer, from 0 to 1.
        start: Its first character in the context.
        end: The character after its last.
        no_answer_score: Probability that the context has no answer: what models trained on SQuAD 2 give [CLS]. The
            same for all answers to one question.
    """

    text: str
    score: float
    start: int
    end: int
    no_answer_score: float

    @property
    def no_answer(self) -> bool:
        """Whether this says that the context has no answer."""
        return self.start == self.end

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class QuestionAnsweringOptions:
    """Options of a call.

    Attributes:
        top_k: How many answers; None for the best alone.
        handle_impossible_answer: Whether "no answer" may be an answer. For models trained on SQuAD 2.
        no_answer_threshold: How much likelier than the best span, as a natural logarithm of the ratio, "no answer"
            must be to come before it: SQuAD 2's null score threshold.
        max_answer_len: Most tokens of an answer.
        max_seq_len: Most tokens of question and context together; the smaller of 384 and what the model takes when
            None. A longer context is cut into windows.
        doc_stride: Tokens that a window shares with the next; 128, but at most half of the window's context.
        align_to_words: Widen answers that begin or end inside a word to the whole word, without its punctuation.
    """

    top_k: int | None = None
    handle_impossible_answer: bool = False
    no_answer_threshold: float = 0.0
    max_answer_len: int = 15
    max_seq_len: int | None = None
    doc_stride: int = DOC_STRIDE
    align_to_words: bool = True

    def __post_init__(self) -> None:
        if self.top_k is not None:
            check_count("top_k", self.top_k)
        check_flag("handle_impossible_answer", self.handle_impossible_answer)
        check_number("no_answer_threshold", self.no_answer_threshold)
        check_count("max_answer_len", self.max_answer_len)
        if self.max_seq_len is not None:
            check_count("max_seq_len", self.max_seq_len)
        check_count("doc_stride", self.doc_stride, least=0)
        check_flag("align_to_words", self.align_to_words)


class QuestionAnsweringPipeline(
    Pipeline[Question, QuestionAnsweringOptions, tuple[Logits, Logits], "Answer | list[Answer]"]
):
    """Answers questions from texts.

    Where it differs from the pipeline of transformers: scores are normalised over all windows of a context, not each
    by itself (see :class:`~albert_export.pipelines.spans.Spans`); the same span from two windows is one answer; words
    are widened without the punctuation beside them; ``top_k`` gives a list, also of one.
    """

    task: ClassVar[str] = "question-answering"
    request_class = Question
    options_class = QuestionAnsweringOptions

    @overload
    def __call__(self, question: str, context: str, *, top_k: None = None, **options: Any) -> Answer: ...
    @overload
    def __call__(self, question: str, context: str, *, top_k: int, **options: Any) -> list[Answer]: ...
    @overload
    def __call__(
        self,
        question: str | Mapping[str, str] | Iterable[str] | Iterable[Mapping[str, str]],
        context: str | Iterable[str] | None = None,
        *,
        top_k: int | None = None,
        **options: Any,
    ) -> Any: ...
    def __call__(
        self,
        question: Any,
        context: Any = None,
        *,
        top_k: int | None = None,
        batch_size: int = BATCH_SIZE,
        **options: Any,
    ) -> Any:
        """Answer one question or many.

        Args:
            question: A question, a list of questions, or a record or list of records with ``question`` and
                ``context``.
            context: The text for the question or for all of them, or one text for each.
            top_k: How many answers to each; None for the best alone.
            batch_size: Windows in one run of the model.
            **options: See :class:`QuestionAnsweringOptions`.

        Returns:
            For one question an :class:`Answer`, with ``top_k`` a list of them, the best first (fewer where the
            context has fewer spans); for many a list of these.

        Raises:
            InputError: A text is empty or no string, the question leaves no room for the context, or an option
                breaks its rule.
        """
        return self._call(question, context, self.options(top_k=top_k, **options), batch_size)

    def _encode(self, request: Question, options: QuestionAnsweringOptions) -> list[Window]:
        encoded = encode(self.tokenizer, request.question, request.context)
        if not any(request.context[slice(*encoded.offsets[token])].strip() for token in encoded.text_range(1)):
            raise InputError(
                "context must have text that the tokenizer keeps",
                received=ascii(request.context[:40]),
                fix="give a context with words in it",
            )
        if options.max_seq_len is not None and options.max_seq_len > self.max_length:
            raise InputError(
                f"max_seq_len must be at most {self.max_length}, the longest that this model takes",
                received=options.max_seq_len,
            )
        longest = options.max_seq_len or min(MAX_SEQ_LEN, self.max_length)
        room = longest - (len(encoded) - len(encoded.text_range(1)))
        if len(encoded) > longest and room < options.max_answer_len:
            raise InputError(
                f"a question must leave room, within {longest} tokens, for an answer of {options.max_answer_len}",
                received=f"a question of {len(encoded.text_range(0))} tokens",
                fix="shorten the question, or raise max_seq_len",
            )
        return encoded.windows(1, longest, options.doc_stride)

    def _keep(
        self,
        job: Job[Question, QuestionAnsweringOptions],  # noqa: ARG002
        window: Window,  # noqa: ARG002
        outputs: dict[str, Array],
    ) -> tuple[Logits, Logits]:
        return copied(outputs["start_logits"]), copied(outputs["end_logits"])

    def _finish(
        self, job: Job[Question, QuestionAnsweringOptions], kept: list[tuple[Logits, Logits]]
    ) -> Answer | list[Answer]:
        logits = []
        for window, (start, end) in zip(job.windows, kept, strict=True):
            context = window.positions(1)
            logits.append(WindowLogits(start, end, context, window.origin[context]))
        answers = best_answers(job.request.context, job.encoded, Spans(logits, job.options.max_answer_len), job.options)
        return answers[0] if job.options.top_k is None else answers


def best_answers(context: str, encoded: Encoded, spans: Spans, options: QuestionAnsweringOptions) -> list[Answer]:
    """Turn spans of tokens into answers in the context's own characters, the best first.

    Args:
        context: The text that ``encoded`` has as its second.
        encoded: Question and context.
        spans: The scored spans.
        options: ``top_k``, ``handle_impossible_answer``, ``no_answer_threshold`` and ``align_to_words`` count.

    Returns:
        At most ``top_k`` answers, each of other characters.
    """
    wanted = options.top_k or 1
    null = math.exp(spans.log_null)
    placed = whole_words if options.align_to_words else trimmed
    found: dict[tuple[int, int], float] = {}
    for span in spans.best():
        start, end = placed(context, encoded.offsets[span.first][0], encoded.offsets[span.last][1])
        if start < end and np.isfinite(span.log_score):
            found.setdefault((start, end), span.log_score)
        if len(found) == wanted:
            break
    ranked = [
        (score, Answer(context[start:end], math.exp(score), start, end, null)) for (start, end), score in found.items()
    ]
    if options.handle_impossible_answer:
        ranked.append((spans.log_null - options.no_answer_threshold, Answer("", null, 0, 0, null)))
        ranked.sort(key=lambda scored: -scored[0])
    return [answer for _, answer in ranked[:wanted]]
