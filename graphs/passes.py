"""Passes over an ONNX graph, in one explicit order.

A pass changes the model in place and returns whether it changed anything. After each the sharing guarantee is checked
again. A pass that fails stops the export; the error names those that ran before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from albert_export._imports import require
from albert_export.errors import ExportError, SharingError
from albert_export.graphs.onnx_sharing import stored_weight_bytes
from albert_export.graphs.sharing import Sharing

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")


@dataclass(frozen=True)
class Pass:
    """One position of the pipeline.

    Attributes:
        name: As it is called in messages.
        run: Changes the model in place; returns whether it changed anything.
    """

    name: str
    run: Callable[[ir.Model], bool]


def pipeline(
    opset: int,
    quantizing: Sequence[Pass] = (),
    narrowing: Sequence[Pass] = (),
    packing: Sequence[Pass] = (),
) -> tuple[Pass, ...]:
    """Return the passes for a model of that opset, in order; the given ones pack its tokens and lower its precision."""
    return (
        # First: it knows products by the weights that they read.
        *packing,
        # Before anything is decomposed: they know activation functions by their operators.
        *quantizing,
        Pass("decompose-newer-operators", lambda model: decompose_newer_operators(model, opset)),
        # After it: the constants that it writes are narrowed with the others.
        *narrowing,
        # Last: takes out what nothing reads any more, so that no weight stays that no operator uses.
        Pass("remove-unused", remove_unused),
    )


def run_passes(model: ir.Model, passes: Sequence[Pass], *, unique_parameter_bytes: int) -> tuple[str, ...]:
    """Run ``passes`` in order and return the names of those that changed the model.

    Raises:
        SharingError: A pass copied a weight.
        ExportError: A pass failed; the message names it and those that ran before.
    """
    done: list[str] = []
    changed: list[str] = []
    for step in passes:
        try:
            if step.run(model):
                changed.append(step.name)
            Sharing(unique_parameter_bytes, stored_weight_bytes(model), 0).check(f"the pass {step.name}")
        except SharingError:
            raise
        except ExportError as error:
            ran = ", ".join(done) or "none"
            rule = f"{error.rule} (pass {step.name}; passes before it: {ran})"
            raise ExportError(rule, received=error.received, fix=error.fix) from error
        except Exception as error:
            ran = ", ".join(done) or "none"
            raise ExportError(
                f"the pass {step.name} must not fail (passes before it: {ran})", received=f"{error!r}"
            ) from error
        done.append(step.name)
    return tuple(changed)


def decompose_newer_operators(model: ir.Model, opset: int) -> bool:
    """Write operators that begin after ``opset`` as older ones: ``Gelu``, which begins at 20."""
    if opset >= 20:
        return False
    found = [node for node in ir.traversal.RecursiveGraphIterator(model.graph) if node.op_type == "Gelu"]
    for node in found:
        _decompose_gelu(node)
    return bool(found)


def _decompose_gelu(node: ir.Node) -> None:
    graph = node.graph
    hidden = node.inputs[0]
    if graph is None or hidden is None:
        raise ExportError("a node to decompose must be in a graph and have an input", received=str(node.name))
    dtype = hidden.dtype or ir.DataType.FLOAT
    made: list[ir.Node] = []

    def emit(op_type: str, *inputs: ir.Value | float) -> ir.Value:
        values = [emit_constant(item) if isinstance(item, float) else item for item in inputs]
        return append(ir.node(op_type, values))

    def emit_constant(number: float) -> ir.Value:
        return append(ir.node("Constant", [], {"value": ir.tensor(np.array(number, dtype=dtype.numpy()))}))

    def append(operator: ir.Node) -> ir.Value:
        operator.name = f"{node.name}_{operator.op_type.lower()}_{len(made)}"
        operator.outputs[0].name = operator.name
        made.append(operator)
        return operator.outputs[0]

    tanh_form = node.attributes.get_string("approximate", "none") == "tanh"
    if tanh_form:
        # Hendrycks and Gimpel, https://arxiv.org/abs/1606.08415, section 2.
        cube = emit("Mul", emit("Mul", hidden, hidden), hidden)
        inner = emit("Mul", emit("Add", hidden, emit("Mul", cube, 0.044715)), math.sqrt(2 / math.pi))
        bell = emit("Tanh", inner)
    else:
        bell = emit("Erf", emit("Mul", hidden, math.sqrt(0.5)))
    result = emit("Mul", emit("Mul", hidden, 0.5), emit("Add", bell, 1.0))
    graph.insert_before(node, made)
    node.outputs[0].replace_all_uses_with(result, replace_graph_outputs=True)
    graph.remove(node, safe=True)


def remove_unused(model: ir.Model) -> bool:
    """Take out nodes and initializers that no output depends on."""
    changed = False
    again = True
    while again:
        again = False
        for node in reversed(list(ir.traversal.RecursiveGraphIterator(model.graph))):
            graph = node.graph
            if graph is not None and not any(output.uses() or output.is_graph_output() for output in node.outputs):
                graph.remove(node, safe=True)
                again = changed = True
    for name, value in list(model.graph.initializers.items()):
        if not value.uses() and not value.is_graph_output():
            del model.graph.initializers[name]
            changed = True
    return changed
