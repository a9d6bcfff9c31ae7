"""The streamed file is the one that the protobuf library would have written, up to the order of fields."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir
import pytest

from albert_export.errors import ExportError
from albert_export.graphs.onnx_file import check_onnx, write_onnx


def small_model(*, broken=False):
    hidden = ir.val("hidden", dtype=ir.DataType.FLOAT, shape=ir.Shape(["n", 3]))
    weights = []
    # A scalar, an empty shape's neighbour, a strided view and a length whose varint takes two bytes.
    for name, array in (
        ("scalar", np.array(2.0, np.float32)),
        ("matrix", np.arange(300, dtype=np.float32).reshape(100, 3).T),
        ("bias", np.arange(100, dtype=np.float32)),
    ):
        value = ir.Value(name=name, const_value=ir.tensor(array, name=name))
        value.type, value.shape = ir.TensorType(ir.DataType.FLOAT), value.const_value.shape
        weights.append(value)
    product = ir.node("MatMul", [hidden, weights[1]], name="product")
    added = ir.node("Add", [product.outputs[0], weights[2]], name="added")
    scaled = ir.node("Mul", [added.outputs[0], weights[0]], name="scaled")
    out = scaled.outputs[0]
    out.name, out.type = "out", ir.TensorType(ir.DataType.FLOAT)
    out.shape = ir.Shape(["n", 7 if broken else 100])
    for node in (product, added):
        node.outputs[0].name = node.name
    graph = ir.Graph(
        [hidden], [out], nodes=[product, added, scaled], initializers=weights, opset_imports={"": 20}, name="g"
    )
    return ir.Model(graph, ir_version=9, producer_name="test")


def run(path):
    import onnxruntime

    numbers = np.arange(6, dtype=np.float32).reshape(2, 3)
    return onnxruntime.InferenceSession(str(path)).run(None, {"hidden": numbers})[0]


def test_the_file_holds_what_the_library_would_write(tmp_path):
    model = small_model()
    assert write_onnx(model, tmp_path / "m.onnx") == (tmp_path / "m.onnx",)
    read, expected = onnx.load(tmp_path / "m.onnx"), ir.to_proto(model)
    by_name = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in read.graph.initializer}
    for tensor in expected.graph.initializer:
        np.testing.assert_array_equal(by_name.pop(tensor.name), onnx.numpy_helper.to_array(tensor))
    assert not by_name
    for proto in (read, expected):
        del proto.graph.initializer[:]
    # The library also repeats each initializer's type, which the initializer itself states.
    del expected.graph.value_info[:]
    assert read == expected
    assert list(model.graph.initializers) == ["scalar", "matrix", "bias"]


def test_weights_beyond_the_limit_lie_beside_the_graph(tmp_path):
    model = small_model()
    write_onnx(model, tmp_path / "inside.onnx")
    files = write_onnx(model, tmp_path / "m.onnx", largest_message=1000)
    assert files == (tmp_path / "m.onnx", tmp_path / "m.onnx_data")
    assert files[0].stat().st_size <= 1000
    check_onnx(model, files[0])
    np.testing.assert_array_equal(run(files[0]), run(tmp_path / "inside.onnx"))


def test_a_graph_over_the_limit_without_its_weights_is_refused(tmp_path):
    with pytest.raises(ExportError, match="at most 100 bytes"):
        write_onnx(small_model(), tmp_path / "m.onnx", largest_message=100)


def test_the_check_sees_a_contradiction_and_leaves_no_file(tmp_path):
    good, bad = small_model(), small_model(broken=True)
    write_onnx(good, tmp_path / "good.onnx")
    check_onnx(good, tmp_path / "good.onnx")
    write_onnx(bad, tmp_path / "bad.onnx")
    with pytest.raises(ExportError, match="full check"):
        check_onnx(bad, tmp_path / "bad.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.onnx", "good.onnx"]
