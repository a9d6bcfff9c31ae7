"""AlbertTokenizerFast: the SentencePiece vocabulary on the ``tokenizers`` library."""

# ruff: noqa: S107 - the defaults are special tokens, not passwords

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from albert_export.errors import TokenizerError
from albert_export.tokenization import backend as backends
from albert_export.tokenization.albert import VOCABULARY_FILE, mask_like_a_word, write_vocabulary
from albert_export.tokenization.fast import FastTokenizer, load_backend
from albert_export.tokenization.files import TOKENIZER_FILE, prefixed
from albert_export.tokenization.sentencepiece_model import SentencePieceModel

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from albert_export.tokenization.added_tokens import TokenLike


class AlbertTokenizerFast(FastTokenizer):
    """ALBERT's fast tokenizer: the ids, offsets and text of transformers 4.37.2's class of this name.

    Args:
        vocab_file: The SentencePiece model, usually ``spiece.model``; also written by :meth:`save_vocabulary`.
        tokenizer_file: A ``tokenizer.json``, which comes first; the flags below are then those inside it.
        do_lower_case: Lowercase the text.
        remove_space: Kept for :class:`AlbertTokenizer`; this tokenizer squeezes spaces but does not strip.
        keep_accents: Keep accents; False decomposes the text (NFKD) and drops accents.
        bos_token: Kept for completeness; sequences begin with ``[CLS]``.
        eos_token: Kept for completeness; sequences end with ``[SEP]``.
        unk_token: Stands for what the vocabulary does not know.
        sep_token: Named by :attr:`sep_token`; the sequences of this tokenizer always end with ``[SEP]``.
        pad_token: Fills rows of a batch.
        cls_token: Named by :attr:`cls_token`; the sequences of this tokenizer always begin with ``[CLS]``.
        mask_token: Masked place; a text swallows the white space on its left.
        tokenizer_object: A ``tokenizers.Tokenizer`` to copy.
        from_slow: Make the backend from ``vocab_file`` even if there is a ``tokenizer_file``.
        **kwargs: See :class:`~albert_export.tokenization.base.TokenizerBase`.

    Raises:
        TokenizerError: Neither file given, or one that cannot be read, or an argument breaks its rule.
    """

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": VOCABULARY_FILE, "tokenizer_file": TOKENIZER_FILE}
    saved_class: ClassVar[str] = "AlbertTokenizer"

    def __init__(
        self,
        vocab_file: str | os.PathLike[str] | None = None,
        tokenizer_file: str | os.PathLike[str] | None = None,
        do_lower_case: bool = True,
        remove_space: bool = True,
        keep_accents: bool = False,
        bos_token: TokenLike = "[CLS]",
        eos_token: TokenLike = "[SEP]",
        unk_token: TokenLike = "<unk>",
        sep_token: TokenLike = "[SEP]",
        pad_token: TokenLike = "<pad>",
        cls_token: TokenLike = "[CLS]",
        mask_token: TokenLike = "[MASK]",
        *,
        tokenizer_object: Tokenizer | None = None,
        from_slow: bool = False,
        **kwargs: Any,
    ) -> None:
        self.vocab_file = None if vocab_file is None else str(vocab_file)
        self.do_lower_case = do_lower_case
        self.remove_space = remove_space
        self.keep_accents = keep_accents
        backend = load_backend(tokenizer_object, tokenizer_file, from_slow=from_slow)
        model = None
        if backend is None:
            if vocab_file is None:
                raise TokenizerError("AlbertTokenizerFast is made from a vocab_file or a tokenizer_file")
            model = SentencePieceModel.read(vocab_file)
            backend = backends.from_sentencepiece(model, do_lower_case=do_lower_case, keep_accents=keep_accents)
        super().__init__(
            backend=backend,
            do_lower_case=do_lower_case,
            remove_space=remove_space,
            keep_accents=keep_accents,
            bos_token=bos_token,
            eos_token=eos_token,
            unk_token=unk_token,
            sep_token=sep_token,
            pad_token=pad_token,
            cls_token=cls_token,
            mask_token=mask_like_a_word(mask_token),
            **kwargs,
        )
        if model is not None:
            # The format's own names, whatever cls_token and sep_token are: so does transformers 4.37.2.
            cls, sep = (backend.token_to_id(name) for name in ("[CLS]", "[SEP]"))
            unk = model.unk_id
            backends.frame_sequences(
                backend, cls=("[CLS]", unk if cls is None else cls), sep=("[SEP]", unk if sep is None else sep)
            )

    @property
    def can_save_slow_tokenizer(self) -> bool:
        """Whether ``spiece.model`` is there to be copied."""
        return self.vocab_file is not None and Path(self.vocab_file).is_file()

    def save_vocabulary(
        self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Copy ``spiece.model`` into an existing directory.

        Args:
            save_directory: The directory.
            filename_prefix: Put before the file's name, with a hyphen.

        Returns:
            The path of the file, as a tuple of one.

        Raises:
            TokenizerError: No such directory, or this tokenizer was made from ``tokenizer.json`` alone.
        """
        if self.vocab_file is None or not self.can_save_slow_tokenizer:
            raise TokenizerError(
                "spiece.model can be written where it was read",
                received=self.vocab_file or "a tokenizer made from tokenizer.json alone",
            )
        data = Path(self.vocab_file).read_bytes()
        return write_vocabulary(data, save_directory, prefixed(VOCABULARY_FILE, filename_prefix))
