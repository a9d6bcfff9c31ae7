"""What passes over an ONNX graph write new nodes with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.errors import ExportError

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")


class Writer:
    """Puts new nodes before one that is there, in its graph, and names them after it.

    Args:
        before: The node; it stays.
        constants: Constants made so far, shared by the writers of one pass.
    """

    def __init__(self, before: ir.Node, constants: dict[Any, ir.Value]) -> None:
        if before.graph is None or not isinstance(before.graph, ir.Graph):
            raise ExportError("a node to rewrite must be in a graph", received=str(before.name))
        self.before = before
        self.graph = before.graph
        self.constants = constants
        self._made = 0

    def emit(self, op_type: str, inputs: Sequence[ir.Value | None], *, domain: str = "", **attributes: Any) -> ir.Value:
        """Put a node in, and return its one output."""
        node = ir.node(op_type, inputs, attributes, domain=domain)
        node.name = node.outputs[0].name = f"{self.before.name}_{op_type.lower()}_{self._made}"
        self._made += 1
        self.graph.insert_before(self.before, node)
        return node.outputs[0]

    def constant(self, array: Any) -> ir.Value:
        """Return a constant of this graph, each value made once."""
        array = np.asarray(array)
        key = (id(self.graph), str(array.dtype), array.shape, array.tobytes())
        if key not in self.constants:
            node = ir.node("Constant", [], {"value": ir.tensor(array)})
            # Counted in the graph, and not in the constants known here: an earlier pass may have made some.
            begins = f"{self.graph.name}_fixed_"
            count = sum(str(made.name).startswith(begins) for made in self.graph)
            node.name = node.outputs[0].name = f"{begins}{count}"
            self.graph.insert_before(self.graph[0], node)
            self.constants[key] = node.outputs[0]
        return self.constants[key]

    def replace(self, value: ir.Value) -> None:
        """Let all that read the one output of the node read ``value``, which takes its name, and take the node out."""
        old = self.before.outputs[0]
        name, shape, dtype = old.name, old.shape, old.type
        old.replace_all_uses_with(value, replace_graph_outputs=True)
        self.graph.remove(self.before, safe=True)
        if value.producer() is not None and name is not None:
            value.name = name
        if shape is not None:
            value.shape = shape
        if dtype is not None:
            value.type = dtype
