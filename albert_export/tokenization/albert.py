"""AlbertTokenizer: the SentencePiece tokenizer."""

# ruff: noqa: S107 - the defaults are special tokens, not passwords

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from albert_export._imports import require
from albert_export.errors import TokenizerError
from albert_export.tokenization.added_tokens import AddedToken
from albert_export.tokenization.files import SENTENCEPIECE_FILE, prefixed, write_file
from albert_export.tokenization.sentencepiece_model import SPACE, SentencePieceModel
from albert_export.tokenization.slow import SlowTokenizer

if TYPE_CHECKING:
    from albert_export.tokenization.added_tokens import TokenLike

VOCABULARY_FILE = SENTENCEPIECE_FILE


class AlbertTokenizer(SlowTokenizer):
    """ALBERT's tokenizer on SentencePiece: the ids and text of transformers 4.37.2's class of this name.

    :class:`AlbertTokenizerFast` is faster and knows offsets, but differs from this one on some strings: trailing
    white space, a space before a special token, a few control characters, ties between segmentations.

    Args:
        vocab_file: The SentencePiece model, usually ``spiece.model``.
        do_lower_case: Lowercase the text.
        remove_space: Strip the text and squeeze runs of white space.
        keep_accents: Keep accents; False decomposes the text (NFKD) and drops combining characters.
        bos_token: Kept for completeness; sequences begin with ``cls_token``.
        eos_token: Kept for completeness; sequences end with ``sep_token``.
        unk_token: Stands for what the vocabulary does not know.
        sep_token: Ends each text of a sequence.
        pad_token: Fills rows of a batch.
        cls_token: Begins a sequence.
        mask_token: Masked place; a text swallows the white space on its left.
        sp_model_kwargs: Arguments of ``sentencepiece.SentencePieceProcessor``, e.g. ``enable_sampling``,
            ``nbest_size`` and ``alpha`` for subword regularisation.
        **kwargs: See :class:`~albert_export.tokenization.base.TokenizerBase`.

    Attributes:
        sp_model: The ``SentencePieceProcessor`` in use.

    Raises:
        TokenizerError: The file is missing or is no SentencePiece model, or an argument breaks its rule.
    """

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": VOCABULARY_FILE}
    saved_class: ClassVar[str] = "AlbertTokenizer"

    def __init__(
        self,
        vocab_file: str | os.PathLike[str],
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
        sp_model_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        model = SentencePieceModel.read(vocab_file)
        self.vocab_file = str(vocab_file)
        self.do_lower_case = do_lower_case
        self.remove_space = remove_space
        self.keep_accents = keep_accents
        self.sp_model_kwargs = dict(sp_model_kwargs or {})
        self._serialized = model.serialized
        self.sp_model = self._processor()
        super().__init__(
            pieces=[piece for piece, _ in model.pieces],
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
            sp_model_kwargs=self.sp_model_kwargs,
            **kwargs,
        )

    def _processor(self) -> Any:
        sentencepiece = require("sentencepiece", needed_for="AlbertTokenizer", extra="onnxruntime")
        try:
            return sentencepiece.SentencePieceProcessor(model_proto=self._serialized, **self.sp_model_kwargs)
        except (RuntimeError, TypeError) as error:
            raise TokenizerError(
                "sentencepiece must accept the vocabulary and sp_model_kwargs", received=f"{self.vocab_file}: {error}"
            ) from error

    def __getstate__(self) -> dict[str, Any]:
        # The processor would pickle without its sampling arguments.
        return {key: value for key, value in self.__dict__.items() if key != "sp_model"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state
        self.sp_model = self._processor()

    def preprocess_text(self, inputs: str) -> str:
        """Squeeze white space, make quotation marks one character, drop accents and lowercase, as the flags say."""
        text = " ".join(inputs.split()) if self.remove_space else inputs
        text = text.replace("``", '"').replace("''", '"')
        if not self.keep_accents:
            text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
        return text.lower() if self.do_lower_case else text

    def _tokenize(self, text: str) -> list[str]:
        tokens: list[str] = []
        for piece in self.sp_model.encode(self.preprocess_text(text), out_type=str):
            if len(piece) > 1 and piece[-1] == "," and piece[-2].isdigit():
                tokens += self._split_number(piece[:-1])
                tokens.append(",")
            else:
                tokens.append(piece)
        return tokens

    def _split_number(self, piece: str) -> list[str]:
        """Cut a piece again that a comma stuck to, so that ``9,9`` is ``▁9 , 9`` and not ``▁9, 9``.

        From https://github.com/google-research/albert/blob/master/tokenization.py, ``encode_pieces``.
        """
        again: list[str] = self.sp_model.encode(piece.replace(SPACE, ""), out_type=str)
        if not piece.startswith(SPACE) and again and again[0].startswith(SPACE):
            # SentencePiece began a word where there was none.
            again[0] = again[0][1:]
            return again if again[0] else again[1:]
        return again

    def _piece_to_id(self, piece: str) -> int:
        index: int = self.sp_model.piece_to_id(piece)
        return index

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Join tokens to text; special tokens keep a space before them."""
        specials = set(self.all_special_tokens)
        text = ""
        run: list[str] = []
        after_special = False
        for token in tokens:
            if token in specials:
                text += ("" if after_special else " ") + str(self.sp_model.decode(run)) + token
                run = []
            else:
                run.append(token)
            after_special = token in specials
        text += str(self.sp_model.decode(run))
        return text.strip()

    def save_vocabulary(
        self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write ``spiece.model`` into an existing directory.

        Args:
            save_directory: The directory.
            filename_prefix: Put before the file's name, with a hyphen.

        Returns:
            The path of the file, as a tuple of one.

        Raises:
            TokenizerError: No such directory.
        """
        return write_vocabulary(self._serialized, save_directory, prefixed(VOCABULARY_FILE, filename_prefix))


def mask_like_a_word(mask_token: TokenLike) -> TokenLike:
    """The mask token stands in a text like a word: it takes the space on its left, and is matched as it stands."""
    return AddedToken(mask_token, lstrip=True, normalized=False) if isinstance(mask_token, str) else mask_token


def write_vocabulary(data: bytes, directory: str | os.PathLike[str], name: str) -> tuple[str, ...]:
    """Write a vocabulary file and return its path, as a tuple of one.

    Raises:
        TokenizerError: ``directory`` is not there.
    """
    path = Path(directory) / name
    if not path.parent.is_dir():
        raise TokenizerError("the vocabulary goes into an existing directory", received=str(directory))
    return (write_file(path, data),)
