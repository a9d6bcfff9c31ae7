"""Checks of texts and options, with one-line errors."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, TypeVar

from albert_export.errors import BundleError, InputError

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig

Request = TypeVar("Request")
Options = TypeVar("Options")


def check_text(name: str, text: object, *, filled: bool = False) -> None:
    """Check that a text is a string of whole characters.

    Args:
        name: What the caller knows it as.
        text: The text.
        filled: Whether it must have something in it that can be seen.

    Raises:
        InputError: It is not.
    """
    if not isinstance(text, str):
        raise InputError(f"{name} must be a string", received=type(text).__name__)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{name} must be valid Unicode",
            received=f"half of a surrogate pair, U+{ord(text[error.start]):04X}, at character {error.start}",
            fix='text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")',
        ) from None
    if filled and all(character.isspace() or unicodedata.category(character) in ("Cc", "Cf") for character in text):
        raise InputError(f"{name} must not be empty", received=text, fix=f"give a {name} with words in it")


def check_count(name: str, value: object, *, least: int = 1) -> None:
    """Check a whole number.

    Raises:
        InputError: It is none, or less than ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise InputError(f"{name} must be a whole number of at least {least}", received=value)


def check_number(name: str, value: object) -> None:
    """Check a finite number.

    Raises:
        InputError: It is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"{name} must be a finite number", received=value)


def check_flag(name: str, value: object) -> None:
    """Check a boolean.

    Raises:
        InputError: It is none.
    """
    if not isinstance(value, bool):
        raise InputError(f"{name} must be True or False", received=value)


def check_list(name: str, value: object, *, of: str, fix: str, least: int = 0) -> None:
    """Check a list of strings.

    Args:
        name: What the caller knows it as.
        value: The list; any collection will do, but not a string.
        of: What its entries are, for the message.
        fix: What could be given instead.
        least: Fewest entries.

    Raises:
        InputError: It is none, or has fewer entries.
    """
    entries = value if isinstance(value, Collection) and not isinstance(value, str | bytes | Mapping) else None
    if entries is None or len(entries) < least or not all(isinstance(entry, str) for entry in entries):
        raise InputError(f"{name} must be a list of {of}", received=repr(value), fix=fix)


def check_one_of(name: str, value: object, known: Sequence[str]) -> None:
    """Check a name.

    Raises:
        InputError: It is not among ``known``; the message names the nearest.
    """
    if value not in known:
        near = get_close_matches(str(value), known, n=1)
        raise InputError(
            f"{name} must be one of {', '.join(known)}",
            received=value,
            fix=f"did you mean {near[0]}?" if near else None,
        )


def read_request(kind: type[Request], record: Mapping[str, Any]) -> Request:
    """Make a request, a dataclass, from a record such as a line of a JSON file.

    Keys that the request does not know are left alone, so that records may carry other things; a key that is nearly
    one of an absent field is taken for a slip.

    Raises:
        InputError: A key is missing or misspelt, or a value breaks its rule.
    """
    if not isinstance(record, Mapping):
        raise InputError("an input must be an object with named texts", received=type(record).__name__)
    known = {field.name: field.default is MISSING for field in fields(kind)}  # type: ignore[arg-type]  # a dataclass
    absent = [name for name in known if name not in record]
    for name in absent:
        near = get_close_matches(name, [str(key) for key in record if key not in known], n=1, cutoff=0.8)
        if known[name] or near:
            raise InputError(
                f"an input must have the keys {', '.join(name for name, needed in known.items() if needed)}",
                received=", ".join(map(str, record)) or "no keys",
                fix=f"rename {near[0]} to {name}" if near else f"add {name}",
            )
    return kind(**{name: record[name] for name in known if name in record})


def read_options(kind: type[Options], given: Mapping[str, Any]) -> Options:
    """Make options, a dataclass, from keyword arguments.

    Raises:
        InputError: An option is unknown, or its value breaks its rule.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # a dataclass
    for name in given:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            raise InputError(
                f"options must be among {', '.join(known)}" if known else "this head takes no options",
                received=name,
                fix=f"did you mean {near[0]}?" if near else "leave it out",
            )
    return kind(**given)


def own_defaults(config: AlbertConfig, task: str, kind: type[Any], *, excluded: Collection[str] = ()) -> dict[str, Any]:
    """Return the options that a model's configuration sets for a task, in the field that transformers has for that.

    Args:
        config: Its ``task_specific_params`` are task -> names and values; those of other programs are left alone.
        task: The head's name.
        kind: The dataclass of its options.
        excluded: Options that it does not set.

    Raises:
        BundleError: A value breaks its option's rule.
    """
    params = config.extra.get("task_specific_params")
    given = params.get(task) if isinstance(params, Mapping) else None
    known = {field.name for field in fields(kind)}.difference(excluded)
    own = {name: value for name, value in given.items() if name in known} if isinstance(given, Mapping) else {}
    try:
        kind(**own)
    except InputError as error:
        raise BundleError(
            f"task_specific_params.{task} in config.json: {error.rule}",
            received=error.received,
            fix="correct it in the checkpoint's config.json and export again",
        ) from error
    return own
