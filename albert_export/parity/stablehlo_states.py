"""Reading the hidden state after every layer out of a StableHLO artifact.

A copy of the module returns hidden states in place of the outputs. A loop's body shows its state to nobody; but the
loop counts to a constant, and in copies it stops after one turn, after two and so on. A layer that is written out ends
in the sum with the bias of its last normalisation, which is an argument of a known name.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from albert_export._jax import import_jax
from albert_export.errors import BundleError
from albert_export.runtimes import Runtime

if TYPE_CHECKING:
    from albert_export.runtimes.stablehlo_runtime import StableHloRuntime

Array = npt.NDArray[Any]

_MAPPING_BIAS = re.compile(r"embedding_hidden_mapping_in\.bias$")
_LAYER_BIAS = re.compile(r"albert_layers\.(\d+)\.full_layer_layer_norm\.bias$")


def read_stablehlo_states(path: Path, runtime: Runtime, batches: Sequence[Mapping[str, Array]]) -> dict[int, Array]:
    """Run copies of the artifact and return its hidden states by the number of layers applied.

    Args:
        path: The ``.jax`` file.
        runtime: The artifact as it was judged; holds its weights.
        batches: Inputs of each run; the states of all are put together.

    Raises:
        MissingDependencyError: jax is not installed.
        BundleError: A copy cannot be made or run.
    """
    jax = import_jax(needed_for="looking into a StableHLO artifact")
    from jax import export

    try:
        exported = export.deserialize(bytearray(path.read_bytes()))
        inner = runtime.config.inner_group_num - 1
        states: dict[int, Array] = {}
        whole = _Copy(exported, inner)
        found = _run(jax, exported, whole, runtime, batches)
        states.update(zip(whole.layers, found, strict=True))
        for place, last, turns in whole.loops:
            for turn in range(1, turns):
                stopped = _Copy(exported, inner, stop=(place, turn))
                # What the loop gives bears the number that its last turn has.
                wanted = stopped.layers.index(last)
                states[last - turns + turn] = _run(jax, exported, stopped, runtime, batches)[wanted]
    except (ValueError, TypeError, RuntimeError, KeyError, IndexError) as error:
        raise BundleError(
            "a copy of the artifact that shows its hidden states must run", received=str(error)[:500]
        ) from error
    return states


class _Copy:
    """A module that returns hidden states.

    Args:
        exported: The artifact.
        inner: Which inner layer of a group is its last.
        stop: A loop, by its number, and the turns after which it stops; None leaves all as they are.

    Attributes:
        bytecode: The module.
        layers: Layers applied before each state that it returns.
        shapes: The last axis and the dtype of each.
        loops: Number of a loop, layers applied after it, and its turns.
    """

    def __init__(self, exported: Any, inner: int, stop: tuple[int, int] | None = None) -> None:
        from jaxlib.mlir import ir
        from jaxlib.mlir.dialects import stablehlo

        from albert_export.graphs.stablehlo_module import stablehlo_version

        content = exported.mlir_module_serialized
        with ir.Context() as context, ir.Location.unknown(context):
            module = stablehlo.deserialize_portable_artifact(context, content)
            functions = {str(each.attributes["sym_name"]).strip('"'): each for each in module.body.operations}
            main = functions["main"]
            call = next((op for op in _operations(main) if _callee(op) in functions and _is_main(op)), None)
            inside = main if call is None else functions[_callee(call)]
            values = self._states(ir, exported, main, call, inside, inner, stop)
            _return(ir, inside, values)
            if call is not None:
                with ir.InsertionPoint(call):
                    types = [value.type for value in values]
                    callee = {"callee": call.attributes["callee"]}
                    again = ir.Operation.create("func.call", types, list(call.operands), callee)
                _return(ir, main, list(again.results))
                call.operation.erase()
            self.shapes = [(ir.ShapedType(value.type).shape[-1], str(_element(ir, value))) for value in values]
            self.bytecode = stablehlo.serialize_portable_artifact(module, stablehlo_version(content))

    def _states(
        self, ir: Any, exported: Any, main: Any, call: Any, inside: Any, inner: int, stop: tuple[int, int] | None
    ) -> list[Any]:
        """Return the hidden states as values of the function that computes; stop the loop."""
        operations = list(_operations(inside))
        ends: dict[int, Any] = {}
        self.layers, self.loops = [], []
        mapped: Any = None
        for name, argument in _arguments(exported, main, call, inside):
            layer = _LAYER_BIAS.search(name)
            if _MAPPING_BIAS.search(name):
                mapped = next(iter(_sums(ir, argument, operations, inside)), (None, None))[1]
            elif layer and int(layer[1]) == inner:
                ends |= dict(_sums(ir, argument, operations, inside))
        found: list[Any] = [] if mapped is None else [mapped]
        done, number = 0, 0
        self.layers = [0] * len(found)
        for place, operation in enumerate(operations):
            if operation.operation.name == "stablehlo.while":
                hidden = next((each for each in _changed(operation) if _is_hidden(ir, each)), None)
                if hidden is None:
                    continue
                turns = _turns(ir, operation, stop[1] if stop is not None and stop[0] == number else None)
                done += turns
                self.loops.append((number, done, turns))
                number += 1
                found.append(hidden)
                self.layers.append(done)
            elif place in ends:
                done += 1
                found.append(ends[place])
                self.layers.append(done)
        return found


def _run(jax: Any, exported: Any, copy: _Copy, runtime: Runtime, batches: Sequence[Mapping[str, Array]]) -> list[Array]:
    """Return the states that a copy gives in float32, each over all batches."""
    (inputs, _), _ = jax.tree_util.tree_unflatten(exported.in_tree, exported.in_avals)
    *rows, sequence = inputs["input_ids"].shape
    count = rows[0] if len(rows) == 1 else rows[0] * rows[1]
    names = {"i8": "int8", "f16": "float16", "bf16": "bfloat16", "f32": "float32"}
    avals = tuple(
        jax.core.ShapedArray((count, sequence, width), jax.numpy.dtype(names[element]))
        for width, element in copy.shapes
    )
    if not avals:
        return []
    # One entry for each output, whatever this jax calls them.
    shardings = {
        field.name: (None,) * len(avals)
        for field in dataclasses.fields(exported)
        if re.search("out_.*sharding", field.name)
    }
    changed = dataclasses.replace(
        exported,
        mlir_module_serialized=copy.bytecode,
        out_tree=jax.tree_util.tree_structure([0] * len(avals)),
        out_avals=avals,
        **shardings,
    )
    weights = cast("StableHloRuntime", runtime).weights
    program = jax.jit(changed.call)
    runs = []
    for batch in batches:
        arrays = {name: batch[name].astype(inputs[name].dtype) for name in inputs}
        runs.append([np.asarray(state).astype(np.float32) for state in program(arrays, weights)])
    return [np.concatenate([run[place] for run in runs]) for place in range(len(avals))]


def _operations(function: Any) -> Iterator[Any]:
    yield from function.regions[0].blocks[0].operations


def _callee(operation: Any) -> str:
    name = operation.operation.name
    return str(operation.attributes["callee"]).strip('@"') if name in ("func.call", "call") else ""


def _is_main(operation: Any) -> bool:
    """Whether what is called is the model: where axes are dynamic, the outer function only checks their sizes."""
    return "export_main" in _callee(operation)


def _arguments(exported: Any, main: Any, call: Any, inside: Any) -> Iterator[tuple[str, Any]]:
    """Yield the name of each weight and the value that it is in the function that computes."""
    import jax

    numbers = list(range(len(exported.in_avals)))
    (_, weights), _ = jax.tree_util.tree_unflatten(exported.in_tree, numbers)
    kept = list(exported.module_kept_var_idx)
    outer = list(main.regions[0].blocks[0].arguments)
    first = len(outer) - len(kept)
    for name, number in weights.items():
        if number not in kept:
            continue
        value = outer[first + kept.index(number)]
        if call is None:
            yield name, value
            continue
        given = [place for place, operand in enumerate(call.operands) if operand == value]
        if given:
            yield name, inside.regions[0].blocks[0].arguments[given[0]]


def _sums(ir: Any, bias: Any, operations: Sequence[Any], function: Any) -> Iterator[tuple[int, Any]]:
    """Yield the hidden states that a bias is the last term of, and where they stand."""
    waiting, seen = [bias], []
    while waiting:
        value = waiting.pop()
        for use in value.uses:
            operation = use.owner.operation
            while operation.parent != function.operation:  # within a branch
                operation = operation.parent
            if operation in seen or operation.name in ("stablehlo.while", "func.call", "func.return"):
                continue
            seen.append(operation)
            if operation.name == "stablehlo.add" and _is_hidden(ir, operation.results[0]):
                place = next(place for place, each in enumerate(operations) if each.operation == operation)
                yield place, operation.results[0]
            else:
                waiting += list(operation.results)


def _changed(loop: Any) -> Iterator[Any]:
    """Yield what leaves a loop and is computed in it; weights go through it as they are."""
    body = loop.regions[1].blocks[0]
    leaving = list(list(body.operations)[-1].operands)
    for result, argument, value in zip(loop.results, body.arguments, leaving, strict=True):
        if value != argument:
            yield result


def _is_hidden(ir: Any, value: Any) -> bool:
    if not isinstance(value.type, ir.RankedTensorType):
        return False
    return len(ir.ShapedType(value.type).shape) == 3 and str(_element(ir, value)) in ("f32", "f16", "bf16")


def _element(ir: Any, value: Any) -> Any:
    return ir.ShapedType(value.type).element_type


def _turns(ir: Any, loop: Any, stop: int | None) -> int:
    """Return how many turns a loop has; with ``stop`` give it so many.

    Raises:
        BundleError: The loop does not count to a constant.
    """
    condition = loop.regions[0].blocks[0]
    compared = next(each for each in condition.operations if each.operation.name == "stablehlo.compare")
    limit = compared.operands[1].owner
    if getattr(limit, "name", None) != "stablehlo.constant" and getattr(limit, "operation", None) is None:
        raise BundleError("a loop over layers must count to a constant", received="one that does not")
    turns = int(ir.DenseIntElementsAttr(limit.attributes["value"])[0])
    if stop is not None:
        with ir.InsertionPoint(compared):
            kind = compared.operands[1].type
            value = ir.DenseElementsAttr.get_splat(kind, ir.IntegerAttr.get(ir.ShapedType(kind).element_type, stop))
            constant = ir.Operation.create("stablehlo.constant", [kind], [], {"value": value})
        compared.operands[1] = constant.results[0]
    return turns


def _return(ir: Any, function: Any, values: list[Any]) -> None:
    """Make a function return these values."""
    old = list(_operations(function))[-1]
    with ir.InsertionPoint(old):
        ir.Operation.create("func.return", [], values)
    old.operation.erase()
    kind = ir.FunctionType(ir.TypeAttr(function.attributes["function_type"]).value)
    made = ir.FunctionType.get(kind.inputs, [value.type for value in values])
    function.attributes["function_type"] = ir.TypeAttr.get(made)
    if "res_attrs" in function.attributes:
        del function.attributes["res_attrs"]
