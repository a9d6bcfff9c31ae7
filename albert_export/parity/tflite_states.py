"""Reading the hidden state after every layer out of a TFLite artifact.

A loop's body shows its state to nobody. But the loop counts to a constant: in copies of the artifact it stops after one
turn, after two and so on, and what leaves it is handed out. Layers that are written out end in the normalisation whose
bias bears the weight's name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from albert_export._imports import require
from albert_export._native_noise import caught_stderr
from albert_export.errors import BundleError
from albert_export.runtimes import Runtime

if TYPE_CHECKING:
    from albert_export.graphs.tflite_graph import Subgraph, TFLiteGraph

Array = npt.NDArray[Any]

_MAPPING_BIAS = re.compile(r"embedding_hidden_mapping_in\.bias$")
_LAYER_BIAS = re.compile(r"albert_layers\.(\d+)\.full_layer_layer_norm\.bias$")


def read_tflite_states(path: Path, runtime: Runtime, batches: Sequence[Mapping[str, Array]]) -> dict[int, Array]:
    """Run copies of the artifact and return its hidden states by the number of layers applied.

    Args:
        path: The ``.tflite`` file.
        runtime: The artifact as it was judged.
        batches: Inputs of each run; the states of all are put together.

    Raises:
        MissingDependencyError: TensorFlow, whose schema reads the file, or LiteRT is not installed.
        BundleError: A copy cannot be made or run.
    """
    from albert_export.graphs.tflite_graph import Operators, TFLiteGraph

    content = path.read_bytes()
    inner = runtime.config.inner_group_num - 1

    def opened() -> tuple[TFLiteGraph, list[Any]]:
        graph = TFLiteGraph(content)
        return graph, [operator for operator in graph.main.operators if graph.code(operator) == Operators.WHILE]

    graph, loops = opened()
    if not loops:
        places = _written_out(graph, inner)
        return dict(zip(places, _run(graph, list(places.values()), batches), strict=True)) if places else {}
    turns = [_limit(graph, loop)[2] for loop in loops]
    ends = [loop.outputs[_hidden_place(graph, loop)] for loop in loops]
    first = loops[0].inputs[_hidden_place(graph, loops[0])]
    found = _run(graph, [first, *ends], batches)
    states, done = {0: found[0]}, 0
    for place, count in enumerate(turns):
        for turn in range(1, count):
            graph, loops = opened()
            _stop_after(graph, loops[place], turn)
            (states[done + turn],) = _run(graph, [ends[place]], batches)
        done += count
        states[done] = found[1 + place]
    return states


def _written_out(graph: TFLiteGraph, inner: int) -> dict[int, int]:
    """Return layers applied -> tensor of the hidden state, where the layers are written out."""
    main, places, layers = graph.main, {}, 0
    for operator in main.operators:
        for index in operator.inputs:
            name = _name(main, index) if index >= 0 else ""
            layer = _LAYER_BIAS.search(name)
            if _MAPPING_BIAS.search(name):
                places[0] = operator.outputs[0]
            elif layer and int(layer[1]) == inner:
                layers += 1
                places[layers] = operator.outputs[0]
    return places


def _hidden_place(graph: TFLiteGraph, loop: Any) -> int:
    """Return which of a loop's values is the hidden state: the only one of three axes."""
    return next(place for place, index in enumerate(loop.inputs) if len(graph.main.shape(index)) == 3)


def _limit(graph: TFLiteGraph, loop: Any) -> tuple[Subgraph, Any, int]:
    """Return a loop's condition, the comparison in it, and the number of turns that this compares with.

    Raises:
        BundleError: The loop does not count to a constant.
    """
    from albert_export.graphs.tflite_graph import Operators

    condition = graph.subgraphs[loop.builtinOptions.condSubgraphIndex]
    compared = [operator for operator in condition.operators if graph.code(operator) == Operators.LESS]
    value = condition.constant(compared[0].inputs[1]) if compared else None
    if value is None or value.size != 1:
        raise BundleError("a loop over layers must count to a constant", received="one that does not")
    return condition, compared[0], int(value.reshape(()))


def _stop_after(graph: TFLiteGraph, loop: Any, turns: int) -> None:
    condition, compared, _ = _limit(graph, loop)
    # A constant of its own: two loops may share a buffer.
    compared.inputs[1] = condition.add_constant("turns", np.array(turns, dtype=np.int32))


def _run(graph: TFLiteGraph, wanted: list[int], batches: Sequence[Mapping[str, Array]]) -> list[Array]:
    """Return tensors of the main subgraph in float32, each over all batches."""
    from albert_export.graphs.tflite_file import packed

    litert = require("ai_edge_litert.interpreter", needed_for="running TFLite artifacts", extra="tflite")
    signature = graph.model.signatureDefs[0]
    inputs = {_text(entry.name): int(entry.tensorIndex) for entry in signature.inputs}
    # The signature would have to name the further outputs too.
    graph.model.signatureDefs = None
    graph.main.raw.outputs = [*graph.main.raw.outputs, *wanted]
    runs = []
    try:
        with caught_stderr():
            interpreter = litert.Interpreter(model_content=bytes(packed(graph)), num_threads=1)
            details = {int(each["index"]): each for each in interpreter.get_input_details()}
            outputs = {int(each["index"]): each for each in interpreter.get_output_details()}
            for batch in batches:
                for name, index in inputs.items():
                    interpreter.resize_tensor_input(index, batch[name].shape)
                interpreter.allocate_tensors()
                for name, index in inputs.items():
                    interpreter.set_tensor(index, batch[name].astype(details[index]["dtype"]))
                interpreter.invoke()
                runs.append([_real(interpreter.get_tensor(index), outputs[index]) for index in wanted])
    except (ValueError, RuntimeError, KeyError) as error:
        raise BundleError(
            "a copy of the artifact that shows its hidden states must run", received=str(error)
        ) from error
    return [np.concatenate([run[place] for run in runs]) for place in range(len(wanted))]


def _real(values: Array, details: Mapping[str, Any]) -> Array:
    """Return a tensor in float32; integers by their scale."""
    scale, zero = details["quantization"]
    real = (values.astype(np.float32) - zero) * np.float32(scale) if scale else values
    return real.astype(np.float32)


def _name(subgraph: Subgraph, index: int) -> str:
    return _text(subgraph.tensor(index).name)


def _text(name: bytes | str | None) -> str:
    return name.decode() if isinstance(name, bytes) else name or ""
