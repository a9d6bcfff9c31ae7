"""A network as TensorRT will see it: operators, types, shapes and memory, without TensorRT and without a GPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from albert_export._imports import require
from albert_export.engines.profiles import Profile
from albert_export.engines.support import OPERATORS, TYPE_BYTES, TYPES, Release
from albert_export.errors import ExportError
from albert_export.graphs.onnx_flattening import FlatGraph, Tensor, flatten_loops
from albert_export.graphs.tensorrt_rules import Refusal, refusals, unknown_operators

if TYPE_CHECKING:
    import onnx
else:
    onnx = require("onnx", needed_for="planning a TensorRT engine", extra="onnx")

#: Operators that give their input another shape and move nothing.
_VIEWS = frozenset({"Identity", "Reshape", "Squeeze", "Unsqueeze"})


@dataclass(frozen=True)
class Step:
    """One operator of the network.

    Attributes:
        name: Of its node.
        operator: Of ONNX.
        turns: How often it runs: more than once in a loop.
        inputs: Name, type and shape of each input, at the shape that the memory is told of; weights among them.
        outputs: The same of each output.
    """

    name: str
    operator: str
    turns: int
    inputs: tuple[tuple[str, str, tuple[int, ...] | None], ...]
    outputs: tuple[tuple[str, str, tuple[int, ...] | None], ...]


@dataclass(frozen=True)
class OperatorUse:
    """How an operator is used.

    Attributes:
        operator: Of ONNX.
        nodes: How many nodes there are of it.
        inputs: Types that its inputs have, sorted.
        outputs: Types that its outputs have, sorted.
        supported: Whether every one of them is read by the parser.
        restrictions: What the parser's page says of it besides.
    """

    operator: str
    nodes: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    supported: bool
    restrictions: str


@dataclass(frozen=True)
class Memory:
    """Bytes of device memory that an engine is estimated to take.

    Attributes:
        weights_once: Weights stored once, as a loop reads them.
        weights_each_use: Weights stored for every product that reads them: what an engine without loops takes where
            each product packs its own.
        activations: The most that is live at once, fusion aside; the same with a loop and without. What is computed of
            weights alone is none.
        inputs_and_outputs: Of one run.
        shape: What the two are told of: of the largest shapes of all profiles the one that takes the most.
    """

    weights_once: int
    weights_each_use: int
    activations: int
    inputs_and_outputs: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class NetworkPlan:
    """What was found out about a network.

    Attributes:
        steps: Its operators in order.
        uses: How each kind of operator is used, by name.
        loops: Trip count of each loop, by name; none in an unrolled network.
        refused: What TensorRT would refuse; empty where it would read the network.
        memory: An estimate.
        inputs: Type of each input.
        outputs: Type of each output.
    """

    steps: tuple[Step, ...]
    uses: tuple[OperatorUse, ...]
    loops: Mapping[str, int]
    refused: tuple[Refusal, ...]
    memory: Memory
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)

    def check(self, release: Release) -> None:
        """Raise where TensorRT would refuse the network.

        Raises:
            ExportError: It would; the message names the operators.
        """
        if self.refused:
            shown = "; ".join(map(str, self.refused[:3]))
            more = f" and {len(self.refused) - 3} more" if len(self.refused) > 3 else ""
            raise ExportError(
                f"TensorRT {release.major} must be able to read every operator of the network",
                received=f"{shown}{more}",
                fix="read the whole list with --plan --json",
            )


def plan_network(model: onnx.ModelProto, profiles: Sequence[Profile], release: Release) -> NetworkPlan:
    """Look at a network.

    Args:
        model: It; weights may lack their data.
        profiles: Those that its engine is built with.
        release: Of TensorRT.

    Raises:
        ExportError: onnx cannot infer the types of its values.
    """
    flat = flatten_loops(model)
    unknown = tuple(unknown_operators(flat, release))
    try:
        looked = [_look(flat, profile, strict=not unknown) for profile in profiles]
    except onnx.shape_inference.InferenceError as error:
        raise ExportError(
            "onnx must infer the types of the network's values", received=" ".join(str(error).split())[:300]
        ) from error
    # Attention grows with the square of the length: the most elements need not take the most memory.
    memory, tensors = max(looked, key=lambda each: each[0].activations + each[0].inputs_and_outputs)
    # Where an operator is unknown, so are the types behind it: it alone is told.
    refused = unknown or refusals(model, flat, tensors, release)
    steps = tuple(
        Step(
            node.name,
            node.op_type,
            flat.turns[node.name],
            tuple(_described(name, tensors) for name in node.input if name),
            tuple(_described(name, tensors) for name in node.output if name),
        )
        for node in flat.nodes
    )
    loops = {node.name: _trips(node, flat) for node in model.graph.node if node.op_type == "Loop"}
    return NetworkPlan(
        steps=steps,
        uses=tuple(_uses(steps, loops, refused)),
        loops=loops,
        refused=refused,
        memory=memory,
        inputs={value.name: _told(tensors[value.name]) for value in model.graph.input},
        outputs={value.name: _told(tensors[value.name]) for value in model.graph.output},
    )


def _told(tensor: Tensor) -> str:
    return TYPES.get(tensor.type, tensor.type)


def _described(name: str, tensors: Mapping[str, Tensor]) -> tuple[str, str, tuple[int, ...] | None]:
    tensor = tensors.get(name, Tensor("", None))
    return name, _told(tensor), tensor.shape


def _trips(loop: onnx.NodeProto, flat: FlatGraph) -> int:
    body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    return flat.turns[body.node[0].name]


def _uses(steps: Sequence[Step], loops: Mapping[str, int], refused: Sequence[Refusal]) -> list[OperatorUse]:
    bad = {refusal.operator for refusal in refused}
    names = sorted({step.operator for step in steps} | ({"Loop"} if loops else set()))
    found = []
    for name in names:
        those = [step for step in steps if step.operator == name]
        row = OPERATORS.get(name)
        found.append(
            OperatorUse(
                name,
                len(loops) if name == "Loop" else len(those),
                tuple(sorted({kind for step in those for _, kind, _ in step.inputs})),
                tuple(sorted({kind for step in those for _, kind, _ in step.outputs})),
                name not in bad,
                "" if row is None else row.told,
            )
        )
    return found


def _look(flat: FlatGraph, profile: Profile, *, strict: bool) -> tuple[Memory, dict[str, Tensor]]:
    tensors = flat.tensors(dict(zip(profile.axes, profile.largest, strict=True)), strict=strict)
    weights = {item.name for item in flat.model.graph.initializer}
    once = sum(_bytes(tensors[name]) for name in weights)
    each = sum(_bytes(tensors[name]) * max(1, _packed(name, flat)) for name in weights)
    outer = [value.name for value in (*flat.model.graph.input, *flat.model.graph.output)]
    around = sum(_bytes(tensors[name]) for name in outer)
    live = _live(flat, tensors, _folded(flat, weights) | set(outer))
    return Memory(once, each, live, around, profile.largest), tensors


def _folded(flat: FlatGraph, weights: set[str]) -> set[str]:
    """Return what is known when the engine is built: weights, and what is computed of them alone."""
    known = {*weights, ""}
    for node in flat.nodes:
        if known.issuperset(node.input):
            known |= set(node.output)
    return known


def _packed(weight: str, flat: FlatGraph) -> int:
    """Return how often a weight is read over all turns, by what packs it for itself: look-ups of rows do not."""
    # The int8 form reads it through a DequantizeLinear for each product.
    return sum(flat.turns[node.name] for node in flat.nodes if weight in node.input and node.op_type != "Gather")


def _live(flat: FlatGraph, tensors: Mapping[str, Tensor], elsewhere: set[str]) -> int:
    """Return the most bytes that are live between two operators: made already, and read by a later one."""
    root: dict[str, str] = {}
    for node in flat.nodes:
        for name in node.output:
            source = node.input[0] if node.op_type in _VIEWS else name
            root[name] = root.get(source, source)
    last: dict[str, int] = {}
    for index, node in enumerate(flat.nodes):
        for name in node.input:
            last[root.get(name, name)] = index
    live = most = 0
    alive: set[str] = set()
    for index, node in enumerate(flat.nodes):
        for name in node.output:
            if root[name] == name and name not in elsewhere:
                alive.add(name)
                live += _bytes(tensors.get(name, Tensor("", None)))
        most = max(most, live)
        for name in [name for name in alive if last.get(name, -1) <= index]:
            alive.remove(name)
            live -= _bytes(tensors.get(name, Tensor("", None)))
    return most


def _bytes(tensor: Tensor) -> int:
    return 0 if tensor.shape is None else int(prod(tensor.shape) * TYPE_BYTES.get(_told(tensor), 0))
