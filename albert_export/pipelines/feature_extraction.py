"""Feature extraction: a vector for a text, or for each of its tokens."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from albert_export.pipelines.base import BATCH_SIZE, Job, Pipeline, copied
from albert_export.pipelines.checks import check_flag, check_one_of
from albert_export.pipelines.encoding import Window, encode_cut
from albert_export.pipelines.numerics import Logits, normalised
from albert_export.pipelines.requests import PairRequest
from albert_export.runtimes.protocol import Array

#: Ways to make vectors of the model's outputs.
POOLINGS = ("mean", "pooled", "cls", "tokens")


@dataclass(frozen=True, eq=False)
class Embedding:
    """The vector of a text; ``numpy.asarray`` takes it, and ``numpy.stack`` a list of them.

    Attributes:
        vector: ``[D]``, in the dtype of the artifact's output.
    """

    vector: Logits

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        array = np.asarray(self.vector, dtype=dtype)
        return array.copy() if copy else array

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {"embedding": self.vector.tolist()}


@dataclass(frozen=True, eq=False)
class TokenEmbeddings:
    """A vector for each token of a text, those of [CLS] and [SEP] among them.

    Attributes:
        vectors: ``[S,D]``, in the dtype of the artifact's output.
        tokens: The tokens of the vocabulary, one a vector.
        offsets: For each token its first character, and the one after its last, in the text it comes from; (0, 0)
            for what the tokenizer put around it.
    """

    vectors: Logits
    tokens: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        array = np.asarray(self.vectors, dtype=dtype)
        return array.copy() if copy else array

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "embeddings": self.vectors.tolist(),
            "tokens": list(self.tokens),
            "offsets": [list(span) for span in self.offsets],
        }


@dataclass(frozen=True)
class FeatureExtractionOptions:
    """Options of a call.

    Attributes:
        pooling: ``mean``: the mean of the last hidden states of all tokens, [CLS] and [SEP] among them and padding
            not. ``pooled``: the pooler's output. ``cls``: the last hidden state of [CLS]. ``tokens``: the last hidden
            states themselves.
        normalize: Scale each vector to length 1, so that a dot product is the cosine.
    """

    pooling: str = "mean"
    normalize: bool = False

    def __post_init__(self) -> None:
        check_one_of("pooling", self.pooling, POOLINGS)
        check_flag("normalize", self.normalize)


class FeatureExtractionPipeline(Pipeline[PairRequest, FeatureExtractionOptions, Logits, "Embedding | TokenEmbeddings"]):
    """Makes vectors of texts. A text that is too long is cut at its end, which the log says."""

    task: ClassVar[str] = "feature-extraction"
    request_class = PairRequest
    options_class = FeatureExtractionOptions

    def __call__(
        self,
        text: str | Mapping[str, str] | Iterable[str] | Iterable[Mapping[str, str]],
        text_pair: str | Iterable[str] | None = None,
        *,
        pooling: str = "mean",
        normalize: bool = False,
        batch_size: int = BATCH_SIZE,
    ) -> Any:
        """Make vectors of one text or pair, or of many.

        Args:
            text: A text, a list of texts, or a record or list of records with ``text`` and perhaps ``text_pair``.
            text_pair: The second text, one for all or one for each.
            pooling: See :class:`FeatureExtractionOptions`.
            normalize: Scale each vector to length 1.
            batch_size: Texts in one run of the model.

        Returns:
            An :class:`Embedding`, or :class:`TokenEmbeddings` for ``pooling="tokens"``; for many texts a list.

        Raises:
            InputError: A text is no string, or an option breaks its rule.
        """
        return self._call(text, text_pair, self.options(pooling=pooling, normalize=normalize), batch_size)

    def _encode(self, request: PairRequest, options: FeatureExtractionOptions) -> list[Window]:  # noqa: ARG002
        encoded = encode_cut(self.tokenizer, request.text, request.text_pair, self.max_length)
        return [encoded.window(range(len(encoded)), range(len(encoded)))]

    def _keep(
        self,
        job: Job[PairRequest, FeatureExtractionOptions],
        window: Window,  # noqa: ARG002
        outputs: dict[str, Array],
    ) -> Logits:
        vectors = pool(outputs["last_hidden_state"], outputs["pooler_output"], job.options.pooling)
        return copied(normalised(vectors) if job.options.normalize else vectors)

    def _finish(
        self, job: Job[PairRequest, FeatureExtractionOptions], kept: list[Logits]
    ) -> Embedding | TokenEmbeddings:
        if job.options.pooling != "tokens":
            return Embedding(kept[0])
        tokens = self.tokenizer.convert_ids_to_tokens(job.encoded.input_ids)
        return TokenEmbeddings(kept[0], tuple(tokens), tuple(job.encoded.offsets))


def pool(last_hidden_state: Logits, pooler_output: Logits, pooling: str) -> Logits:
    """Make one row's vectors.

    Args:
        last_hidden_state: ``[S,D]``, without padding.
        pooler_output: ``[D]``.
        pooling: One of :data:`POOLINGS`.
    """
    if pooling == "tokens":
        return last_hidden_state
    if pooling == "mean":
        # Summed in float64: in the artifact's own precision the sum of 512 tokens would lose digits.
        return np.asarray(last_hidden_state.mean(axis=0, dtype=np.float64).astype(last_hidden_state.dtype))
    return pooler_output if pooling == "pooled" else np.asarray(last_hidden_state[0])
