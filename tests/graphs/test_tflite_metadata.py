from __future__ import annotations

import zipfile

import flatbuffers
import pytest

from albert_export.errors import ExportError
from albert_export.graphs.tflite_emitter import emit_tflite
from albert_export.graphs.tflite_graph import TFLiteGraph
from albert_export.graphs.tflite_metadata import append_files, metadata_buffer, packed_files
from albert_export.readers import TASK_LIBRARY
from albert_export.tasks import get_task
from tests.graphs.tf_models import eager_outputs, inputs, litert_outputs, tiny_model, worst_relative_error

QA = get_task("question-answering")
CLASSES = get_task("text-classification")


class Table:
    """A table of a flatbuffer, read by the numbers of its fields in metadata_schema.fbs."""

    def __init__(self, data: bytes, place: int | None = None) -> None:
        start = flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0) if place is None else place
        self.table = flatbuffers.table.Table(data, start)

    def _field(self, number: int) -> int:
        offset = self.table.Offset(4 + 2 * number)
        assert offset, f"field {number} is absent"
        return offset

    def text(self, number: int) -> str:
        return self.table.String(self._field(number) + self.table.Pos).decode()

    def small(self, number: int) -> int:
        return self.table.Get(flatbuffers.number_types.Uint8Flags, self._field(number) + self.table.Pos)

    def inner(self, number: int) -> Table:
        return Table(self.table.Bytes, self.table.Indirect(self._field(number) + self.table.Pos))

    def items(self, number: int) -> list[Table]:
        field = self._field(number)
        start = self.table.Vector(field)
        places = [self.table.Indirect(start + 4 * item) for item in range(self.table.VectorLen(field))]
        return [Table(self.table.Bytes, place) for place in places]


@pytest.fixture
def vocabulary(tmp_path):
    path = tmp_path / "spiece.model"
    path.write_bytes(b"pieces" * 50)
    return path


def test_tensors_are_named_as_clients_look_for_them():
    data = metadata_buffer(QA, (), name="ALBERT", version="1")
    assert data[4:8] == b"M001"
    root = Table(data)
    assert root.text(0) == "ALBERT"
    (subgraph,) = root.items(3)
    assert [one.text(0) for one in subgraph.items(2)] == ["ids", "mask", "segment_ids"]
    assert [one.text(0) for one in subgraph.items(3)] == ["start_logits", "end_logits"]
    (outputs,) = Table(metadata_buffer(CLASSES, (), name="ALBERT", version="1")).items(3)[0].items(3)
    assert outputs.text(0) == "probability"


@pytest.mark.parametrize(("name", "kind"), [("spiece.model", 5), ("vocab.txt", 4)])
def test_the_tokenizer_is_that_of_the_vocabulary(tmp_path, name, kind):
    (tmp_path / name).write_text("[PAD]\n")
    files = packed_files(tmp_path / name, ["bad", "good"])
    (subgraph,) = Table(metadata_buffer(CLASSES, files, name="a", version="1")).items(3)
    (unit,) = subgraph.items(5)
    assert unit.small(0) == kind
    (file,) = unit.inner(1).items(0)
    assert (file.text(0), file.small(2)) == (name, 5)
    (labels,) = subgraph.items(3)[0].items(6)
    assert (labels.text(0), labels.small(2)) == ("labels.txt", 2)


def test_the_files_lie_behind_a_model_that_still_runs(tmp_path, vocabulary):
    model, path = tiny_model(CLASSES, id2label={0: "schlecht", 1: "naja", 2: "größer"}), tmp_path / "model.tflite"
    emitted = emit_tflite(model, CLASSES, path, vocabulary=vocabulary)
    bare = emit_tflite(model, CLASSES, tmp_path / "bare.tflite")
    assert emitted.facts["packed_files"] == ["spiece.model", "labels.txt"]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("spiece.model") == vocabulary.read_bytes()
        assert archive.read("labels.txt").decode() == "schlecht\nnaja\ngrößer\n"
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    feed = inputs(CLASSES, 2, 1, 7)
    assert worst_relative_error(litert_outputs(path, feed), eager_outputs(model, CLASSES, feed)) < 1e-4
    assert emitted.sharing.stored_weight_bytes == bare.sharing.stored_weight_bytes
    again = tmp_path / "again.tflite"
    emit_tflite(model, CLASSES, again, vocabulary=vocabulary)
    assert again.read_bytes() == path.read_bytes()


def test_what_is_packed_counts_among_the_bytes_that_a_file_may_have(tmp_path, vocabulary):
    model, path = tiny_model(CLASSES), tmp_path / "model.tflite"
    emit_tflite(model, CLASSES, path, vocabulary=vocabulary)
    size = path.stat().st_size
    emit_tflite(model, CLASSES, tmp_path / "fits.tflite", vocabulary=vocabulary, largest=size)
    with pytest.raises(ExportError, match=f"must have at most {size - 1} bytes; received {size} bytes"):
        emit_tflite(model, CLASSES, tmp_path / "large.tflite", vocabulary=vocabulary, largest=size - 1)
    assert not (tmp_path / "large.tflite").exists()


def test_inputs_are_described_in_the_order_of_the_file(tmp_path):
    path = tmp_path / "model.tflite"
    emit_tflite(tiny_model(QA), QA, path)
    graph = TFLiteGraph(path.read_bytes())
    names = [graph.main.tensor(index).name.decode() for index in graph.main.raw.inputs]
    entry = next(one for one in graph.model.metadata if one.name == b"TFLITE_METADATA")
    described = Table(bytes(graph.model.buffers[entry.buffer].data)).items(3)[0]
    called = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "segment_ids"}
    assert [one.text(0) for one in described.items(2)] == [called[name] for name in names]
    outputs = [graph.main.tensor(index).name.decode() for index in graph.main.raw.outputs]
    assert [one.text(0) for one in described.items(3)] == outputs


@pytest.mark.parametrize("label", ["", "two\nlines"])
def test_labels_that_no_file_can_hold_are_left_out_or_refused_before_tracing(tmp_path, label):
    model, lines = tiny_model(CLASSES, id2label={0: "no", 1: label, 2: "yes"}), []
    emitted = emit_tflite(model, CLASSES, tmp_path / "model.tflite", progress=lines.append)
    assert emitted.facts["packed_files"] == []
    assert lines[0] == f"warning: no labels are packed behind the model: {label!r} is not one line of text"
    lines.clear()
    with pytest.raises(ExportError) as raised:
        emit_tflite(
            model,
            CLASSES,
            tmp_path / "other.tflite",
            reader=TASK_LIBRARY,
            sizes={"batch": 1, "sequence": 8},
            progress=lines.append,
        )
    assert str(raised.value) == (
        f"a label that is packed must be one line of text; received {label!r}; "
        "fix: rename it in id2label of the checkpoint's config.json"
    )
    assert lines == []


def test_what_cannot_be_packed_is_one_error(tmp_path):
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ExportError, match=r"received tokenizer\.json"):
        packed_files(tmp_path / "tokenizer.json", ())
    with pytest.raises(ExportError, match="one line"):
        packed_files(None, ["good", "bad\nworse"])
    assert packed_files(None, ()) == ()
    model = tmp_path / "model.tflite"
    model.write_bytes(b"as it was")
    append_files(model, ())
    assert model.read_bytes() == b"as it was"
