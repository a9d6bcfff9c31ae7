"""The keyword arguments of encoding, their rules, and how they turn into one plan of padding and truncation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypedDict, TypeVar

from albert_export.errors import InputError, UnknownNameError
from albert_export.tokenization.tensors import TensorType

#: ``model_max_length`` of a tokenizer that knows no limit, as the reference writes it into tokenizer_config.json.
NO_LIMIT = int(1e30)
#: Anything above counts as "no limit": files in the wild hold it rounded through a float.
_LARGE = int(1e20)


class PaddingStrategy(StrEnum):
    """Values of ``padding``."""

    LONGEST = "longest"
    MAX_LENGTH = "max_length"
    DO_NOT_PAD = "do_not_pad"


class TruncationStrategy(StrEnum):
    """Values of ``truncation``."""

    LONGEST_FIRST = "longest_first"
    ONLY_FIRST = "only_first"
    ONLY_SECOND = "only_second"
    DO_NOT_TRUNCATE = "do_not_truncate"


class EncodeArguments(TypedDict, total=False):
    """Keyword arguments of ``tokenizer(...)`` and its relatives; :class:`EncodeOptions` says what each means."""

    add_special_tokens: bool
    padding: bool | str
    truncation: bool | str | None
    max_length: int | None
    stride: int
    is_split_into_words: bool
    pad_to_multiple_of: int | None
    return_tensors: str | None
    return_token_type_ids: bool | None
    return_attention_mask: bool | None
    return_overflowing_tokens: bool
    return_special_tokens_mask: bool
    return_offsets_mapping: bool
    return_length: bool
    split_special_tokens: bool | None
    verbose: bool


@dataclass(frozen=True, kw_only=True)
class EncodeOptions:
    """What a caller asks of an encoding.

    Args:
        add_special_tokens: Put ``[CLS]`` and ``[SEP]`` around the text.
        padding: ``True`` or ``"longest"``: to the longest of the batch; ``"max_length"``: to ``max_length`` (else the
            model's maximum); ``False`` or ``"do_not_pad"``.
        truncation: ``True`` or ``"longest_first"``: take tokens from the longer of a pair; ``"only_first"``;
            ``"only_second"``; ``False`` or ``"do_not_truncate"``. ``None``: ``longest_first`` where ``max_length`` is
            given without padding.
        max_length: Tokens, special ones included; the model's maximum when None.
        stride: Tokens that neighbouring windows share, with ``return_overflowing_tokens``.
        is_split_into_words: Each text is a list of words.
        pad_to_multiple_of: Round the padded length up to a multiple of this.
        return_tensors: ``"np"``, ``"pt"``, ``"tf"``, ``"jax"``, or None for lists.
        return_token_type_ids: None: as ``model_input_names`` says.
        return_attention_mask: None: as ``model_input_names`` says.
        return_overflowing_tokens: Fast: each window becomes a row, ``overflow_to_sample_mapping`` names its text.
            Slow: the cut tokens as ``overflowing_tokens``, their number as ``num_truncated_tokens``.
        return_special_tokens_mask: 1 for special tokens, 0 for the text's own.
        return_offsets_mapping: Fast only: (start, end) characters of each token.
        return_length: Number of tokens of each row.
        split_special_tokens: Slow only: treat special tokens in the text as plain text. None: the tokenizer's own.
        verbose: Log warnings.

    Raises:
        InputError: A number out of its range.
        UnknownNameError: An unknown strategy or kind of tensor.
    """

    add_special_tokens: bool = True
    padding: bool | str = False
    truncation: bool | str | None = None
    max_length: int | None = None
    stride: int = 0
    is_split_into_words: bool = False
    pad_to_multiple_of: int | None = None
    return_tensors: str | None = None
    return_token_type_ids: bool | None = None
    return_attention_mask: bool | None = None
    return_overflowing_tokens: bool = False
    return_special_tokens_mask: bool = False
    return_offsets_mapping: bool = False
    return_length: bool = False
    split_special_tokens: bool | None = None
    verbose: bool = True

    def __post_init__(self) -> None:
        _check_count("max_length", self.max_length, least=1, optional=True)
        _check_count("stride", self.stride, least=0)
        _check_count("pad_to_multiple_of", self.pad_to_multiple_of, least=1, optional=True)
        if self.return_tensors is not None and self.return_tensors not in set(TensorType):
            raise UnknownNameError("return_tensors", str(self.return_tensors), tuple(TensorType))


def _check_count(name: str, value: Any, *, least: int, optional: bool = False) -> None:
    if optional and value is None:
        return
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}", received=value)


@dataclass(frozen=True)
class LengthPlan:
    """How long each row shall be: the strategies settled, ``max_length`` in tokens where one of them needs it."""

    padding: PaddingStrategy
    truncation: TruncationStrategy
    max_length: int | None
    #: Advice to log once per tokenizer: something asked for cannot be done.
    advice: str | None = None


def plan_lengths(
    *,
    padding: bool | str,
    truncation: bool | str | None,
    max_length: int | None,
    pad_to_multiple_of: int | None,
    model_max_length: int | float,
) -> LengthPlan:
    """Settle ``padding``, ``truncation`` and ``max_length`` as transformers 4.37.2 does.

    Raises:
        InputError: Truncation and padding would contradict each other.
        UnknownNameError: No such strategy.
    """
    advice = None
    if max_length is not None and padding is False and truncation is None:
        advice = "max_length was given without truncation: truncating with 'longest_first'; pass truncation=True"
        truncation = TruncationStrategy.LONGEST_FIRST
    padding = _strategy(PaddingStrategy, "padding", padding, {True: "longest", False: "do_not_pad"})
    truncation = _strategy(
        TruncationStrategy,
        "truncation",
        truncation,
        {True: "longest_first", False: "do_not_truncate", None: "do_not_truncate"},
    )
    if max_length is None and model_max_length > _LARGE:
        if padding == PaddingStrategy.MAX_LENGTH:
            advice = (
                "padding to max_length was asked for, but neither the call nor the tokenizer names one: not padding"
            )
            padding = PaddingStrategy.DO_NOT_PAD
        if truncation != TruncationStrategy.DO_NOT_TRUNCATE:
            advice = "truncation was asked for, but neither the call nor the tokenizer names a length: not truncating"
            truncation = TruncationStrategy.DO_NOT_TRUNCATE
    elif max_length is None and (
        padding == PaddingStrategy.MAX_LENGTH or truncation != TruncationStrategy.DO_NOT_TRUNCATE
    ):
        max_length = int(model_max_length)
    if (
        truncation != TruncationStrategy.DO_NOT_TRUNCATE
        and padding != PaddingStrategy.DO_NOT_PAD
        and pad_to_multiple_of is not None
        and max_length is not None
        and max_length % pad_to_multiple_of
    ):
        raise InputError(
            "with truncation and padding together, max_length must be a multiple of pad_to_multiple_of",
            received=f"max_length {max_length}, pad_to_multiple_of {pad_to_multiple_of}",
        )
    return LengthPlan(padding, truncation, max_length, advice)


_S = TypeVar("_S", bound=StrEnum)


def _strategy(kinds: type[_S], name: str, value: Any, shorthands: dict[Any, str]) -> _S:
    if isinstance(value, bool) or value is None:
        value = shorthands.get(value, value)
    if value not in set(kinds):
        raise UnknownNameError(name, str(value), tuple(kinds))
    return kinds(value)
