"""The ranges that activations of an ONNX graph take on given inputs, those inside a loop over all its turns."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.graphs.calibration_inputs import check_finite, check_names, does_not_run, no_input
from albert_export.graphs.onnx_file import write_onnx

if TYPE_CHECKING:
    import onnx_ir as ir
else:
    ir = require("onnx_ir", needed_for="exporting to ONNX", extra="onnx")

Feed = Mapping[str, np.ndarray[Any, Any]]


def observed_ranges(
    model: ir.Model, activations: Sequence[ir.Value], feeds: Iterable[Feed]
) -> dict[str, tuple[float, float]]:
    """Run the graph on ``feeds`` and return the least and the largest number of each activation, by its name.

    Args:
        model: A float32 graph; used up: it is changed so that it tells what is asked for.
        activations: Values of the graph and of the bodies of its loops.
        feeds: Inputs by name.

    Returns:
        An entry for each activation; none where none was asked for, and nothing is run then.

    Raises:
        ExportError: There are no feeds, the graph does not run on one, or a number is not finite.
        MissingDependencyError: onnxruntime is not installed.
    """
    if not activations:  # asked for no output, ONNX Runtime would give all
        return {}
    ort = require("onnxruntime", needed_for="calibrating ONNX artifacts", extra="onnxruntime")
    order = _observe(model, activations)
    found: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "observed.onnx")
        write_onnx(model, path)
        options = ort.SessionOptions()
        options.log_severity_level = 4
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for feed in feeds:
            for name, seen in _run(session, order, feed).items():
                known = found.get(name, seen)
                found[name] = (min(known[0], seen[0]), max(known[1], seen[1]))
    if not found:
        raise no_input()
    return found


def _run(session: Any, order: Mapping[str, tuple[str, str]], feed: Feed) -> dict[str, tuple[float, float]]:
    check_names(feed, [value.name for value in session.get_inputs()])
    try:
        asked = [name for pair in order.values() for name in pair]
        results = session.run(asked, {name: np.asarray(array, dtype=np.int64) for name, array in feed.items()})
    except Exception as error:  # ONNX Runtime's own have no common base
        raise does_not_run(error) from error
    return {
        name: check_finite(name, (float(np.min(low)), float(np.max(high))))
        for name, low, high in zip(order, results[::2], results[1::2], strict=True)
    }


def _observe(model: ir.Model, activations: Sequence[ir.Value]) -> dict[str, tuple[str, str]]:
    """Let the graph give out minimum and maximum of each activation; return the names of the two outputs."""
    loops = {
        id(attribute.value): node
        for node in model.graph
        for attribute in node.attributes.values()
        if attribute.type == ir.AttributeType.GRAPH
    }
    order: dict[str, tuple[str, str]] = {}
    for activation in activations:
        graph = next(node for node, _ in activation.uses()).graph
        names = []
        for op_type in ("ReduceMin", "ReduceMax"):
            reducing = ir.node(op_type, [activation], {"keepdims": 0})
            name = f"{activation.name}_{op_type.lower()}"
            result = reducing.outputs[0]
            reducing.name = result.name = name
            result.type, result.shape = ir.TensorType(ir.DataType.FLOAT), ir.Shape([])
            assert isinstance(graph, ir.Graph), "what reads an activation is in a graph"
            graph.append(reducing)
            if graph is model.graph:
                graph.outputs.append(result)
            else:
                # What a loop's body yields beyond what it carries is stacked, turn by turn.
                loop = loops[id(graph)]
                graph.outputs.append(result)
                loop.resize_outputs(len(loop.outputs) + 1)
                stacked = loop.outputs[-1]
                name = stacked.name = f"{name}_of_all_turns"
                stacked.type = ir.TensorType(ir.DataType.FLOAT)
                model.graph.outputs.append(stacked)
            names.append(name)
        order[str(activation.name)] = (names[0], names[1])
    return order
