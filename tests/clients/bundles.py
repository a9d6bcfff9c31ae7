"""The bundles that clients are given: of albert-mini, and of albert-mini with one number of one weight altered."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from albert_export import export
from albert_export.builtin import builtin_directory
from albert_export.bundle import Artifact, Bundle
from albert_export.checkpoints.safetensors_file import numpy_tensors
from albert_export.checkpoints.writing import safetensors_bytes
from albert_export.tasks import get_task

#: Every task reads it, and every token with it.
ALTERED_WEIGHT = "albert.encoder.embedding_hidden_mapping_in.bias"
ALTERATION = 2.0


@dataclass(frozen=True)
class Form:
    """One artifact of a bundle.

    Attributes:
        target: Name in the table of targets.
        precision: Name in the table of precisions.
        options: What :func:`albert_export.export` is told besides.
    """

    target: str
    precision: str = "fp32"
    options: Mapping[str, Any] = field(default_factory=dict)

    def select(self, bundle: Path) -> Artifact:
        """Return the artifact of this form in a bundle."""
        return Bundle.open(bundle).select(self.target, self.precision)


FORMS: Mapping[str, Form] = {
    "fp32": Form("onnx"),
    "fp16": Form("onnx", "fp16"),
    "int8": Form("onnx", "int8"),
    "tflite": Form("tflite"),
    "tflite-int8": Form("tflite", "int8"),
    "task-library": Form("tflite", "fp32", {"compat": "task-library"}),
    "task-library-int8": Form("tflite", "int8", {"compat": "task-library"}),
    "mediapipe": Form("tflite", "fp32", {"compat": "mediapipe"}),
    "mediapipe-int8": Form("tflite", "int8", {"compat": "mediapipe"}),
    "savedmodel": Form("savedmodel"),
    # IREE compiles static shapes only.
    "stablehlo": Form("stablehlo", "fp32", {"batch": 1, "sequence": 128}),
}


def export_forms(out: Path, task: str, forms: tuple[str, ...], *, model: str | Path = "albert-mini") -> Path:
    """Export a task in all forms into one bundle; parity is proved elsewhere, and the answers here."""
    for name in forms:
        form = FORMS[name]
        export(
            form.target, model=model, task=task, out=out, precision=form.precision, parity=False, **dict(form.options)
        )
    return out


def altered_checkpoint(directory: Path, task: str) -> Path:
    """Write albert-mini's checkpoint of a task with one number of one weight altered."""
    source = builtin_directory("albert-mini", get_task(task))
    shutil.copytree(source, directory)
    tensors = {name: np.array(tensor) for name, tensor in numpy_tensors([source / "model.safetensors"]).items()}
    tensors[ALTERED_WEIGHT][0] += ALTERATION
    (directory / "model.safetensors").write_bytes(safetensors_bytes(tensors))
    return directory
