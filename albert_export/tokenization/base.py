"""What all tokenizers share: the calls that encode and decode, loading and saving."""

from __future__ import annotations

import copy
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack

from albert_export.errors import InputError, TokenizerError
from albert_export.tokenization import files
from albert_export.tokenization.batch_encoding import BatchEncoding
from albert_export.tokenization.options import NO_LIMIT, EncodeArguments, EncodeOptions, LengthPlan
from albert_export.tokenization.preparing import InputPreparation
from albert_export.tokenization.tensors import to_lists

if TYPE_CHECKING:
    from albert_export.tokenization.added_tokens import AddedToken

#: One text: a string; a list of words (``is_split_into_words``); for the Python tokenizer also of tokens or ids.
Text = str | Sequence[str] | Sequence[int]

#: What decoding with ``clean_up_tokenization_spaces`` replaces, in this order.
_CLEAN_UP = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


class TokenizerBase(InputPreparation, ABC):
    """A tokenizer with the calls of the reference's ``PreTrainedTokenizer``.

    Args:
        **kwargs: ``model_max_length`` (tokens; old files call it ``max_len``), ``padding_side`` and
            ``truncation_side`` (``"right"`` or ``"left"``), ``model_input_names``, ``clean_up_tokenization_spaces``,
            ``split_special_tokens``, ``name_or_path``, special tokens by name, ``additional_special_tokens``. Any
            other key is kept in ``init_kwargs`` and saved again.

    Raises:
        TokenizerError: An argument breaks its rule.
    """

    #: Constructor argument -> file name in a directory.
    vocab_files_names: ClassVar[dict[str, str]] = {}
    #: ``tokenizer_class`` in a saved tokenizer_config.json: the name that transformers loads.
    saved_class: ClassVar[str]
    is_fast: ClassVar[bool]

    def __init__(self, **kwargs: Any) -> None:
        self.init_kwargs = copy.deepcopy(kwargs)
        self.name_or_path = str(kwargs.get("name_or_path", ""))
        limit = kwargs.get("model_max_length", kwargs.get("max_len"))
        self.model_max_length = NO_LIMIT if limit is None else limit
        if not isinstance(self.model_max_length, int | float) or self.model_max_length <= 0:
            raise TokenizerError("model_max_length must be a positive number of tokens", received=limit)
        for side in ("padding_side", "truncation_side"):
            if kwargs.get(side, "right") not in ("right", "left"):
                raise TokenizerError(f"{side} must be 'right' or 'left'", received=kwargs[side])
        self.padding_side = kwargs.get("padding_side", "right")
        self.truncation_side = kwargs.get("truncation_side", "right")
        names = kwargs.get("model_input_names") or ["input_ids", "token_type_ids", "attention_mask"]
        if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
            raise TokenizerError("model_input_names must be a list of names", received=names)
        self.model_input_names = list(names)
        self.clean_up_tokenization_spaces: bool = kwargs.get("clean_up_tokenization_spaces", True)
        self.split_special_tokens: bool = kwargs.get("split_special_tokens", False)
        self._advice_given = set()
        super().__init__(kwargs)

    # ---- the vocabulary ------------------------------------------------------------------------------------------

    @property
    @abstractmethod
    def vocab_size(self) -> int:
        """Number of tokens without the added ones."""

    @property
    @abstractmethod
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """Added and special tokens by id, in the order of their ids."""

    @abstractmethod
    def get_vocab(self) -> dict[str, int]:
        """Every token's id, added ones included."""

    @abstractmethod
    def save_vocabulary(
        self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write the vocabulary file into an existing directory.

        Args:
            save_directory: The directory.
            filename_prefix: Put before the file's name, with a hyphen.

        Returns:
            The path of the file, as a tuple of one.

        Raises:
            TokenizerError: No such directory, or nothing to write.
        """

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """Ids of added and special tokens, in the order of the ids."""
        return {token.content: index for index, token in self.added_tokens_decoder.items()}

    def get_added_vocab(self) -> dict[str, int]:
        """Ids of added and special tokens."""
        return self.added_tokens_encoder

    def __len__(self) -> int:
        return len(self.get_vocab())

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(name_or_path={self.name_or_path!r}, vocab_size={self.vocab_size}, "
            f"model_max_length={self.model_max_length}, padding_side={self.padding_side!r}, "
            f"truncation_side={self.truncation_side!r}, special_tokens={self.special_tokens_map})"
        )

    # ---- encoding ------------------------------------------------------------------------------------------------

    def __call__(
        self,
        text: Text | Sequence[Text],
        text_pair: Text | Sequence[Text] | None = None,
        **options: Unpack[EncodeArguments],
    ) -> BatchEncoding:
        """Encode a text, a pair of texts, or a batch of either.

        Args:
            text: A string, or a list of strings for a batch. With ``is_split_into_words``: a list of words, or a list
                of such lists for a batch.
            text_pair: The second text of the pair, or of each.
            **options: See :class:`~albert_export.tokenization.options.EncodeOptions`.

        Returns:
            Lists by name (``input_ids``, ``token_type_ids``, ``attention_mask`` …): of integers for one text, of lists
            for a batch; int64 arrays ``[batch, tokens]`` for ``return_tensors="np"``.

        Raises:
            InputError: Text or options that cannot be encoded.
            UnknownNameError: An unknown strategy or kind of tensor.
        """
        for given in (text, text_pair):
            if given is not None and not _is_text(given):
                raise InputError(
                    "text must be a string, a list of strings, or a list of lists of strings", received=given
                )
        batched = isinstance(text, list | tuple)
        if options.get("is_split_into_words"):
            batched = batched and len(text) > 0 and isinstance(text[0], list | tuple)
        if not batched:
            return self.encode_plus(text, text_pair, **options)  # type: ignore[arg-type]  # one text, by the above
        if text_pair is None:
            return self.batch_encode_plus(list(text), **options)
        if isinstance(text_pair, str) or len(text) != len(text_pair):
            raise InputError(
                "a batch of texts needs as many second texts, in a list",
                received=f"{len(text)} and {'a string' if isinstance(text_pair, str) else len(text_pair)}",
            )
        return self.batch_encode_plus(list(zip(text, text_pair, strict=True)), **options)

    def encode(self, text: Text, text_pair: Text | None = None, **options: Unpack[EncodeArguments]) -> Any:
        """The ``input_ids`` of :meth:`encode_plus`."""
        return self.encode_plus(text, text_pair, **options)["input_ids"]

    def encode_plus(
        self, text: Text, text_pair: Text | None = None, **options: Unpack[EncodeArguments]
    ) -> BatchEncoding:
        """Encode one text or pair; arguments, result and errors as for calling the tokenizer."""
        settled = EncodeOptions(**options)
        return self._encode_one(text, text_pair, settled, self._plan(settled))

    def batch_encode_plus(
        self, batch_text_or_text_pairs: Sequence[Any], **options: Unpack[EncodeArguments]
    ) -> BatchEncoding:
        """Encode a list of texts, or of pairs as tuples; result and errors as for calling the tokenizer."""
        settled = EncodeOptions(**options)
        if not isinstance(batch_text_or_text_pairs, list | tuple) or not batch_text_or_text_pairs:
            raise InputError("a batch must be a list of at least one text", received=batch_text_or_text_pairs)
        return self._encode_batch(batch_text_or_text_pairs, settled, self._plan(settled))

    @abstractmethod
    def _encode_one(
        self, text: Text, text_pair: Text | None, options: EncodeOptions, plan: LengthPlan
    ) -> BatchEncoding:
        """One text or pair."""

    @abstractmethod
    def _encode_batch(self, batch: Sequence[Any], options: EncodeOptions, plan: LengthPlan) -> BatchEncoding:
        """At least one text or pair."""

    @abstractmethod
    def tokenize(
        self, text: Text, pair: Text | None = None, add_special_tokens: bool = False, **options: Any
    ) -> list[str]:
        """The tokens of a text, or of a pair one after the other, as text."""

    # ---- decoding ------------------------------------------------------------------------------------------------

    @abstractmethod
    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Join tokens to text."""

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **kwargs: Any,
    ) -> str:
        """Ids back to text.

        Args:
            token_ids: One id, or a list or array of them.
            skip_special_tokens: Leave out ``[CLS]``, ``[SEP]``, ``<pad>`` …
            clean_up_tokenization_spaces: Take out spaces before punctuation; None: the tokenizer's own setting.
            **kwargs: Slow only: ``spaces_between_special_tokens``.

        Returns:
            The text, normalised as the tokenizer normalises.

        Raises:
            InputError: An id that is negative, or one outside the vocabulary (slow; fast leaves it out, as
                transformers 4.37.2 does).
        """
        ids = to_lists(token_ids)
        ids = [ids] if isinstance(ids, int) else ids
        for index in ids:
            if not isinstance(index, int) or index < 0:
                raise InputError("a token id must be a whole number of at least 0", received=index)
        text = self._decode(ids, skip_special_tokens=skip_special_tokens, **kwargs)
        clean_up = clean_up_tokenization_spaces
        if self.clean_up_tokenization_spaces if clean_up is None else clean_up:
            return self.clean_up_tokenization(text)
        return text

    @abstractmethod
    def _decode(self, ids: list[int], *, skip_special_tokens: bool) -> str:
        """Ids to text, before cleaning up spaces."""

    def batch_decode(self, sequences: Any, **kwargs: Any) -> list[str]:
        """:meth:`decode` for each row of a list or array."""
        return [self.decode(row, **kwargs) for row in to_lists(sequences)]

    @staticmethod
    def clean_up_tokenization(out_string: str) -> str:
        """Take out the spaces before English punctuation and contractions."""
        for spaced, tight in _CLEAN_UP:
            out_string = out_string.replace(spaced, tight)
        return out_string

    # ---- files ---------------------------------------------------------------------------------------------------

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike[str],
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        revision: str | None = None,
        **kwargs: Any,
    ) -> Self:
        """Load a tokenizer from a directory, a vocabulary file, a built-in model's name or a hub id.

        Args:
            pretrained_model_name_or_path: Where it is.
            cache_dir: Hub downloads go here instead of huggingface_hub's cache.
            local_files_only: Use the cache alone.
            token: For private repositories.
            revision: Branch, tag or commit of the hub repository.
            **kwargs: Constructor arguments; they win over those in the files.

        Raises:
            TokenizerError: No vocabulary there, or a file that cannot be read.
            CheckpointError: No such directory, model or repository.
        """
        found = files.find(
            pretrained_model_name_or_path,
            cls.vocab_files_names,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            token=token,
            revision=revision,
        )
        name = str(pretrained_model_name_or_path)
        arguments = files.read_arguments(found, name=name, overrides=kwargs, saved_class=cls.saved_class)
        return cls(**{"name_or_path": name, **arguments})

    def save_pretrained(
        self,
        save_directory: str | os.PathLike[str],
        legacy_format: bool | None = None,
        filename_prefix: str | None = None,
    ) -> tuple[str, ...]:
        """Write files that this class, and transformers 4.37.2's class of the same kind, load again.

        Args:
            save_directory: Made if it is not there.
            legacy_format: Fast only. None: ``tokenizer.json`` and the vocabulary file; True: the latter alone;
                False: the former alone.
            filename_prefix: Put before each file's name, with a hyphen.

        Returns:
            The paths written.

        Raises:
            TokenizerError: The directory cannot be written.
        """
        directory = Path(save_directory)
        try:
            directory.mkdir(parents=True, exist_ok=True)
            written = files.write_settings(self, directory, filename_prefix)
            return written + self._save_vocabulary_files(directory, legacy_format, filename_prefix)
        except OSError as error:
            raise TokenizerError(
                "the tokenizer's directory must be writable", received=f"{save_directory}: {error.strerror or error}"
            ) from error

    @abstractmethod
    def _save_vocabulary_files(
        self, directory: Path, legacy_format: bool | None, filename_prefix: str | None
    ) -> tuple[str, ...]:
        """Write the vocabulary in the forms that :meth:`save_pretrained` promises."""


def _is_text(value: Any) -> bool:
    """A string, a list of strings, or a list of lists of strings: told by the first item, as the reference does."""
    if isinstance(value, str):
        return True
    if not isinstance(value, list | tuple):
        return False
    first = value[0] if value else ""
    if isinstance(first, list | tuple):
        first = first[0] if first else ""
    return isinstance(first, str)
