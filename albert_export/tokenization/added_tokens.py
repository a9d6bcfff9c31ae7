"""Tokens that stand outside the vocabulary's own algorithm: special tokens and those a user adds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from albert_export.errors import TokenizerError

if TYPE_CHECKING:
    import tokenizers

    #: What a caller may pass as a token: its text, or its text with the rules of how it is matched.
    TokenLike: TypeAlias = "str | AddedToken | tokenizers.AddedToken"


@dataclass(frozen=True)
class AddedToken:
    """A token that is cut out of the text before the vocabulary's algorithm sees it.

    Args:
        content: The text it matches.
        single_word: Match only where it is not part of a longer word.
        lstrip: Swallow the white space on its left.
        rstrip: Swallow the white space on its right.
        normalized: Match it in the normalised text; None means "unless it is special".
        special: Left out by ``decode(skip_special_tokens=True)``.
    """

    content: str
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool | None = None
    special: bool = False

    def __str__(self) -> str:
        return self.content

    @property
    def is_normalized(self) -> bool:
        """Whether it is matched in the normalised text."""
        return not self.special if self.normalized is None else self.normalized

    def as_special(self) -> AddedToken:
        """This token, marked special, matched as before."""
        return replace(self, special=True, normalized=self.is_normalized)

    def to_json(self) -> dict[str, Any]:
        """The six fields as ``tokenizer_config.json`` keeps them."""
        return {
            "content": self.content,
            "lstrip": self.lstrip,
            "normalized": self.is_normalized,
            "rstrip": self.rstrip,
            "single_word": self.single_word,
            "special": self.special,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], *, special: bool | None = None) -> AddedToken:
        """Read the fields that :meth:`to_json` writes, and the older forms with ``__type`` or without ``special``.

        Args:
            fields: The JSON object.
            special: Overrides the field of that name.

        Raises:
            TokenizerError: No ``content``, or a field of the wrong kind.
        """
        flags = {name: fields[name] for name in _FLAGS if name in fields}
        if not isinstance(fields.get("content"), str) or not all(isinstance(flag, bool) for flag in flags.values()):
            raise TokenizerError(
                "an added token has a string `content` and true or false for each of its flags", received=dict(fields)
            )
        if special is not None:
            flags["special"] = special
        return cls(fields["content"], **flags)


_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def as_token(value: TokenLike) -> str | AddedToken:
    """The text or :class:`AddedToken` that ``value`` means; the ``tokenizers`` library's own kind is translated.

    Raises:
        TokenizerError: ``value`` is none of the three.
    """
    if isinstance(value, str | AddedToken):
        return value
    # Recognised by its fields: importing tokenizers here would cost the slow tokenizer a dependency.
    if isinstance(getattr(value, "content", None), str) and hasattr(value, "lstrip"):
        return AddedToken(
            value.content,
            single_word=value.single_word,
            lstrip=value.lstrip,
            rstrip=value.rstrip,
            normalized=value.normalized,
            special=getattr(value, "special", False),
        )
    raise TokenizerError("a token must be a string or an AddedToken", received=value)


class AddedVocabulary:
    """The added tokens of a tokenizer that runs in Python, and the cutting of text along them."""

    def __init__(self) -> None:
        self.by_id: dict[int, AddedToken] = {}
        self.ids: dict[str, int] = {}
        self._cut: re.Pattern[str] | None = None

    def put(self, index: int, token: AddedToken) -> None:
        """Give ``token`` the id ``index``."""
        self.by_id[index] = replace(token, normalized=token.is_normalized)
        self.ids[token.content] = index
        self._cut = None

    def lower_outside(self, text: str, specials: Iterable[str]) -> str:
        """Lowercase ``text`` except where a special token, or an added one matched after normalising, stands.

        Characters are lowercased one at a time, as the reference does: ``Σ`` at the end of a word becomes ``σ``.
        """
        kept = [*specials, *(t.content for t in self.by_id.values() if not t.special and t.is_normalized)]
        kept = [re.escape(content) for content in kept if content]
        parts = re.split(f"({'|'.join(kept)})", text) if kept else [text]
        parts[::2] = ["".join(map(str.lower, part)) if "Σ" in part else part.lower() for part in parts[::2]]
        return "".join(parts)

    def split(self, text: str) -> list[str]:
        """Cut ``text`` along the added tokens, leftmost first and longest where several begin; nothing is dropped but
        the white space that a token's ``lstrip`` or ``rstrip`` swallows."""
        if self._cut is None:
            longest_first = sorted((content for content in self.ids if content), key=len, reverse=True)
            # (?!) matches nowhere: a vocabulary without added tokens.
            self._cut = re.compile(f"({'|'.join(map(re.escape, longest_first)) or '(?!)'})")
        parts = [part for part in self._cut.split(text) if part]
        for i, part in enumerate(parts):
            if part not in self.ids:
                continue
            token = self.by_id[self.ids[part]]
            left = parts[i - 1] if i > 0 else ""
            right = parts[i + 1] if i + 1 < len(parts) else ""
            if token.rstrip and right:
                parts[i + 1] = right.lstrip()
            if token.lstrip and left:
                parts[i - 1] = left.rstrip()
            if token.single_word and left and left[-1] != " ":
                parts[i - 1] += part
                parts[i] = ""
            elif token.single_word and right and right[0] != " ":
                parts[i + 1] = part + parts[i + 1]
                parts[i] = ""
        return [part for part in parts if part]
