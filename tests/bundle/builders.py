"""Small bundles for the tests: real files, made-up contents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albert_export.bundle import Artifact, Bundle, BundleWriter, FileRecord
from albert_export.checkpoints import Source

SOURCE = Source("directory", "tiny", None, "a" * 64)
OTHER_SOURCE = Source("hub", "someone/else", "c0ffee", "b" * 64)
TASK = "question-answering"


def onnx_bytes(text: str) -> bytes:
    """A valid ONNX file without a graph; ``text`` (up to 127 bytes) stands in its doc_string (field 6)."""
    data = text.encode()
    return b"\x08\x0a\x32" + bytes([len(data)]) + data


def artifact(file: str, files: tuple[FileRecord, ...], **changes: Any) -> Artifact:
    fields: dict[str, Any] = {
        "target": "onnx",
        "precision": "fp32",
        "layers": "rolled",
        "file": file,
        "files": files,
        "shapes": {"batch": None, "sequence": None},
        "opset": 20,
        "inputs": ({"name": "input_ids", "dtype": "int64", "shape": ["batch", "sequence"]},),
        "outputs": ({"name": "start_logits", "dtype": "float32", "shape": ["batch", "sequence"]},),
        "sharing": {"unique_parameter_bytes": 100, "stored_weight_bytes": 100, "rest_bytes": 7, "ratio": 1.0},
        "versions": {"onnx": "1.18.0"},
        "facts": {"nodes": 3},
        "parity": None,
    }
    return Artifact(**{**fields, **changes})


def fill(writer: BundleWriter, files: Mapping[str, str], **changes: Any) -> None:
    """Write ``config.json`` and one artifact for each ONNX file, the way an exporter does."""
    (writer.directory / "config.json").write_text('{"model_type": "albert"}\n', encoding="utf-8")
    writer.put_file("config.json")
    for file, text in files.items():
        record = writer.write_bytes(file, onnx_bytes(text))
        writer.put_artifact(artifact(file, (record,), **changes))


def write_bundle(out: Path, files: Mapping[str, str] | None = None, **changes: Any) -> Bundle:
    with BundleWriter(out, task=TASK, source=SOURCE) as writer:
        fill(writer, {"onnx/model.onnx": "first"} if files is None else files, **changes)
        return writer.commit()


def tree(directory: Path) -> dict[str, bytes]:
    """Every file below ``directory`` with its bytes."""
    return {
        path.relative_to(directory).as_posix(): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())
