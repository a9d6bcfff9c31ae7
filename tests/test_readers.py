"""What each reader is given: its layers and sizes, and one line for what it does not take."""

from __future__ import annotations

from pathlib import Path

import pytest

import albert_export
from albert_export.errors import InputError, UnknownNameError
from albert_export.readers import MEDIAPIPE, TASK_LIBRARY, choose_reader, reader_layers, reader_sizes
from tests.checkpoints.tiny import write_tiny

READERS = (TASK_LIBRARY, MEDIAPIPE)
QA, SEQCLS = "question-answering", "text-classification"


def test_readers_are_chosen_by_name_and_task() -> None:
    assert choose_reader(READERS, "task-library", QA) is TASK_LIBRARY
    assert choose_reader(READERS, "mediapipe", SEQCLS) is MEDIAPIPE
    with pytest.raises(UnknownNameError, match="did you mean task-library"):
        choose_reader(READERS, "task-libary", QA)
    with pytest.raises(InputError, match="MediaPipe has a reader for text-classification; received question-answering"):
        choose_reader(READERS, "mediapipe", QA)
    with pytest.raises(InputError, match="one form for all readers"):
        choose_reader((), "mediapipe", QA)


def test_layers() -> None:
    assert reader_layers(TASK_LIBRARY, None) is None
    assert reader_layers(TASK_LIBRARY, "rolled") == "rolled"
    assert reader_layers(MEDIAPIPE, None) == reader_layers(MEDIAPIPE, "unrolled") == "unrolled"
    with pytest.raises(InputError, match="takes unrolled layers only; received rolled"):
        reader_layers(MEDIAPIPE, "rolled")


def test_sizes() -> None:
    assert reader_sizes(TASK_LIBRARY, QA, batch=None, sequence=None, longest=512) == (1, 384)
    assert reader_sizes(TASK_LIBRARY, SEQCLS, batch=1, sequence=None, longest=512) == (1, 128)
    assert reader_sizes(MEDIAPIPE, SEQCLS, batch=None, sequence=None, longest=64) == (1, 64)
    assert reader_sizes(MEDIAPIPE, SEQCLS, batch=None, sequence=96, longest=512) == (1, 96)
    with pytest.raises(InputError, match="takes sequence 384 for question-answering; received 128"):
        reader_sizes(TASK_LIBRARY, QA, batch=None, sequence=128, longest=512)
    with pytest.raises(InputError, match="received a model with max_position_embeddings 256"):
        reader_sizes(TASK_LIBRARY, QA, batch=None, sequence=None, longest=256)
    with pytest.raises(InputError, match="one row at a time; received batch=2"):
        reader_sizes(TASK_LIBRARY, SEQCLS, batch=2, sequence=None, longest=512)


@pytest.mark.parametrize(
    ("task", "compat", "file", "subgraphs", "layers"),
    [
        ("qa", "task-library", "tflite/model_b1_s384_task_library.tflite", 3, "rolled"),
        ("seqcls", "mediapipe", "tflite/model_unrolled_b1_s128_mediapipe.tflite", 1, "unrolled"),
    ],
)
def test_an_export_takes_the_reader_s_form_and_packs_the_vocabulary(
    tmp_path: Path, task: str, compat: str, file: str, subgraphs: int, layers: str
) -> None:
    bundle = albert_export.export(
        "tflite", model="albert-seeded", task=task, out=tmp_path / "out", compat=compat, parity=False
    )
    (artifact,) = bundle.manifest.artifacts
    assert (artifact.file, artifact.layers) == (file, layers)
    assert artifact.facts["compat"] == compat
    assert artifact.facts["subgraphs"] == subgraphs
    assert "spiece.model" in artifact.facts["packed_files"]
    usual = albert_export.export("tflite", model="albert-seeded", task=task, out=tmp_path / "out", parity=False)
    assert usual.select(target="tflite").file == "tflite/model.tflite", "the general form is what is meant"


def test_a_reader_needs_a_vocabulary_before_anything_is_traced(tmp_path: Path) -> None:
    write_tiny(tmp_path / "checkpoint", "text-classification")
    lines: list[str] = []
    with pytest.raises(InputError) as raised:
        albert_export.export(
            "tflite",
            model=tmp_path / "checkpoint",
            task="seqcls",
            out=tmp_path / "out",
            compat="task-library",
            parity=False,
            progress=lines.append,
        )
    assert str(raised.value) == (
        "TFLite Task Library tokenises with the checkpoint's spiece.model or vocab.txt; "
        "received a checkpoint without either; fix: put its vocabulary beside the weights, or leave compat out"
    )
    assert not any(line.startswith("tracing") for line in lines)
    assert not (tmp_path / "out").exists()
