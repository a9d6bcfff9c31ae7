"""Cutting and padding lists of token ids: what the tokenizers that run in Python do themselves."""

from __future__ import annotations

from typing import Any

from albert_export.tokenization.options import PaddingStrategy, TruncationStrategy

#: What each key is padded with; ``input_ids`` and ``token_type_ids`` come from the tokenizer.
_MASK_FILL = {"attention_mask": 0, "special_tokens_mask": 1}


def truncate(
    ids: list[int],
    pair_ids: list[int] | None,
    *,
    remove: int,
    strategy: TruncationStrategy,
    stride: int,
    side: str,
) -> tuple[list[int], list[int] | None, list[int], str | None]:
    """Take ``remove`` tokens from one or both texts, as transformers 4.37.2's Python tokenizers do.

    Args:
        ids: Tokens of the first text.
        pair_ids: Tokens of the second text.
        remove: How many tokens are too many.
        strategy: Whose tokens go.
        stride: Kept tokens that are repeated in the overflow.
        side: ``"right"`` or ``"left"``: the end that is cut.

    Returns:
        Both texts' tokens, the cut ones (with ``stride`` kept ones beside them; empty where both texts were cut), and
        a complaint where the strategy's text is too short: then nothing was cut.
    """
    if remove <= 0 or strategy == TruncationStrategy.DO_NOT_TRUNCATE:
        return ids, pair_ids, [], None
    if strategy == TruncationStrategy.LONGEST_FIRST and pair_ids is not None:
        # The longer text loses the difference, then both lose one in turn, beginning with the second.
        levelling = min(abs(len(ids) - len(pair_ids)), remove)
        rest = remove - levelling
        from_second = rest - rest // 2 + (0 if len(ids) > len(pair_ids) else levelling)
        from_first = remove - from_second
        return _cut(ids, from_first, side), _cut(pair_ids, from_second, side), [], None

    second = strategy == TruncationStrategy.ONLY_SECOND
    text = pair_ids if second else ids
    if text is None:
        return ids, pair_ids, [], None
    if len(text) <= remove:
        which = "second" if second else "first"
        complaint = f"{remove} tokens are too many, but the {which} text has only {len(text)}: nothing was cut"
        return ids, pair_ids, [], complaint
    window = min(len(text), stride + remove)
    overflow = text[:window] if side == "left" else text[-window:]
    kept = _cut(text, remove, side)
    return (ids, kept, overflow, None) if second else (kept, pair_ids, overflow, None)


def _cut(ids: list[int], count: int, side: str) -> list[int]:
    return ids[count:] if side == "left" else ids[: max(len(ids) - count, 0)]


def pad(
    row: dict[str, Any],
    *,
    main: str,
    padding: PaddingStrategy,
    max_length: int | None,
    multiple_of: int | None,
    side: str,
    pad_id: int | None,
    pad_type_id: int,
    with_attention_mask: bool,
) -> dict[str, Any]:
    """Pad the lists of one row.

    Args:
        row: Lists by key; others than ``main``, ``token_type_ids`` and the masks are left as they are.
        main: Key of the token ids.
        padding: ``LONGEST`` means this row's own length, rounded up.
        max_length: Length in tokens for ``MAX_LENGTH``.
        multiple_of: Round the length up to a multiple of this.
        side: ``"right"`` or ``"left"``: where the padding goes.
        pad_id: Id that fills ``main``.
        pad_type_id: Segment that fills ``token_type_ids``.
        with_attention_mask: Make an attention mask where the row has none.

    Returns:
        A new row.
    """
    ids = row[main]
    length = len(ids) if padding == PaddingStrategy.LONGEST else max_length
    if length is not None and multiple_of is not None:
        length = -(-length // multiple_of) * multiple_of
    out = dict(row)
    if with_attention_mask and "attention_mask" not in out:
        out["attention_mask"] = [1] * len(ids)
    missing = 0 if padding == PaddingStrategy.DO_NOT_PAD or length is None else length - len(ids)
    if missing > 0:
        fills: dict[str, int | None] = {**_MASK_FILL, "token_type_ids": pad_type_id, main: pad_id}
        for key, fill in fills.items():
            if key in out and (with_attention_mask or key != "attention_mask"):
                tail = [fill] * missing
                out[key] = tail + list(out[key]) if side == "left" else list(out[key]) + tail
    return out
