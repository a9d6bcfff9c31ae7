"""What a tokenizer returns: a dictionary of rows that can also map between tokens, words and characters."""

from __future__ import annotations

from collections import UserDict
from collections.abc import ItemsView, KeysView, Mapping, Sequence, ValuesView
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from albert_export.errors import InputError
from albert_export.tokenization.tensors import tensor_maker, to_tensor

if TYPE_CHECKING:
    from tokenizers import Encoding


class CharSpan(NamedTuple):
    """Characters ``start`` to ``end``, the latter excluded, of the original text."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """Tokens ``start`` to ``end``, the latter excluded, of one row."""

    start: int
    end: int


class BatchEncoding(UserDict[str, Any]):
    """The rows a tokenizer made: ``input_ids``, ``attention_mask`` … by key or by attribute.

    With a fast tokenizer, an integer key gives the backend's ``Encoding`` of that row, and the methods below map
    between tokens, words and characters. They take the row first, which may be left out where there is one row only.

    Args:
        data: Rows by name.
        encodings: The backend's own record of each row; None from a slow tokenizer.
        tensor_type: Turn the rows into arrays: ``"np"``, ``"pt"``, ``"tf"`` or ``"jax"``.
        prepend_batch_axis: Add a leading axis of one on the way.

    Raises:
        InputError: Rows of different lengths cannot become an array, or a mapping is asked of a slow tokenizer.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        encodings: Sequence[Encoding] | None = None,
        *,
        tensor_type: str | None = None,
        prepend_batch_axis: bool = False,
    ) -> None:
        super().__init__(data or {})
        self._encodings = None if encodings is None else list(encodings)
        self.convert_to_tensors(tensor_type, prepend_batch_axis=prepend_batch_axis)

    def __getitem__(self, item: Any) -> Any:
        """Rows by name; the backend's ``Encoding`` by row number; from a slow tokenizer, a slice of every value."""
        if isinstance(item, str):
            return self.data[item]
        if self._encodings is not None:
            return self._encodings[item]
        if isinstance(item, slice):
            return {key: value[item] for key, value in self.data.items()}
        raise KeyError(f"a key is a name, or a slice; {item!r} needs a fast tokenizer")

    def __getattr__(self, name: str) -> Any:
        # `data` itself is missing while a copy or an unpickled object is being put together.
        if name != "data" and name in self.data:
            return self.data[name]
        raise AttributeError(name)

    def keys(self) -> KeysView[str]:
        """The names of the rows."""
        return self.data.keys()

    def values(self) -> ValuesView[Any]:
        """The rows."""
        return self.data.values()

    def items(self) -> ItemsView[str, Any]:
        """Names and rows."""
        return self.data.items()

    @property
    def is_fast(self) -> bool:
        """Whether a fast tokenizer made this."""
        return self._encodings is not None

    @property
    def encodings(self) -> list[Encoding] | None:
        """The backend's record of each row; None from a slow tokenizer."""
        return self._encodings

    @property
    def n_sequences(self) -> int | None:
        """1 for single texts, 2 for pairs, None where unknown."""
        return self._encodings[0].n_sequences if self._encodings else None

    def _row(self, method: str, batch_index: int) -> Encoding:
        if not self._encodings:
            raise InputError(f"{method}() needs a fast tokenizer", fix="use AlbertTokenizerFast")
        try:
            return self._encodings[batch_index]
        except IndexError:
            raise InputError(
                f"the row must be one of the {len(self._encodings)} of the batch", received=batch_index
            ) from None

    def _at(self, method: str, batch_or_index: int, index: int | None) -> tuple[Encoding, int]:
        return (self._row(method, 0), batch_or_index) if index is None else (self._row(method, batch_or_index), index)

    def tokens(self, batch_index: int = 0) -> list[str]:
        """The tokens of a row as text."""
        return list(self._row("tokens", batch_index).tokens)

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """For each token 0 or 1, the text of the pair it comes from; None for special tokens and padding."""
        return list(self._row("sequence_ids", batch_index).sequence_ids)

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """For each token the number of its word in the text; None for special tokens and padding."""
        return list(self._row("word_ids", batch_index).word_ids)

    def token_to_sequence(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """Which text of the pair a token comes from: 0 or 1."""
        row, token = self._at("token_to_sequence", batch_or_token_index, token_index)
        return row.token_to_sequence(token + len(row) if token < 0 else token)

    def token_to_word(self, batch_or_token_index: int, token_index: int | None = None) -> int | None:
        """The number of the word a token belongs to; None for special tokens."""
        row, token = self._at("token_to_word", batch_or_token_index, token_index)
        return row.token_to_word(token + len(row) if token < 0 else token)

    def word_to_tokens(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> TokenSpan | None:
        """The tokens of a word; None where it has none."""
        row, word = self._at("word_to_tokens", batch_or_word_index, word_index)
        span = row.word_to_tokens(word, sequence_index)
        return None if span is None else TokenSpan(*span)

    def token_to_chars(self, batch_or_token_index: int, token_index: int | None = None) -> CharSpan | None:
        """The characters of the original text that a token covers; None for special tokens."""
        row, token = self._at("token_to_chars", batch_or_token_index, token_index)
        span = row.token_to_chars(token)
        return None if span is None else CharSpan(*span)

    def char_to_token(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The token that covers a character; None for white space between tokens."""
        row, char = self._at("char_to_token", batch_or_char_index, char_index)
        return row.char_to_token(char, sequence_index)

    def word_to_chars(
        self, batch_or_word_index: int, word_index: int | None = None, sequence_index: int = 0
    ) -> CharSpan | None:
        """The characters of a word; None where the text has no such word."""
        row, word = self._at("word_to_chars", batch_or_word_index, word_index)
        span = row.word_to_chars(word, sequence_index)
        return None if span is None else CharSpan(*span)

    def char_to_word(
        self, batch_or_char_index: int, char_index: int | None = None, sequence_index: int = 0
    ) -> int | None:
        """The number of the word that a character belongs to; None for white space."""
        row, char = self._at("char_to_word", batch_or_char_index, char_index)
        return row.char_to_word(char, sequence_index)

    def convert_to_tensors(self, tensor_type: str | None, *, prepend_batch_axis: bool = False) -> Self:
        """Turn every row into an array, in place.

        Args:
            tensor_type: ``"np"``, ``"pt"``, ``"tf"``, ``"jax"``, or None to leave the lists.
            prepend_batch_axis: Add a leading axis of one.

        Raises:
            InputError: Rows of different lengths.
            MissingDependencyError: The framework is not installed.
        """
        if tensor_type is not None:
            make = tensor_maker(tensor_type)
            self.data = {
                key: to_tensor(key, [value] if prepend_batch_axis else value, make) for key, value in self.data.items()
            }
        return self

    def to(self, device: Any) -> Self:
        """Move PyTorch tensors to a device, in place; numpy arrays and lists have none and raise.

        Raises:
            InputError: A value is not a PyTorch tensor.
        """
        for key, value in self.data.items():
            if not hasattr(value, "to"):
                raise InputError(
                    f"only PyTorch tensors move to a device; `{key}` is not one",
                    received=type(value).__name__,
                    fix='pass return_tensors="pt"',
                )
        self.data = {key: value.to(device=device) for key, value in self.data.items()}
        return self
