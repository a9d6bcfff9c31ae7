"""AlbertWordPieceTokenizer: for checkpoints with a ``vocab.txt``, as the Chinese ALBERT models have."""

# ruff: noqa: S107 - the defaults are special tokens, not passwords

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from albert_export.errors import TokenizerError
from albert_export.tokenization import backend as backends
from albert_export.tokenization.albert import write_vocabulary
from albert_export.tokenization.fast import FastTokenizer, load_backend
from albert_export.tokenization.files import TOKENIZER_FILE, WORDPIECE_FILE, prefixed

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from albert_export.tokenization.added_tokens import TokenLike

VOCABULARY_FILE = WORDPIECE_FILE


class AlbertWordPieceTokenizer(FastTokenizer):
    """BERT's tokenizer, which the Chinese ALBERT models use: transformers 4.37.2's ``BertTokenizerFast``.

    Args:
        vocab_file: One token a line; a line's number is the token's id.
        tokenizer_file: A ``tokenizer.json``, which comes first; the three flags below override those inside it.
        do_lower_case: Lowercase the text.
        unk_token: Stands for words that cannot be cut into pieces.
        sep_token: Ends each text of a sequence.
        pad_token: Fills rows of a batch.
        cls_token: Begins a sequence.
        mask_token: Masked place.
        tokenize_chinese_chars: Make each Chinese character a word.
        strip_accents: Drop accents; None: as ``do_lower_case`` says.
        tokenizer_object: A ``tokenizers.Tokenizer`` to copy.
        from_slow: Make the backend from ``vocab_file`` even if there is a ``tokenizer_file``.
        **kwargs: See :class:`~albert_export.tokenization.base.TokenizerBase`.

    Raises:
        TokenizerError: Neither file given, or one that cannot be read, or an argument breaks its rule.
    """

    vocab_files_names: ClassVar[dict[str, str]] = {"vocab_file": VOCABULARY_FILE, "tokenizer_file": TOKENIZER_FILE}
    saved_class: ClassVar[str] = "BertTokenizer"

    def __init__(
        self,
        vocab_file: str | os.PathLike[str] | None = None,
        tokenizer_file: str | os.PathLike[str] | None = None,
        do_lower_case: bool = True,
        unk_token: TokenLike = "[UNK]",
        sep_token: TokenLike = "[SEP]",
        pad_token: TokenLike = "[PAD]",
        cls_token: TokenLike = "[CLS]",
        mask_token: TokenLike = "[MASK]",
        tokenize_chinese_chars: bool = True,
        strip_accents: bool | None = None,
        *,
        tokenizer_object: Tokenizer | None = None,
        from_slow: bool = False,
        **kwargs: Any,
    ) -> None:
        self.vocab_file = None if vocab_file is None else str(vocab_file)
        self.do_lower_case = do_lower_case
        self.tokenize_chinese_chars = tokenize_chinese_chars
        self.strip_accents = strip_accents
        backend = load_backend(tokenizer_object, tokenizer_file, from_slow=from_slow)
        made = backend is None
        if backend is None:
            if vocab_file is None:
                raise TokenizerError("AlbertWordPieceTokenizer is made from a vocab_file or a tokenizer_file")
            backend = backends.from_wordpiece(
                read_vocabulary(vocab_file),
                unk_token=str(unk_token),
                do_lower_case=do_lower_case,
                tokenize_chinese_chars=tokenize_chinese_chars,
                strip_accents=strip_accents,
            )
        else:
            self._override_flags(backend)
        super().__init__(
            backend=backend,
            do_lower_case=do_lower_case,
            unk_token=unk_token,
            sep_token=sep_token,
            pad_token=pad_token,
            cls_token=cls_token,
            mask_token=mask_token,
            tokenize_chinese_chars=tokenize_chinese_chars,
            strip_accents=strip_accents,
            **kwargs,
        )
        if made:
            (cls_id, sep_id) = self.build_inputs_with_special_tokens([])
            backends.frame_sequences(backend, cls=(str(cls_token), cls_id), sep=(str(sep_token), sep_id))

    def _override_flags(self, backend: Tokenizer) -> None:
        state = json.loads(backend.to_str())["normalizer"]
        if state is None or state.get("type") != "BertNormalizer":
            return
        flags = {
            "lowercase": self.do_lower_case,
            "strip_accents": self.strip_accents,
            "handle_chinese_chars": self.tokenize_chinese_chars,
        }
        if any(state[name] != flag for name, flag in flags.items()):
            normalizers = backends.tokenizers_module().normalizers
            backend.normalizer = normalizers.BertNormalizer(clean_text=state["clean_text"], **flags)

    def save_vocabulary(
        self, save_directory: str | os.PathLike[str], filename_prefix: str | None = None
    ) -> tuple[str, ...]:
        """Write ``vocab.txt`` into an existing directory.

        Args:
            save_directory: The directory.
            filename_prefix: Put before the file's name, with a hyphen.

        Returns:
            The path of the file, as a tuple of one.

        Raises:
            TokenizerError: No such directory.
        """
        vocabulary = self._tokenizer.get_vocab(with_added_tokens=False)
        lines = "".join(token + "\n" for token in sorted(vocabulary, key=vocabulary.__getitem__))
        return write_vocabulary(lines.encode("utf-8"), save_directory, prefixed(VOCABULARY_FILE, filename_prefix))


def read_vocabulary(path: str | os.PathLike[str]) -> dict[str, int]:
    """Token to id, from a file with one token a line; of a token on two lines the later counts.

    Raises:
        TokenizerError: The file cannot be read, is empty, or is no UTF-8 text.
    """
    try:
        with Path(path).open(encoding="utf-8") as lines:
            vocabulary = {line.rstrip("\n"): index for index, line in enumerate(lines)}
    except OSError as error:
        reason = error.strerror or str(error)
    except UnicodeDecodeError as error:
        reason = str(error)
    else:
        if vocabulary:
            return vocabulary
        reason = "it is empty"
    raise TokenizerError(
        "vocab.txt must be a readable UTF-8 file with one token a line",
        received=f"{path}: {reason}",
        fix="copy vocab.txt from where the checkpoint came from",
    )
