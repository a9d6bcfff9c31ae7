"""Reading the hidden state after every layer out of an ONNX artifact.

The exporter names the hidden state after layer N ``hidden_N``, and the loop of layer group G ``group_G_layers``. Values
at the top of the graph are declared outputs of a copy; what a loop computes on the way is collected by giving its
body's result a second role, that of a scan output. ``group_G_computed`` is the number of tokens that a turn computes.
Where the tokens are packed, the value ``packed_places`` says which of them stands at each place.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albert_export._imports import require
from albert_export.errors import BundleError
from albert_export.runtimes import Runtime

if TYPE_CHECKING:
    import onnx

Array = npt.NDArray[Any]

_HIDDEN = re.compile(r"hidden_(\d+)")
_LOOP = re.compile(r"group_(\d+)_layers")
_COMPUTED = re.compile(r"group_(\d+)_computed")

#: The output that is the last layer's state itself.
_LAST = "last_hidden_state"

#: Value of a packed graph, ``[B,S]``: which of the packed tokens stands in the place of each.
_PLACES = "packed_places"


def read_onnx_states(path: Path, runtime: Runtime, batches: Sequence[Mapping[str, Array]]) -> dict[int, Array]:
    """Run a copy of the artifact and return its hidden states by the number of layers applied.

    Args:
        path: The artifact's ``.onnx`` file; external data lies beside it.
        runtime: The artifact as it was judged; says on which device.
        batches: Inputs of each run; the states of all are put together.

    Raises:
        MissingDependencyError: onnx is not installed.
        BundleError: The copy cannot be made or run.
    """
    onnx = require("onnx", needed_for="looking into an ONNX artifact", extra="onnx")
    model = onnx.load(path, load_external_data=False)
    scanned, plain = _open_up(model.graph)
    places = _declare_places(model.graph)
    found = run_copy(model, path, runtime, [*scanned, *plain, *places], batches)
    runs = [_at_places(each, scanned, plain) for each in found]
    states: dict[int, Array] = {}
    for index, name in enumerate([*scanned, *plain]):
        if name in plain:
            states.setdefault(plain[name], np.concatenate([run[index] for run in runs]))
        else:
            layers = np.concatenate([run[index] for run in runs], axis=1)  # [layers, B, S, D]
            states.update({scanned[name] + step: layer for step, layer in enumerate(layers, start=1)})
    return states


def run_copy(
    model: onnx.ModelProto, path: Path, runtime: Runtime, names: Sequence[str], batches: Sequence[Mapping[str, Array]]
) -> list[list[Array]]:
    """Run a changed copy of an artifact, and return outputs of each batch.

    Args:
        model: The copy; its external data lie beside the artifact.
        path: The artifact's ``.onnx`` file.
        runtime: The artifact as it was judged; says on which device.
        names: Outputs of the copy.
        batches: Inputs of each run.

    Raises:
        MissingDependencyError: onnxruntime is not installed.
        BundleError: The copy cannot be made or run.
    """
    import onnx

    ort = require("onnxruntime", needed_for="running ONNX artifacts", extra="onnxruntime")
    from albert_export.runtimes.devices import parse_device
    from albert_export.runtimes.onnxruntime_devices import providers_for
    from albert_export.runtimes.onnxruntime_sessions import session_options

    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory, path.name)
        try:
            _link_external_data(model.graph, path.parent, copy.parent)
            onnx.save(model, copy)
            session = ort.InferenceSession(
                str(copy),
                session_options(ort, None),
                providers=providers_for(*parse_device(runtime.device)),
                enable_fallback=0,
            )
            return [session.run(list(names), dict(inputs)) for inputs in batches]
        except Exception as error:  # ONNX Runtime's own have no common base
            raise BundleError(
                "a copy of the artifact that shows its hidden states must run", received=str(error)
            ) from error


def _at_places(found: Sequence[Array], scanned: Mapping[str, int], plain: Mapping[str, int]) -> list[Array]:
    """Return the states of one batch, ``[layers,B,S,D]`` of each loop and then ``[B,S,D]`` of each value.

    Args:
        found: The states, and behind them the places of packed tokens where they are.
        scanned: Names of the loops' states.
        plain: Names of the others.
    """
    names = [*scanned, *plain]
    states = [state.astype(np.float32, copy=False) for state in found[: len(names)]]
    for place in found[len(names) :]:
        states = [
            state.take(place, axis=1) if name in scanned else state if name == _LAST else state[place]
            for name, state in zip(names, states, strict=True)
        ]
    return states


def _open_up(graph: onnx.GraphProto) -> tuple[dict[str, int], dict[str, int]]:
    """Declare hidden states outputs; return, by name, the layers before each loop, and those before each state."""
    import onnx

    declared = {output.name for output in graph.output}
    dtype = _hidden_type(graph)
    scanned: dict[str, int] = {}
    plain: dict[str, int] = {}
    done = 0
    for node in graph.node:
        match = _LOOP.fullmatch(node.name)
        if node.op_type == "Loop" and match:
            before = _HIDDEN.fullmatch(node.input[2])
            done = int(before[1]) if before else done
            states = f"{node.name}_states"
            _collect(node, states)
            scanned[states] = done
            after = _HIDDEN.fullmatch(node.output[0])
            done = int(after[1]) if after else done
            continue  # what leaves the loop is the last of its states
        for name in node.output:
            hidden = _HIDDEN.fullmatch(name)
            if hidden:
                plain[name] = int(hidden[1])
    for name in [*scanned, *plain]:
        if name not in declared:
            graph.output.append(onnx.helper.make_tensor_value_info(name, dtype, None))
    if _LAST in declared and not scanned:
        # Where the last layer's state is the model's own output, it bears that name; it is never packed.
        plain[_LAST] = max(plain.values(), default=-1) + 1
    return scanned, plain


def _declare_places(graph: onnx.GraphProto) -> list[str]:
    """Declare the places of packed tokens an output, where there are any, and return the name."""
    import onnx

    if not any(_PLACES in node.output for node in graph.node):
        return []
    graph.output.append(onnx.helper.make_tensor_value_info(_PLACES, onnx.TensorProto.INT64, None))
    return [_PLACES]


def _hidden_type(graph: onnx.GraphProto) -> int:
    """Return the element type of the hidden states: that of what normalises them."""
    import onnx

    normalising = [tensor for tensor in graph.initializer if tensor.name.endswith("LayerNorm.weight")]
    return normalising[0].data_type if normalising else onnx.TensorProto.FLOAT


def compute_all_tokens(body: onnx.GraphProto) -> None:
    """Let the last turn of a loop compute all tokens, as the others do, where it computes the first one alone."""
    for node in body.node:
        if _COMPUTED.fullmatch(node.output[0]):
            node.input[1] = node.input[2]


def _collect(loop: onnx.NodeProto, name: str) -> None:
    """Give the loop a further output, which stacks the hidden states of all its turns."""
    import onnx

    body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    compute_all_tokens(body)
    leaving = body.output[1]
    inner = f"{name}_step"
    body.node.append(onnx.helper.make_node("Identity", [leaving.name], [inner]))
    collected = onnx.ValueInfoProto()
    collected.CopyFrom(leaving)
    collected.name = inner
    body.output.append(collected)
    loop.output.append(name)


def _link_external_data(graph: onnx.GraphProto, source: Path, target: Path) -> None:
    """Make the files that hold large weights appear beside the copy."""
    import onnx

    files = {
        entry.value
        for tensor in graph.initializer
        if tensor.data_location == onnx.TensorProto.EXTERNAL
        for entry in tensor.external_data
        if entry.key == "location"
    }
    for file in files:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source / file, target / file)
        except OSError:  # another filesystem
            shutil.copyfile(source / file, target / file)
