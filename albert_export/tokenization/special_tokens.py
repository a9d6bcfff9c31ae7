"""The special tokens of a tokenizer, by name: as text, as ids, and as the maps that are saved."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self, overload

from albert_export.errors import TokenizerError
from albert_export.tokenization.added_tokens import AddedToken, as_token

if TYPE_CHECKING:
    from albert_export.tokenization.added_tokens import TokenLike

#: Special tokens with a name of their own, in the order in which they enter a vocabulary that lacks them.
NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class _TokenText:
    """One named special token, read as text, set as text or :class:`AddedToken`; None where there is none."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: SpecialTokens, owner: type) -> str | None: ...

    def __get__(self, instance: SpecialTokens | None, owner: type) -> Self | str | None:
        if instance is None:
            return self
        token = instance._named[self._name]
        return None if token is None else str(token)

    def __set__(self, instance: SpecialTokens, value: TokenLike | None) -> None:
        instance._named[self._name] = None if value is None else as_token(value)


class _TokenId:
    """The id of one named special token; None where there is none. Setting it names the token that has the id."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name.removesuffix("_id")

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...

    @overload
    def __get__(self, instance: SpecialTokens, owner: type) -> int | None: ...

    def __get__(self, instance: SpecialTokens | None, owner: type) -> Self | int | None:
        if instance is None:
            return self
        token = instance._named[self._name]
        return None if token is None else instance.convert_tokens_to_ids(str(token))

    def __set__(self, instance: SpecialTokens, value: int | None) -> None:
        instance._named[self._name] = None if value is None else instance.convert_ids_to_tokens(value)


class SpecialTokens:
    """The part of a tokenizer that knows which of its tokens are special."""

    bos_token = _TokenText()
    eos_token = _TokenText()
    unk_token = _TokenText()
    sep_token = _TokenText()
    pad_token = _TokenText()
    cls_token = _TokenText()
    mask_token = _TokenText()

    bos_token_id = _TokenId()
    eos_token_id = _TokenId()
    unk_token_id = _TokenId()
    sep_token_id = _TokenId()
    pad_token_id = _TokenId()
    cls_token_id = _TokenId()
    mask_token_id = _TokenId()

    #: Segment that padding belongs to.
    pad_token_type_id = 0

    def __init__(self, tokens: Mapping[str, Any]) -> None:
        """Take the special tokens out of constructor arguments, without adding them to the vocabulary.

        Args:
            tokens: Named tokens and ``additional_special_tokens``; other keys are passed over.
        """
        self._named: dict[str, str | AddedToken | None] = dict.fromkeys(NAMED)
        for name in NAMED:
            if tokens.get(name) is not None:
                self._named[name] = self._as_special(as_token(tokens[name]))
        additional = _token_list(tokens.get("additional_special_tokens") or ())
        self._additional: list[str | AddedToken] = [self._as_special(token) for token in additional]

    def _as_special(self, token: str | AddedToken) -> str | AddedToken:
        """``token``, marked special where it has rules of its own."""
        return token if isinstance(token, str) else replace(token, special=True)

    @overload
    def convert_tokens_to_ids(self, tokens: str) -> int: ...

    @overload
    def convert_tokens_to_ids(self, tokens: list[str]) -> list[int]: ...

    @abstractmethod
    def convert_tokens_to_ids(self, tokens: str | list[str]) -> int | list[int]:
        """The id of a token, or of each; that of ``unk_token`` for tokens outside the vocabulary."""

    @overload
    def convert_ids_to_tokens(self, ids: int, skip_special_tokens: bool = False) -> str: ...

    @overload
    def convert_ids_to_tokens(self, ids: Sequence[int], skip_special_tokens: bool = False) -> list[str]: ...

    @abstractmethod
    def convert_ids_to_tokens(
        self, ids: int | Sequence[int], skip_special_tokens: bool = False
    ) -> str | list[str] | None:
        """The token of an id, or of each."""

    @abstractmethod
    def _add_tokens(self, tokens: Sequence[TokenLike], *, special: bool) -> int:
        """Add tokens to the vocabulary; returns how many it lacked."""

    @property
    def additional_special_tokens(self) -> list[str]:
        """Special tokens without a name of their own."""
        return [str(token) for token in self._additional]

    @additional_special_tokens.setter
    def additional_special_tokens(self, tokens: Iterable[TokenLike] | None) -> None:
        self._additional = _token_list(tokens or ())

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """Their ids."""
        return self.convert_tokens_to_ids(self.additional_special_tokens)

    @additional_special_tokens_ids.setter
    def additional_special_tokens_ids(self, ids: Sequence[int]) -> None:
        self._additional = list(self.convert_ids_to_tokens(ids))

    @property
    def special_tokens_map_extended(self) -> dict[str, Any]:
        """Name to token, those with matching rules as :class:`AddedToken`; names without a token are left out."""
        named: dict[str, Any] = {name: token for name, token in self._named.items() if token}
        return named | ({"additional_special_tokens": list(self._additional)} if self._additional else {})

    @property
    def special_tokens_map(self) -> dict[str, str | list[str]]:
        """Name to text; names without a token are left out."""
        return {
            name: [str(item) for item in token] if isinstance(token, list) else str(token)
            for name, token in self.special_tokens_map_extended.items()
        }

    @property
    def all_special_tokens_extended(self) -> list[str | AddedToken]:
        """Every special token once, those with matching rules as :class:`AddedToken`."""
        seen: dict[str, str | AddedToken] = {}
        for token in (*self._named.values(), *self._additional):
            if token:
                seen.setdefault(str(token), token)
        return list(seen.values())

    @property
    def all_special_tokens(self) -> list[str]:
        """Every special token once."""
        return [str(token) for token in self.all_special_tokens_extended]

    @property
    def all_special_ids(self) -> list[int]:
        """The id of every special token."""
        return self.convert_tokens_to_ids(self.all_special_tokens)

    def add_tokens(self, new_tokens: TokenLike | Sequence[TokenLike], special_tokens: bool = False) -> int:
        """Add tokens that are cut out of the text before the vocabulary's algorithm sees it.

        Those the vocabulary lacks get the next ids: the model's embeddings must then be resized to
        ``len(tokenizer)``.

        Args:
            new_tokens: One token or several.
            special_tokens: Mark them special, as ``[CLS]`` is.

        Returns:
            How many the vocabulary lacked.
        """
        if not new_tokens:
            return 0
        tokens: Any = new_tokens if isinstance(new_tokens, list | tuple) else [new_tokens]
        return self._add_tokens(tokens, special=special_tokens)

    def add_special_tokens(
        self,
        special_tokens_dict: Mapping[str, TokenLike | Sequence[TokenLike]],
        replace_additional_special_tokens: bool = True,
    ) -> int:
        """Name special tokens, and add those that the vocabulary lacks.

        Args:
            special_tokens_dict: ``{"cls_token": "<CLS>", "additional_special_tokens": ["<a>", "<b>"]}``.
            replace_additional_special_tokens: Forget the earlier additional ones; they stay in the vocabulary, but
                are special no longer.

        Returns:
            How many the vocabulary lacked.

        Raises:
            TokenizerError: A key is no name of a special token.
        """
        added: list[str | AddedToken] = []
        for name, value in special_tokens_dict.items():
            if name == "additional_special_tokens":
                tokens = [self._as_special(_plain(token)) for token in _token_list(value)]
                if replace_additional_special_tokens and tokens:
                    self._additional = [*tokens]
                else:
                    known = self.additional_special_tokens
                    tokens = [token for token in tokens if replace_additional_special_tokens or str(token) not in known]
                    self._additional.extend(tokens)
                added += tokens
            elif name in NAMED:
                token = self._as_special(_plain(as_token(value)))  # type: ignore[arg-type]  # it refuses sequences
                self._named[name] = token
                if token not in added:
                    added.append(token)
            else:
                raise TokenizerError(
                    "a special token's name must be one of " + ", ".join((*NAMED, "additional_special_tokens")),
                    received=name,
                )
        return self.add_tokens(added, special_tokens=True)


def _plain(token: str | AddedToken) -> AddedToken:
    """Text alone means: matched as it stands, white space kept."""
    return AddedToken(token, normalized=False, special=True) if isinstance(token, str) else token


def _token_list(tokens: Any) -> list[str | AddedToken]:
    if isinstance(tokens, str) or not isinstance(tokens, Iterable):
        raise TokenizerError("additional_special_tokens must be a list of tokens", received=tokens)
    return [as_token(token) for token in tokens]
