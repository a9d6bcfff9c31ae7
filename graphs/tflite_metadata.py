"""TFLite metadata: what Task Library, MediaPipe and Model Maker clients read beside the graph.

The metadata is a flatbuffer of its own (``metadata_schema.fbs`` of tflite-support, root ``ModelMetadata``, identifier
``M001``) in a buffer of the model. Files that it names, the vocabulary and the labels, are a zip archive behind the
model. It is written with the flatbuffer builder alone: tflite-support is a hundred megabytes for old Pythons only.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from albert_export.errors import ExportError
from albert_export.graphs.tflite_graph import flatbuffers
from albert_export.tasks import Task

#: Name of the model's metadata entry that holds the metadata.
ENTRY = "TFLITE_METADATA"

#: What the clients call the inputs.
INPUT_NAMES = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "segment_ids"}

#: What Task Library calls the scores of the classes of a text, normalised or not; it looks for no other name, and ends
#: with a segmentation fault where it finds none.
_SCORES_NAME = "probability"

_INPUT_TEXTS = {
    "input_ids": "Ids of the tokens.",
    "attention_mask": "1 for tokens, 0 for padding.",
    "token_type_ids": "0 for the first text, 1 for the second.",
}

#: Oldest parser that reads these fields.
_MIN_PARSER_VERSION = "1.1.0"

_IDENTIFIER = b"M001"
_AXIS_LABELS, _VOCABULARY = 2, 5  # AssociatedFileType
_BERT_TOKENIZER, _SENTENCEPIECE_TOKENIZER = 4, 5  # ProcessUnitOptions
_FEATURES = 1  # ContentProperties

#: One date for every archive, the oldest that zip can tell: the same inputs give the same bytes.
_DATE = (1980, 1, 1, 0, 0, 0)

_Writer = Callable[[Any], int]


@dataclass(frozen=True)
class Packed:
    """A file that is packed behind the model.

    Attributes:
        name: Its name in the archive.
        data: Its bytes.
        kind: ``vocabulary`` or ``labels``.
    """

    name: str
    data: bytes
    kind: str


def packed_files(vocabulary: Path | None, labels: Sequence[str]) -> tuple[Packed, ...]:
    """Return the files to pack.

    Args:
        vocabulary: A SentencePiece model (``.model``) or a WordPiece vocabulary (``.txt``).
        labels: The names of the classes in the order of the output's last axis; empty for a task without.

    Raises:
        ExportError: The vocabulary is of another kind, or a label has several lines.
    """
    files = []
    if vocabulary is not None:
        if vocabulary.suffix not in (".model", ".txt"):
            raise ExportError(
                "TFLite clients read a SentencePiece model (.model) or a WordPiece vocabulary (.txt)",
                received=vocabulary.name,
            )
        files.append(Packed(vocabulary.name, vocabulary.read_bytes(), "vocabulary"))
    if labels:
        broken = broken_labels(labels)
        if broken:
            raise ExportError(
                "a label that is packed must be one line of text",
                received=repr(broken[0]),
                fix="rename it in id2label of the checkpoint's config.json",
            )
        files.append(Packed("labels.txt", "".join(f"{label}\n" for label in labels).encode(), "labels"))
    return tuple(files)


def broken_labels(labels: Sequence[str]) -> list[str]:
    """Return the labels that a file of one label a line cannot hold."""
    return [label for label in labels if label.splitlines() != [label]]


def metadata_buffer(task: Task, files: Sequence[Packed], *, name: str, version: str) -> bytes:
    """Return the metadata's flatbuffer.

    Args:
        task: The task; inputs and outputs are described in its order, which is the file's.
        files: What is packed behind the model.
        name: Name of the model.
        version: Version of the model, as text.
    """
    vocabulary = next((file for file in files if file.kind == "vocabulary"), None)
    labels = [file for file in files if file.kind == "labels"]
    classified = task.outputs[-1].axes[-1] == "num_labels"
    inputs = [_tensor(INPUT_NAMES[spec.name], _INPUT_TEXTS[spec.name]) for spec in task.inputs]
    outputs = [
        _tensor(_output_name(task, spec.name), f"{spec.name}, not normalised.", labels if classified else ())
        for spec in task.outputs
    ]
    subgraph: dict[int, _Writer] = {2: _vector(inputs), 3: _vector(outputs)}
    if vocabulary is not None:
        subgraph[5] = _vector([_tokenizer(vocabulary)])
    root = _table(
        {
            0: _string(name),
            1: _string(task.summary),
            2: _string(version),
            3: _vector([_table(subgraph)]),
            7: _string(_MIN_PARSER_VERSION),
        }
    )
    builder = flatbuffers.Builder(1024)
    builder.Finish(root(builder), _IDENTIFIER)
    return bytes(builder.Output())


def _output_name(task: Task, name: str) -> str:
    return _SCORES_NAME if task.name == "text-classification" else name


def archive_bytes(files: Sequence[Packed]) -> int:
    """Return the bytes by which :func:`append_files` makes a file longer."""
    if not files:
        return 0
    # A header of 30 bytes and an entry of 46 in the directory, each with the name, for each file; 22 at the end.
    return 22 + sum(30 + 46 + 2 * len(file.name.encode()) + len(file.data) for file in files)


def append_files(path: Path, files: Sequence[Packed]) -> None:
    """Append the packed files to the model as a zip archive, uncompressed, as clients map them into memory."""
    if not files:
        return
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        for file in files:
            archive.writestr(zipfile.ZipInfo(file.name, _DATE), file.data)


def _tensor(name: str, description: str, labels: Sequence[Packed] = ()) -> _Writer:
    content = _table({1: _table({})}, bytes_={0: _FEATURES})
    fields = {0: _string(name), 1: _string(description), 3: content}
    if labels:
        fields[6] = _vector([_file(file, _AXIS_LABELS) for file in labels])
    return _table(fields)


def _tokenizer(vocabulary: Packed) -> _Writer:
    pieces = vocabulary.name.endswith(".model")
    options = _table({0: _vector([_file(vocabulary, _VOCABULARY)])})
    return _table({1: options}, bytes_={0: _SENTENCEPIECE_TOKENIZER if pieces else _BERT_TOKENIZER})


def _file(file: Packed, kind: int) -> _Writer:
    return _table({0: _string(file.name)}, bytes_={2: kind})


# A flatbuffer is built from its leaves: each of these returns a function that writes what a field points to and
# returns its place.


def _string(text: str) -> _Writer:
    return lambda builder: int(builder.CreateString(text))


def _vector(items: Sequence[_Writer]) -> _Writer:
    def write(builder: Any) -> int:
        places = [item(builder) for item in items]
        builder.StartVector(4, len(places), 4)
        for place in reversed(places):
            builder.PrependUOffsetTRelative(place)
        return int(builder.EndVector())

    return write


def _table(fields: Mapping[int, _Writer], bytes_: Mapping[int, int] | None = None) -> _Writer:
    """Write a table: by the number of each field, offsets in ``fields`` and small numbers in ``bytes_``."""

    def write(builder: Any) -> int:
        places = {number: item(builder) for number, item in fields.items()}
        small = bytes_ or {}
        builder.StartObject(max([*places, *small], default=-1) + 1)
        for number, place in places.items():
            builder.PrependUOffsetTRelativeSlot(number, place, 0)
        for number, value in small.items():
            builder.PrependUint8Slot(number, value, 0)
        return int(builder.EndObject())

    return write
