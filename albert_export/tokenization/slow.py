"""The tokenizer whose work around the vocabulary's algorithm is done in Python."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from albert_export.errors import InputError, TokenizerError
from albert_export.tokenization import files
from albert_export.tokenization.added_tokens import AddedToken, AddedVocabulary, as_token
from albert_export.tokenization.base import Text, TokenizerBase
from albert_export.tokenization.batch_encoding import BatchEncoding
from albert_export.tokenization.options import EncodeOptions, LengthPlan, PaddingStrategy

if TYPE_CHECKING:
    from albert_export.tokenization.added_tokens import TokenLike


class SlowTokenizer(TokenizerBase):
    """A tokenizer that cuts added tokens out of the text itself, and leaves the rest to a vocabulary's algorithm.

    Args:
        pieces: Tokens of the vocabulary in the order of their ids.
        added_tokens_decoder: Added tokens by id, as saved files have them.
        **kwargs: See :class:`TokenizerBase`.
    """

    is_fast: ClassVar[bool] = False

    def __init__(
        self,
        *,
        pieces: Sequence[str],
        added_tokens_decoder: Mapping[int, TokenLike] | None = None,
        **kwargs: Any,
    ) -> None:
        self._pieces = tuple(pieces)
        self._added = AddedVocabulary()
        for index, value in (added_tokens_decoder or {}).items():
            token = as_token(value)
            self._added.put(int(index), token if isinstance(token, AddedToken) else AddedToken(token))
        super().__init__(**kwargs)
        self._add_tokens(
            [t for t in self.all_special_tokens_extended if isinstance(t, AddedToken) or t not in self._added.ids],
            special=True,
        )

    # ---- the vocabulary ------------------------------------------------------------------------------------------

    @abstractmethod
    def _tokenize(self, text: str) -> list[str]:
        """Cut text without added tokens into pieces."""

    @abstractmethod
    def _piece_to_id(self, piece: str) -> int:
        """The id of a piece, or of the unknown one."""

    @property
    def vocab_size(self) -> int:
        """Number of tokens without the added ones."""
        return len(self._pieces)

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Added and special tokens by id, in the order of their ids."""
        return dict(sorted(self._added.by_id.items()))

    def get_vocab(self) -> dict[str, int]:
        """Every token's id, added ones included."""
        by_id = self._added.by_id
        vocab = {by_id[i].content if i in by_id else piece: i for i, piece in enumerate(self._pieces)}
        return vocab | self.added_tokens_encoder

    def _as_special(self, token: str | AddedToken) -> str | AddedToken:
        return token if isinstance(token, str) else token.as_special()

    def _add_tokens(self, tokens: Sequence[TokenLike], *, special: bool) -> int:
        known = self.get_vocab()
        first_new = len(known)
        lacked = 0
        for value in tokens:
            given = as_token(value)
            if not str(given) or (isinstance(given, str) and given in self._added.ids):
                continue
            if isinstance(given, str):
                token = AddedToken(given, special=special or given in self.all_special_tokens)
            else:
                token = given.as_special() if special else given
            if not token.special and token.is_normalized and getattr(self, "do_lower_case", False):
                # It is looked for in lowercased text.
                token = replace(token, content=token.content.lower())
            if token.content not in known:
                known[token.content] = first_new + lacked
                lacked += 1
            if token.special and token.content not in self.all_special_tokens:
                self._additional.append(token)
            self._added.put(known[token.content], token)
        return lacked

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The id of a token, or of each; that of ``unk_token`` for tokens outside the vocabulary."""
        if tokens is None:
            return None
        if isinstance(tokens, str):
            index = self._added.ids.get(tokens)
            return self._piece_to_id(tokens) if index is None else index
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """The token of an id, or of each.

        Args:
            ids: One id, or a list or array of them.
            skip_special_tokens: Leave special tokens out of a list.

        Raises:
            InputError: An id outside the vocabulary.
        """
        if isinstance(ids, int):
            return self._token(ids)
        skipped = set(self.all_special_ids) if skip_special_tokens else ()
        return [self._token(index) for index in map(int, ids) if index not in skipped]

    def _token(self, index: int) -> str:
        if index in self._added.by_id:
            return self._added.by_id[index].content
        if not 0 <= index < len(self._pieces):
            raise InputError(
                f"a token id must lie in the vocabulary of {len(self._pieces)}", received=index, fix="check the ids"
            )
        return self._pieces[index]

    # ---- encoding ------------------------------------------------------------------------------------------------

    def tokenize(
        self,
        text: Text,
        pair: Text | None = None,
        add_special_tokens: bool = False,
        *,
        split_special_tokens: bool | None = None,
        **options: Any,
    ) -> list[str]:
        """The tokens of a text, or of a pair one after the other, as text.

        Args:
            text: A string.
            pair: The second string.
            add_special_tokens: With ``[CLS]`` and ``[SEP]``.
            split_special_tokens: Treat special tokens in the text as plain text. None: the tokenizer's own setting.
            **options: None: a slow tokenizer truncates ids, not tokens.

        Raises:
            InputError: Not a string, or one that is no valid Unicode.
        """
        if options:
            raise InputError("tokenize() of a slow tokenizer takes no such option", received=", ".join(options))
        split = self.split_special_tokens if split_special_tokens is None else split_special_tokens
        tokens = self._tokens(text, split)
        pair_tokens = None if pair is None else self._tokens(pair, split)
        if not add_special_tokens:
            return tokens + (pair_tokens or [])
        sep = [str(self.sep_token)]
        return [str(self.cls_token), *tokens, *sep] + ([] if pair_tokens is None else pair_tokens + sep)

    def _tokens(self, text: Any, split_special_tokens: bool) -> list[str]:
        if not isinstance(text, str):
            raise InputError("text must be a string", received=text)
        check_unicode(text)
        if getattr(self, "do_lower_case", False):
            text = self._added.lower_outside(text, self.all_special_tokens)
        if split_special_tokens:
            return self._tokenize(text) if text else []
        tokens: list[str] = []
        for part in self._added.split(text):
            tokens.extend([part] if part in self._added.ids else self._tokenize(part))
        return tokens

    def _ids(self, text: Any, options: EncodeOptions) -> list[int]:
        """Ids of a string, of a list of words or tokens, or a list of ids as it is."""
        split = self.split_special_tokens if options.split_special_tokens is None else options.split_special_tokens
        if isinstance(text, str):
            return list(self.convert_tokens_to_ids(self._tokens(text, split)))
        if isinstance(text, list | tuple):
            if all(isinstance(item, str) for item in text):
                tokens = (
                    [t for word in text for t in self._tokens(word, split)] if options.is_split_into_words else text
                )
                return list(self.convert_tokens_to_ids(tokens))
            if all(isinstance(item, int) for item in text):
                return list(text)
        raise InputError("text must be a string, a list of words or tokens, or a list of ids", received=text)

    def _encode_one(
        self, text: Text, text_pair: Text | None, options: EncodeOptions, plan: LengthPlan
    ) -> BatchEncoding:
        self._refuse_offsets(options)
        first = self._ids(text, options)
        second = None if text_pair is None else self._ids(text_pair, options)
        row = self._padded_row(first, second, options, plan)
        return BatchEncoding(row, tensor_type=options.return_tensors, prepend_batch_axis=True)

    def _encode_batch(self, batch: Sequence[Any], options: EncodeOptions, plan: LengthPlan) -> BatchEncoding:
        self._refuse_offsets(options)
        rows = []
        for item in batch:
            text, text_pair = self._split_pair(item, options)
            second = None if text_pair is None else self._ids(text_pair, options)
            row = self._prepare(self._ids(text, options), second, options, plan)
            if options.return_length:
                row["length"] = len(row["input_ids"])
            rows.append(row)
        length = plan.max_length
        if plan.padding == PaddingStrategy.LONGEST:
            length = max(len(row["input_ids"]) for row in rows)
            plan = replace(plan, padding=PaddingStrategy.MAX_LENGTH)
        rows = [self._pad_row(row, plan.padding, length, options) for row in rows]
        return BatchEncoding({key: [row[key] for row in rows] for key in rows[0]}, tensor_type=options.return_tensors)

    def _split_pair(self, item: Any, options: EncodeOptions) -> tuple[Any, Any]:
        if not isinstance(item, list | tuple):
            return item, None
        if options.is_split_into_words and not (item and isinstance(item[0], list | tuple)):
            return item, None
        if len(item) != 2:
            raise InputError("an item of a batch must be a text or a pair of texts", received=item)
        return item[0], item[1]

    def _refuse_offsets(self, options: EncodeOptions) -> None:
        if options.return_offsets_mapping:
            raise InputError("only a fast tokenizer knows offsets", fix="use AlbertTokenizerFast")

    # ---- decoding ------------------------------------------------------------------------------------------------

    def _decode(self, ids: list[int], *, skip_special_tokens: bool, spaces_between_special_tokens: bool = True) -> str:
        tokens = self.convert_ids_to_tokens(ids, skip_special_tokens=skip_special_tokens)
        # Tokens that the vocabulary's own algorithm cannot join: each stands alone.
        alone = (set(self._added.ids) - set(self.all_special_tokens)) | {
            token for token in self.additional_special_tokens if self.convert_tokens_to_ids(token) >= self.vocab_size
        }
        parts: list[str] = []
        run: list[str] = []
        for token in tokens:
            if token not in alone:
                run.append(token)
                continue
            joined = self.convert_tokens_to_string(run)
            parts.extend([joined, token] if joined else [token])
            run = []
        if run:
            parts.append(self.convert_tokens_to_string(run))
        return (" " if spaces_between_special_tokens else "").join(parts)

    def _save_vocabulary_files(
        self, directory: Path, legacy_format: bool | None, filename_prefix: str | None
    ) -> tuple[str, ...]:
        if legacy_format is False:
            raise TokenizerError("only a fast tokenizer writes tokenizer.json", fix="use AlbertTokenizerFast")
        return files.write_added_tokens(self, directory, filename_prefix) + self.save_vocabulary(
            directory, filename_prefix
        )


def check_unicode(text: str) -> None:
    """Refuse half of a surrogate pair, which no vocabulary and no UTF-8 file can hold.

    Raises:
        InputError: There is one.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            "text must be valid Unicode",
            received=f"the lone surrogate {text[error.start]!a} at character {error.start}",
            fix='text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")',
        ) from error
