"""The files of a tokenizer's directory: which there are, the constructor arguments in them, and writing them."""

from __future__ import annotations

import copy
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from albert_export.errors import TokenizerError
from albert_export.tokenization.added_tokens import AddedToken, as_token
from albert_export.tokenization.special_tokens import NAMED

if TYPE_CHECKING:
    from albert_export.tokenization.base import TokenizerBase

logger = logging.getLogger(__name__)

SETTINGS_FILE = "tokenizer_config.json"
SPECIAL_TOKENS_FILE = "special_tokens_map.json"
ADDED_TOKENS_FILE = "added_tokens.json"
TOKENIZER_FILE = "tokenizer.json"
SENTENCEPIECE_FILE = "spiece.model"
WORDPIECE_FILE = "vocab.txt"

#: The released checkpoints' limit, for those of their repositories that lack a tokenizer_config.json.
RELEASED_MAX_LENGTH = 512
RELEASED = frozenset(
    f"{owner}albert-{size}-{version}"
    for owner in ("", "albert/")
    for size in ("base", "large", "xlarge", "xxlarge")
    for version in ("v1", "v2")
)

#: Keys of tokenizer_config.json that say where its files once lay or how to run code, or that only a caller may set.
_NOT_ARGUMENTS = (
    "tokenizer_class",
    "auto_map",
    "init_inputs",
    "name_or_path",
    "special_tokens_map_file",
    "tokenizer_file",
    "vocab_file",
    "tokenizer_object",
    "backend",
    "pieces",
)


@dataclass(frozen=True)
class TokenizerFiles:
    """What was found of a tokenizer.

    Attributes:
        vocabulary: Constructor argument (``vocab_file``, ``tokenizer_file``) -> path.
        directory: Where the settings lie; None for a lone vocabulary file.
    """

    vocabulary: dict[str, Path]
    directory: Path | None


def find(
    name: str | os.PathLike[str],
    vocabulary_names: Mapping[str, str],
    *,
    cache_dir: str | os.PathLike[str] | None,
    local_files_only: bool,
    token: str | bool | None,
    revision: str | None,
) -> TokenizerFiles:
    """Find a tokenizer's files in a directory, a built-in model or a hub repository; or take a lone vocabulary file.

    Args:
        name: Directory, file, built-in model's name or hub id.
        vocabulary_names: Constructor argument -> file name.
        cache_dir: Where hub downloads go.
        local_files_only: Use the cache alone.
        token: For private repositories.
        revision: Of the hub repository.

    Raises:
        TokenizerError: None of the vocabulary files is there.
        CheckpointError: No such directory, model or repository.
    """
    path = Path(name).expanduser()
    if path.is_file():
        argument = "tokenizer_file" if path.suffix == ".json" else "vocab_file"
        if argument not in vocabulary_names:
            raise TokenizerError("this tokenizer reads a " + _listed(vocabulary_names), received=str(name))
        return TokenizerFiles({argument: path}, None)
    if not path.is_dir():
        # Imported here: opening a local directory must not load the hub's client.
        from albert_export.checkpoints import find_tokenizer_directory

        path = find_tokenizer_directory(
            os.fspath(name), revision=revision, cache_dir=cache_dir, local_files_only=local_files_only, token=token
        )
    places = vocabulary_files(path)
    vocabulary = {key: places[file] for key, file in vocabulary_names.items() if file in places}
    if not vocabulary:
        raise TokenizerError(
            "a tokenizer's directory must hold " + _listed(vocabulary_names),
            received=f"{name} without it",
            fix="copy the file from where the checkpoint came from",
        )
    return TokenizerFiles(vocabulary, path)


def vocabulary_files(directory: Path) -> dict[str, Path]:
    """Return name of a vocabulary file -> where a directory has it; Google's releases have names of their own."""
    from albert_export.checkpoints import find_vocabularies

    names = (TOKENIZER_FILE, SENTENCEPIECE_FILE, WORDPIECE_FILE)
    return find_vocabularies(directory) | {name: directory / name for name in names if (directory / name).is_file()}


def _listed(vocabulary_names: Mapping[str, str]) -> str:
    return " or ".join(vocabulary_names.values())


def read_json(path: Path) -> Any:
    """The JSON in ``path``.

    Raises:
        TokenizerError: It cannot be read, or is no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise TokenizerError(f"{path.name} must be readable JSON", received=f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise TokenizerError(f"{path.name} must hold a JSON object", received=f"{path}: {type(value).__name__}")
    return value


def read_arguments(
    found: TokenizerFiles, *, name: str, overrides: Mapping[str, Any], saved_class: str
) -> dict[str, Any]:
    """The constructor arguments that a directory's files, and the caller, give.

    The order of precedence is transformers 4.37.2's: the caller's arguments, ``added_tokens_decoder`` of
    ``tokenizer_config.json``, ``special_tokens_map.json`` with ``added_tokens.json`` and the added tokens of
    ``tokenizer.json``, the other keys of ``tokenizer_config.json``.

    Args:
        found: From :func:`find`.
        name: What the caller called it; the released checkpoints' names imply a maximum length.
        overrides: The caller's arguments.
        saved_class: The class the files should be for; another one is logged as a warning.

    Raises:
        TokenizerError: A file is not JSON, or has something else in it than it should.
    """
    arguments: dict[str, Any] = {}
    if found.directory is not None:
        arguments = _settings(found.directory, saved_class)
    given_tokens = arguments.pop("added_tokens_decoder", None)
    arguments.update(overrides)
    if name in RELEASED:
        arguments["model_max_length"] = min(arguments.get("model_max_length", RELEASED_MAX_LENGTH), RELEASED_MAX_LENGTH)
    for key, path in found.vocabulary.items():
        arguments.setdefault(key, str(path))

    by_id: dict[int, AddedToken] = {}
    known: dict[str, AddedToken] = {}
    if isinstance(given_tokens, dict):
        for index, fields in given_tokens.items():
            token = fields if isinstance(fields, AddedToken) else _token(fields)
            by_id[_index(index)] = known[token.content] = token
    elif found.directory is not None:
        _read_special_tokens(found.directory, arguments, overrides)
        by_id.update(_read_added_tokens(found.directory, arguments))
        for index, token in _backend_tokens(found.directory).items():
            by_id[index] = known[token.content] = token
    arguments = {key: _revive(value) for key, value in arguments.items()}
    for key in NAMED:
        if arguments.get(key) is not None:
            arguments[key] = known.get(str(arguments[key]), arguments[key])
    arguments["added_tokens_decoder"] = by_id
    return arguments


def _settings(directory: Path, saved_class: str) -> dict[str, Any]:
    path = directory / SETTINGS_FILE
    settings = read_json(path) if path.is_file() else {}
    named = str(settings.get("tokenizer_class") or saved_class).removesuffix("Fast")
    if named not in (saved_class, "PreTrainedTokenizer"):
        logger.warning("%s was saved by %s: loading it as %s may tokenize otherwise", path.name, named, saved_class)
    return {key: value for key, value in settings.items() if key not in _NOT_ARGUMENTS}


def _read_special_tokens(directory: Path, arguments: dict[str, Any], overrides: Mapping[str, Any]) -> None:
    path = directory / SPECIAL_TOKENS_FILE
    for key, value in (read_json(path) if path.is_file() else {}).items():
        if overrides.get(key):
            continue
        if key == "additional_special_tokens" and isinstance(value, list):
            tokens = [_token(item, special=True) if isinstance(item, dict) else item for item in value]
            before = list(arguments.get(key) or ())
            arguments[key] = before + [token for token in tokens if token not in before]
        else:
            arguments[key] = _token(value, special=True) if isinstance(value, dict) else value


def _read_added_tokens(directory: Path, arguments: Mapping[str, Any]) -> dict[int, AddedToken]:
    path = directory / ADDED_TOKENS_FILE
    if not path.is_file():
        return {}
    specials = {str(_revive(arguments[key])) for key in NAMED if arguments.get(key) is not None}
    specials.update(str(_revive(token)) for token in arguments.get("additional_special_tokens") or ())
    return {
        _index(index): AddedToken(content, special=content in specials) for content, index in read_json(path).items()
    }


def _backend_tokens(directory: Path) -> dict[int, AddedToken]:
    path = directory / TOKENIZER_FILE
    entries = read_json(path).get("added_tokens") if path.is_file() else None
    return {_index(entry.get("id")): _token(entry) for entry in entries or () if isinstance(entry, dict)}


def _token(fields: Any, *, special: bool | None = None) -> AddedToken:
    if not isinstance(fields, dict):
        raise TokenizerError("an added token must be a JSON object", received=fields)
    return AddedToken.from_json(fields, special=special)


def _index(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        raise TokenizerError("the id of an added token must be a whole number", received=value) from None


def _revive(value: Any) -> Any:
    """Tokens written as JSON objects, and those of the tokenizers library, as :class:`AddedToken`."""
    if isinstance(value, dict) and (value.get("__type") == "AddedToken" or "content" in value):
        return _token(value)
    if isinstance(value, list | tuple):
        return [_revive(item) for item in value]
    return as_token(value) if type(value).__name__ == "AddedToken" else value


def _plain(value: Any) -> Any:
    """The opposite of :func:`_revive`."""
    if isinstance(value, AddedToken):
        return value.to_json() | {"__type": "AddedToken"}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _plain(as_token(value)) if type(value).__name__ == "AddedToken" else value


def write_settings(tokenizer: TokenizerBase, directory: Path, prefix: str | None) -> tuple[str, ...]:
    """Write ``tokenizer_config.json`` and ``special_tokens_map.json`` as transformers 4.37.2 does.

    Args:
        tokenizer: Whose settings.
        directory: Must be there.
        prefix: Put before each file's name, with a hyphen.

    Returns:
        The paths written.
    """
    settings = copy.deepcopy(tokenizer.init_kwargs)
    for key in (*settings, "model_max_length", "clean_up_tokenization_spaces"):
        settings[key] = getattr(tokenizer, key, settings.get(key))
    settings |= tokenizer.special_tokens_map
    for key in _NOT_ARGUMENTS:
        settings.pop(key, None)
    # Keys stay numbers, so that they are sorted as such.
    settings["added_tokens_decoder"] = {i: token.to_json() for i, token in tokenizer.added_tokens_decoder.items()}
    settings["tokenizer_class"] = tokenizer.saved_class
    specials = {key: _without_special(value) for key, value in tokenizer.special_tokens_map_extended.items()}
    return (
        write_json(directory / prefixed(SETTINGS_FILE, prefix), _plain(settings)),
        write_json(directory / prefixed(SPECIAL_TOKENS_FILE, prefix), specials),
    )


def _without_special(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_special(item) for item in value]
    if isinstance(value, AddedToken):
        return {key: flag for key, flag in value.to_json().items() if key != "special"}
    return value


def write_added_tokens(tokenizer: TokenizerBase, directory: Path, prefix: str | None) -> tuple[str, ...]:
    """Write ``added_tokens.json``, where there are tokens beyond the vocabulary; returns the paths written."""
    beyond = {token: index for token, index in tokenizer.added_tokens_encoder.items() if index >= tokenizer.vocab_size}
    return (write_json(directory / prefixed(ADDED_TOKENS_FILE, prefix), beyond),) if beyond else ()


def prefixed(name: str, prefix: str | None) -> str:
    """``name``, after ``prefix`` and a hyphen where there is one."""
    return f"{prefix}-{name}" if prefix else name


def write_json(path: Path, value: Any) -> str:
    """Write ``value`` with sorted keys, so that the same settings give the same bytes; returns the path."""
    return write_file(path, (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8"))


def write_file(path: Path, data: bytes) -> str:
    """Put a whole file at ``path``, or leave what was there; returns the path.

    Never writes into the old file: it may be a hard link that another directory shares.
    """
    if path.is_file() and path.read_bytes() == data:
        return str(path)
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(data)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    return str(path)
