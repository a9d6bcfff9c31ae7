"""Strongly typed float16 and bfloat16: near the eager model where the types are obeyed, guarded where they overflow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx_ir as ir
import pytest
import torch

from albert_export.errors import ExportError
from albert_export.graphs import onnx_strong_typing
from albert_export.graphs.onnx_strong_typing import GUARDED, TYPES, settle_loop_conditions, type_strongly
from albert_export.graphs.tensorrt_network import Network, build_network
from albert_export.tasks import TASKS, Task, get_task
from tests.graphs.emulation import emulate, run
from tests.graphs.models import TINY, eager_outputs, inputs, tiny_model
from tests.graphs.noise import signal_to_noise

#: dB; what 11 and 8 bits leave on these weights, with a margin.
LEAST = {"fp16": 45.0, "bf16": 28.0}
SHAPE = (3, 2, TINY["max_position_embeddings"])

Change = Callable[[torch.nn.Module], None]


def network(task: Task, precision: str, *, layers: str = "rolled", change: Change | None = None, **config) -> Network:
    model = tiny_model(task, **config)
    if change is not None:
        with torch.no_grad():
            change(model)
    return build_network(model, task, precision=precision, layers=layers)


@pytest.mark.parametrize("precision", LEAST)
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_the_types_obeyed_are_near_the_eager_model(task: Task, precision: str) -> None:
    built = network(task, precision, layers="rolled" if precision == "bf16" else "unrolled")
    feed = inputs(task, *SHAPE)
    found = run(emulate(built.graph), feed)
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
    expected = eager_outputs(tiny_model(task), task, feed)
    got = [found[spec.name] for spec in task.outputs]
    assert signal_to_noise(got, expected) > LEAST[precision]
    other = eager_outputs(tiny_model(task, initializer_range=0.3), task, feed)
    assert signal_to_noise(got, other) < LEAST[precision] / 2, "another model is not near"


@pytest.mark.parametrize("changes", [{"hidden_act": "gelu"}, {"hidden_act": "silu"}, {"num_hidden_groups": 2}])
def test_other_models_are_near_too(changes: dict[str, object]) -> None:
    task = get_task("ner")
    built = network(task, "fp16", **changes)
    feed = inputs(task, *SHAPE)
    expected = eager_outputs(tiny_model(task, **changes), task, feed)
    assert signal_to_noise([run(emulate(built.graph), feed)["logits"]], expected) > LEAST["fp16"]


def test_every_product_is_in_the_type_and_every_guarded_operator_in_float32() -> None:
    built = network(get_task("qa"), "bf16")
    names = [node.op_type for node in ir.traversal.RecursiveGraphIterator(built.graph.graph)]
    guarded = sum(names.count(name) for name in GUARDED)
    assert guarded == 4
    # One for each input and output of a guarded operator, and what widens the mask and the two outputs.
    assert names.count("Cast") == 2 * guarded + 3
    types = {value.name: value.dtype for value in built.graph.graph.initializers.values()}
    wide = [name for name, dtype in types.items() if dtype == ir.DataType.FLOAT]
    assert wide
    assert all("norm" in name.lower() for name in wide)
    assert set(types.values()) == {ir.DataType.FLOAT, ir.DataType.BFLOAT16}


# --- traps: each with its guard taken out


def large_sums(model: torch.nn.Module) -> None:
    """Let what is normalised have squares beyond float16."""
    layer = model.albert.encoder.albert_layer_groups[0].albert_layers[0]
    layer.ffn_output.bias.add_(torch.linspace(-3000, 3000, TINY["hidden_size"]))


def large_activations(model: torch.nn.Module) -> None:
    """Let what GELU takes have cubes beyond float16."""
    layer = model.albert.encoder.albert_layer_groups[0].albert_layers[0]
    layer.ffn.bias.add_(torch.linspace(-100, 100, TINY["intermediate_size"]))


def unguarded(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    plain = type_strongly
    left = GUARDED - set(names)
    monkeypatch.setattr(
        "albert_export.graphs.tensorrt_network.type_strongly", lambda model, dtype: plain(model, dtype, left)
    )


def infinities(task: Task, change: Change) -> tuple[int, list[np.ndarray]]:
    """How many numbers of float16 that the network computes are not finite, and its outputs."""
    built = network(task, "fp16", layers="unrolled", change=change)
    found = run(emulate(built.graph), inputs(task, 2, 1, 6), every=True)
    return sum(int((~np.isfinite(array)).sum()) for array in found.values()), [
        found[spec.name] for spec in task.outputs
    ]


@pytest.mark.parametrize(
    ("operator", "change"), [("LayerNormalization", large_sums), ("Gelu", large_activations)], ids=["sums", "cube"]
)
def test_nothing_overflows_that_is_guarded_and_it_does_where_it_is_not(
    operator: str, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = get_task("qa")
    count, outputs = infinities(task, change)
    assert count == 0
    assert all(np.isfinite(array).all() for array in outputs)
    unguarded(monkeypatch, operator)
    assert infinities(task, change)[0] > 0, f"{operator} in float16 does not overflow: the guard guards nothing"


def test_squares_that_overflow_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Infinite variance: every normalised number is 0, which is finite, and wrong."""
    task = get_task("qa")
    model = tiny_model(task)
    with torch.no_grad():
        large_sums(model)
    feed = inputs(task, 2, 1, 6)
    expected = eager_outputs(model, task, feed)

    def ratio() -> float:
        built = build_network(model, task, precision="fp16", layers="rolled")
        return signal_to_noise([run(emulate(built.graph), feed)[spec.name] for spec in task.outputs], expected)

    assert ratio() > 20.0
    unguarded(monkeypatch, "LayerNormalization")
    assert not ratio() > 5.0


def mask_of(built: Network, number: float) -> None:
    """Write another number in the place of the mask's."""
    constants = [
        node
        for node in built.graph.graph
        if node.op_type == "Constant" and np.all(node.attributes["value"].value.numpy() == -10000)
    ]
    assert len(constants) == 1
    array = np.array(number, dtype=np.float32)
    constants[0].attributes["value"] = ir.AttrTensor("value", ir.tensor(array))


@pytest.mark.parametrize("precision", TYPES)
def test_a_row_without_a_token_stays_finite(precision: str) -> None:
    task = get_task("qa")
    feed = inputs(task, 2, 1, 6)
    feed["attention_mask"][1] = 0
    found = run(emulate(network(task, precision).graph), feed)
    assert all(np.isfinite(array).all() for array in found.values())


def test_a_mask_that_float16_does_not_hold_is_refused_and_would_give_no_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task = get_task("qa")
    least = float(np.finfo(np.float32).min)  # what transformers masks with
    built = network(task, "fp32")
    mask_of(built, least)
    with pytest.raises(ExportError, match=r"constants must be finite in float16; received -3\.4.* fix: choose a pre"):
        type_strongly(built.graph, ir.DataType.FLOAT16)
    wide = network(task, "fp32")
    mask_of(wide, -1e38)  # float32's least is beyond bfloat16 too, by rounding
    type_strongly(wide.graph, ir.DataType.BFLOAT16)
    feed = inputs(task, 2, 1, 6)
    assert all(np.isfinite(array).all() for array in run(emulate(wide.graph), feed).values())

    def unchecked(node: ir.Node, dtype: ir.DataType) -> ir.Tensor:
        with np.errstate(over="ignore"):
            return ir.Tensor(np.asarray(node.attributes["value"].value.numpy()).astype(dtype.numpy()), dtype=dtype)

    monkeypatch.setattr(onnx_strong_typing, "_narrowed", unchecked)
    without = network(task, "fp32")
    mask_of(without, least)
    type_strongly(without.graph, ir.DataType.FLOAT16)
    assert any(np.isnan(array).any() for array in run(emulate(without.graph), feed).values())


def test_a_weight_beyond_float16_is_named() -> None:
    def large(model: torch.nn.Module) -> None:
        model.qa_outputs.weight[0, 0] = 1e5

    with pytest.raises(ExportError, match=r"at most 65504 in float16.*received 1e\+05 in qa_outputs.weight"):
        network(get_task("qa"), "fp16", change=large)
    assert network(get_task("qa"), "bf16", change=large).passes


def test_a_loops_body_reads_no_condition_and_computes_the_same() -> None:
    task = get_task("qa")
    built = network(task, "fp32")
    (loop,) = [node for node in built.graph.graph if node.op_type == "Loop"]
    body = loop.attributes["body"].value
    assert body.outputs[0].producer().op_type == "Constant"
    assert not list(body.inputs[1].uses())
    assert not settle_loop_conditions(built.graph), "it is settled"
    feed = inputs(task, *SHAPE)
    found = run(built.graph, feed)
    expected = eager_outputs(tiny_model(task), task, feed)
    assert signal_to_noise([found[spec.name] for spec in task.outputs], expected) > 100
