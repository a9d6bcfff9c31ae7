"""A network as TensorRT will see it: what it reads, what it would refuse, and what the engine takes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from albert_export.engines.profiles import parse_profiles
from albert_export.engines.support import OPERATORS, RELEASES
from albert_export.errors import ExportError
from albert_export.graphs.onnx_emitter import emit_onnx
from albert_export.graphs.tensorrt_network import OPSET, build_network
from albert_export.graphs.tensorrt_plan import Memory, NetworkPlan, plan_network
from albert_export.tasks import TASKS, Task, get_task
from tests.graphs.models import TINY, inputs, tiny_model

NEWEST = RELEASES[-1]
LONGEST = TINY["max_position_embeddings"]


def plan(model: onnx.ModelProto, task: Task, *texts: str, release=NEWEST) -> NetworkPlan:
    return plan_network(model, parse_profiles(texts, task, longest=LONGEST, sizes={}), release)


@pytest.fixture(scope="module")
def rolled() -> onnx.ModelProto:
    task = get_task("qa")
    return build_network(tiny_model(task), task, precision="fp16", layers="rolled").described()


@pytest.fixture(scope="module")
def unrolled() -> onnx.ModelProto:
    task = get_task("qa")
    return build_network(tiny_model(task), task, precision="fp16", layers="unrolled").described()


def copy(model: onnx.ModelProto) -> onnx.ModelProto:
    made = onnx.ModelProto()
    made.CopyFrom(model)
    return made


# --- what is read


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: str(release.major))
@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_every_head_is_read(task: Task, release) -> None:
    texts = [inputs(task, 2, 2, 12)]
    built = build_network(tiny_model(task), task, precision="int8", layers="rolled", calibration=texts)
    found = plan(built.described(), task, release=release)
    assert found.refused == ()
    assert all(use.supported for use in found.uses)
    assert set(found.inputs.values()) == {"INT64"}
    assert list(found.outputs) == [spec.name for spec in task.outputs]
    assert set(found.outputs.values()) == {"FP32"}
    found.check(release)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "silu"},
        {"hidden_act": "relu"},
        {"position_embedding_type": "relative_key_query"},
        {"num_hidden_groups": 2},
    ],
    ids=lambda changes: str(next(iter(changes.values()))),
)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_every_kind_of_model_is_read(changes: dict[str, object], precision: str) -> None:
    task = get_task("seqcls")
    built = build_network(tiny_model(task, **changes), task, precision=precision, layers="rolled")
    assert plan(built.described(), task).refused == ()


def test_types_shapes_and_turns_are_told(rolled: onnx.ModelProto) -> None:
    found = plan(rolled, get_task("qa"), "1x1,2x8,5x24")
    assert found.loops == {"group_0_layers": TINY["num_hidden_layers"]}
    softmax = next(step for step in found.steps if step.operator == "Softmax")
    assert softmax.turns == TINY["num_hidden_layers"]
    assert softmax.inputs[0][1:] == ("FP16", (5, TINY["num_attention_heads"], 24, 24))
    uses = {use.operator: use for use in found.uses}
    assert uses["LayerNormalization"].inputs == ("FP32",)
    assert uses["MatMul"].outputs == ("FP16",)
    assert uses["Loop"].nodes == 1
    assert "scan outputs" in uses["Loop"].restrictions
    assert all(kind for step in found.steps for _, kind, _ in (*step.inputs, *step.outputs))


def test_memory_with_the_loop_and_without(rolled: onnx.ModelProto, unrolled: onnx.ModelProto) -> None:
    task = get_task("qa")
    loop, flat = (plan(model, task, "1x1,2x8,4x24").memory for model in (rolled, unrolled))
    assert loop.weights_once == sum(
        np.prod(item.dims) * (4 if item.data_type == 1 else 2) for item in rolled.graph.initializer
    )
    assert loop.weights_each_use == flat.weights_each_use
    assert loop.weights_once == flat.weights_once
    assert loop.weights_each_use > 2 * loop.weights_once
    # Loops or not, one layer is live at a time.
    assert flat.activations == pytest.approx(loop.activations, rel=0.02)
    hidden = 4 * 24 * TINY["intermediate_size"] * 4  # what GELU takes in float32, and what it gives
    scores = 4 * TINY["num_attention_heads"] * 24 * 24 * 2
    assert 2 * hidden <= loop.activations <= 2 * hidden + 8 * scores
    assert loop.inputs_and_outputs == 4 * 24 * (3 * 8 + 2 * 4)
    larger = plan(rolled, task, "1x1,2x8,8x24").memory
    assert larger.activations == 2 * loop.activations
    assert larger.weights_once == loop.weights_once


def test_memory_is_told_at_the_profile_that_takes_the_most() -> None:
    """Fewer tokens in all, and more memory: attention grows with the square of the length."""
    task = get_task("qa")
    model = tiny_model(task, max_position_embeddings=96)
    network = build_network(model, task, precision="fp16", layers="rolled").described()

    def memory(*texts: str) -> Memory:
        return plan_network(network, parse_profiles(texts, task, longest=96, sizes={}), NEWEST).memory

    rows, long = "1x1,2x2,128x2", "1x1,2x8,2x96"
    assert memory(rows, long) == memory(long, rows) == memory(long)
    assert memory(long).shape == (2, 96)
    assert memory(rows).activations < memory(long).activations


def test_dequantised_weights_are_no_activations(rolled: onnx.ModelProto) -> None:
    task = get_task("qa")
    texts = [inputs(task, 2, 2, 12)]
    int8 = build_network(tiny_model(task), task, precision="int8", layers="rolled", calibration=texts)
    shape = "1x1,1x1,1x1"  # so that activations are few and weights many
    integers, floats = (plan(model, task, shape).memory for model in (int8.described(), rolled))
    assert integers.activations < 2 * floats.activations
    assert integers.weights_once < floats.weights_once


# --- what is refused


def test_forms_for_other_runtimes_are_refused_with_the_operator_named(tmp_path: Path) -> None:
    task = get_task("qa")
    expected = {
        "int8": {"QuantizeLinear", "DequantizeLinear", "Gather"},
        "int4": {"MatMulNBits"},
    }
    for precision, operators in expected.items():
        path = tmp_path / f"{precision}.onnx"
        emit_onnx(tiny_model(task), task, path, precision=precision)
        found = plan(onnx.load(path), task)
        assert operators <= {refusal.operator for refusal in found.refused}, precision
        with pytest.raises(ExportError, match=r"TensorRT 11 must be able to read every operator.*fix: read the whole"):
            found.check(NEWEST)


def test_the_loop_that_other_runtimes_get_is_refused(tmp_path: Path) -> None:
    task = get_task("qa")
    emit_onnx(tiny_model(task), task, tmp_path / "model.onnx")
    (refusal,) = plan(onnx.load(tmp_path / "model.onnx"), task).refused
    assert str(refusal) == "Loop (group_0_layers): its body reads a condition that the loop is not given"


def test_a_loop_whose_last_turn_leaves_tokens_out_is_refused_and_ours_does_not(tmp_path: Path) -> None:
    """Other runtimes get it for heads that read the first token alone: what is carried then changes its shape."""
    task = get_task("seqcls")
    emit_onnx(tiny_model(task), task, tmp_path / "model.onnx")
    told = [str(refusal) for refusal in plan(onnx.load(tmp_path / "model.onnx"), task).refused]
    assert [line for line in told if "must keep its shape in every turn" in line], told
    whole, shorter = (
        plan(build_network(tiny_model(task), task, precision="fp32", layers=layers).described(), task)
        for layers in ("rolled", "unrolled")
    )
    assert whole.refused == shorter.refused == ()
    assert "Slice" not in {step.operator for step in whole.steps}
    last = [step for step in shorter.steps if step.operator == "Softmax"][-1]
    assert last.inputs[0][2][2] == 1, "unrolled, the last layer is computed for the one token that is read"


def test_what_a_loop_carries_keeps_its_type_and_its_turns_are_not_computed_with(rolled: onnx.ModelProto) -> None:
    changed = copy(rolled)
    (index,) = (index for index, node in enumerate(changed.graph.node) if node.op_type == "Loop")
    loop = changed.graph.node[index]
    body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    turn, carried, given = body.input[0].name, body.output[1].name, loop.output[0]
    float16, float32 = onnx.TensorProto.FLOAT16, onnx.TensorProto.FLOAT
    body.node.append(onnx.helper.make_node("Cast", [carried], ["wide"], name="widened", to=float32))
    body.node.append(onnx.helper.make_node("Add", [turn, turn], ["twice"], name="counted"))
    body.output[1].name, loop.output[0] = "wide", "wide_given"
    changed.graph.node.insert(
        index + 1, onnx.helper.make_node("Cast", ["wide_given"], [given], name="narrowed_again", to=float16)
    )
    told = [str(refusal) for refusal in plan(changed, get_task("qa")).refused]
    assert told == [
        "Loop (group_0_layers): its body computes with the number of its turn: INT32 in TensorRT, and INT64 in ONNX",
        "Loop (group_0_layers): wide, which it carries, must keep its type in every turn: FP16 enters and FP32 leaves",
    ]


def test_an_operator_that_is_not_in_the_table(rolled: onnx.ModelProto) -> None:
    changed = copy(rolled)
    made = changed.graph.node.add(op_type="DynamicQuantizeLinear", name="measured", output=["a", "b", "c"])
    made.input.append(next(item.name for item in changed.graph.initializer if item.data_type == 1))
    (refusal,) = plan(changed, get_task("qa")).refused
    assert str(refusal) == "DynamicQuantizeLinear (measured): TensorRT 11 has no operator of that name"


def test_a_type_that_an_operator_does_not_take(rolled: onnx.ModelProto) -> None:
    changed = copy(rolled)
    changed.graph.node.add(op_type="Softmax", name="wide", input=["double"], output=["wide_out"])
    changed.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(3), "double"))
    told = [str(refusal) for refusal in plan(changed, get_task("qa")).refused]
    assert told[0] == "Softmax (wide): input 0 is FP64, and must be BF16 or FP16 or FP32"


def test_an_opset_of_the_future(rolled: onnx.ModelProto) -> None:
    assert [entry.version for entry in rolled.opset_import] == [OPSET]
    changed = copy(rolled)
    changed.opset_import[0].version = 23
    assert plan(changed, get_task("qa")).refused == ()
    (refusal,) = plan(changed, get_task("qa"), release=RELEASES[0]).refused
    assert "opset 23, and every TensorRT 10.x reads 9 to 20" in str(refusal)


def test_a_zero_point_that_is_not_0_and_a_trip_count_that_is_not_known(rolled: onnx.ModelProto) -> None:
    changed = copy(rolled)
    float16 = next(item.name for item in changed.graph.initializer if item.data_type == 10)
    changed.graph.initializer.append(onnx.numpy_helper.from_array(np.float16(0.1), "scale"))
    changed.graph.initializer.append(onnx.numpy_helper.from_array(np.int8(3), "three"))
    changed.graph.node.add(op_type="QuantizeLinear", name="askew", input=[float16, "scale", "three"], output=["q"])
    loop = next(node for node in changed.graph.node if node.op_type == "Loop")
    loop.input[0] = "counted"
    changed.graph.node.insert(0, onnx.helper.make_node("ReduceMax", ["input_ids"], ["counted"], keepdims=0))
    told = [str(refusal) for refusal in plan(changed, get_task("qa")).refused]
    assert "QuantizeLinear (askew): its zero point must be 0: TensorRT quantises symmetrically" in told
    assert "Loop (group_0_layers): its trip count must be known when the engine is built" in told


def test_the_table_has_no_row_that_the_parsers_page_refuses() -> None:
    assert not {"DynamicQuantizeLinear", "MatMulInteger", "QLinearMatMul", "BitShift", "Compress"} & set(OPERATORS)
