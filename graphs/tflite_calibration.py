"""The ranges that tensors of a TFLite graph take on given inputs, those inside a loop over all its iterations.

No interpreter shows what happens inside a loop. So the graph itself is made to: each observed tensor of a loop's body
gets a running minimum and a maximum, which the loop carries along and hands out.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from albert_export.graphs.calibration_inputs import check_finite, check_names, does_not_run, no_input
from albert_export.graphs.tf_messages import quiet
from albert_export.graphs.tf_tracing import tf
from albert_export.graphs.tflite_file import packed, write_tflite
from albert_export.graphs.tflite_graph import Operators, Subgraph, TFLiteGraph, Types, schema

#: A tensor: the number of its subgraph, and its own.
Place = tuple[int, int]

Feed = Mapping[str, np.ndarray[Any, Any]]

_LARGEST = float(np.finfo(np.float32).max)


def ranges(graph: TFLiteGraph, places: Sequence[Place], feeds: Iterable[Feed]) -> dict[Place, tuple[float, float]]:
    """Run the graph on ``feeds`` and return the least and the largest number of each tensor.

    Args:
        graph: A float32 graph; unchanged.
        places: Float tensors of the main subgraph and of the bodies of its loops.
        feeds: Inputs by name.

    Raises:
        ExportError: There are no feeds, the graph does not run on one, or a number is not finite.
    """
    observed = TFLiteGraph(bytes(packed(graph)))
    observed.weights = dict(graph.weights)
    first = len(observed.main.raw.outputs)
    order = _observe(observed, places)
    found: dict[Place, tuple[float, float]] = {}
    count = 0
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "observed.tflite"
        write_tflite(observed, path)
        interpreter = _interpreter(path)
        outputs = [detail["index"] for detail in interpreter.get_output_details()][first:]
        for feed in feeds:
            count += 1
            _run(interpreter, feed)
            seen = [float(interpreter.get_tensor(index)) for index in outputs]
            for place, low, high in zip(order, seen[::2], seen[1::2], strict=True):
                check_finite(_name(graph, place), (low, high))
                before = found.get(place, (low, high))
                found[place] = (min(low, before[0]), max(high, before[1]))
        del interpreter  # before its file goes
    if not count:
        raise no_input()
    return found


def _interpreter(path: Path) -> Any:
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf.lite.Interpreter says that it moves to another package
        # XNNPACK would pack a second copy of all weights.
        plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = tf.lite.Interpreter(str(path), num_threads=1, experimental_op_resolver_type=plain)
        interpreter.allocate_tensors()
    return interpreter


def _run(interpreter: Any, feed: Feed) -> None:
    details = {detail["name"]: detail for detail in interpreter.get_input_details()}
    check_names(feed, details)
    try:
        for name, array in feed.items():
            interpreter.resize_tensor_input(details[name]["index"], array.shape, strict=True)
        interpreter.allocate_tensors()
        for name, array in feed.items():
            interpreter.set_tensor(details[name]["index"], np.asarray(array, dtype=np.int32))
        interpreter.invoke()
    except (RuntimeError, ValueError) as error:
        raise does_not_run(error) from error


def _name(graph: TFLiteGraph, place: Place) -> str:
    name = graph.subgraphs[place[0]].tensor(place[1]).name
    return name.decode() if isinstance(name, bytes) else str(name)


def _observe(graph: TFLiteGraph, places: Sequence[Place]) -> list[Place]:
    """Make minimum and maximum of each tensor outputs, in pairs; return the tensors in that order."""
    order: list[Place] = []
    main = graph.main
    for number, index in places:
        if number == 0:
            main.raw.outputs += _reduced(main, index)
            order.append((number, index))
    for loop in [one for one in main.operators if graph.code(one) == Operators.WHILE]:
        inside = loop.builtinOptions.bodySubgraphIndex
        for number, index in places:
            if number == inside:
                main.raw.outputs += _carried(graph, loop, index)
                order.append((number, index))
    return order


def _reduced(subgraph: Subgraph, index: int) -> list[int]:
    """Add the least and the largest number of a tensor."""
    axes = subgraph.add_constant(f"axes_{index}", np.arange(len(subgraph.shape(index)), dtype=np.int32))
    results = []
    for code in (Operators.REDUCE_MIN, Operators.REDUCE_MAX):
        result = subgraph.add_tensor(f"range_{index}_{code}", Types.FLOAT32, ())
        operator = subgraph.make(code, [index, axes], [result], options=schema.ReducerOptionsT())
        subgraph.operators.append(operator)
        results.append(result)
    return results


def _carried(graph: TFLiteGraph, loop: Any, index: int) -> list[int]:
    """Let a loop carry the least and the largest number of a tensor of its body; return what the loop yields."""
    options = loop.builtinOptions
    condition, body = (graph.subgraphs[i] for i in (options.condSubgraphIndex, options.bodySubgraphIndex))
    yielded = []
    for code, start, reduced in zip(
        (Operators.MINIMUM, Operators.MAXIMUM), (_LARGEST, -_LARGEST), _reduced(body, index), strict=True
    ):
        name = f"running_{index}_{code}"
        before, after = (body.add_tensor(f"{name}_{when}", Types.FLOAT32, ()) for when in ("before", "after"))
        merged = schema.MaximumMinimumOptionsT()
        body.operators.append(body.make(code, [before, reduced], [after], options=merged))
        body.raw.inputs.append(before)
        body.raw.outputs.append(after)
        condition.raw.inputs.append(condition.add_tensor(name, Types.FLOAT32, ()))
        loop.inputs.append(graph.main.add_constant(f"{name}_start", np.array(start, dtype=np.float32)))
        result = graph.main.add_tensor(name, Types.FLOAT32, ())
        loop.outputs.append(result)
        yielded.append(result)
    return yielded
