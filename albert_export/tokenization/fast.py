"""The tokenizer that runs on the ``tokenizers`` library and knows the offsets of its tokens."""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from albert_export.errors import InputError, TokenizerError
from albert_export.tokenization import backend as backends
from albert_export.tokenization import files
from albert_export.tokenization.added_tokens import AddedToken, as_token
from albert_export.tokenization.base import Text, TokenizerBase
from albert_export.tokenization.batch_encoding import BatchEncoding
from albert_export.tokenization.options import EncodeOptions, LengthPlan, PaddingStrategy, TruncationStrategy
from albert_export.tokenization.slow import check_unicode
from albert_export.tokenization.windows import check_windows

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

    from albert_export.tokenization.added_tokens import TokenLike


class FastTokenizer(TokenizerBase):
    """A tokenizer around a backend of the ``tokenizers`` library. Safe to call from several threads.

    Args:
        backend: Changed by this tokenizer from now on.
        added_tokens_decoder: Added tokens by id, as saved files have them.
        **kwargs: See :class:`TokenizerBase`. Settings of truncation and padding inside the backend are defaults.
    """

    is_fast: ClassVar[bool] = True

    def __init__(
        self, *, backend: Tokenizer, added_tokens_decoder: Mapping[int, TokenLike] | None = None, **kwargs: Any
    ) -> None:
        self._tokenizer = backend
        self._contents = _contents_lost(backend)
        self._lock = threading.Lock()
        super().__init__(**{**_stored_defaults(backend), **kwargs})
        given = [as_token(token) for _, token in sorted((added_tokens_decoder or {}).items())]
        known = {*self.added_tokens_encoder, *map(str, given)}
        # An AddedToken is added again even if its text is known: it may be matched otherwise than before.
        specials = [t for t in self.all_special_tokens_extended if isinstance(t, AddedToken) or t not in known]
        self._add_in_order([*given, *(token for token in specials if token not in given)])

    def _add_in_order(self, tokens: Sequence[str | AddedToken]) -> None:
        """Add tokens in their order, which gives them their ids; those with one text but other rules replace it."""
        specials = set(self.all_special_tokens)

        def is_special(token: str | AddedToken) -> bool:
            return str(token) in specials or (isinstance(token, AddedToken) and token.special)

        for special, run in itertools.groupby(tokens, key=is_special):
            self._add_tokens(list(run), special=special)

    # ---- copies --------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        state = {key: value for key, value in self.__dict__.items() if key not in ("_lock", "_tokenizer")}
        return state | {"backend": backends.to_json(self._tokenizer)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._tokenizer = backends.from_json(self.__dict__.pop("backend"))
        self._lock = threading.Lock()

    # ---- the vocabulary ------------------------------------------------------------------------------------------

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The ``tokenizers.Tokenizer`` in use."""
        return self._tokenizer

    @property
    def vocab_size(self) -> int:
        """Number of tokens without the added ones."""
        return self._tokenizer.get_vocab_size(with_added_tokens=False)

    def get_vocab(self) -> dict[str, int]:
        """Every token's id, added ones included."""
        return self._tokenizer.get_vocab(with_added_tokens=True)

    @property
    def vocab(self) -> dict[str, int]:
        """Every token's id, added ones included."""
        return self.get_vocab()

    def __len__(self) -> int:
        return self._tokenizer.get_vocab_size(with_added_tokens=True)

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Added and special tokens by id, in the order of their ids."""
        decoder = self._tokenizer.get_added_tokens_decoder()
        return {index: _as_added(token) for index, token in sorted(decoder.items())}

    def _add_tokens(self, tokens: Sequence[TokenLike], *, special: bool) -> int:
        given = [_for_backend(token) for token in tokens]
        with self._lock:
            lacked = self._tokenizer.add_special_tokens(given) if special else self._tokenizer.add_tokens(given)
        self._contents = _contents_lost(self._tokenizer)
        return lacked

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The id of a token, or of each; that of ``unk_token`` for tokens outside the vocabulary."""
        if tokens is None:
            return None
        if isinstance(tokens, str):
            index = self._tokenizer.token_to_id(tokens)
            if index is None and tokens != self.unk_token:
                return self.unk_token_id
            return index
        return [self.convert_tokens_to_ids(token) for token in tokens]

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """The token of an id, or of each; None for ids outside the vocabulary, as transformers 4.37.2 gives.

        Args:
            ids: One id, or a list or array of them.
            skip_special_tokens: Leave special tokens out of a list.

        Raises:
            InputError: A negative id.
        """
        if isinstance(ids, int):
            return self._token(ids)
        skipped = set(self.all_special_ids) if skip_special_tokens else ()
        return [self._token(index) for index in map(int, ids) if index not in skipped]

    def _token(self, index: int) -> str | None:
        if index < 0:
            raise InputError("a token id must be at least 0", received=index)
        return self._contents.get(index) or self._tokenizer.id_to_token(index)

    # ---- encoding ------------------------------------------------------------------------------------------------

    def tokenize(
        self, text: Text, pair: Text | None = None, add_special_tokens: bool = False, **options: Any
    ) -> list[str]:
        """The tokens of a text, or of a pair one after the other, as text.

        Args:
            text: A string.
            pair: The second string.
            add_special_tokens: With ``[CLS]`` and ``[SEP]``.
            **options: See :class:`~albert_export.tokenization.options.EncodeOptions`.
        """
        return self.encode_plus(text, pair, add_special_tokens=add_special_tokens, **options).tokens()

    def _encode_one(
        self, text: Text, text_pair: Text | None, options: EncodeOptions, plan: LengthPlan
    ) -> BatchEncoding:
        # An empty second text counts as none, as in transformers 4.37.2; in a batch it counts.
        encoded = self._encode_batch([(text, text_pair)] if text_pair else [text], options, plan)
        if options.return_tensors is None and not options.return_overflowing_tokens:
            rows = {key: value[0] if isinstance(value[0], list) else value for key, value in encoded.items()}
            return BatchEncoding(rows, encoded.encodings)
        return encoded

    def _encode_batch(self, batch: Sequence[Any], options: EncodeOptions, plan: LengthPlan) -> BatchEncoding:
        if options.split_special_tokens:
            raise InputError("only a slow tokenizer splits special tokens", fix="use AlbertTokenizer")
        encodings = self._run(batch, options, plan)
        rows = [[e, *e.overflowing] if options.return_overflowing_tokens else [e] for e in encodings]
        flat = [encoding for row in rows for encoding in row]
        data: dict[str, Any] = {"input_ids": [e.ids for e in flat]}
        if self._wanted("token_type_ids", options.return_token_type_ids):
            data["token_type_ids"] = [e.type_ids for e in flat]
        if self._wanted("attention_mask", options.return_attention_mask):
            data["attention_mask"] = [e.attention_mask for e in flat]
        if options.return_special_tokens_mask:
            data["special_tokens_mask"] = [e.special_tokens_mask for e in flat]
        if options.return_offsets_mapping:
            data["offset_mapping"] = [e.offsets for e in flat]
        if options.return_length:
            data["length"] = [len(ids) for ids in data["input_ids"]]
        if options.return_overflowing_tokens:
            data["overflow_to_sample_mapping"] = [i for i, row in enumerate(rows) for _ in row]
        self._advise_length(data["input_ids"], options)
        return BatchEncoding(data, flat, tensor_type=options.return_tensors)

    def _run(self, batch: Sequence[Any], options: EncodeOptions, plan: LengthPlan) -> list[Encoding]:
        """Encode with the backend; truncation and padding are its own state, so that one call at a time sets them."""
        with self._lock:
            try:
                if plan.truncation != TruncationStrategy.DO_NOT_TRUNCATE:
                    check_windows(self._tokenizer, batch, options, plan)
                self._set_truncation(options, plan)
                self._set_padding(options, plan)
                return self._tokenizer.encode_batch(
                    list(batch),
                    add_special_tokens=options.add_special_tokens,
                    is_pretokenized=options.is_split_into_words,
                )
            except InputError:
                raise
            except Exception as error:  # noqa: BLE001 - the library raises TypeError and bare Exception
                reason = str(error)
        for text in _strings(batch):
            check_unicode(text)
        raise InputError("text must be something that the tokenizer can encode", received=reason)

    def _set_truncation(self, options: EncodeOptions, plan: LengthPlan) -> None:
        if plan.truncation == TruncationStrategy.DO_NOT_TRUNCATE:
            if self._tokenizer.truncation is not None:
                self._tokenizer.no_truncation()
            return
        wanted: dict[str, Any] = {
            "max_length": plan.max_length,
            "stride": options.stride,
            "strategy": plan.truncation.value,
            "direction": self.truncation_side,
        }
        if self._tokenizer.truncation != wanted:
            self._tokenizer.enable_truncation(**wanted)

    def _set_padding(self, options: EncodeOptions, plan: LengthPlan) -> None:
        if plan.padding == PaddingStrategy.DO_NOT_PAD:
            if self._tokenizer.padding is not None:
                self._tokenizer.no_padding()
            return
        wanted: dict[str, Any] = {
            "length": plan.max_length if plan.padding == PaddingStrategy.MAX_LENGTH else None,
            "direction": self.padding_side,
            "pad_id": self.pad_token_id,
            "pad_token": self.pad_token,
            "pad_type_id": self.pad_token_type_id,
            "pad_to_multiple_of": options.pad_to_multiple_of,
        }
        if self._tokenizer.padding != wanted:
            self._tokenizer.enable_padding(**wanted)

    # ---- decoding ------------------------------------------------------------------------------------------------

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Join tokens to text."""
        decoder = self._tokenizer.decoder
        return " ".join(tokens) if decoder is None else decoder.decode(list(tokens))

    def _decode(self, ids: list[int], *, skip_special_tokens: bool, **_: Any) -> str:
        if self._contents.keys().isdisjoint(ids):
            return self._tokenizer.decode(ids, skip_special_tokens=skip_special_tokens)
        added = self.added_tokens_decoder.items() if skip_special_tokens else ()
        special = {index for index, token in added if token.special}
        tokens = (self._token(index) for index in ids if index not in special)
        return self.convert_tokens_to_string([token for token in tokens if token is not None])

    # ---- files ---------------------------------------------------------------------------------------------------

    @property
    def can_save_slow_tokenizer(self) -> bool:
        """Whether the vocabulary file of the slow tokenizer can be written, beside ``tokenizer.json``."""
        return True

    def _save_vocabulary_files(
        self, directory: Path, legacy_format: bool | None, filename_prefix: str | None
    ) -> tuple[str, ...]:
        written: tuple[str, ...] = ()
        if legacy_format and not self.can_save_slow_tokenizer:
            raise TokenizerError("the legacy format needs the vocabulary file that this tokenizer was made without")
        if legacy_format is not False and self.can_save_slow_tokenizer:
            written += files.write_added_tokens(self, directory, filename_prefix)
            written += self.save_vocabulary(directory, filename_prefix)
        if not legacy_format:
            path = directory / files.prefixed(files.TOKENIZER_FILE, filename_prefix)
            written += (files.write_file(path, backends.to_json(self._tokenizer).encode("utf-8")),)
        return written


def load_backend(tokenizer_object: Tokenizer | None, tokenizer_file: Any, *, from_slow: bool) -> Tokenizer | None:
    """The backend that constructor arguments name, or None where it must be made from a vocabulary file.

    Args:
        tokenizer_object: A ``tokenizers.Tokenizer``; copied.
        tokenizer_file: Path of a ``tokenizer.json``.
        from_slow: Pass over both.

    Raises:
        TokenizerError: The file cannot be read.
    """
    if tokenizer_object is not None:
        return copy.deepcopy(tokenizer_object)
    return backends.read(tokenizer_file) if tokenizer_file is not None and not from_slow else None


def _stored_defaults(backend: Tokenizer) -> dict[str, Any]:
    """Arguments that a tokenizer.json with truncation and padding inside implies."""
    defaults: dict[str, Any] = {}
    if backend.truncation is not None:
        defaults |= {
            "max_length": backend.truncation["max_length"],
            "truncation_side": backend.truncation["direction"],
            "stride": backend.truncation["stride"],
            "truncation_strategy": backend.truncation["strategy"],
        }
    if backend.padding is not None:
        defaults |= {
            "pad_token": backend.padding["pad_token"],
            "pad_token_type_id": backend.padding["pad_type_id"],
            "padding_side": backend.padding["direction"],
            "pad_to_multiple_of": backend.padding["pad_to_multiple_of"],
        }
        defaults.setdefault("max_length", backend.padding["length"])
    return defaults


def _contents_lost(backend: Tokenizer) -> dict[int, str]:
    """Added tokens by id whose text the backend gives back normalised.

    The library does so since its version 0.20; transformers 4.37.2 gave the text that was added.
    """
    contents = {index: token.content for index, token in backend.get_added_tokens_decoder().items()}
    return {index: content for index, content in contents.items() if backend.id_to_token(index) != content}


def _as_added(token: Any) -> AddedToken:
    made = as_token(token)
    return made if isinstance(made, AddedToken) else AddedToken(made)


def _for_backend(token: TokenLike) -> Any:
    """The library's own kind of token; its own kind, and plain text, pass through."""
    if not isinstance(token, AddedToken):
        return token
    flags = {} if token.normalized is None else {"normalized": token.normalized}
    return backends.tokenizers_module().AddedToken(
        token.content,
        single_word=token.single_word,
        lstrip=token.lstrip,
        rstrip=token.rstrip,
        special=token.special,
        **flags,
    )


def _strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [text for item in value for text in _strings(item)] if isinstance(value, list | tuple) else []
