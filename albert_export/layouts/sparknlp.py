"""Spark NLP: ``model.onnx`` beside ``assets/``, as ``AlbertFor….loadSavedModel`` reads it."""

from __future__ import annotations

from albert_export.layouts.place import Place, folder_of

ANNOTATORS = {
    "question-answering": "AlbertForQuestionAnswering",
    "text-classification": "AlbertForSequenceClassification",
    "token-classification": "AlbertForTokenClassification",
    "multiple-choice": "AlbertForMultipleChoice",
    "feature-extraction": "AlbertEmbeddings",
}

#: Tasks whose annotator reads the names of the classes.
_LABELLED = ("text-classification", "token-classification")


def write(place: Place, *, precision: str | None = None, file: str | None = None) -> dict[str, str]:
    """Write the directory.

    Args:
        place: Where.
        precision: Precision of the ONNX file.
        file: One ONNX file of several.

    Raises:
        BundleError: The bundle has no such ONNX file, or no ``spiece.model``: Spark NLP tokenises by itself.
    """
    bundle = place.bundle
    artifact = bundle.select("onnx", precision, file=file)
    place.link(place.shared("spiece.model", needed_by="Spark NLP"), to="assets/spiece.model")
    folder = folder_of(artifact)
    for record in artifact.files:
        if record.path == artifact.file:
            place.link(record.path, to="model.onnx")
        elif not record.path.endswith(".onnx"):  # weights beside the graph; another name of the graph is none
            place.link(record.path, to=record.path.removeprefix(folder))
    if bundle.manifest.task in _LABELLED:
        names = bundle.config.id2label
        place.write("assets/labels.txt", "".join(f"{names[number]}\n" for number in sorted(names)))
    return {"annotator": ANNOTATORS[bundle.manifest.task]}
