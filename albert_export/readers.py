"""Other people's programs that take TFLite files of one form only, and what that form is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from albert_export.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class Reader:
    """One such program. All of them run one row at a time.

    Attributes:
        name: The value of ``--compat``.
        title: How people write it.
        lengths: Task that it has a reader for -> the sequence length that is given it where none is chosen.
        exact: Those of them for which it takes no other length.
        layers: The one form of the layers that it takes, or None.
        old_operators: Whether only the operators' versions of TensorFlow 2.12 may be written: one scale a matrix in
            int8, tables widened as a whole in fp16.
    """

    name: str
    title: str
    lengths: Mapping[str, int]
    exact: tuple[str, ...]
    layers: str | None
    old_operators: bool


#: tflite-support 0.4.4. Its question answerer has 384 built in.
TASK_LIBRARY = Reader(
    name="task-library",
    title="TFLite Task Library",
    lengths={"question-answering": 384, "text-classification": 128},
    exact=("question-answering",),
    layers=None,
    old_operators=True,
)

#: mediapipe 1.2. It refuses a file with more than one subgraph, as every loop has.
MEDIAPIPE = Reader(
    name="mediapipe",
    title="MediaPipe",
    lengths={"text-classification": 128},
    exact=(),
    layers="unrolled",
    old_operators=False,
)


def choose_reader(readers: Sequence[Reader], name: str, task: str) -> Reader:
    """Return the reader of that name, which must have one for the task.

    Raises:
        InputError: There are no readers to choose from, or it has none for the task.
        UnknownNameError: None has the name; the message names the nearest.
    """
    if not readers:
        raise InputError("this target has one form for all readers", received=f"compat={name}", fix="leave it out")
    for reader in readers:
        if reader.name == name:
            break
    else:
        raise UnknownNameError("reader", name, [reader.name for reader in readers])
    if task not in reader.lengths:
        raise InputError(
            f"{reader.title} has a reader for {' and '.join(reader.lengths)}",
            received=task,
            fix="leave compat out, and run the general form",
        )
    return reader


def reader_layers(reader: Reader, layers: str | None) -> str | None:
    """Return the form of the layers that the reader takes, None for any.

    Raises:
        InputError: Another one was chosen.
    """
    if reader.layers is not None and layers not in (None, reader.layers):
        raise InputError(
            f"{reader.title} takes {reader.layers} layers only",
            received=layers,
            fix=f"choose {reader.layers}, or leave layers out",
        )
    return reader.layers or layers


def reader_sizes(
    reader: Reader, task: str, *, batch: int | None, sequence: int | None, longest: int
) -> tuple[int, int]:
    """Return the batch and sequence that the reader's file is fixed to.

    Args:
        reader: The reader.
        task: One of its tasks.
        batch: The batch chosen, or None.
        sequence: The sequence chosen, or None.
        longest: The model's ``max_position_embeddings``.

    Raises:
        InputError: It takes another batch or sequence, or the model is too short for it.
    """
    if batch not in (None, 1):
        raise InputError(f"{reader.title} runs one row at a time", received=f"batch={batch}", fix="leave batch out")
    length = reader.lengths[task]
    if task not in reader.exact:
        return 1, sequence or min(length, longest)
    if sequence not in (None, length):
        raise InputError(
            f"{reader.title} takes sequence {length} for {task}", received=sequence, fix="leave sequence out"
        )
    if length > longest:
        raise InputError(
            f"{reader.title} takes sequence {length} for {task}",
            received=f"a model with max_position_embeddings {longest}",
            fix="leave compat out, and run the general form",
        )
    return 1, length
