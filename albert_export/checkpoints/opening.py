"""Opening a checkpoint: a directory, a built-in model or a hub repository."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from albert_export.builtin import BUILTIN_MODELS, DEFAULT_MODEL, builtin_directory
from albert_export.checkpoints import google_release
from albert_export.checkpoints.checkpoint import CONFIG_NAME, Checkpoint, SourceKind, WeightFormat
from albert_export.checkpoints.layout import OTHER_FORMATS, TOKENIZER_FILES, check_headers, find_weights
from albert_export.config import AlbertConfig
from albert_export.errors import CheckpointError
from albert_export.tasks import Task

#: What a hub id looks like; the older models have no owner.
_HUB_ID = re.compile(r"[A-Za-z0-9_][\w.-]*(/[\w.-]+)?", re.ASCII)
_LOOKS_LIKE_A_PATH = re.compile(r"^[.~/]|^[A-Za-z]:|\\|/$|/.*/")
_LISTED_FILES = 8
_SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class _Place:
    """Somewhere that holds a checkpoint's files.

    ``get`` returns a file's path, or None when it is not there; ``seen`` tells in words what is there; ``directory`` is
    it itself, unless it is on the hub; ``find_index`` returns the index of Google's checkpoint, or None.
    """

    kind: SourceKind
    name: str
    revision: str | None
    get: Callable[[str], Path | None]
    seen: Callable[[], str]
    directory: Path | None = None
    find_index: Callable[[], Path | None] = lambda: None


def open_checkpoint(
    model: str | os.PathLike[str] | Checkpoint | None = None,
    *,
    task: Task | None = None,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    progress: Callable[[str], None] | None = None,
    formats: Sequence[WeightFormat] | None = None,
) -> Checkpoint:
    """Find a checkpoint, fetch it if it is on the hub, and check its files as far as their headers tell.

    Args:
        model: A directory, or in one the prefix of a TensorFlow 1 checkpoint such as ``albert_base/model.ckpt-best``;
            else the name of a built-in model; else a hub id ``owner/name``. None for the default built-in model. A
            directory wins over a hub repository of the same name. An opened checkpoint is returned as it is.
        task: Which head a built-in model is composed with; without it, those whose weights have names of their own
            and one of those that call them ``classifier``. Other checkpoints hold what they hold.
        revision: Branch, tag or commit of a hub repository; nothing else has one, and then it is ignored.
        cache_dir: Where downloads are kept; by default where ``huggingface-hub`` keeps them.
        local_files_only: Never use the network.
        token: Token for private repositories; by default the one that ``huggingface-hub`` finds.
        progress: Gets a line before the hub is asked, which may take its time.
        formats: Formats of weights to look for, the preferred ones first; by default ``safetensors``, ``torch``,
            ``h5``, ``msgpack`` and ``tf1``, of which a directory may have several.

    Raises:
        CheckpointError: Nothing there, or its files are missing, truncated or malformed.
        ConfigError: ``config.json`` or ``albert_config.json`` breaks a rule.
        MissingDependencyError: The weights are in ``tf_model.h5``, and h5py is not installed.
    """
    if isinstance(model, Checkpoint):
        return model
    place = _find(model, task, revision, cache_dir, local_files_only, token, progress)
    config_file = _config_file(place)
    by_google = config_file.name == google_release.CONFIG_NAME
    # What is wrong with it is told before anything large is fetched.
    config = None if by_google else AlbertConfig.from_json_file(config_file)
    weights = find_weights(place.get, place=place.name, seen=place.seen, formats=formats, find_index=place.find_index)
    check_headers(weights)
    if config is None:
        index = weights.files[0] if weights.format == "tf1" else None
        config = AlbertConfig.from_dict(google_release.read_config_fields(config_file, index))
    if place.kind == "hub":
        for name in TOKENIZER_FILES:
            place.get(name)
    return Checkpoint(
        directory=place.directory or config_file.parent,
        config=config,
        source_kind=place.kind,
        source_name=place.name,
        revision=place.revision,
        weight_files=weights.files,
        weight_format=weights.format,
        config_file=config_file,
    )


def find_config_file(
    model: str | os.PathLike[str] | None,
    *,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
) -> Path:
    """Return the ``config.json`` of a checkpoint, or the ``albert_config.json`` of a release by Google.

    No weights are fetched. Arguments are those of :func:`open_checkpoint`.

    Raises:
        CheckpointError: The checkpoint or the file cannot be found.
    """
    return _config_file(_find(model, None, revision, cache_dir, local_files_only, token))


def find_tokenizer_directory(
    model: str | os.PathLike[str] | None,
    *,
    revision: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
) -> Path:
    """Return the directory of a checkpoint's tokenizer files, without fetching its weights.

    Arguments are those of :func:`open_checkpoint`. The directory may lack any of the files.

    Raises:
        CheckpointError: The checkpoint cannot be found, or has no tokenizer file at all.
    """
    place = _find(model, None, revision, cache_dir, local_files_only, token)
    found = [path for name in TOKENIZER_FILES if (path := place.get(name)) is not None]
    if not found and place.directory is not None and google_release.find_vocabularies(place.directory):
        return place.directory
    if not found:
        raise CheckpointError(
            f"a tokenizer needs one of {', '.join(TOKENIZER_FILES)}", received=f"{place.name} with {place.seen()}"
        )
    place.get(CONFIG_NAME)
    return found[0].parent


def _find(
    model: str | os.PathLike[str] | None,
    task: Task | None,
    revision: str | None,
    cache_dir: str | os.PathLike[str] | None,
    local_files_only: bool,
    token: str | bool | None,
    progress: Callable[[str], None] | None = None,
) -> _Place:
    if model is None:
        return _in_directory(builtin_directory(DEFAULT_MODEL, task), "builtin", DEFAULT_MODEL)
    given = os.fspath(model)
    try:
        directory = Path(given).expanduser()
        is_directory, exists = directory.is_dir(), directory.exists()
    except (OSError, RuntimeError) as error:  # no rights on the way, a name too long, no such user's home
        told = error.strerror if isinstance(error, OSError) else str(error)
        raise CheckpointError(
            "a checkpoint must be a directory that can be read",
            received=f"{given[:_SHOWN_CHARACTERS]}: {told}",
            fix="check the path and the rights on it",
        ) from error
    if given and is_directory:
        return _in_directory(directory, "directory", _source_name(directory))
    if given and exists:
        raise CheckpointError(
            "a checkpoint must be a directory", received=f"the file {given}", fix="give the directory that holds it"
        )
    index = directory.parent / f"{directory.name}.index"
    if directory.name and os.path.isfile(index):  # noqa: PTH113 -- Path.is_file raises where rights are lacking
        return _in_directory(directory.parent, "directory", _source_name(directory.parent), index)
    if given in BUILTIN_MODELS:
        return _in_directory(builtin_directory(given, task), "builtin", given)
    if isinstance(model, os.PathLike) or _LOOKS_LIKE_A_PATH.search(given) or not _HUB_ID.fullmatch(given):
        raise CheckpointError(
            "a checkpoint must be a directory that exists, a built-in model or a hub id",
            received=given or "an empty name",
            fix=f"check the path, or name a hub repository as owner/name, or take {DEFAULT_MODEL}",
        )
    from albert_export.checkpoints.hub import Hub  # the client is large and not wanted for local use

    if progress is not None and not local_files_only:
        progress(f"{given} is no directory here: asking the hub")
    hub = Hub.open(given, revision=revision, cache_dir=cache_dir, local_files_only=local_files_only, token=token)
    return _Place("hub", given, hub.commit, hub.get, hub.describe)


def _source_name(directory: Path) -> str:
    """Return the directory's last name; what no text can hold, or would break a line, becomes U+FFFD."""
    name = "".join(character if character.isprintable() else "\ufffd" for character in directory.resolve().name)
    return name or "checkpoint"  # the root has no name


def _in_directory(directory: Path, kind: SourceKind, name: str, index: Path | None = None) -> _Place:
    """Return a directory as a place; where an ``index`` is given, it alone counts of the weights in it."""

    def get(file: str) -> Path | None:
        path = directory / file
        if index is not None and file not in (CONFIG_NAME, *TOKENIZER_FILES):
            return None
        return path if os.path.isfile(path) else None  # noqa: PTH113 -- Path.is_file raises where rights are lacking

    def seen() -> str:
        try:
            names = sorted(path.name for path in directory.iterdir())
        except OSError as error:
            raise CheckpointError("a checkpoint must be readable", received=str(error)) from error
        other = [f"{file} ({what}, a format not read here)" for file, what in OTHER_FORMATS.items() if file in names]
        listed = other or names[:_LISTED_FILES] + (["…"] if len(names) > _LISTED_FILES else [])
        return ", ".join(listed) or "nothing in it"

    def find_index() -> Path | None:
        return google_release.find_index(directory) if index is None else index

    return _Place(kind, name, None, get, seen, directory, find_index)


def _config_file(place: _Place) -> Path:
    path = place.get(CONFIG_NAME)
    if path is None and place.directory is not None:
        path = google_release.find_config(place.directory)
    if path is None:
        raise CheckpointError(
            f"a checkpoint must have {CONFIG_NAME}, or {google_release.CONFIG_NAME} as Google released it",
            received=f"{place.name} with {place.seen()}",
            fix="give the directory that save_pretrained wrote, or put the file of the same release beside the weights",
        )
    return path
