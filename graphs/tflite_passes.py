"""Passes over a TFLite graph, in one explicit order.

The converter is given the weights as inputs, so that it never holds or copies one. These passes put them in where they
are read, and write the dense layers as the operator that quantisers and XNNPACK know.

A pass changes the graph in place and returns whether it changed anything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from albert_export.errors import ExportError
from albert_export.graphs.tflite_graph import Operators, StoredWeight, Subgraph, TFLiteGraph, operator_name, schema

#: Lowest version of FULLY_CONNECTED that knows what is written: a bias may lack from 6 on, and leading axes are kept
#: from 5 on.
DENSE_VERSION = 6

Pass = Callable[[TFLiteGraph], bool]


def bind_weights(graph: TFLiteGraph, weights: Mapping[str, StoredWeight]) -> bool:
    """Make constants of the main subgraph's inputs that are weights, and let loops read them where they stand.

    Args:
        graph: A graph whose inputs of these names stand for weights.
        weights: The weight of each input.

    Raises:
        ExportError: No input stands for a weight, or a loop changes one.
    """
    main = graph.main
    buffers: dict[str, int] = {}
    for index in list(main.raw.inputs):
        name = _text(main.tensor(index).name)
        if name not in weights:
            continue
        main.raw.inputs.remove(index)
        if main.readers(index) or index in main.raw.outputs:
            weight = weights[name]
            buffer = buffers.setdefault(weight.name, graph.add_buffer(None))
            graph.weights[buffer] = weight
            main.tensor(index).buffer, main.tensor(index).name = buffer, weight.name
    if not buffers:
        names = ", ".join(_text(main.tensor(index).name) for index in main.raw.inputs)
        raise ExportError("the converted model must have inputs that stand for weights", received=names)
    _bind_loops(graph, main)
    return True


def _bind_loops(graph: TFLiteGraph, subgraph: Subgraph) -> None:
    for loop in [one for one in subgraph.operators if graph.code(one) == Operators.WHILE]:
        options = loop.builtinOptions
        condition, body = (graph.subgraphs[i] for i in (options.condSubgraphIndex, options.bodySubgraphIndex))
        for place in reversed(range(len(loop.inputs))):
            outer = loop.inputs[place]
            weight = subgraph.weight(outer)
            if weight is None:
                continue
            inner = body.raw.inputs[place]
            if body.raw.outputs[place] != inner:
                raise ExportError("a loop must leave the weights as they are", received=weight.name)
            if condition.readers(condition.raw.inputs[place]):
                raise ExportError("a loop's condition must read no weight", received=weight.name)
            body.tensor(inner).buffer, body.tensor(inner).name = subgraph.tensor(outer).buffer, weight.name
            subgraph.redirect(loop.outputs[place], outer)
            for places in (loop.inputs, loop.outputs, body.raw.inputs, body.raw.outputs, condition.raw.inputs):
                del places[place]
        _bind_loops(graph, body)


def write_dense_layers(graph: TFLiteGraph) -> bool:
    """Write products with a weight as FULLY_CONNECTED, with their bias.

    FULLY_CONNECTED takes the weight as [out, in]. A weight that is read as [in, out] is stored transposed, unless
    something reads it as it is; a table of embeddings that is also the decoder already lies as [out, in].
    """
    wanted: dict[int, set[bool]] = defaultdict(set)
    for subgraph, operator in graph.walk():
        for place, index in enumerate(operator.inputs):
            if subgraph.weight(index) is None:
                continue
            turns = _turns(graph, subgraph, operator) if place == 1 else None
            folds = graph.code(operator) == Operators.TRANSPOSE and _only_turns(graph, subgraph, operator)
            wanted[subgraph.tensor(index).buffer].add(folds if turns is None else turns)
    turned = {buffer for buffer, turns in wanted.items() if turns == {True}}
    for buffer in turned:
        graph.weights[buffer] = graph.weights[buffer].turned()
    for subgraph in graph.subgraphs:
        for index, tensor in enumerate(subgraph.raw.tensors):
            if tensor.buffer in turned:
                subgraph.set_shape(index, subgraph.shape(index)[::-1])
    for subgraph, operator in graph.walk(Operators.TRANSPOSE):
        if subgraph.tensor(operator.inputs[0]).buffer in turned:
            subgraph.redirect(operator.outputs[0], operator.inputs[0])
            subgraph.remove(operator)
    changed = False
    for subgraph, operator in graph.walk(Operators.BATCH_MATMUL, Operators.FULLY_CONNECTED):
        turns = _turns(graph, subgraph, operator)
        # FULLY_CONNECTED reads [out, in] already, from a weight that was transposed before it or that lies so.
        fits = graph.code(operator) == Operators.FULLY_CONNECTED
        if turns is not None and (fits or turns == (subgraph.tensor(operator.inputs[1]).buffer in turned)):
            _write_dense(graph, subgraph, operator)
            changed = True
    return changed


def _turns(graph: TFLiteGraph, subgraph: Subgraph, operator: Any) -> bool | None:
    """Return whether FULLY_CONNECTED reads the weight the other way round than this product; None for no product."""
    code = graph.code(operator)
    if code not in (Operators.BATCH_MATMUL, Operators.FULLY_CONNECTED):
        return None
    weight = subgraph.weight(operator.inputs[1])
    if weight is None or len(weight.shape) != 2:
        return None
    if code == Operators.FULLY_CONNECTED:
        return False
    return None if operator.builtinOptions.adjX else not operator.builtinOptions.adjY


def _only_turns(graph: TFLiteGraph, subgraph: Subgraph, operator: Any) -> bool:
    """Return whether a transposition of a weight serves FULLY_CONNECTED only."""
    order = subgraph.constant(operator.inputs[1])
    turned = operator.outputs[0]
    return (
        order is not None
        and order.tolist() == [1, 0]
        and turned not in subgraph.raw.outputs
        and all(
            graph.code(one) == Operators.FULLY_CONNECTED and one.inputs.index(turned) == 1
            for one in subgraph.readers(turned)
        )
    )


def _write_dense(graph: TFLiteGraph, subgraph: Subgraph, operator: Any) -> None:
    options = schema.FullyConnectedOptionsT()
    options.keepNumDims = True
    if graph.code(operator) == Operators.FULLY_CONNECTED:
        options.fusedActivationFunction = operator.builtinOptions.fusedActivationFunction
    made = subgraph.make(
        Operators.FULLY_CONNECTED,
        [*operator.inputs[:2], operator.inputs[2] if len(operator.inputs) > 2 else -1],
        list(operator.outputs),
        version=DENSE_VERSION,
        options=options,
    )
    subgraph.operators[subgraph.place(operator)] = made
    readers = subgraph.readers(made.outputs[0])
    if made.inputs[2] != -1 or len(readers) != 1 or made.outputs[0] in subgraph.raw.outputs:
        return
    added = readers[0]
    if graph.code(added) != Operators.ADD or added.builtinOptions.fusedActivationFunction:
        return
    bias = next((index for index in added.inputs if index != made.outputs[0]), -1)
    weight = subgraph.weight(bias)
    if weight is not None and weight.shape == subgraph.shape(made.inputs[1])[:1]:
        made.inputs[2] = bias
        made.outputs = list(added.outputs)
        subgraph.remove(added)


def drop_unused(graph: TFLiteGraph) -> bool:
    """Drop operators, tensors, buffers and operator codes that nothing reads, and store equal constants once."""
    changed = False
    for subgraph in graph.subgraphs:
        changed |= _drop_operators(subgraph)
        used = {*subgraph.raw.inputs, *subgraph.raw.outputs}
        for operator in subgraph.operators:
            used |= {index for index in (*operator.inputs, *operator.outputs) if index >= 0}
        kept = sorted(used)
        changed |= len(kept) < len(subgraph.raw.tensors)
        number = {old: new for new, old in enumerate(kept)} | {-1: -1}
        subgraph.raw.tensors = [subgraph.raw.tensors[old] for old in kept]
        subgraph.raw.inputs = [number[index] for index in subgraph.raw.inputs]
        subgraph.raw.outputs = [number[index] for index in subgraph.raw.outputs]
        for operator in subgraph.operators:
            operator.inputs = [number[index] for index in operator.inputs]
            operator.outputs = [number[index] for index in operator.outputs]
    return _merge_buffers(graph) | _merge_codes(graph) | changed


def _drop_operators(subgraph: Subgraph) -> bool:
    needed = set(subgraph.raw.outputs)
    kept: list[Any] = []
    for operator in reversed(subgraph.operators):
        if needed & set(operator.outputs):
            kept.append(operator)
            needed |= set(operator.inputs)
    changed = len(kept) < len(subgraph.operators)
    subgraph.raw.operators = kept[::-1]
    return changed


def _merge_buffers(graph: TFLiteGraph) -> bool:
    """Number the buffers anew in the order in which tensors name them; number 0 is the empty one by convention."""
    old = graph.model.buffers
    buffers: list[Any] = [schema.BufferT()]
    weights: dict[int, StoredWeight] = {}
    number: dict[object, int] = {}
    for subgraph in graph.subgraphs:
        for tensor in subgraph.raw.tensors:
            data = old[tensor.buffer].data
            weight = graph.weights.get(tensor.buffer)
            if weight is None and (data is None or not len(data)):
                tensor.buffer = 0
                continue
            key: object = bytes(data) if weight is None else _stored_as(weight)
            if key not in number:
                number[key] = len(buffers)
                buffers.append(schema.BufferT())
                if weight is None:
                    buffers[-1].data = np.frombuffer(bytes(data), dtype=np.uint8)
                else:
                    weights[number[key]] = weight
            tensor.buffer = number[key]
    changed = len(buffers) < len(old)
    graph.model.buffers, graph.weights = buffers, weights
    # Whatever else named a buffer is written when the graph is finished.
    graph.model.metadata, graph.model.metadataBuffer = None, None
    return changed


def _stored_as(weight: StoredWeight) -> tuple[object, ...]:
    """Return what tells apart the data of two forms of one weight."""
    scales = None if weight.scales is None else weight.scales.tobytes()
    return weight.name, weight.dtype, weight.transposed, scales


def _merge_codes(graph: TFLiteGraph) -> bool:
    old = graph.model.operatorCodes
    used = sorted({operator.opcodeIndex for _, operator in graph.walk()})
    for _, operator in graph.walk():
        operator.opcodeIndex = used.index(operator.opcodeIndex)
    graph.model.operatorCodes = [old[index] for index in used]
    graph.__dict__.pop("_codes", None)
    return len(used) < len(old)


def name_plainly(graph: TFLiteGraph) -> bool:
    """Name loops by their number, and tensors by what computes them.

    The converter's names contain the model's, which Keras numbers through within a process: the same export would give
    other bytes the second time.
    """
    for number, (_, loop) in enumerate(graph.walk(Operators.WHILE)):
        options = loop.builtinOptions
        graph.subgraphs[options.condSubgraphIndex].raw.name = f"loop_{number}_condition"
        graph.subgraphs[options.bodySubgraphIndex].raw.name = f"loop_{number}_body"
    graph.main.raw.name = "main"
    for subgraph in graph.subgraphs:
        kinds = {
            index: operator_name(graph.model.operatorCodes[operator.opcodeIndex]).lower()
            for operator in subgraph.operators
            for index in operator.outputs
        }
        for index, tensor in enumerate(subgraph.raw.tensors):
            weight = subgraph.weight(index)
            kind = kinds.get(index, "input" if index in subgraph.raw.inputs else "constant")
            tensor.name = f"{kind}_{index}" if weight is None else weight.name
    return True


def check_builtin(graph: TFLiteGraph) -> None:
    """Check that every operator is one of TFLite's own.

    Raises:
        ExportError: A Flex or custom operator is among them; the message names it.
    """
    foreign = sorted(
        {operator_name(code) for code in graph.model.operatorCodes if code.customCode is not None and code.customCode}
    )
    if foreign:
        raise ExportError(
            "every operator must be one of TFLite's own", received=", ".join(foreign), fix="export to another target"
        )


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
