"""Packed tokens: the answers of the padded form at real tokens, wherever the padding lies, and none of its cost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from albert_export.errors import ExportError
from albert_export.graphs.onnx_emitter import NEWEST_OPSET, OLDEST_OPSET, emit_onnx
from albert_export.graphs.onnx_packing import PLACES, pack_tokens
from albert_export.targets import NEWEST_INTEGER_OPSET
from albert_export.tasks import TASKS, Task, get_task
from tests.graphs.models import TINY, eager_outputs, onnx_outputs, tiny_model
from tests.graphs.noise import signal_to_noise
from tests.graphs.test_passes import gelu_model

LENGTH = 9

#: One row of each kind that there is.
MASKS = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1, 1, 1],
        [1, 1, 1, 1, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 1, 1, 1, 1],
        [1, 0, 0, 1, 1, 0, 1, 0, 1],
        [1, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 1],
        [0, 1, 0, 1, 0, 0, 0, 0, 0],
    ],
    dtype=np.int64,
)

#: Real tokens of these rows, and the first of those that begin with padding.
COUNTED = int(MASKS.sum() + (MASKS[:, 0] == 0).sum())

LIMIT = 3e-5

Feed = dict[str, np.ndarray[Any, Any]]


def feed_of(task: Task, masks: np.ndarray[Any, Any] = MASKS, choices: int = 2) -> Feed:
    """Return inputs with these masks, a row each; for multiple choice, so many rows a question."""
    generator = np.random.default_rng(3)
    feed = {
        "input_ids": generator.integers(5, TINY["vocab_size"], masks.shape),
        "attention_mask": masks,
        "token_type_ids": generator.integers(0, 2, masks.shape),
    }
    if "choices" not in task.dynamic_axes:
        return feed
    return {name: array.reshape(-1, choices, masks.shape[1]) for name, array in feed.items()}


def emitted(path: Path, task_name: str = "qa", **options: Any) -> tuple[Task, torch.nn.Module, Any]:
    task = get_task(task_name)
    model = tiny_model(task, **options.pop("changes", {}))
    return task, model, emit_onnx(model, task, path, **{"tokens": "packed", **options})


def compared(
    task: Task, feed: Feed, found: list[np.ndarray[Any, Any]], expected: list[np.ndarray[Any, Any]]
) -> tuple[list[np.ndarray[Any, Any]], list[np.ndarray[Any, Any]]]:
    """Return both at what has a meaning: real tokens, and rows with at least one."""
    mask = feed["attention_mask"].astype(bool)
    for spec, one, other in zip(task.outputs, found, expected, strict=True):
        assert one.shape == other.shape and np.isfinite(one).all(), spec.name
    where = [mask if "sequence" in spec.axes else mask.any(-1) for spec in task.outputs]
    return [one[each] for one, each in zip(found, where, strict=True)], [
        other[each] for other, each in zip(expected, where, strict=True)
    ]


def worst(found: list[np.ndarray[Any, Any]], expected: list[np.ndarray[Any, Any]]) -> float:
    return max(
        float(np.abs(one - other).max() / np.sqrt(np.mean(other.astype(np.float64) ** 2)))
        for one, other in zip(found, expected, strict=True)
    )


def tokens_in(path: Path, feed: Feed) -> int:
    """Return on how many tokens the layers of an artifact run: the rows of what they begin with."""
    model = onnx.load(path)
    (dtype,) = {tensor.data_type for tensor in model.graph.initializer if tensor.name.endswith("LayerNorm.bias")}
    model.graph.output.append(onnx.helper.make_tensor_value_info("hidden_0", dtype, None))
    shown = path.with_name("shown.onnx")
    onnx.save(model, shown)
    return int(np.prod(onnx_outputs(shown, feed)[-1].shape[:-1]))


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
@pytest.mark.parametrize("task_name", [task.name for task in TASKS])
def test_every_task_answers_as_the_eager_model_wherever_padding_lies(tmp_path, task_name, layers):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, task_name, layers=layers)
    feed = feed_of(task)
    found, expected = onnx_outputs(path, feed), eager_outputs(model, task, feed)
    assert worst(*compared(task, feed, found, expected)) < LIMIT
    assert tokens_in(path, feed) == COUNTED
    for spec, output in zip(task.outputs, found, strict=True):
        if "sequence" in spec.axes:
            for row, mask in enumerate(MASKS):
                for place in np.flatnonzero(mask[1:] == 0) + 1:
                    assert (output[row, place] == output[row, place - 1]).all(), "padding repeats what is before it"
    assert written.sharing.ratio == 1.0
    assert written.facts["passes"][0] == "pack-tokens" and written.facts["tokens"] == "packed"


def test_without_packing_the_layers_run_on_padding_as_well(tmp_path):
    path = tmp_path / "model.onnx"
    task, _, written = emitted(path, tokens="padded")
    assert tokens_in(path, feed_of(task)) == MASKS.size
    assert written.facts["tokens"] == "padded" and "NonZero" not in written.facts["operators"]


@pytest.mark.parametrize(
    "masks",
    [
        np.zeros((2, LENGTH), np.int64),
        np.zeros((1, 1), np.int64),
        np.ones((1, 1), np.int64),
        np.ones((3, 24), np.int64),
    ],
    ids=["no-real-token", "one-that-is-padding", "one-token", "no-padding"],
)
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_ends_of_what_a_mask_can_say(tmp_path, masks, precision):
    path = tmp_path / "model.onnx"
    task, model, _ = emitted(path, "embed", precision=precision)
    feed = feed_of(task, masks)
    found, expected = onnx_outputs(path, feed), eager_outputs(model, task, feed)
    assert all(np.isfinite(one).all() and one.shape == other.shape for one, other in zip(found, expected, strict=True))
    assert tokens_in(path, feed) == max(masks.sum(), len(masks))
    if masks.all() and precision == "fp32":
        assert worst(found, expected) < LIMIT


@pytest.mark.parametrize(
    "changes",
    [
        {"num_hidden_layers": 5, "num_hidden_groups": 2},
        {"num_hidden_groups": 2, "inner_group_num": 2},
        {"hidden_act": "silu"},
        {"position_embedding_type": "relative_key_query"},
        {"tie_word_embeddings": False},
        {"hidden_act": lambda hidden: hidden.softmax(-1)},
    ],
    ids=["uneven-groups", "inner-groups", "silu", "relative", "untied", "not-by-token"],
)
def test_every_form_of_the_model_is_packed(tmp_path, changes):
    path = tmp_path / "model.onnx"
    task, model, _ = emitted(path, "mlm", changes=changes)
    feed = feed_of(task)
    assert worst(*compared(task, feed, onnx_outputs(path, feed), eager_outputs(model, task, feed))) < LIMIT
    assert tokens_in(path, feed) == COUNTED


@pytest.mark.parametrize(
    ("precision", "least"), [("int8", 20.0), ("int4", 6.0), ("bf16", 30.0), ("fp16", 45.0)], ids=lambda each: str(each)
)
@pytest.mark.parametrize("task_name", ["qa", "mlm"])
def test_lower_precisions_are_packed(tmp_path, precision, least, task_name):
    path, padded = tmp_path / "model.onnx", tmp_path / "padded.onnx"
    task, model, _ = emitted(path, task_name, precision=precision)
    emitted(padded, task_name, precision=precision, tokens="padded")
    feed = feed_of(task)
    eager = eager_outputs(model, task, feed)
    found, expected = compared(task, feed, onnx_outputs(path, feed), eager)
    there, _ = compared(task, feed, onnx_outputs(padded, feed), eager)
    noise = signal_to_noise(
        [np.concatenate([one.ravel() for one in found])], [np.concatenate([o.ravel() for o in expected])]
    )
    assert noise > least
    # A scale is a token's own, so that packing changes at most the order of sums.
    assert worst(found, there) < 10 * 10 ** (-noise / 20)
    assert tokens_in(path, feed) == COUNTED


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_row_answers_alone_as_in_company(tmp_path, precision):
    path = tmp_path / "model.onnx"
    task, _, _ = emitted(path, "embed", precision=precision)
    feed = feed_of(task)
    together = onnx_outputs(path, feed)
    for row in range(len(MASKS)):
        alone = onnx_outputs(path, {name: array[row : row + 1] for name, array in feed.items()})
        for one, other in zip(alone, together, strict=True):
            np.testing.assert_allclose(one[0], other[row], rtol=0, atol=2e-5)


def test_what_the_mask_hides_is_never_read(tmp_path):
    path = tmp_path / "model.onnx"
    task, _, _ = emitted(path, "embed")
    feed = feed_of(task)
    hidden = (feed["attention_mask"] == 0) & (np.arange(LENGTH) > 0)
    other = {**feed, "input_ids": np.where(hidden, 7, feed["input_ids"])}
    for one, two in zip(onnx_outputs(path, feed), onnx_outputs(path, other), strict=True):
        assert one.tobytes() == two.tobytes()


def test_fixed_sizes_and_calibration(tmp_path):
    path = tmp_path / "model.onnx"
    task = get_task("qa")
    feed = feed_of(task)
    sizes = {"batch": len(MASKS), "sequence": LENGTH}
    _, model, written = emitted(path, precision="int8", sizes=sizes, calibration=[feed])
    assert "calibrated" in written.facts["activations"]
    found, expected = compared(task, feed, onnx_outputs(path, feed), eager_outputs(model, task, feed))
    assert signal_to_noise([np.concatenate(found)], [np.concatenate(expected)]) > 15
    assert tokens_in(path, feed) == COUNTED


@pytest.mark.parametrize("opset", [OLDEST_OPSET, NEWEST_INTEGER_OPSET, NEWEST_OPSET])
def test_standard_operators_of_every_opset_say_it(tmp_path, opset):
    path = tmp_path / "model.onnx"
    task, model, _ = emitted(path, opset=opset)
    feed = feed_of(task)
    assert worst(*compared(task, feed, onnx_outputs(path, feed), eager_outputs(model, task, feed))) < LIMIT
    assert [(item.domain, item.version) for item in onnx.load(path).opset_import] == [("", opset)]


def test_a_layer_copies_four_times_and_finds_the_tokens_once_for_all(tmp_path):
    path = tmp_path / "model.onnx"
    emitted(path)
    graph = onnx.load(path).graph
    (loop,) = [node for node in graph.node if node.op_type == "Loop"]
    body = next(attribute.g for attribute in loop.attribute if attribute.name == "body")
    gathers = [node for node in body.node if node.op_type == "Gather"]
    # Query, key and value go to their places, and what attention gives comes back.
    assert [node.input[1] == PLACES for node in gathers].count(True) == 3 and len(gathers) == 4
    assert {"NonZero", "CumSum", "Shape"}.isdisjoint(node.op_type for node in body.node)
    assert [node.op_type for node in graph.node].count("NonZero") == 1
    names = [node.name for part in (graph, body) for node in part.node]
    assert len(names) == len(set(names))


def test_scores_of_a_vocabulary_are_not_copied(tmp_path):
    path = tmp_path / "model.onnx"
    for changes in ({}, {"tie_word_embeddings": False}):
        emitted(path, "mlm", changes=changes)
        last = onnx.load(path).graph.node[-1]
        assert last.op_type != "Gather"


def test_a_graph_without_a_mask_is_refused():
    with pytest.raises(ExportError, match=r"a graph to pack must read attention_mask.*received a graph of hidden"):
        pack_tokens(gelu_model("none"))
