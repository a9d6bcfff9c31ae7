"""Calibrated int8 in TFLite: what its integers can hold."""

from __future__ import annotations

import numpy as np
import pytest

from albert_export.graphs.tflite_emitter import emit_tflite
from albert_export.graphs.tflite_graph import Operators, TFLiteGraph
from albert_export.models.tf_layers import named_weights
from albert_export.readers import TASK_LIBRARY
from albert_export.tasks import get_task
from tests.graphs.noise import signal_to_noise
from tests.graphs.tf_models import eager_outputs, inputs, litert_outputs, tiny_model

QA = get_task("question-answering")
LAYER = "encoder.albert_layer_groups.0.albert_layers.0"


@pytest.fixture(scope="module")
def model():
    """A model with outputs of a dense layer whose weights are zeros, or next to them, and whose biases are not."""
    made = tiny_model(QA)
    weights = dict(named_weights(made))
    (weight,) = [variable for name, variable in weights.items() if name.endswith(f"{LAYER}.ffn.weight")]
    (bias,) = [variable for name, variable in weights.items() if name.endswith(f"{LAYER}.ffn.bias")]
    values, biases = weight.numpy().copy(), bias.numpy().copy()
    rows = values if values.shape[0] == len(biases) else values.T
    rows[3], biases[3] = 0.0, 1.0
    rows[4], biases[4] = 1e-9, -2.0
    rows[5], biases[5] = 1e-7, 3.0
    rows[6], biases[6] = 0.0, 0.0
    weight.assign(values)
    bias.assign(biases)
    return made


@pytest.fixture(scope="module")
def calibration():
    return [inputs(QA, batch, 1, sequence) for batch, sequence in ((1, 24), (2, 16), (1, 7))]


@pytest.mark.parametrize(
    "options",
    [{}, {"layers": "unrolled"}, {"reader": TASK_LIBRARY, "sizes": {"batch": 1}}],
    ids=["rolled", "unrolled", "per-matrix"],
)
def test_the_bias_of_an_output_without_weights_is_kept(model, calibration, options, tmp_path):
    path = tmp_path / "model.tflite"
    feeds = [{name: array[:1] for name, array in feed.items()} for feed in calibration]
    emit_tflite(model, QA, path, precision="int8", calibration=feeds, **options)
    feed = inputs(QA, 1, 1, 16)
    assert signal_to_noise(litert_outputs(path, feed), eager_outputs(model, QA, feed)) > 15
    graph = TFLiteGraph(path.read_bytes())
    stored = {}
    for subgraph, operator in graph.walk(Operators.FULLY_CONNECTED):
        bias = subgraph.tensor(operator.inputs[2])
        if bias.name.decode().endswith(f"{LAYER}.ffn.bias"):
            steps = np.frombuffer(bytes(graph.model.buffers[bias.buffer].data), np.int32).astype(np.float64)
            stored[bias.name] = steps * bias.quantization.scale
            assert np.abs(steps).max() < 2**31 - 1
    (found,) = stored.values()
    np.testing.assert_allclose(found[3:7], [1.0, -2.0, 3.0, 0.0], rtol=1e-4)
