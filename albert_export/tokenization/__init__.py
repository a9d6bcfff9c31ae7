"""Text to token ids and back: the tokenizers of ALBERT, with the results of transformers 4.37.2's own.

Importing this loads neither ``tokenizers`` nor ``sentencepiece`` nor any framework.
"""

from albert_export.tokenization.added_tokens import AddedToken
from albert_export.tokenization.albert import AlbertTokenizer
from albert_export.tokenization.albert_fast import AlbertTokenizerFast
from albert_export.tokenization.batch_encoding import BatchEncoding, CharSpan, TokenSpan
from albert_export.tokenization.loading import find_tokenizer, load_tokenizer
from albert_export.tokenization.options import PaddingStrategy, TruncationStrategy
from albert_export.tokenization.wordpiece import AlbertWordPieceTokenizer

__all__ = [
    "AddedToken",
    "AlbertTokenizer",
    "AlbertTokenizerFast",
    "AlbertWordPieceTokenizer",
    "BatchEncoding",
    "CharSpan",
    "PaddingStrategy",
    "TokenSpan",
    "TruncationStrategy",
    "find_tokenizer",
    "load_tokenizer",
]
