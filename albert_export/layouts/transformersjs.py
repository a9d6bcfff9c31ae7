"""transformers.js: a model's directory as the hub has it, with ``onnx/model{suffix}.onnx`` for each dtype."""

from __future__ import annotations

import json

from albert_export.bundle import Artifact
from albert_export.errors import BundleError
from albert_export.layouts.place import Place
from albert_export.positions import POSITIONS
from albert_export.targets import get_target

#: Precision -> dtype of transformers.js whose file has the name that ours has. It knows no bfloat16.
DTYPES = {"fp32": "fp32", "fp16": "fp16", "int8": "int8", "int4": "q4"}

#: What it asks for in a browser where no dtype is named: ``q8``.
BROWSERS_FILE = "onnx/model_quantized.onnx"

#: Tasks whose class it looks up by ``model_type``, but not for ``albert``. The graph brings its own structure: only
#: inputs and outputs are read, which are BERT's.
BORROWED_TYPE = {"token-classification": "bert"}

_TOKENIZER = ("tokenizer.json", "tokenizer_config.json")


def write(place: Place, *, model_type: str | None = None) -> dict[str, str]:
    """Write the directory.

    Args:
        place: Where.
        model_type: Value of ``model_type`` in ``config.json``; by default that of the bundle, but ``bert`` for token
            classification, which transformers.js does not look for in an ``albert``.

    Raises:
        BundleError: The bundle has no ONNX file in a form and precision that it reads, or no tokenizer.
    """
    bundle = place.bundle
    forms = [artifact for artifact in bundle.manifest.artifacts if _is_read(artifact)]
    if not forms:
        raise BundleError(
            "transformers.js reads ONNX files with rolled layers and dynamic axes, in "
            f"{', '.join(DTYPES)} ({', '.join(DTYPES.values())})",
            received=f"the bundle {bundle.path} without one",
            fix=f"albert-export onnx --task {bundle.manifest.task} --precision int8 --out {bundle.path}",
        )
    for record in bundle.manifest.files:
        if record.path != "config.json":
            place.link(record.path, to=record.path)
    for name in _TOKENIZER:
        place.shared(name, needed_by="transformers.js")
    for artifact in forms:
        for record in artifact.files:
            place.link(record.path, to=record.path)
    place.write("config.json", json.dumps(_config(place, forms, model_type), indent=2, ensure_ascii=False) + "\n")
    if all(record.path != BROWSERS_FILE for artifact in forms for record in artifact.files):
        dtypes = ", ".join(DTYPES[artifact.precision] for artifact in forms)
        place.note(
            f"browsers ask for {BROWSERS_FILE} where no dtype is named: name one of {dtypes}, or export int8 as well"
        )
    return {"task": bundle.manifest.task}


def _is_read(artifact: Artifact) -> bool:
    return (
        artifact.target == "onnx"
        and artifact.precision in DTYPES
        and artifact.layers == get_target("onnx").layers[0]
        and all(size is None for size in artifact.shapes.values())
        and POSITIONS not in artifact.shapes
        and "calibration_texts" not in artifact.facts
    )


def _config(place: Place, forms: list[Artifact], model_type: str | None) -> dict[str, object]:
    config: dict[str, object] = json.loads((place.bundle.path / "config.json").read_text(encoding="utf-8"))
    borrowed = model_type or BORROWED_TYPE.get(place.bundle.manifest.task)
    if borrowed is not None and borrowed != config["model_type"]:
        place.note(f"config.json says model_type {borrowed}, under which transformers.js finds a class for the task")
        config["model_type"] = borrowed
    # Weights beside the file are fetched only where this says that they are there: file -> number of parts.
    outside = {
        artifact.file.rpartition("/")[2]: len(artifact.files) - 1
        for artifact in forms
        if any(record.path.startswith(f"{artifact.file}_data") for record in artifact.files)
    }
    if outside:
        config["transformers.js_config"] = {"use_external_data_format": outside}
    return config
