"""Bundles with every kind of artifact that a layout is made of: the manifest is real, the models are made up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from albert_export import AlbertConfig
from albert_export.builtin.trained import FILES
from albert_export.bundle import Bundle, BundleWriter
from albert_export.layouts.web import SITE, VENDORED
from tests.bundle.builders import SOURCE, artifact, onnx_bytes

TOKENIZER = ("special_tokens_map.json", "spiece.model", "tokenizer.json", "tokenizer_config.json")

QA_OUTPUTS = tuple(
    {"name": name, "dtype": "float32", "shape": ["batch", "sequence"]} for name in ("start_logits", "end_logits")
)


def write_full_bundle(
    out: Path,
    *,
    task: str = "question-answering",
    shared: tuple[str, ...] = TOKENIZER,
    labels: tuple[str, ...] = ("LABEL_0", "LABEL_1"),
    onnx: tuple[dict[str, Any], ...] = ({}, {"precision": "int8"}),
    others: bool = True,
    config: Mapping[str, Any] | None = None,
) -> Bundle:
    """Write a bundle of a task; ``onnx`` are the fields in which its ONNX artifacts differ from a plain fp32 one.

    The tokenizer is that of albert-mini.
    """
    suffixes = {"fp32": "", "fp16": "_fp16", "bf16": "_bf16", "int8": "_int8", "int4": "_q4"}
    with BundleWriter(out, task=task, source=SOURCE) as writer:
        AlbertConfig(id2label=dict(enumerate(labels)), **(config or {})).save_pretrained(writer.directory)
        writer.put_file("config.json")
        for name in shared:
            writer.write_bytes(name, (FILES / name).read_bytes() if (FILES / name).exists() else b"{}")
            writer.put_file(name)
        for fields in onnx:
            fields = dict(fields)
            outside = fields.pop("outside", False)
            unrolled = "_unrolled" if fields.get("layers") == "unrolled" else ""
            file = f"onnx/model{suffixes[fields.get('precision', 'fp32')]}{unrolled}.onnx"
            records = [writer.write_bytes(file, onnx_bytes(file))]
            if fields.get("precision") == "int8":
                records.append(writer.write_bytes("onnx/model_quantized.onnx", onnx_bytes(file)))
            if outside:
                records.append(writer.write_bytes(f"{file}_data", b"weights"))
            writer.put_artifact(artifact(file, tuple(records), **{"outputs": QA_OUTPUTS, **fields}))
        if others:
            places = ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001")
            saved = [writer.write_bytes(f"saved_model/1/{place}", place.encode()) for place in places]
            writer.put_artifact(artifact(saved[0].path, tuple(saved), target="savedmodel", opset=None))
            for precision in ("fp32", "int8"):
                file = f"tflite/model{suffixes[precision]}_unrolled_b1_s128_mediapipe.tflite"
                record = writer.write_bytes(file, precision.encode())
                facts = {"compat": "mediapipe"}
                writer.put_artifact(
                    artifact(file, (record,), target="tflite", precision=precision, layers="unrolled", facts=facts)
                )
        return writer.commit()


def write_packages(directory: Path, versions: Mapping[str, str] | None = None) -> Path:
    """Write a ``node_modules`` with the page's libraries, made up but for their names and versions."""
    wanted = json.loads((SITE / "package.json").read_text(encoding="utf-8"))["dependencies"] | (versions or {})
    for name, version in wanted.items():
        (directory / name).mkdir(parents=True)
        (directory / name / "package.json").write_text(json.dumps({"name": name, "version": version}))
    for path in VENDORED:
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(path)
    return directory
