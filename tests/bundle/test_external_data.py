from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from albert_export.bundle.external_data import check_external_data, external_locations
from albert_export.errors import IntegrityError


def external(name: str, location: str, length: int = 16) -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", "0"), ("length", str(length))):
        tensor.external_data.add(key=key, value=value)
    return tensor


def loop_model() -> onnx.ModelProto:
    """A model that keeps external data at every place an ONNX file can."""
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    inner = helper.make_graph(
        [helper.make_node("Add", ["x", "weights"], ["y"])], "body", [value], [value], [external("weights", "loop.data")]
    )
    constant = helper.make_node("Constant", [], ["c"], value=external("c", "constant.data"))
    several = helper.make_node("Custom", ["x"], ["z"], domain="test")
    several.attribute.append(helper.make_attribute("tensors", [external("t", "tensors.data")]))
    several.attribute.append(helper.make_attribute("graphs", [helper.make_graph([constant], "g", [], [])]))
    sparse = onnx.SparseTensorProto(
        values=external("sv", "sparse-values.data"), indices=external("si", "sparse-indices.data"), dims=[9]
    )
    several.attribute.append(helper.make_attribute("sparse", sparse))
    nodes = [helper.make_node("Loop", ["n", "", "x"], ["x"], body=inner), several]
    inline = numpy_helper.from_array(np.arange(4096, dtype=np.float32), "inline")
    graph = helper.make_graph(nodes, "main", [value], [value], [external("top", "dir/top.data"), inline])
    graph.sparse_initializer.append(
        onnx.SparseTensorProto(values=external("gv", "graph-sparse.data"), indices=inline, dims=[9])
    )
    function = helper.make_function(
        "test", "F", ["x"], ["y"], [helper.make_node("Constant", [], ["y"], value=external("f", "function.data"))], []
    )
    model = helper.make_model(graph, functions=[function])
    model.training_info.add().algorithm.initializer.append(external("a", "training.data"))
    return model


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def test_locations_are_found_wherever_onnx_keeps_tensors(tmp_path: Path) -> None:
    stems = ["loop", "constant", "tensors", "sparse-values", "sparse-indices", "graph-sparse", "function", "training"]
    found = external_locations(save(loop_model(), tmp_path / "m.onnx"))
    assert found == {"dir/top.data", *(f"{stem}.data" for stem in stems)}


def test_a_model_with_its_weights_inside_names_no_location(tmp_path: Path) -> None:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [4])
    inline = numpy_helper.from_array(np.arange(4, dtype=np.float32), "w")
    node = helper.make_node("Add", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "main", [value], [value], [inline])
    assert external_locations(save(helper.make_model(graph), tmp_path / "m.onnx")) == frozenset()
    (tmp_path / "empty.onnx").write_bytes(b"")
    assert external_locations(tmp_path / "empty.onnx") == frozenset()


def one_tensor(location: str) -> onnx.ModelProto:
    return helper.make_model(helper.make_graph([], "main", [], [], [external("w", location)]))


def test_external_data_in_a_listed_file_beside_the_model_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    save(one_tensor("model.onnx.data"), tmp_path / "onnx/model.onnx")
    check_external_data(tmp_path, "onnx/model.onnx", frozenset({"onnx/model.onnx", "onnx/model.onnx.data"}))


@pytest.mark.parametrize(
    "location",
    ["../../secret", "/etc/passwd", "C:\\secret", "*/_ORT_MEM_ADDR_/*", "", "unlisted.data", "onnx/model.onnx.data"],
)
def test_external_data_anywhere_else_is_refused(tmp_path: Path, location: str) -> None:
    (tmp_path / "onnx").mkdir()
    save(one_tensor(location), tmp_path / "onnx/model.onnx")
    with pytest.raises(IntegrityError, match="must") as caught:
        check_external_data(tmp_path, "onnx/model.onnx", frozenset({"onnx/model.onnx", "onnx/model.onnx.data"}))
    assert "\n" not in str(caught.value)


def test_every_location_counts_when_a_tensor_names_several(tmp_path: Path) -> None:
    model = one_tensor("model.onnx.data")
    model.graph.initializer[0].external_data.add(key="location", value="../secret")
    save(model, tmp_path / "model.onnx")
    with pytest.raises(IntegrityError, match="relative"):
        check_external_data(tmp_path, "model.onnx", frozenset({"model.onnx", "model.onnx.data"}))


@pytest.mark.parametrize("data", [b"this is no model", b"\x3a\x7f", b"\x3a\xff", b"\xff" * 11, b"\x0b", b"\x09\x00"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes(data)
    with pytest.raises(IntegrityError, match="must be an ONNX model"):
        check_external_data(tmp_path, "model.onnx", frozenset({"model.onnx"}))


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damaged_files_are_read_or_refused_but_never_crash(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = bytearray(loop_model().SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.onnx"
    path.write_bytes(content[: data.draw(st.integers(1, len(content)))])
    try:
        assert all(isinstance(location, str) for location in external_locations(path))
    except ValueError as error:
        assert str(error)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.sampled_from(["a.data", "b.data", "dir/c.data"]), max_size=5), st.binary(max_size=300))
def test_what_onnx_itself_reads_is_what_is_found(
    tmp_path_factory: pytest.TempPathFactory, locations: list[str], noise: bytes
) -> None:
    tensors = [external(f"w{index}", location) for index, location in enumerate(locations)]
    tensors.append(TensorProto(name="noise", data_type=TensorProto.UINT8, dims=[len(noise)], raw_data=noise))
    graph = helper.make_graph([], "main", [], [], tensors, doc_string="∂" * 70)
    path = save(helper.make_model(graph), tmp_path_factory.getbasetemp() / "generated.onnx")
    read = onnx.load(path, load_external_data=False)
    told = {entry.value for t in read.graph.initializer for entry in t.external_data if entry.key == "location"}
    assert external_locations(path) == told == set(locations)
