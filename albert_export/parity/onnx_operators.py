"""Reading the steps inside one layer of an ONNX artifact, found by the weights that they read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from albert_export._imports import require
from albert_export.parity.layer_parts import Array, Part, parts_of
from albert_export.parity.onnx_states import compute_all_tokens, run_copy
from albert_export.runtimes import Runtime

if TYPE_CHECKING:
    import onnx


def read_onnx_parts(
    path: Path, runtime: Runtime, batches: Sequence[Mapping[str, Array]], layer: int
) -> dict[Part, Array]:
    """Run a copy of the artifact and return what it computes on the way through a layer.

    Args:
        path: The artifact's ``.onnx`` file.
        runtime: The artifact as it was judged.
        batches: Inputs of each run; the values of all are put together.
        layer: Counted from 1; 0 for the embeddings.

    Returns:
        Part -> array in float32; those that the graph does not show by a weight's name are absent.

    Raises:
        MissingDependencyError: onnx is not installed.
        BundleError: The copy cannot be made or run.
    """
    onnx = require("onnx", needed_for="looking into an ONNX artifact", extra="onnx")
    model = onnx.load(path, load_external_data=False)
    groups = _groups(runtime.config)
    group, turn = (groups[layer - 1], groups[: layer - 1].count(groups[layer - 1])) if layer else (0, 0)
    loop = next((node for node in model.graph.node if node.name == f"group_{group}_layers"), None) if layer else None
    where = f"albert_layer_groups.{group}.albert_layers.{runtime.config.inner_group_num - 1}." if layer else ""
    inside = model.graph if loop is None else _body(loop)
    compute_all_tokens(inside)
    names: dict[str, Part] = {}
    for number, part in enumerate(parts_of(layer)):
        values = _values(inside, f"{where}{part.module}", part.side)
        # Written out, the layers of a group read the same weights, one after the other.
        value = values[0] if values and loop is not None else values[turn] if len(values) > turn else None
        if value is not None:
            shown = f"part_{number}"
            _show(model.graph, loop, value, shown)
            names[shown] = part
    if not names:
        return {}
    # Cast to float32 in the copy.
    runs = run_copy(model, path, runtime, list(names), batches)
    if loop is None:
        return {part: np.concatenate([run[index] for run in runs]) for index, part in enumerate(names.values())}
    return {
        part: np.concatenate([run[index][turn] for run in runs])
        for index, part in enumerate(names.values())
        if len(runs[0][index]) > turn
    }


def _groups(config: Any) -> list[int]:
    layers = config.num_hidden_layers
    return [int(layer / (layers / config.num_hidden_groups)) for layer in range(layers)]


def _body(loop: onnx.NodeProto) -> onnx.GraphProto:
    body: onnx.GraphProto = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    return body


def _values(graph: onnx.GraphProto, module: str, side: str) -> list[str]:
    """Return the names of what a module takes or gives, each time that its weight is read."""

    def reading(parameter: str) -> list[onnx.NodeProto]:
        wanted = f"{module}.{parameter}"
        return [node for node in graph.node if any(name.endswith(wanted) for name in node.input)]

    if side == "takes":
        return [node.input[0] for node in reading("weight")]
    # The sum with the bias ends a linear layer; LayerNormalization reads it itself.
    return [node.output[0] for node in reading("bias")]


def _show(graph: onnx.GraphProto, loop: onnx.NodeProto | None, value: str, name: str) -> None:
    """Make a value an output of the graph, in float32; of a loop, the values of all its turns."""
    import onnx

    inside = graph if loop is None else _body(loop)
    inner = name if loop is None else f"{name}_turn"
    # From and to whatever type it is.
    inside.node.append(onnx.helper.make_node("Cast", [value], [inner], to=onnx.TensorProto.FLOAT))
    if loop is not None:
        inside.output.append(onnx.helper.make_tensor_value_info(inner, onnx.TensorProto.FLOAT, None))
        loop.output.append(name)
    graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
