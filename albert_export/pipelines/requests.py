"""What one call is about. The fields are the keys of a JSON record; each request checks itself."""

from __future__ import annotations

from dataclasses import dataclass

from albert_export.pipelines.checks import check_text


@dataclass(frozen=True)
class TextRequest:
    """A text.

    Attributes:
        text: The text; it may be empty, which the model sees as ``[CLS] [SEP]``.
    """

    text: str

    def __post_init__(self) -> None:
        check_text("text", self.text)


@dataclass(frozen=True)
class PairRequest:
    """A text, or a pair of texts.

    Attributes:
        text: The text, or the first of the pair; it may be empty.
        text_pair: The second of the pair; an empty one is none, as the tokenizer has it.
    """

    text: str
    text_pair: str | None = None

    def __post_init__(self) -> None:
        check_text("text", self.text)
        if self.text_pair is not None:
            check_text("text_pair", self.text_pair)
