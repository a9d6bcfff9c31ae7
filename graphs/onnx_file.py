"""Writing an ONNX file weight by weight, so that the peak of memory is one weight and not several copies of all.

A protobuf message is the concatenation of its fields, in any order; a field that is itself a message is a tag, a
length and its bytes (https://protobuf.dev/programming-guides/encoding/). The graph without weights is serialised by
the protobuf library; the weights, whose lengths are known beforehand, follow it one at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.errors import ExportError

if TYPE_CHECKING:
    import onnx
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")
    onnx = require("onnx", needed_for="exporting to ONNX", extra="onnx")

#: protobuf readers refuse larger messages; weights beyond it go into a file beside the graph.
LARGEST_MESSAGE = 2**31 - 1

#: Ending of the file of external weights: the one that Optimum and transformers.js look for.
EXTERNAL_SUFFIX = "_data"

#: External weights begin at multiples of this, so that they can be memory-mapped on every platform; small ones, which
#: runtimes copy, begin at multiples of a cache line: with the larger one the gaps would outweigh them.
_MAPPED_ALIGNMENT = 65536
_MAPPED_BYTES = 1 << 20
_SMALL_ALIGNMENT = 64

_LENGTH_DELIMITED = 2
_MODEL_GRAPH = 7  # field numbers of onnx.proto
_GRAPH_INITIALIZER = 5
_TENSOR_RAW_DATA = 9


@dataclass(frozen=True)
class _Weight:
    value: ir.Value
    header: bytes  # the TensorProto without its data

    @property
    def size(self) -> int:
        """Bytes of the data."""
        return int(_tensor(self.value).nbytes)


def write_onnx(model: ir.Model, path: Path, *, largest_message: int = LARGEST_MESSAGE) -> tuple[Path, ...]:
    """Write ``model`` to ``path`` and return the files written: the model and, if there are any, external weights.

    Args:
        model: Its initializers are read here, one at a time; unchanged afterwards.
        path: The ``.onnx`` file. Weights go to ``path`` + :data:`EXTERNAL_SUFFIX` where one file would be too large.
        largest_message: Size in bytes from which on weights are external.

    Raises:
        ExportError: The graph alone is larger than ``largest_message``.
    """
    head, graph = _skeleton(model)
    weights = [_Weight(value, _header(value)) for value in model.graph.initializers.values()]
    inside = [len(_inside(weight)) + weight.size for weight in weights]
    body = len(graph) + sum(len(_prefix(_GRAPH_INITIALIZER, length)) + length for length in inside)
    if len(head) + len(_prefix(_MODEL_GRAPH, body)) + body > largest_message:
        return _write_external(path, head, graph, weights, largest_message)
    with path.open("wb") as file:
        file.write(head)
        file.write(_prefix(_MODEL_GRAPH, body))
        file.write(graph)
        for weight, length in zip(weights, inside, strict=True):
            file.write(_prefix(_GRAPH_INITIALIZER, length))
            file.write(_inside(weight))
            _write_data(file, weight)
    return (path,)


def _write_external(
    path: Path, head: bytes, graph: bytes, weights: Sequence[_Weight], largest_message: int
) -> tuple[Path, ...]:
    external = path.with_name(path.name + EXTERNAL_SUFFIX)
    entries: list[bytes] = []
    with external.open("wb") as file:
        for weight in weights:
            alignment = _MAPPED_ALIGNMENT if weight.size >= _MAPPED_BYTES else _SMALL_ALIGNMENT
            file.write(b"\0" * (-file.tell() % alignment))
            entries.append(_external(weight.value, external.name, file.tell()))
            _write_data(file, weight)
    body = graph + b"".join(_prefix(_GRAPH_INITIALIZER, len(entry)) + entry for entry in entries)
    message = head + _prefix(_MODEL_GRAPH, len(body)) + body
    if len(message) > largest_message:
        raise ExportError(
            f"a graph without its weights must be at most {largest_message} bytes", received=f"{len(message)} bytes"
        )
    path.write_bytes(message)
    return (path, external)


def without_weights(model: ir.Model, location: str) -> bytes:
    """Return the model as a message whose weights, of which it holds names, types and shapes, lie in another file.

    Args:
        model: A model of any size.
        location: Name of that file; it need not be there.
    """
    head, graph = _skeleton(model)
    entries = [_external(value, location, 0) for value in model.graph.initializers.values()]
    body = graph + b"".join(_prefix(_GRAPH_INITIALIZER, len(entry)) + entry for entry in entries)
    return head + _prefix(_MODEL_GRAPH, len(body)) + body


def check_onnx(model: ir.Model, path: Path) -> None:
    """Run onnx's full check, shape inference included, over the graph of a file written by :func:`write_onnx`.

    The weights are left where they are: the checker sees them as external data, or it would hold several copies.

    Raises:
        ExportError: The checker refuses the model.
    """
    # The checker looks for external data beside the file it reads.
    skeleton = path.with_name(path.name + ".check")
    try:
        skeleton.write_bytes(without_weights(model, path.name))
        onnx.checker.check_model(str(skeleton), full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise ExportError("the exported graph must pass onnx's full check", received=str(error)[:500]) from error
    finally:
        skeleton.unlink(missing_ok=True)


def _skeleton(model: ir.Model) -> tuple[bytes, bytes]:
    """Serialise the model without its graph, and the graph without its initializers."""
    initializers = dict(model.graph.initializers)
    model.graph.initializers.clear()
    try:
        proto = ir.to_proto(model)
    finally:
        model.graph.initializers.update(initializers)
    graph = proto.graph.SerializeToString(deterministic=True)
    proto.ClearField("graph")
    return proto.SerializeToString(deterministic=True), graph


def _tensor(value: ir.Value) -> Any:
    if value.const_value is None:
        raise ExportError("every initializer must have data", received=str(value.name))
    return value.const_value


def _header(value: ir.Value) -> bytes:
    proto = onnx.TensorProto(name=value.name, data_type=_tensor(value).dtype.value, dims=_tensor(value).shape.numpy())
    return bytes(proto.SerializeToString(deterministic=True))


def _inside(weight: _Weight) -> bytes:
    return weight.header + _prefix(_TENSOR_RAW_DATA, weight.size)


def _external(value: ir.Value, location: str, offset: int) -> bytes:
    tensor = _tensor(value)
    proto = onnx.TensorProto(name=value.name, data_type=tensor.dtype.value, dims=tensor.shape.numpy())
    proto.data_location = onnx.TensorProto.EXTERNAL
    for key, item in (("location", location), ("offset", str(offset)), ("length", str(tensor.nbytes))):
        proto.external_data.add(key=key, value=item)
    return bytes(proto.SerializeToString(deterministic=True))


def _write_data(file: IO[bytes], weight: _Weight) -> None:
    array = np.asarray(_tensor(weight.value).numpy())
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    data = np.asarray(little, order="C").reshape(-1).view(np.uint8)
    if data.nbytes != weight.size:
        raise ExportError(
            f"the data of {weight.value.name} must have {weight.size} bytes", received=f"{data.nbytes} bytes"
        )
    file.write(data.data)


def _prefix(field: int, length: int) -> bytes:
    return _varint(field << 3 | _LENGTH_DELIMITED) + _varint(length)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
