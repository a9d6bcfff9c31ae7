"""Reading the hidden state after every layer out of a SavedModel.

Its function is taken apart into one graph, in which what is computed anywhere can be asked for. A loop's body shows its
state to nobody; but the loop counts to a constant, and in copies it stops after one turn, after two and so on. Layers
that are written out bear their names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from albert_export._tensorflow import import_tensorflow
from albert_export.errors import BundleError
from albert_export.runtimes import Runtime

Array = npt.NDArray[Any]

_SIGNATURE = "serving_default"
_LOOPS = ("StatelessWhile", "While")
#: The last operator of a layer that is written out, and that of the mapping of the embeddings.
_LAYER = re.compile(r"albert_layer_groups_(\d+)(?:_\d+)?/albert_layers_(\d+)/full_layer_layer_norm/add_1$")
_MAPPING = re.compile(r"embedding_hidden_mapping_in/(?:add|BiasAdd|Add)(?:_\d+)?$")


def read_savedmodel_states(path: Path, runtime: Runtime, batches: Sequence[Mapping[str, Array]]) -> dict[int, Array]:
    """Run copies of the artifact's graph and return its hidden states by the number of layers applied.

    Args:
        path: The ``saved_model.pb``.
        runtime: The artifact as it was judged.
        batches: Inputs of each run; the states of all are put together.

    Raises:
        MissingDependencyError: TensorFlow is not installed.
        BundleError: A copy cannot be made or run.
    """
    tf = import_tensorflow(needed_for="looking into a SavedModel")
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    try:
        loaded = tf.saved_model.load(str(path.parent))
        function = convert_variables_to_constants_v2(loaded.signatures[_SIGNATURE], lower_control_flow=False)
        graph = function.graph.as_graph_def()
        loops = [node for node in graph.node if node.op in _LOOPS]
        if not loops:
            inner = runtime.config.inner_group_num - 1
            places = _written_out(graph, inner)
            return dict(zip(places, _run(tf, graph, list(places.values()), batches), strict=True)) if places else {}
        counts = [int(tf.make_ndarray(_limit(graph, loop).attr["value"].tensor)) for loop in loops]
        ends = [_hidden_output(function.graph, loop) for loop in loops]
        before = loops[0].input[int(ends[0].rpartition(":")[2])]
        found = _run(tf, graph, [before if ":" in before else f"{before}:0", *ends], batches)
        states, done = {0: found[0]}, 0
        for place, (count, end, last) in enumerate(zip(counts, ends, found[1:], strict=True)):
            for turn in range(1, count):
                (states[done + turn],) = _run(tf, _stopped(tf, graph, place, turn), [end], batches)
            done += count
            states[done] = last
    except (tf.errors.OpError, ValueError, KeyError, RuntimeError) as error:
        raise BundleError(
            "a copy of the artifact that shows its hidden states must run", received=str(error)[:500]
        ) from error
    return states


def _written_out(graph: Any, inner: int) -> dict[int, str]:
    """Return layers applied -> tensor of the hidden state, where the layers are written out."""
    places: dict[int, str] = {}
    order = {node.name: place for place, node in enumerate(graph.node)}
    layers = [name for name in order if (found := _LAYER.search(name)) and int(found[2]) == inner]
    mapped = [name for name in order if _MAPPING.search(name)]
    if mapped:
        places[0] = f"{mapped[-1]}:0"
    places |= {place: f"{name}:0" for place, name in enumerate(sorted(layers, key=_place_of), start=1)}
    return places


def _place_of(name: str) -> tuple[int, int]:
    """Return where a layer stands: its group, and which application of it, as TensorFlow counts names."""
    found = re.search(r"albert_layer_groups_(\d+)(?:_(\d+))?/", name)
    assert found is not None, "chosen by the same name"
    return int(found[1]), int(found[2] or 0)


def _limit(graph: Any, loop: Any) -> Any:
    """Return the constant that a loop's condition compares its counter with."""
    name = loop.attr["cond"].func.name
    condition = next(function for function in graph.library.function if function.signature.name == name)
    nodes = {node.name: node for node in condition.node_def}
    for compared in condition.node_def:
        if compared.op == "Less":
            constant = nodes.get(compared.input[1].partition(":")[0])
            if constant is not None and constant.op == "Const":
                return constant
    raise BundleError("a loop over layers must count to a constant", received="one that does not")


def _stopped(tf: Any, graph: Any, place: int, turns: int) -> Any:
    """Return a copy of the graph in which a loop stops after so many turns."""
    copy = type(graph)()
    copy.CopyFrom(graph)
    loop = [node for node in copy.node if node.op in _LOOPS][place]
    tensor = _limit(copy, loop).attr["value"].tensor
    tensor.CopyFrom(tf.make_tensor_proto(turns, dtype=tensor.dtype, shape=[]))
    # TensorFlow knows functions by their name, and takes no second one under it.
    old = loop.attr["cond"].func.name
    new = f"{old}_stops_after_{turns}"
    condition = next(function for function in copy.library.function if function.signature.name == old)
    condition.signature.name = new
    loop.attr["cond"].func.name = new
    return copy


def _hidden_output(graph: Any, loop: Any) -> str:
    """Return the tensor that leaves a loop as hidden state: the only one of three axes that the body changes."""
    outputs = graph.get_operation_by_name(loop.name).outputs
    return next(str(output.name) for output in outputs if output.shape.rank == 3 and output.dtype.is_floating)


def _run(tf: Any, graph: Any, wanted: list[str], batches: Sequence[Mapping[str, Array]]) -> list[Array]:
    """Return tensors of the graph, each over all batches."""
    names = {node.name for node in graph.node if node.op == "Placeholder"}

    def imported() -> None:
        tf.graph_util.import_graph_def(graph, name="")

    wrapped = tf.compat.v1.wrap_function(imported, [])
    inputs = sorted(names & set(batches[0]))
    pruned = wrapped.prune([f"{name}:0" for name in inputs], wanted)
    runs = []
    for batch in batches:
        feeds = [tf.constant(batch[name], dtype=wrapped.graph.get_tensor_by_name(f"{name}:0").dtype) for name in inputs]
        runs.append([state.numpy().astype(np.float32, copy=False) for state in pruned(*feeds)])
    return [np.concatenate([run[place] for run in runs]) for place in range(len(wanted))]
