"""Text classification: a label, several labels or a number for a text or a pair."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from albert_export.config import AlbertConfig
from albert_export.errors import InputError
from albert_export.pipelines.base import BATCH_SIZE, Job, Pipeline, copied
from albert_export.pipelines.checks import check_count, check_number
from albert_export.pipelines.encoding import Window, encode_cut
from albert_export.pipelines.numerics import Logits, sigmoid, softmax, top
from albert_export.pipelines.requests import PairRequest
from albert_export.runtimes.protocol import Array


@dataclass(frozen=True)
class Classification:
    """One label of a text.

    Attributes:
        label: Its name in the configuration.
        score: Its probability, 0 to 1; in a regression the predicted number itself.
    """

    label: str
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class TextClassificationOptions:
    """Options of a call.

    Attributes:
        top_k: How many labels, the best first (at most all there are); None for what the kind of problem says: the
            best label, the labels of at least ``threshold``, or the predicted numbers.
        threshold: Least probability of a label when a text can have several and ``top_k`` is None.
    """

    top_k: int | None = None
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.top_k is not None:
            check_count("top_k", self.top_k)
        check_number("threshold", self.threshold)
        if not 0 <= self.threshold <= 1:
            raise InputError("threshold must be from 0 to 1", received=self.threshold)


class TextClassificationPipeline(
    Pipeline[PairRequest, TextClassificationOptions, Logits, "Classification | list[Classification]"]
):
    """Classifies texts and pairs.

    What comes back is said by the configuration's ``problem_type``; where it says nothing, one label is a regression
    and several exclude each other, as the reference's loss has it. A text that is too long is cut at its end, of a
    pair the longer one, and the log says so. (The pipeline of transformers cuts nothing unless asked, and squeezes a
    regression through a sigmoid.)

    Attributes:
        problem_type: ``single_label_classification``, ``multi_label_classification`` or ``regression``.
    """

    task: ClassVar[str] = "text-classification"
    request_class = PairRequest
    options_class = TextClassificationOptions

    @property
    def problem_type(self) -> str:
        """What kind of problem the head was trained for."""
        return problem_type(self.runtime.config)

    def __call__(
        self,
        text: str | Mapping[str, str] | Iterable[str] | Iterable[Mapping[str, str]],
        text_pair: str | Iterable[str] | None = None,
        *,
        top_k: int | None = None,
        batch_size: int = BATCH_SIZE,
        **options: Any,
    ) -> Any:
        """Classify one text or pair, or many.

        Args:
            text: A text, a list of texts, or a record or list of records with ``text`` and perhaps ``text_pair``.
            text_pair: The second text, one for all or one for each.
            top_k: How many labels; see :class:`TextClassificationOptions`.
            batch_size: Texts in one run of the model.
            **options: See :class:`TextClassificationOptions`.

        Returns:
            For one text: a :class:`Classification` (single label, or a regression of one number), or a list of them
            (several labels, the best first; a regression of several numbers, in their order; or with ``top_k``). For
            many a list of these.

        Raises:
            InputError: A text is no string, or an option breaks its rule.
        """
        return self._call(text, text_pair, self.options(top_k=top_k, **options), batch_size)

    def _encode(self, request: PairRequest, options: TextClassificationOptions) -> list[Window]:  # noqa: ARG002
        encoded = encode_cut(self.tokenizer, request.text, request.text_pair, self.max_length)
        return [encoded.window(range(len(encoded)), range(len(encoded)))]

    def _keep(
        self,
        job: Job[PairRequest, TextClassificationOptions],  # noqa: ARG002
        window: Window,  # noqa: ARG002
        outputs: dict[str, Array],
    ) -> Logits:
        return copied(outputs["logits"])

    def _finish(
        self, job: Job[PairRequest, TextClassificationOptions], kept: list[Logits]
    ) -> Classification | list[Classification]:
        return classify(kept[0], self.runtime.config, job.options)


def problem_type(config: AlbertConfig) -> str:
    """Return the configuration's ``problem_type``, or what its number of labels implies."""
    implied = "regression" if config.num_labels == 1 else "single_label_classification"
    return config.problem_type or implied


def classify(
    logits: Logits, config: AlbertConfig, options: TextClassificationOptions
) -> Classification | list[Classification]:
    """Turn logits ``[C]`` into labels; result as for calling the pipeline."""
    kind = problem_type(config)
    if kind == "regression":
        scores = logits.astype(float)
    else:
        scores = sigmoid(logits) if kind == "multi_label_classification" else softmax(logits)
    labels = [Classification(config.id2label[index], float(score)) for index, score in enumerate(scores)]
    if kind == "regression" and options.top_k is None:
        return labels[0] if len(labels) == 1 else labels
    best = [labels[index] for index in top(scores, options.top_k or len(labels))]
    if options.top_k is not None:
        return best
    if kind == "multi_label_classification":
        return [label for label in best if label.score >= options.threshold]
    return best[0]
