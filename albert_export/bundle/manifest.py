"""The manifest: what a bundle holds, as frozen dataclasses and as JSON.

**Schema versions** (``schema_version``). A version is read for as long as it has a row here; a change that an older
reader would misread takes a new version, a row, and a function in :data:`MIGRATIONS` that lifts the one before it.

======= ========== ==========================================================================================
version since      what it holds
======= ========== ==========================================================================================
1       2026-11-22 task, source of the checkpoint, shared files, and per artifact: files with sha256 and size,
                   precision, layers, shapes, opset, inputs, outputs, sharing, versions, facts, parity
======= ========== ==========================================================================================

The text holds no time, no machine and no absolute path, and its form is canonical: the same inputs give the same
bytes, parity figures apart.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeVar

from albert_export.bundle.json_values import canonical, plain
from albert_export.bundle.paths import MANIFEST_NAME, check_relative_path
from albert_export.checkpoints import Source
from albert_export.errors import AlbertExportError, BundleError

#: The version this release writes.
SCHEMA_VERSION = 1

#: Version -> the function that turns a manifest's JSON object of that version into one of the next. Every version
#: older than :data:`SCHEMA_VERSION` that can still be read has one.
MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}

_SHA256 = re.compile(r"[0-9a-f]{64}")
_REMAKE = "export the bundle again"

#: The fix for a manifest that is whole, and newer than this release.
UPGRADE = "install a newer release: pip install . in its checkout"
_Record = TypeVar("_Record", "FileRecord", "Artifact", "Manifest", Source)


@dataclass(frozen=True)
class FileRecord:
    """One file of a bundle.

    Attributes:
        path: Where it lies, relative to the bundle, parts joined by ``/``.
        sha256: Its hash, 64 lowercase hexadecimal digits.
        size: Its length in bytes.

    Raises:
        IntegrityError: The path leaves the bundle.
        BundleError: Another field breaks its rule.
    """

    path: str
    sha256: str
    size: int

    def __post_init__(self) -> None:
        top = check_relative_path(self.path).partition("/")[0]
        _check(top.casefold() != MANIFEST_NAME, f"{MANIFEST_NAME} cannot be listed in itself", self.path)
        _check_sha256(self.sha256, self.path)
        _check(_is_count(self.size), f"size of {self.path} must be a number of bytes", self.size)


@dataclass(frozen=True)
class Artifact:
    """One runnable model of a bundle.

    Attributes:
        target: Name in the table of targets, e.g. ``onnx``.
        precision: Name in the table of precisions, e.g. ``fp32``.
        layers: ``rolled`` (the shared layer is stored once and looped) or ``unrolled``.
        file: The file a runtime opens; one of ``files``.
        files: That file and everything it needs beside it (external data); sorted by path.
        shapes: Dynamic axis -> the size it was fixed to, or None when the caller chooses at run time.
        opset: ONNX operator set, or None for targets without one.
        inputs: ``{"name": str, "dtype": str, "shape": list}`` in signature order; a shape's entry is a size or the
            name of a dynamic axis.
        outputs: Likewise.
        sharing: ``unique_parameter_bytes``, ``stored_weight_bytes``, ``rest_bytes`` and their ``ratio``.
        versions: Package -> version it was made with.
        facts: Whatever else the target tells, as JSON values.
        parity: The verdict with its figures, or None when parity was not run.

    Raises:
        BundleError: A field breaks its rule; the message names it.
    """

    target: str
    precision: str
    layers: str
    file: str
    files: tuple[FileRecord, ...]
    shapes: Mapping[str, int | None]
    opset: int | None
    inputs: tuple[Mapping[str, Any], ...]
    outputs: tuple[Mapping[str, Any], ...]
    sharing: Mapping[str, Any]
    versions: Mapping[str, str]
    facts: Mapping[str, Any]
    parity: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name in ("target", "precision"):
            _check_name(getattr(self, name), name)
        _check(self.layers in ("rolled", "unrolled"), "layers must be 'rolled' or 'unrolled'", self.layers)
        check_relative_path(self.file)
        _set(self, "files", _sorted_files(self.files, f"files of {self.file}"))
        _check(self.file in {record.path for record in self.files}, "file must be one of files", self.file)
        for name in ("shapes", "sharing", "versions", "facts"):
            _set(self, name, _object(getattr(self, name), name))
        for axis, size in self.shapes.items():
            _check(size is None or (_is_count(size) and size > 0), f"shapes.{axis} must be a size or null", size)
        for package, version in self.versions.items():
            _check(isinstance(version, str), f"versions.{package} must be text", version)
        _check(self.opset is None or _is_count(self.opset), "opset must be a whole number or null", self.opset)
        for name in ("inputs", "outputs"):
            _set(self, name, _tensors(getattr(self, name), name))
        if self.parity is not None:
            _set(self, "parity", _object(self.parity, "parity"))


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds.

    Attributes:
        schema_version: Always :data:`SCHEMA_VERSION`: older ones are lifted when they are read.
        tool: Version of albert-export that wrote it.
        task: Canonical name of the task head.
        source: The checkpoint it was made from; never an absolute path.
        files: Files that all artifacts share: configuration, tokenizer, vocabulary; sorted by path.
        artifacts: The models; sorted by path.

    Raises:
        BundleError: A field breaks its rule; the message names it.
    """

    schema_version: int
    tool: str
    task: str
    source: Source
    files: tuple[FileRecord, ...]
    artifacts: tuple[Artifact, ...]

    def __post_init__(self) -> None:
        _check(self.schema_version == SCHEMA_VERSION, f"schema_version must be {SCHEMA_VERSION}", self.schema_version)
        for name in ("tool", "task"):
            _check_name(getattr(self, name), name)
        _check_source(self.source)
        _set(self, "files", _sorted_files(self.files, "files"))
        _check(_all(self.artifacts, Artifact), "artifacts must be a list of artifacts", self.artifacts)
        _set(self, "artifacts", tuple(sorted(self.artifacts, key=lambda artifact: artifact.file)))
        self._check_paths()

    def _check_paths(self) -> None:
        names = [artifact.file for artifact in self.artifacts]
        _check(len(set(names)) == len(names), "every artifact must have a file of its own", names)
        seen: dict[str, FileRecord] = {}
        for record in self.records():
            # Case is folded because two such files would be one on macOS and Windows.
            known = seen.setdefault(record.path.casefold(), record)
            _check(known == record, "a file must be listed with one hash and size", f"{known} and {record}")
        for path in seen:
            for parent in PurePosixPath(path).parents:
                _check(str(parent) not in seen, "a file cannot lie below another file", path)

    def records(self) -> tuple[FileRecord, ...]:
        """Every file of the bundle but the manifest itself; one that several artifacts share comes once."""
        every = [*self.files, *(record for artifact in self.artifacts for record in artifact.files)]
        return tuple(dict.fromkeys(every))

    def to_json(self) -> str:
        """Return the manifest's text, canonical: keys sorted, two spaces of indentation, a newline at the end."""
        return canonical(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> Manifest:
        """Read a manifest of this schema version or an older one.

        Raises:
            BundleError: It is no manifest, a field breaks its rule (the message names it), or a newer release
                wrote it.
            IntegrityError: A path in it leaves the bundle.
        """
        try:
            data = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError) as error:
            raise BundleError(
                f"{MANIFEST_NAME} must be JSON text", received=str(error) or "bytes that are no text", fix=_REMAKE
            ) from error
        fields = dict(_fields(Manifest, _migrated(data), ""))
        fields["source"] = _build(Source, fields["source"], "source")
        fields["files"] = _files(fields["files"], "files")
        items = _items(fields["artifacts"], "artifacts")
        fields["artifacts"] = tuple(_read_artifact(item, f"artifacts[{index}]") for index, item in enumerate(items))
        return _build(Manifest, fields, "")


def _migrated(data: object) -> dict[str, Any]:
    """Lift a manifest of any readable version to the present one."""
    if not isinstance(data, dict) or not _is_count(data.get("schema_version")):
        raise BundleError(
            f"{MANIFEST_NAME} must be the manifest of an albert-export bundle, with a schema_version",
            received=_short(data.get("schema_version", "none")) if isinstance(data, dict) else _short(data),
            fix=_REMAKE,
        )
    version = data["schema_version"]
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"this release reads manifests up to schema_version {SCHEMA_VERSION}",
            received=f"{version}, written by albert-export {_short(data.get('tool', 'of a newer version'))}",
            fix=UPGRADE,
        )
    while version < SCHEMA_VERSION:
        if version not in MIGRATIONS:
            oldest = min(MIGRATIONS, default=SCHEMA_VERSION)
            rule = f"schema_version must be at least {oldest}"
            raise BundleError(rule, received=version, fix=_REMAKE)
        data = MIGRATIONS[version](data)
        version += 1
        data["schema_version"] = version
    return data


def _read_artifact(value: object, where: str) -> Artifact:
    fields = dict(_fields(Artifact, value, where))
    fields["files"] = _files(fields["files"], f"{where}.files")
    for name in ("inputs", "outputs"):
        fields[name] = tuple(_items(fields[name], f"{where}.{name}"))
    return _build(Artifact, fields, where)


def _files(value: object, where: str) -> tuple[FileRecord, ...]:
    return tuple(_build(FileRecord, item, f"{where}[{index}]") for index, item in enumerate(_items(value, where)))


def _items(value: object, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise BundleError(f"{MANIFEST_NAME}: {where} must be a list", received=_short(value), fix=_REMAKE)
    return value


def _build(kind: type[_Record], value: object, where: str) -> _Record:
    """Make the dataclass, its errors prefixed by their place in the manifest."""
    fields = _fields(kind, value, where)
    try:
        return kind(**fields)
    except AlbertExportError as error:
        place = f"{MANIFEST_NAME}: {where}: " if where else f"{MANIFEST_NAME}: "
        raise type(error)(place + error.rule, received=error.received, fix=error.fix or _REMAKE) from error


def _fields(kind: type[Any], value: object, where: str) -> Mapping[str, Any]:
    """Return ``value`` when it is a JSON object with exactly the fields of the dataclass."""
    wanted = {field.name for field in dataclasses.fields(kind)}
    place = where or "the manifest"
    if not isinstance(value, Mapping):
        raise BundleError(f"{MANIFEST_NAME}: {place} must be an object", received=_short(value), fix=_REMAKE)
    for kind_of_difference, names in (("lacks", wanted - value.keys()), ("has unknown", value.keys() - wanted)):
        if names:
            raise BundleError(
                f"{MANIFEST_NAME}: {place} must have the fields {', '.join(sorted(wanted))}",
                received=f"one that {kind_of_difference} {', '.join(sorted(names))}",
                fix=_REMAKE,
            )
    return value


def _check(holds: bool, rule: str, received: object) -> None:
    if not holds:
        raise BundleError(rule, received=_short(received))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}…"


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _set(record: object, name: str, value: object) -> None:
    object.__setattr__(record, name, value)  # frozen: this is how __post_init__ makes the form canonical


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _all(values: object, kind: type[Any]) -> bool:
    return isinstance(values, tuple) and all(isinstance(value, kind) for value in values)


def _check_name(value: object, field: str) -> None:
    _check(isinstance(value, str) and value != "" and value.isprintable(), f"{field} must be a name", value)


def _check_sha256(value: object, of: str) -> None:
    holds = isinstance(value, str) and _SHA256.fullmatch(value) is not None
    _check(holds, f"sha256 of {of} must be 64 lowercase hexadecimal digits", value)


def _check_source(source: object) -> None:
    if not isinstance(source, Source):
        raise BundleError("source must tell the checkpoint", received=_short(source))
    kinds = ("directory", "hub", "builtin")
    _check(source.kind in kinds, f"source.kind must be one of {', '.join(kinds)}", source.kind)
    _check_name(source.name, "source.name")
    absolute = PurePosixPath(source.name).is_absolute() or PureWindowsPath(source.name).anchor != ""
    _check(not absolute, "source.name must not be an absolute path: it tells nothing elsewhere", source.name)
    if source.revision is not None:
        _check_name(source.revision, "source.revision")
    _check_sha256(source.sha256, "source")


def _object(value: object, field: str) -> dict[str, Any]:
    _check(isinstance(value, Mapping), f"{field} must be an object", value)
    result: dict[str, Any] = plain(value, field)
    return result


def _sorted_files(files: object, field: str) -> tuple[FileRecord, ...]:
    if not isinstance(files, tuple) or not _all(files, FileRecord):
        raise BundleError(f"{field} must be a list of files", received=_short(files))
    paths = [record.path for record in files]
    _check(len(set(paths)) == len(paths), f"{field} must list each file once", paths)
    return tuple(sorted(files, key=lambda record: record.path))


def _tensors(values: object, field: str) -> tuple[dict[str, Any], ...]:
    if not isinstance(values, Iterable):
        raise BundleError(f"{field} must be a list of tensors", received=_short(values))
    tensors = tuple(_object(value, field) for value in values)
    for tensor in tensors:
        _check(tensor.keys() == {"name", "dtype", "shape"}, f"{field} must have name, dtype and shape each", tensor)
        _check_name(tensor["name"], f"{field}.name")
        _check_name(tensor["dtype"], f"{field}.dtype")
        holds = isinstance(tensor["shape"], list) and all(isinstance(d, str) or _is_count(d) for d in tensor["shape"])
        _check(holds, f"{field}.shape must list sizes and names of axes", tensor["shape"])
    return tensors
