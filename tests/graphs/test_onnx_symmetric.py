"""int8 as TensorRT reads it: signed, symmetric, one scale an output, weights stored once, near the eager model."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from albert_export.errors import ExportError, InputError
from albert_export.graphs.onnx_symmetric import scale_for
from albert_export.graphs.tensorrt_network import Network, build_network
from albert_export.tasks import Task, get_task
from tests.graphs.emulation import emulate, run
from tests.graphs.models import eager_outputs, inputs, tiny_model
from tests.graphs.noise import signal_to_noise


def network(task: Task, layers: str = "unrolled") -> Network:
    texts = [inputs(task, 2, 2, length) for length in (5, 12, 24)]
    return build_network(tiny_model(task), task, precision="int8", layers=layers, calibration=texts)


@pytest.mark.parametrize(("name", "layers"), [("qa", "unrolled"), ("fill-mask", "unrolled"), ("choice", "rolled")])
def test_it_is_near_the_eager_model_and_not_near_another(name: str, layers: str) -> None:
    task = get_task(name)
    built = network(task, layers)
    feed = inputs(task, 3, 2, 24)
    found = run(emulate(built.graph), feed)
    got = [found[spec.name] for spec in task.outputs]
    assert signal_to_noise(got, eager_outputs(tiny_model(task), task, feed)) > 20.0
    other = eager_outputs(tiny_model(task, initializer_range=0.3), task, feed)
    assert signal_to_noise(got, other) < 10.0
    assert built.stored < 0.45 * built.unique


def test_the_form_is_tensorrts() -> None:
    built = network(get_task("fill-mask"), "rolled")
    weights = built.graph.graph.initializers
    nodes = list(ir.traversal.RecursiveGraphIterator(built.graph.graph))
    quantizing = [node for node in nodes if node.op_type == "QuantizeLinear"]
    assert quantizing
    for node in quantizing:
        assert node.inputs[2].dtype == ir.DataType.INT8
        assert node.inputs[2].const_value.numpy() == 0
        assert node.inputs[1].dtype == ir.DataType.FLOAT16
    for node in nodes:
        if node.op_type == "DequantizeLinear":
            assert len(node.inputs) == 2
            read = [(reader.op_type, index) for reader, index in node.outputs[0].uses()]
            assert read
            assert {kind for kind, _ in read} <= {"MatMul", "Gemm", "Gather"}
            if node.inputs[0] in weights.values():
                assert len(read) == 1, "a product and what is before it are fused"
                axis = node.attributes["axis"].value
                assert node.inputs[1].shape.numpy() == (node.inputs[0].shape.numpy()[axis],)
    # The tied decoder's table is one tensor, of which rows are looked up too.
    (table,) = [value for name, value in weights.items() if "word_embeddings" in name and name.endswith("_quantized")]
    assert sorted(reader.op_type for reader, _ in table.uses()) == ["DequantizeLinear", "DequantizeLinear"]
    # Tables that no product reads stay in float.
    assert any("position_embeddings" in name and value.dtype == ir.DataType.FLOAT16 for name, value in weights.items())
    stored = [value for name, value in weights.items() if name.endswith("_quantized")]
    assert all(np.abs(value.const_value.numpy().astype(int)).max() == 127 for value in stored)


def test_scales_are_numbers_of_float16_and_never_0() -> None:
    scales = scale_for(np.array([0.0, 1e-9, 0.05, 12.7, 1e30], dtype=np.float32))
    assert (scales > 0).all()
    assert (scales == scales.astype(np.float16).astype(np.float32)).all()
    np.testing.assert_allclose(scales[2:4], [0.05 / 127, 0.1], rtol=2e-3)


def test_parts_that_are_left_out_stay_in_float16() -> None:
    task = get_task("qa")
    texts = [inputs(task, 2, 2, length) for length in (5, 12)]
    built = build_network(tiny_model(task), task, precision="int8", layers="rolled", parts=("ffn",), calibration=texts)
    types = {name: value.dtype for name, value in built.graph.graph.initializers.items()}
    integers = [name for name, dtype in types.items() if dtype == ir.DataType.INT8 and name != "symmetric_zero_point"]
    assert list(built.quantized) == ["ffn"]
    assert integers
    assert all(".ffn" in name for name in integers)
    assert [name for name, dtype in types.items() if ".attention." in name and dtype == ir.DataType.FLOAT16]
    with pytest.raises(InputError, match="there must be a matrix with 16 outputs or more to quantise"):
        build_network(tiny_model(task), task, precision="int8", layers="rolled", parts=("head",), calibration=texts)


def test_int8_takes_calibration_and_nothing_else_does() -> None:
    task = get_task("qa")
    for precision, calibration in (("int8", None), ("fp16", [inputs(task, 1, 1, 5)])):
        with pytest.raises(ExportError, match="int8 has fixed ranges, and is calibrated"):
            build_network(tiny_model(task), task, precision=precision, layers="rolled", calibration=calibration)
    with pytest.raises(ExportError, match="TensorRT's precision must be fp32, fp16, bf16 or int8; received int4"):
        build_network(tiny_model(task), task, precision="int4", layers="rolled")
