"""Writing a TFLite file weight by weight.

The flatbuffer library would hold several copies of all weights at once. Here it packs the model without them; they are
streamed behind it, and the place of each is written into the buffer that holds it. The result is an ordinary
flatbuffer, which readers of any age take.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from albert_export.errors import ExportError
from albert_export.graphs.tflite_graph import TFLiteGraph, flatbuffers, schema

#: A flatbuffer's offsets are read as signed 32-bit numbers by its verifier.
LARGEST_FILE = 2**31 - 1

#: Interpreters read weights in place, with vector instructions.
ALIGNMENT = 64

_IDENTIFIER = b"TFL3"


def packed(graph: TFLiteGraph) -> bytearray:
    """Return the flatbuffer with an empty vector in place of each weight."""
    for index in graph.weights:
        graph.model.buffers[index].data = np.zeros(0, dtype=np.uint8)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(graph.model.Pack(builder), _IDENTIFIER)
    return bytearray(builder.Output())


def write_tflite(graph: TFLiteGraph, path: Path, *, largest: int = LARGEST_FILE, behind: int = 0) -> None:
    """Write the model.

    Args:
        graph: The model; its weights are read one at a time.
        path: The file to make; it must not exist.
        largest: Bytes that the file may have.
        behind: Bytes that will be appended to it, and count among them.

    Raises:
        ExportError: The weights, and what comes behind them, do not fit into one file.
    """
    head = packed(graph)
    end = len(head)
    places: dict[int, int] = {}
    for index in sorted(graph.weights):
        start = _aligned(end + 4)
        places[index] = start
        end = start + graph.weights[index].nbytes
    if end + behind > largest:
        raise ExportError(
            f"a TFLite file must have at most {largest} bytes",
            received=f"{end + behind} bytes",
            fix="choose a lower precision, such as fp16 or int8",
        )
    model = schema.Model.GetRootAs(head, 0)
    for index, start in places.items():
        field = _data_field(model.Buffers(index))
        # An offset counts from where it stands to the vector's length, which lies right before its data.
        struct.pack_into("<I", head, field, start - 4 - field)
    with path.open("xb") as file:
        file.write(head)
        for index, start in places.items():
            weight = graph.weights[index]
            file.write(b"\0" * (start - 4 - file.tell()))
            file.write(struct.pack("<I", weight.nbytes))
            file.write(weight.data().reshape(-1).view(np.uint8).data)


def _aligned(offset: int) -> int:
    return -(-offset // ALIGNMENT) * ALIGNMENT


def _data_field(buffer: Any) -> int:
    """Return where the offset of a buffer's data stands in the file."""
    table = buffer._tab
    offset = table.Offset(4)  # the first field of the table
    return int(table.Pos + offset)
