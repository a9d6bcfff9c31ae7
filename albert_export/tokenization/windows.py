"""Refusing truncation that the ``tokenizers`` library would panic on.

The library asserts that the stride is smaller than what a window keeps of a text. Its panic writes a trace to stderr
and is no ordinary exception, so the same arithmetic (``utils/truncation.rs`` of the library) is done here first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from albert_export.errors import InputError
from albert_export.tokenization.options import EncodeOptions, LengthPlan, TruncationStrategy

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def check_windows(backend: Tokenizer, batch: Sequence[Any], options: EncodeOptions, plan: LengthPlan) -> None:
    """Raise where ``batch`` cannot be cut as asked.

    Counts tokens only where the stride could be too large, and then of the second texts only where it must.

    Args:
        backend: Its truncation and padding are switched off where tokens have to be counted.
        batch: Texts, and pairs of texts.
        options: Of the call.
        plan: With a ``max_length``.

    Raises:
        InputError: ``max_length`` does not hold the special tokens, or not more of a text than the stride.
    """
    pairs = any(_is_pair(item, options) for item in batch)
    special = backend.num_special_tokens_to_add(pairs) if options.add_special_tokens else 0
    room = (plan.max_length or 0) - special
    if room < 0:
        raise InputError(f"max_length must hold the {special} special tokens", received=plan.max_length)
    if not options.stride or (not pairs and options.stride < room):
        return
    texts = [item if _is_pair(item, options) else (item, None) for item in batch]
    first = _count(backend, [text for text, _ in texts], options)
    only_second = plan.truncation == TruncationStrategy.ONLY_SECOND
    if only_second and all(options.stride < room - count for count in first):
        return
    second = iter(_count(backend, [pair for _, pair in texts if pair is not None], options))
    for (_, pair), count in zip(texts, first, strict=True):
        for kept in windows(count, None if pair is None else next(second), room, plan.truncation):
            if 0 < kept <= options.stride:
                raise InputError(
                    "the stride must be smaller than what a window keeps of a text",
                    received=f"stride {options.stride}, {kept} tokens kept of max_length {plan.max_length}",
                    fix="give a smaller stride or a larger max_length",
                )


def windows(first: int, second: int | None, room: int, strategy: TruncationStrategy) -> list[int]:
    """How many tokens a window keeps of each text that is cut.

    Args:
        first: Tokens of the first text.
        second: Tokens of the second text, None where there is none.
        room: Tokens that fit beside the special ones.
        strategy: Whose tokens go.
    """
    excess = first + (second or 0) - room
    if excess <= 0:
        return []
    if strategy == TruncationStrategy.ONLY_FIRST:
        return [first - excess]
    if strategy == TruncationStrategy.ONLY_SECOND:
        return [] if second is None else [second - excess]
    if second is None:
        return [room]
    short, long = sorted((first, second))
    kept_short = short
    kept_long = short if short > room else max(short, room - short)
    if kept_short + kept_long > room:
        kept_short = room // 2
        kept_long = kept_short + room % 2
    return [kept for kept, count in ((kept_short, short), (kept_long, long)) if kept < count]


def _is_pair(item: Any, options: EncodeOptions) -> bool:
    if not isinstance(item, list | tuple) or len(item) != 2:
        return False
    return not options.is_split_into_words or isinstance(item[0], list | tuple)


def _count(backend: Tokenizer, texts: list[Any], options: EncodeOptions) -> list[int]:
    backend.no_truncation()
    backend.no_padding()
    encoded = backend.encode_batch(texts, is_pretokenized=options.is_split_into_words, add_special_tokens=False)
    return [len(encoding) for encoding in encoded]
