"""A static site: a page on which people ask a text questions, and the model runs in their browser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from albert_export._text import human_size
from albert_export._version import __version__
from albert_export.bundle import Artifact
from albert_export.errors import BundleError
from albert_export.layouts.npm import packages
from albert_export.layouts.place import Place
from albert_export.pipelines.checks import own_defaults
from albert_export.pipelines.question_answering import MAX_SEQ_LEN, QuestionAnsweringOptions
from albert_export.positions import POSITIONS
from albert_export.tokenization import load_tokenizer

#: Page, reader and their style, and the locked versions of the libraries.
SITE = Path(__file__).resolve().parent / "site"
PAGES = ("index.html", "style.css", "page.js", "reader.js", "spans.js", "words.js")

#: File of a package -> where the site has it.
VENDORED = {
    "@huggingface/tokenizers/dist/tokenizers.min.mjs": "vendor/tokenizers.min.mjs",
    "@huggingface/tokenizers/LICENSE": "vendor/tokenizers.LICENSE",
    "onnxruntime-web/dist/ort.wasm.bundle.min.mjs": "vendor/ort.wasm.bundle.min.mjs",
    "onnxruntime-web/dist/ort-wasm-simd-threaded.wasm": "vendor/ort-wasm-simd-threaded.wasm",
}

#: The first of these that the bundle has: a page is loaded over networks, and int8 is the smallest.
PRECISIONS = ("int8", "fp32", "fp16")

#: What the page shows at first; written for it.
EXAMPLE = {
    "text": "Sabine Ashfield lives in Ravencliff. She works for Marble Tools. Lucas Harper moved from Ravencliff to "
    "Wolfham. Lucas turned down Marble Tools and works for Pacific Films. Sabine Ashfield bought a green lantern at "
    "Sleepy Owl for 40 dollars. Lucas went to Starden by bus in May.",
    "questions": [
        "Where does Sabine Ashfield live?",
        "Who works for Pacific Films?",
        "How did Lucas travel to Starden?",
    ],
}


def write(
    place: Place, *, precision: str | None = None, file: str | None = None, vendor: Path | None = None
) -> dict[str, str]:
    """Write the site.

    Args:
        place: Where.
        precision: Precision of the ONNX file; by default the first that is there of :data:`PRECISIONS`.
        file: One ONNX file of several.
        vendor: A ``node_modules`` with the libraries; None fetches them.

    Raises:
        BundleError: The bundle has no such ONNX file, or no ``tokenizer.json``; or npm cannot fetch the libraries.
        InputError: ``vendor`` lacks a library.
    """
    artifact = _chosen(place, precision, file)
    for record in artifact.files:
        if record.path == artifact.file or not record.path.endswith(".onnx"):  # another name of the graph is none
            place.link(record.path, to=f"model/{_last(record.path)}")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        place.link(place.shared(name, needed_by="the page"), to=f"model/{name}")
    for name in PAGES:
        place.write(name, (SITE / name).read_text(encoding="utf-8"))
    with packages(SITE, vendor) as modules:
        for source, to in VENDORED.items():
            place.copy_file(modules / source, to=to)
    place.write("site.json", json.dumps(_told(place, artifact), indent=2, ensure_ascii=False) + "\n")
    return {}


def _chosen(place: Place, precision: str | None, file: str | None) -> Artifact:
    bundle = place.bundle
    if precision is None and file is None:
        there = {artifact.precision for artifact in bundle.manifest.artifacts if artifact.target == "onnx"}
        precision = next((each for each in PRECISIONS if each in there), None)
    artifact = bundle.select("onnx", precision, file=file)
    fixed = artifact.shapes.get("sequence") is not None or artifact.shapes.get("batch") not in (None, 1)
    if artifact.precision not in PRECISIONS or POSITIONS in artifact.shapes or fixed:
        raise BundleError(
            f"the page reads ONNX files with dynamic axes in {', '.join(PRECISIONS)}",
            received=f"{artifact.file} in {artifact.precision}",
            fix="name another with --file, or export one: albert-export onnx --task question-answering",
        )
    return artifact


def _told(place: Place, artifact: Artifact) -> dict[str, Any]:
    """Return what the page needs to know, and what it tells of the model."""
    bundle = place.bundle
    config = bundle.config
    tokenizer = load_tokenizer(bundle.path, config=config)
    options = QuestionAnsweringOptions(**own_defaults(config, "question-answering", QuestionAnsweringOptions))
    most = min(config.max_position_embeddings, tokenizer.model_max_length)
    if options.max_seq_len is not None and options.max_seq_len > most:
        raise BundleError(
            f"max_seq_len of the model's options must be at most {most}, the longest that it takes",
            received=options.max_seq_len,
            fix="correct task_specific_params in the checkpoint's config.json and export again",
        )
    weights = [f"model/{_last(record.path)}" for record in artifact.files if not record.path.endswith(".onnx")]
    size = sum(record.size for record in artifact.files if not record.path.endswith(".onnx"))
    size += next(record.size for record in artifact.files if record.path == artifact.file)
    source = bundle.manifest.source
    runtime = json.loads((SITE / "package.json").read_text(encoding="utf-8"))["dependencies"]["onnxruntime-web"]
    return {
        "name": source.name,
        "file": f"model/{_last(artifact.file)}",
        "weights": weights,
        "inputs": [{"name": tensor["name"], "dtype": tensor["dtype"]} for tensor in artifact.inputs],
        "cls": tokenizer.cls_token_id,
        "sep": tokenizer.sep_token_id,
        "longest": options.max_seq_len or min(MAX_SEQ_LEN, most),
        "overlap": options.doc_stride,
        "longestAnswer": options.max_answer_len,
        "mayBeImpossible": options.handle_impossible_answer,
        "noAnswerThreshold": options.no_answer_threshold,
        "wholeWords": options.align_to_words,
        "example": EXAMPLE,
        "facts": [
            ["Model", source.name],
            ["Precision", artifact.precision],
            ["Size", human_size(size)],
            ["Layers", f"{config.num_hidden_layers} of width {config.hidden_size}, {artifact.layers}"],
            ["Vocabulary", f"{config.vocab_size} pieces"],
            ["Weights", f"sha256 {source.sha256[:12]}"],
            ["Runtime", f"onnxruntime-web {runtime}"],
            ["Made by", f"albert-export {__version__}"],
        ],
    }


def _last(path: str) -> str:
    return path.rpartition("/")[2]
