"""Fill-mask: the words that fit a [MASK]."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from albert_export.errors import InputError
from albert_export.pipelines.base import BATCH_SIZE, Job, Pipeline, copied
from albert_export.pipelines.checks import check_count, check_list, check_text
from albert_export.pipelines.encoding import Encoded, Ids, Window, encode
from albert_export.pipelines.numerics import Logits, softmax, top
from albert_export.pipelines.requests import TextRequest
from albert_export.positions import POSITIONS, chooses_positions
from albert_export.runtimes.protocol import Array

if TYPE_CHECKING:
    from albert_export.pipelines.encoding import Tokenizer


@dataclass(frozen=True)
class Fill:
    """One token in the place of a mask.

    Attributes:
        token: Its id.
        token_str: Its text.
        score: Its probability among all tokens of the vocabulary, 0 to 1.
        sequence: The text with the token in its place, decoded; other masks stay.
    """

    token: int
    token_str: str
    score: float
    sequence: str

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class FillMaskOptions:
    """Options of a call.

    Attributes:
        top_k: How many tokens for each mask.
        targets: Words to choose from, each one token of the vocabulary; None for the whole vocabulary.
    """

    top_k: int = 5
    targets: Sequence[str] | None = None

    def __post_init__(self) -> None:
        check_count("top_k", self.top_k)
        if self.targets is None:
            return
        check_list("targets", self.targets, of="words", fix='["word"], or None for all', least=1)
        for target in self.targets:
            check_text("a target", target, filled=True)


class FillMaskPipeline(Pipeline[TextRequest, FillMaskOptions, Logits, "list[Fill] | list[list[Fill]]"]):
    """Fills the masks of a text.

    Of a text that is too long the model sees the part around its masks, and the log says so. A target that is not
    one token is an error. (The pipeline of transformers takes its first token instead; and of ``"paris"`` the piece
    that continues a word, where this takes the word.) An artifact with ``positions`` is asked for those of the masks.
    """

    task: ClassVar[str] = "fill-mask"
    request_class = TextRequest
    options_class = FillMaskOptions
    #: Output with a logit for each token of the vocabulary.
    output: ClassVar[str] = "logits"

    def __call__(
        self,
        text: str | Mapping[str, str] | Iterable[str] | Iterable[Mapping[str, str]],
        *,
        top_k: int = 5,
        targets: Sequence[str] | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> Any:
        """Fill the masks of one text or many.

        Args:
            text: A text with the tokenizer's mask token (``[MASK]``), a record with ``text``, or a list of either.
            top_k: How many tokens for each mask, the best first.
            targets: Words to choose from.
            batch_size: Texts in one run of the model.

        Returns:
            For one text with one mask a list of :class:`Fill`; with several masks a list for each, in their order.
            For many texts a list of these.

        Raises:
            InputError: A text has no mask, or masks too far apart for the model; a target is not one token.
        """
        return self._call(text, None, self.options(top_k=top_k, targets=targets), batch_size)

    def _encode(self, request: TextRequest, options: FillMaskOptions) -> list[Window]:
        if options.targets is not None:
            target_ids(self.tokenizer, options.targets)
        encoded = encode(self.tokenizer, request.text)
        masks = mask_positions(encoded, self.tokenizer.mask_token_id)
        if not masks:
            raise InputError(
                f"text must have the mask token {self.tokenizer.mask_token}",
                received=ascii(request.text[:60]),
                fix=f"write {self.tokenizer.mask_token} where a word is missing",
            )
        return [around(encoded, masks, self.max_length)]

    def _inputs(self, windows: Sequence[Window]) -> dict[str, Ids]:
        inputs = super()._inputs(windows)
        if chooses_positions(self.runtime.task):
            asked = [self._masks(window) for window in windows]
            count = max(map(len, asked))
            positions = np.zeros((len(inputs["input_ids"]), count), dtype=np.int64)
            for row, masks in enumerate(asked):
                positions[row] = np.pad(masks, (0, count - len(masks)), mode="edge")
            inputs[POSITIONS] = positions
        return inputs

    def _masks(self, window: Window) -> Ids:
        """Return the places of the masks in a window."""
        masks = mask_positions(window.encoded, self.tokenizer.mask_token_id)
        return np.flatnonzero(np.isin(window.origin, masks))

    def _keep(
        self,
        job: Job[TextRequest, FillMaskOptions],  # noqa: ARG002
        window: Window,
        outputs: dict[str, Array],
    ) -> Logits:
        masks, logits = self._masks(window), outputs[self.output]
        return copied(logits[: len(masks)] if chooses_positions(self.runtime.task) else logits[masks])

    def _finish(self, job: Job[TextRequest, FillMaskOptions], kept: list[Logits]) -> list[Fill] | list[list[Fill]]:
        encoded = job.encoded
        masks = mask_positions(encoded, self.tokenizer.mask_token_id)
        targets = None if job.options.targets is None else target_ids(self.tokenizer, job.options.targets)
        filled = []
        for mask, logits in zip(masks, kept[0], strict=True):
            filled.append(
                [
                    Fill(token, self.tokenizer.decode([token]), score, self._sequence(encoded, mask, token))
                    for token, score in best_tokens(logits, job.options.top_k, targets)
                ]
            )
        return filled[0] if len(filled) == 1 else filled

    def _sequence(self, encoded: Encoded, mask: int, token: int) -> str:
        tokens = encoded.text_range(0)
        ids = [token if position == mask else encoded.input_ids[position] for position in tokens]
        text: str = self.tokenizer.decode(ids)
        return text


def mask_positions(encoded: Encoded, mask_token_id: int | None) -> list[int]:
    """Return the positions of the mask token in the first text."""
    return [position for position in encoded.text_range(0) if encoded.input_ids[position] == mask_token_id]


def around(encoded: Encoded, masks: Sequence[int], max_length: int) -> Window:
    """Return the whole text as one window, or the part that has the masks in its middle.

    Raises:
        InputError: The masks are too far apart.
    """
    whole = encoded.text_range(0)
    room = max_length - (len(encoded) - len(whole))
    if len(whole) <= room:
        return encoded.window(whole, whole)
    if masks[-1] - masks[0] >= room:
        raise InputError(
            f"the masks of a text must lie within {room} tokens",
            received=f"{masks[-1] - masks[0] + 1} tokens from the first to the last",
            fix="fill them one text at a time",
        )
    middle = (masks[0] + masks[-1] + 1) // 2
    start = min(max(middle - room // 2, whole.start), whole.stop - room)
    return replace(encoded, cut=True).window(range(start, start + room), whole)


def target_ids(tokenizer: Tokenizer, targets: Iterable[str]) -> Ids:
    """Return the ids of words, each one token, without repetitions, in their order.

    Raises:
        InputError: A target is no token of the vocabulary.
    """
    vocabulary: Mapping[str, int] | None = None
    found: dict[int, None] = {}
    for target in targets:
        ids = list(tokenizer(target, add_special_tokens=False, verbose=False)["input_ids"])
        if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
            found[int(ids[0])] = None
            continue
        vocabulary = vocabulary if vocabulary is not None else tokenizer.get_vocab()
        if target not in vocabulary:  # a piece as the vocabulary writes it
            pieces = tokenizer.convert_ids_to_tokens(ids)
            raise InputError(
                "a target must be one token of the vocabulary",
                received=f"{target!r}, which is {' '.join(pieces) or 'nothing'}",
                fix="choose another word",
            )
        found[vocabulary[target]] = None
    return np.asarray(list(found), dtype=np.int64)


def best_tokens(logits: Logits, count: int, targets: Ids | None = None) -> list[tuple[int, float]]:
    """Return ids and probabilities of the best tokens, of equals the one that comes first.

    Args:
        logits: ``[V]``.
        count: How many, at most all there are.
        targets: Ids to choose from; the probabilities stay those among all tokens.
    """
    scores = softmax(logits)
    tokens = np.arange(len(scores)) if targets is None else targets
    return [(int(tokens[index]), float(scores[tokens[index]])) for index in top(scores[tokens], count)]
