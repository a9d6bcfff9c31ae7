"""The sharing guarantee: an artifact stores each unique parameter once, and little else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.errors import SharingError

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")

#: What a file may hold besides weights: this share of them, or this many bytes, whichever is larger.
REST_SHARE = 0.05
REST_BYTES = 512 * 1024

#: A tensor written into a node is taken for a weight from this size on; smaller ones are shapes and scalars.
_CONSTANT_BYTES = 1024


@dataclass(frozen=True)
class Sharing:
    """What an artifact stores, in bytes.

    Attributes:
        unique_parameter_bytes: The model's parameters, each counted once.
        stored_weight_bytes: The artifact's weights, each counted as often as it is stored.
        rest_bytes: The rest of the artifact's files: graph, names, metadata, buffers.
    """

    unique_parameter_bytes: int
    stored_weight_bytes: int
    rest_bytes: int

    @property
    def ratio(self) -> float:
        """Stored over unique: 1.0 when nothing is copied, 12 when each of 12 layers has a copy of its own."""
        return self.stored_weight_bytes / self.unique_parameter_bytes

    def to_dict(self) -> dict[str, Any]:
        """Return the figures for the manifest."""
        return {
            "unique_parameter_bytes": self.unique_parameter_bytes,
            "stored_weight_bytes": self.stored_weight_bytes,
            "rest_bytes": self.rest_bytes,
            "ratio": round(self.ratio, 6),
        }

    def check(self, after: str) -> None:
        """Hold the figures to the guarantee.

        Args:
            after: The step that was just done, for the message.

        Raises:
            SharingError: A weight is stored more than once, or the rest is too large.
        """
        if self.stored_weight_bytes > self.unique_parameter_bytes:
            raise SharingError(
                f"after {after} the artifact must store each weight once",
                received=f"{self.stored_weight_bytes} bytes of weights for {self.unique_parameter_bytes} unique ones",
            )
        allowed = max(REST_SHARE * self.unique_parameter_bytes, REST_BYTES)
        if self.rest_bytes > allowed:
            raise SharingError(
                f"after {after} the artifact must hold at most {int(allowed)} bytes besides its weights",
                received=f"{self.rest_bytes} bytes",
            )


def stored_weight_bytes(model: ir.Model) -> int:
    """Count the bytes of every floating-point or quantised weight in the model, its subgraphs' included."""
    total = sum(
        value.const_value.nbytes
        for graph in _graphs(model.graph)
        for value in graph.initializers.values()
        if value.const_value is not None and _is_weight(value.const_value)
    )
    for node in ir.traversal.RecursiveGraphIterator(model.graph):
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.TENSOR and attribute.value.nbytes >= _CONSTANT_BYTES:
                total += attribute.value.nbytes
    return total


def _is_weight(tensor: Any) -> bool:
    # Buffers of positions are int64; quantised weights have at most 8 bits.
    return bool(tensor.dtype.is_floating_point()) or tensor.dtype.bitwidth <= 8


def _graphs(graph: ir.Graph) -> Iterator[ir.Graph]:
    yield graph
    for node in graph:
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                yield from _graphs(attribute.value)
