"""From token ids to model inputs: the format of sequences, truncation, padding."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Unpack

from albert_export.errors import InputError, TokenizerError
from albert_export.tokenization import lengths
from albert_export.tokenization.batch_encoding import BatchEncoding
from albert_export.tokenization.options import (
    EncodeArguments,
    EncodeOptions,
    LengthPlan,
    PaddingStrategy,
    TruncationStrategy,
    plan_lengths,
)
from albert_export.tokenization.special_tokens import SpecialTokens
from albert_export.tokenization.tensors import is_tensor, tensor_kind, to_lists

logger = logging.getLogger(__name__)


class InputPreparation(SpecialTokens):
    """The part of a tokenizer that builds model inputs: ``[CLS] A [SEP]`` and ``[CLS] A [SEP] B [SEP]``."""

    model_max_length: int
    padding_side: str
    truncation_side: str
    model_input_names: list[str]
    _advice_given: set[str]

    # ---- the format of sequences ---------------------------------------------------------------------------------

    def build_inputs_with_special_tokens(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """``[CLS] A [SEP]``, or for a pair ``[CLS] A [SEP] B [SEP]``.

        Args:
            token_ids_0: Ids of the first text.
            token_ids_1: Ids of the second text.

        Returns:
            Ids with the special tokens.

        Raises:
            TokenizerError: The tokenizer has no ``cls_token`` or no ``sep_token``.
        """
        cls_id, sep_id = self.cls_token_id, self.sep_token_id
        if cls_id is None or sep_id is None:
            raise TokenizerError(
                "a sequence needs a cls_token and a sep_token", fix="set both, or pass add_special_tokens=False"
            )
        return [cls_id, *token_ids_0, sep_id] + ([] if token_ids_1 is None else [*token_ids_1, sep_id])

    def create_token_type_ids_from_sequences(
        self, token_ids_0: Sequence[int], token_ids_1: Sequence[int] | None = None
    ) -> list[int]:
        """The segment of each token of :meth:`build_inputs_with_special_tokens`.

        Args:
            token_ids_0: Ids of the first text.
            token_ids_1: Ids of the second text.

        Returns:
            0 for ``[CLS] A [SEP]``, 1 for ``B [SEP]``.
        """
        return [0] * (len(token_ids_0) + 2) + ([] if token_ids_1 is None else [1] * (len(token_ids_1) + 1))

    def get_special_tokens_mask(
        self,
        token_ids_0: Sequence[int],
        token_ids_1: Sequence[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """Which tokens of the built sequence are special.

        Args:
            token_ids_0: Ids of the first text, or of a whole sequence.
            token_ids_1: Ids of the second text.
            already_has_special_tokens: ``token_ids_0`` is a whole sequence.

        Returns:
            1 for a special token, 0 for one of the text.

        Raises:
            InputError: A second text beside a whole sequence.
        """
        if already_has_special_tokens:
            if token_ids_1 is not None:
                raise InputError("a whole sequence has both texts in it", fix="pass token_ids_0 alone")
            special = set(self.all_special_ids)
            return [int(index in special) for index in token_ids_0]
        return [1] + [0] * len(token_ids_0) + [1] + ([] if token_ids_1 is None else [0] * len(token_ids_1) + [1])

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """How many special tokens surround a text, or a pair."""
        return len(self.build_inputs_with_special_tokens([], [] if pair else None))

    @property
    def max_len_single_sentence(self) -> int:
        """Tokens that a text may have."""
        return self.model_max_length - self.num_special_tokens_to_add()

    @property
    def max_len_sentences_pair(self) -> int:
        """Tokens that the two texts of a pair may have together."""
        return self.model_max_length - self.num_special_tokens_to_add(pair=True)

    # ---- truncation and padding ----------------------------------------------------------------------------------

    def prepare_for_model(
        self,
        ids: Sequence[int],
        pair_ids: Sequence[int] | None = None,
        *,
        prepend_batch_axis: bool = False,
        **options: Unpack[EncodeArguments],
    ) -> BatchEncoding:
        """Build one model input from token ids: truncate, add special tokens, pad.

        Args:
            ids: Ids of the first text.
            pair_ids: Ids of the second text.
            prepend_batch_axis: Give tensors a leading axis of one.
            **options: See :class:`~albert_export.tokenization.options.EncodeOptions`.

        Returns:
            Lists, or tensors, by name.

        Raises:
            InputError: Options that exclude each other.
        """
        settled = EncodeOptions(**options)
        plan = self._plan(settled)
        row = self._padded_row(list(ids), None if pair_ids is None else list(pair_ids), settled, plan)
        return BatchEncoding(row, tensor_type=settled.return_tensors, prepend_batch_axis=prepend_batch_axis)

    def _padded_row(
        self, ids: list[int], pair_ids: list[int] | None, options: EncodeOptions, plan: LengthPlan
    ) -> dict[str, Any]:
        """One row, complete: what :meth:`prepare_for_model` returns as lists."""
        row = self._prepare(ids, pair_ids, options, plan)
        # A row without any token stays empty, in transformers 4.37.2 too.
        padding = plan.padding if row["input_ids"] else PaddingStrategy.DO_NOT_PAD
        row = self._pad_row(row, padding, plan.max_length, options)
        if options.return_length:
            row["length"] = len(row["input_ids"])
        return row

    def _prepare(
        self, ids: list[int], pair_ids: list[int] | None, options: EncodeOptions, plan: LengthPlan
    ) -> dict[str, Any]:
        """One row, truncated and with special tokens, not padded and without an attention mask."""
        if options.return_token_type_ids and not options.add_special_tokens:
            raise InputError("token_type_ids are defined for sequences with special tokens only")
        overflow_lost = plan.truncation == TruncationStrategy.LONGEST_FIRST and pair_ids is not None
        if options.return_overflowing_tokens and overflow_lost:
            raise InputError(
                "the overflow of a pair is not known when both texts are cut",
                received="longest_first",
                fix='pass truncation="only_first" or "only_second"',
            )
        row: dict[str, Any] = {}
        total = len(ids) + len(pair_ids or ())
        total += self.num_special_tokens_to_add(pair=pair_ids is not None) if options.add_special_tokens else 0
        excess = 0 if plan.max_length is None else total - plan.max_length
        ids, pair_ids, overflow, complaint = lengths.truncate(
            ids, pair_ids, remove=excess, strategy=plan.truncation, stride=options.stride, side=self.truncation_side
        )
        if complaint is not None:
            logger.error(complaint)
        if options.return_overflowing_tokens:
            row["overflowing_tokens"] = overflow
            row["num_truncated_tokens"] = excess
        if options.add_special_tokens:
            row["input_ids"] = self.build_inputs_with_special_tokens(ids, pair_ids)
            types = self.create_token_type_ids_from_sequences(ids, pair_ids)
            special = self.get_special_tokens_mask(ids, pair_ids)
        else:
            row["input_ids"] = ids + (pair_ids or [])
            types = special = [0] * len(row["input_ids"])
        if self._wanted("token_type_ids", options.return_token_type_ids):
            row["token_type_ids"] = types
        if options.return_special_tokens_mask:
            row["special_tokens_mask"] = special
        self._advise_length([row["input_ids"]], options)
        return row

    def truncate_sequences(
        self,
        ids: Sequence[int],
        pair_ids: Sequence[int] | None = None,
        num_tokens_to_remove: int = 0,
        truncation_strategy: str = "longest_first",
        stride: int = 0,
    ) -> tuple[list[int], list[int] | None, list[int]]:
        """Take tokens from one or both texts.

        Args:
            ids: Ids of the first text.
            pair_ids: Ids of the second text.
            num_tokens_to_remove: How many tokens are too many.
            truncation_strategy: ``"longest_first"``, ``"only_first"``, ``"only_second"`` or ``"do_not_truncate"``.
            stride: Kept tokens that are repeated in the overflow.

        Returns:
            Both texts' ids and the overflow, which is empty where both texts were cut.
        """
        first, second, overflow, complaint = lengths.truncate(
            list(ids),
            None if pair_ids is None else list(pair_ids),
            remove=num_tokens_to_remove,
            strategy=TruncationStrategy(truncation_strategy),
            stride=stride,
            side=self.truncation_side,
        )
        if complaint is not None:
            logger.error(complaint)
        return first, second, overflow

    def pad(
        self,
        encoded_inputs: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        padding: bool | str = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Pad one encoding, or a batch of them to one length.

        Args:
            encoded_inputs: One encoding, or a list of them, or lists of rows by name. Arrays are taken too, and give
                arrays back.
            padding: As in :class:`~albert_export.tokenization.options.EncodeOptions`.
            max_length: Length in tokens for ``"max_length"``.
            pad_to_multiple_of: Round the length up to a multiple of this.
            return_attention_mask: None: as ``model_input_names`` says.
            return_tensors: Kind of arrays to return.
            verbose: Log warnings.

        Returns:
            ``input_ids``, ``token_type_ids`` and masks padded; other keys as they came.

        Raises:
            InputError: No ``input_ids``, or rows of another number than those.
        """
        if isinstance(encoded_inputs, Mapping):
            data = dict(encoded_inputs)
        else:
            data = {key: [row[key] for row in encoded_inputs] for key in (encoded_inputs[0] if encoded_inputs else ())}
        main = self.model_input_names[0]
        if main not in data:
            raise InputError(f"an encoding to pad must have `{main}`", received=", ".join(data) or "nothing")
        first = data[main][0] if len(data[main]) else None
        array = data[main] if is_tensor(data[main]) else first
        if return_tensors is None and is_tensor(array):
            return_tensors = tensor_kind(array)
        data = to_lists(data)
        options = EncodeOptions(return_attention_mask=return_attention_mask, pad_to_multiple_of=pad_to_multiple_of)
        plan = self._plan_lengths(padding, False, max_length, None, verbose)
        rows = data[main]
        if not rows:
            return BatchEncoding(data | ({"attention_mask": []} if return_attention_mask else {}))
        if not isinstance(rows[0], list):
            return BatchEncoding(
                self._pad_row(data, plan.padding, plan.max_length, options), tensor_type=return_tensors
            )
        if any(len(values) != len(rows) for values in data.values()):
            raise InputError(
                f"every key of a batch must have as many rows as `{main}`",
                received=", ".join(f"{key}: {len(values)}" for key, values in data.items()),
            )
        strategy, length = plan.padding, plan.max_length
        if strategy == PaddingStrategy.LONGEST:
            strategy, length = PaddingStrategy.MAX_LENGTH, max(map(len, rows))
        padded = [
            self._pad_row({key: values[i] for key, values in data.items()}, strategy, length, options)
            for i in range(len(rows))
        ]
        return BatchEncoding({key: [row[key] for row in padded] for key in padded[0]}, tensor_type=return_tensors)

    def _pad_row(
        self, row: dict[str, Any], padding: PaddingStrategy, max_length: int | None, options: EncodeOptions
    ) -> dict[str, Any]:
        return lengths.pad(
            row,
            main=self.model_input_names[0],
            padding=padding,
            max_length=max_length,
            multiple_of=options.pad_to_multiple_of,
            side=self.padding_side,
            pad_id=self.pad_token_id,
            pad_type_id=self.pad_token_type_id,
            with_attention_mask=self._wanted("attention_mask", options.return_attention_mask),
        )

    # ---- what a call asks for ------------------------------------------------------------------------------------

    def _wanted(self, name: str, asked: bool | None) -> bool:
        return name in self.model_input_names if asked is None else asked

    def _plan(self, options: EncodeOptions) -> LengthPlan:
        return self._plan_lengths(
            options.padding, options.truncation, options.max_length, options.pad_to_multiple_of, options.verbose
        )

    def _plan_lengths(
        self,
        padding: bool | str,
        truncation: bool | str | None,
        max_length: int | None,
        pad_to_multiple_of: int | None,
        verbose: bool,
    ) -> LengthPlan:
        plan = plan_lengths(
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            pad_to_multiple_of=pad_to_multiple_of,
            model_max_length=self.model_max_length,
        )
        if plan.padding != PaddingStrategy.DO_NOT_PAD and self.pad_token_id is None:
            raise InputError("padding needs a pad_token", fix='tokenizer.add_special_tokens({"pad_token": "<pad>"})')
        self._advise(plan.advice, verbose)
        return plan

    def _advise(self, advice: str | None, verbose: bool) -> None:
        """Log a piece of advice, once in this tokenizer's life."""
        if advice is not None and verbose and advice not in self._advice_given:
            self._advice_given.add(advice)
            logger.warning(advice)

    def _advise_length(self, rows: Sequence[Sequence[int]], options: EncodeOptions) -> None:
        if options.max_length is None and any(len(row) > self.model_max_length for row in rows):
            self._advise(
                f"a sequence is longer than the model's maximum of {self.model_max_length} tokens, so the model cannot "
                "take it; pass truncation=True",
                options.verbose,
            )
