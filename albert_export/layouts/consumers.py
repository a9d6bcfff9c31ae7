"""THE TABLE of programs that take a layout of their own: what each reads, and which choices it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from albert_export.errors import UnknownNameError


@dataclass(frozen=True)
class Consumer:
    """One such program.

    Attributes:
        name: The value of ``--for``.
        title: How people write it.
        tasks: Tasks that it can do with an ALBERT; None for all.
        choices: Names of the options of :func:`~albert_export.layouts.laying_out.lay_out` that it leaves.
        writer: ``module:function`` that writes the layout.
        summary: What the directory is, for a help text.
        start: Command that starts it; ``{out}`` stands for the directory, ``{name}`` for the model's name.
    """

    name: str
    title: str
    tasks: tuple[str, ...] | None
    choices: tuple[str, ...]
    writer: str
    summary: str
    start: str


CONSUMERS: tuple[Consumer, ...] = (
    Consumer(
        name="transformersjs",
        title="transformers.js",
        # It has no class for multiple choice, and none that gives the two outputs of pretraining.
        tasks=(
            "question-answering",
            "text-classification",
            "token-classification",
            "fill-mask",
            "feature-extraction",
        ),
        choices=("model_type",),
        writer="albert_export.layouts.transformersjs:write",
        summary="a directory for env.localModelPath, every precision under the name of its dtype",
        start="env.localModelPath = '{parent}/'; await pipeline('{task}', '{folder}')",
    ),
    Consumer(
        name="tfserving",
        title="TF Serving",
        tasks=None,
        choices=("name", "file"),
        writer="albert_export.layouts.tfserving:write",
        summary="a model base path with version 1, and models.config",
        start="tensorflow_model_server --rest_api_port=8501 --model_name={name} --model_base_path={out}/{name}",
    ),
    Consumer(
        name="triton",
        title="Triton",
        tasks=None,
        choices=("name", "precision", "file", "backend", "plan", "max_batch_size", "queue_delay", "instances"),
        writer="albert_export.layouts.triton:write",
        summary="a model repository with config.pbtxt: dynamic batching, instance groups",
        start="tritonserver --model-repository={out}",
    ),
    Consumer(
        name="sparknlp",
        title="Spark NLP",
        tasks=(
            "question-answering",
            "text-classification",
            "token-classification",
            "multiple-choice",
            "feature-extraction",
        ),
        choices=("precision", "file"),
        writer="albert_export.layouts.sparknlp:write",
        summary="model.onnx with assets/spiece.model and labels.txt, for loadSavedModel",
        start="{annotator}.loadSavedModel('{out}', spark)",
    ),
    Consumer(
        name="mediapipe",
        title="MediaPipe",
        tasks=("text-classification",),
        choices=("precision", "file"),
        writer="albert_export.layouts.mediapipe:write",
        summary="one .tflite with labels and vocabulary inside, for TextClassifier",
        start="TextClassifier.create_from_model_path('{out}/classifier.tflite')",
    ),
    Consumer(
        name="web",
        title="The page",
        tasks=("question-answering",),
        choices=("precision", "file", "vendor"),
        writer="albert_export.layouts.web:write",
        summary="a static site: a page that answers questions about a text, in the browser alone",
        start="python -m http.server --directory {out}",
    ),
)

#: Option -> how the command line spells it.
FLAGS: Mapping[str, str] = {
    "name": "--name",
    "precision": "--precision",
    "file": "--file",
    "model_type": "--model-type",
    "backend": "--backend",
    "plan": "--plan",
    "vendor": "--vendor",
    "max_batch_size": "--max-batch-size",
    "queue_delay": "--queue-delay",
    "instances": "--instances",
}


def get_consumer(name: str) -> Consumer:
    """Return the consumer of that name.

    Raises:
        UnknownNameError: None has the name; the message names the nearest.
    """
    for consumer in CONSUMERS:
        if consumer.name == name:
            return consumer
    raise UnknownNameError("consumer", name, [consumer.name for consumer in CONSUMERS])
