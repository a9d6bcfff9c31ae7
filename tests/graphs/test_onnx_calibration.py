"""int8 in ONNX with fixed ranges: measured over every turn of the loop, near the eager model."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch

from albert_export.errors import ExportError
from albert_export.graphs import onnx_emitter
from albert_export.graphs.onnx_calibration import observed_ranges
from albert_export.graphs.onnx_emitter import emit_onnx
from albert_export.graphs.onnx_quantization import quantizable_activations
from albert_export.graphs.tracing import trace
from albert_export.graphs.weights import WeightStore
from albert_export.parts import PARTS
from albert_export.tasks import get_task
from tests.graphs.models import eager_outputs, inputs, onnx_outputs, tiny_model
from tests.graphs.noise import signal_to_noise

QA = get_task("question-answering")


@pytest.fixture(scope="module")
def model():
    return tiny_model(QA)


@pytest.fixture(scope="module")
def calibration():
    return [inputs(QA, batch, 1, sequence) for batch, sequence in ((1, 24), (2, 16), (1, 7), (1, 3))]


@pytest.mark.parametrize("layers", ["rolled", "unrolled"])
def test_calibrated_comes_near_and_a_row_alone_gives_the_same(model, calibration, layers, tmp_path):
    path = tmp_path / "model.onnx"
    written = emit_onnx(model, QA, path, precision="int8", layers=layers, calibration=calibration)
    feed = inputs(QA, 2, 1, 16)
    found = onnx_outputs(path, feed)
    assert signal_to_noise(found, eager_outputs(model, QA, feed)) > 18
    assert signal_to_noise(found, eager_outputs(tiny_model(QA, initializer_range=0.3), QA, feed)) < 9
    assert written.facts["activations"] == "int8, calibrated"
    assert "ReduceMax" not in written.facts["operators"]
    alone = onnx_outputs(path, {name: array[1:] for name, array in feed.items()})
    np.testing.assert_allclose(alone[0], found[0][1:], atol=1e-5)


def test_ranges_are_those_of_all_turns_of_the_loop(model, calibration):
    def ranges(feeds):
        traced = trace(model, QA, layers="rolled", sizes={})
        built = onnx_emitter.build_graph(traced, WeightStore(traced.program, traced.weights), model.config, 20)
        return observed_ranges(built, quantizable_activations(built, PARTS), feeds)

    found = ranges(calibration)
    assert len(found) == 5
    (name,) = [name for name in found if "gelu" in name]
    spans = [span for feed in calibration for span in layer_spans(model, feed)]
    assert found[name] == pytest.approx((min(low for low, _ in spans), max(high for _, high in spans)), rel=1e-4)
    # The twin: the last turn alone, and other texts, have other ranges.
    last = [layer_spans(model, feed)[-1] for feed in calibration]
    assert found[name] != pytest.approx((min(low for low, _ in last), max(high for _, high in last)), rel=1e-2)
    assert ranges(calibration[-1:])[name] != pytest.approx(found[name], rel=1e-2)


def test_without_an_activation_to_observe_nothing_is_run(model, calibration):
    """As with a part that has no product in integers: ONNX Runtime gives all outputs where none are named."""
    traced = trace(model, QA, layers="rolled", sizes={})
    built = onnx_emitter.build_graph(traced, WeightStore(traced.program, traced.weights), model.config, 20)
    assert quantizable_activations(built, ["head"]) == []
    assert observed_ranges(built, [], calibration) == {}


def layer_spans(model, feed) -> list[tuple[float, float]]:
    """Return the least and the largest result of GELU in each layer."""
    seen: list[tuple[float, float]] = []
    layer = model.albert.encoder.albert_layer_groups[0].albert_layers[0]
    handle = layer.ffn_output.register_forward_pre_hook(
        lambda _, given: seen.append((float(given[0].min()), float(given[0].max())))
    )
    try:
        with torch.no_grad():
            eager_outputs(model, QA, feed)
    finally:
        handle.remove()
    return seen


def test_the_fixed_ranges_are_in_the_file(model, calibration, tmp_path):
    for name, feeds in (("one", calibration), ("same", calibration), ("other", calibration[-1:])):
        emit_onnx(model, QA, tmp_path / name, precision="int8", calibration=feeds)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "same").read_bytes()
    assert (tmp_path / "one").read_bytes() != (tmp_path / "other").read_bytes()
    body = next(
        attribute.g
        for node in onnx.load(tmp_path / "one").graph.node
        for attribute in node.attribute
        if attribute.name == "body"
    )
    assert sum(node.op_type == "QuantizeLinear" for node in body.node) == 4


@pytest.mark.parametrize(
    ("feeds", "options", "message"),
    [
        ([], {}, "at least one input"),
        ([{"input_ids": np.ones((1, 3), dtype=np.int64)}], {}, "calibration inputs must be attention_mask, input_ids"),
        ([{name: np.full((1, 3), 999) for name in inputs(QA, 1, 1, 3)}], {}, "must run on the calibration inputs"),
        ([], {"precision": "fp16"}, "calibration serves precision int8; received fp16"),
    ],
)
def test_calibration_inputs_are_checked(model, feeds, options, message, tmp_path):
    with pytest.raises(ExportError, match=message) as raised:
        emit_onnx(model, QA, tmp_path / "model.onnx", **{"precision": "int8", **options}, calibration=feeds)
    assert raised.value.fix
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())
