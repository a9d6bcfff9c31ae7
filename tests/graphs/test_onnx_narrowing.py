"""float16 and bfloat16 in ONNX: half the bytes, near the eager model, float32 outside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from albert_export.errors import ExportError
from albert_export.graphs.onnx_emitter import emit_onnx
from albert_export.tasks import get_task
from tests.graphs.models import TINY, eager_outputs, inputs, onnx_outputs, tiny_model
from tests.graphs.noise import signal_to_noise

#: dB; what 11 and 8 bits leave on these weights, with a margin.
LEAST = {"fp16": 45.0, "bf16": 28.0}
SHAPE = (3, 2, TINY["max_position_embeddings"])


def emitted(path: Path, task_name: str, precision: str, **options):
    task = get_task(task_name)
    model = tiny_model(task, **options.pop("changes", {}))
    return task, model, emit_onnx(model, task, path, precision=precision, **options)


@pytest.mark.parametrize(
    ("task_name", "layers", "opset"),
    [("pretraining", "rolled", 20), ("choice", "unrolled", 18), ("embed", "rolled", 28)],
)
@pytest.mark.parametrize("precision", LEAST)
def test_half_the_bytes_and_near(tmp_path, precision, task_name, layers, opset):
    path = tmp_path / "model.onnx"
    task, model, written = emitted(path, task_name, precision, layers=layers, opset=opset)
    feed = inputs(task, *SHAPE)
    found = onnx_outputs(path, feed)
    assert {one.dtype for one in found} == {np.dtype(np.float32)}
    assert signal_to_noise(found, eager_outputs(model, task, feed)) > LEAST[precision]
    other = tiny_model(task, initializer_range=0.3)
    assert signal_to_noise(found, eager_outputs(other, task, feed)) < LEAST[precision] / 2, "another model is not near"
    assert written.sharing.ratio == pytest.approx(0.5, abs=0.0 if precision == "fp16" else 0.03)
    assert written.facts["activations"] == ("float16" if precision == "fp16" else "float32")
    assert [value.type.tensor_type.elem_type for value in onnx.load(path).graph.output] == [1] * len(task.outputs)


def test_fp16_computes_in_it_and_bf16_stores_each_matrix_once(tmp_path):
    _, _, half = emitted(tmp_path / "half.onnx", "mlm", "fp16", changes={"hidden_act": "silu"})
    types = {tensor.data_type for tensor in onnx.load(tmp_path / "half.onnx").graph.initializer}
    assert types == {onnx.TensorProto.FLOAT16}
    # One widens the mask's integers, and one the logits.
    assert half.facts["operators"]["Cast"] == 2
    emitted(tmp_path / "brain.onnx", "mlm", "bf16")
    graph = onnx.load(tmp_path / "brain.onnx").graph
    stored = {tensor.name: tensor.data_type for tensor in graph.initializer}
    assert {dtype for name, dtype in stored.items() if "norm" not in name.lower() and name.endswith(".weight")} == {
        onnx.TensorProto.BFLOAT16
    }
    # Widened outside the loop, where it is done once when the file is loaded, and not in every turn.
    body = next(attribute.g for node in graph.node for attribute in node.attribute if attribute.name == "body")
    assert "Cast" not in {node.op_type for node in body.node}


def test_a_row_without_a_token_and_large_activations_stay_finite_in_fp16(tmp_path):
    task = get_task("qa")
    model = tiny_model(task)
    with torch.no_grad():  # squares of the sums that are normalised are beyond float16
        model.albert.encoder.albert_layer_groups[0].albert_layers[0].ffn_output.bias.add_(
            torch.linspace(-3000, 3000, TINY["hidden_size"])
        )
    emit_onnx(model, task, tmp_path / "model.onnx", precision="fp16")
    feed = inputs(task, 2, 1, 6)
    feed["attention_mask"][1] = 0
    assert all(np.isfinite(array).all() for array in onnx_outputs(tmp_path / "model.onnx", feed))


def test_a_weight_beyond_float16_is_named(tmp_path):
    task = get_task("qa")
    model = tiny_model(task)
    with torch.no_grad():
        model.qa_outputs.weight[0, 0] = 1e5
    with pytest.raises(ExportError, match=r"at most 65504 in float16.*received 1e\+05 in qa_outputs.weight; fix"):
        emit_onnx(model, task, tmp_path / "model.onnx", precision="fp16")
    emit_onnx(model, task, tmp_path / "model.onnx", precision="bf16")
