"""Where an ONNX file says its external data lies, read without the onnx package.

An app that only runs bundles has no onnx package, and ONNX Runtime releases differ in what they refuse; so the
locations are read here, straight from the protocol-buffer encoding (https://protobuf.dev/programming-guides/encoding,
field numbers from onnx.proto3). Weights are stepped over, never read: a file of any size takes milliseconds.
"""

from __future__ import annotations

import mmap
import posixpath
from collections.abc import Iterator
from pathlib import Path

from albert_export.bundle.filesystem import bundle_error
from albert_export.bundle.paths import check_relative_path
from albert_export.errors import IntegrityError

#: Message -> field number -> the message in that field; only the fields on a way to a TensorProto's external_data.
_FIELDS: dict[str, dict[int, str]] = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto",
        6: "GraphProto",
        10: "TensorProto",
        11: "GraphProto",
        22: "SparseTensorProto",
        23: "SparseTensorProto",
    },
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
    "TensorProto": {13: "StringStringEntryProto"},
}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def external_locations(path: Path) -> frozenset[str]:
    """Return every ``location`` of external data in the ONNX file, as it stands there.

    Raises:
        ValueError: The file is no protocol-buffer message.
    """
    if path.stat().st_size == 0:
        return frozenset()  # an empty message; an empty file cannot be mapped
    locations = set()
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        pending = [("ModelProto", 0, len(data))]
        while pending:
            message, start, end = pending.pop()
            if message == "StringStringEntryProto":
                entry = {number: data[first:last] for number, first, last in _submessages(data, start, end)}
                if entry.get(1) == b"location":
                    locations.add(entry.get(2, b"").decode("utf-8"))
                continue
            below = _FIELDS[message]
            pending += [
                (below[number], first, last)
                for number, first, last in _submessages(data, start, end)
                if number in below
            ]
    return frozenset(locations)


def check_external_data(root: Path, file: str, listed: frozenset[str]) -> None:
    """Check that the external data of an ONNX file lies in files that its artifact lists.

    Listed files are inside the bundle and pinned by their hashes, so this also keeps a model from reading any other
    file of the machine (or, by ONNX Runtime's ``*/_ORT_MEM_ADDR_/*``, its memory).

    Args:
        root: The bundle's directory.
        file: The ONNX file, relative to it.
        listed: The artifact's files, relative to it.

    Raises:
        IntegrityError: It names another file, or is no ONNX file.
        BundleError: It cannot be read.
    """
    try:
        locations = external_locations(root / file)
    except ValueError as error:
        raise IntegrityError(
            f"{file} of the bundle {root} must be an ONNX model", received=str(error), fix="export the bundle again"
        ) from error
    except OSError as error:
        raise bundle_error(error, f"reading the bundle {root}") from error
    for location in sorted(locations):
        target = posixpath.join(posixpath.dirname(file), check_relative_path(location))
        if target not in listed:
            raise IntegrityError(
                f"external data of {file} must lie in the files that its artifact lists",
                received=repr(location),
                fix="export the bundle again",
            )


def _submessages(data: mmap.mmap, position: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield ``(field number, start, end)`` of each length-delimited field between the two positions."""
    while position < end:
        key, position = _varint(data, position, end)
        number, wire = key >> 3, key & 7
        if wire == _BYTES:
            length, position = _varint(data, position, end)
            if length > end - position:
                raise ValueError(f"a field at byte {position} ends after its message")
            yield number, position, position + length
            position += length
        elif wire == _VARINT:
            _, position = _varint(data, position, end)
        elif wire in (_FIXED64, _FIXED32):
            position += 8 if wire == _FIXED64 else 4
            if position > end:
                raise ValueError(f"a field at byte {position} ends after its message")
        else:
            # Groups (3, 4) were dropped from protocol buffers before ONNX began.
            raise ValueError(f"a field at byte {position} has the unknown wire type {wire}")


def _varint(data: mmap.mmap, position: int, end: int) -> tuple[int, int]:
    """Return the variable-length integer at ``position``, and the position after it."""
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise ValueError(f"a number at byte {position} ends after its message")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError(f"a number at byte {position} is longer than ten bytes")
