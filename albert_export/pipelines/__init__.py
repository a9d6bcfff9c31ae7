"""Text in, answers out, for every head: tokenizer, runtime and postprocessing of one bundle.

Needs numpy, the tokenizer and the one runtime; no deep-learning framework.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from albert_export._imports import resolve
from albert_export.pipelines.base import Pipeline
from albert_export.pipelines.files import open_lines, run_file, run_lines, to_json

if TYPE_CHECKING:
    from albert_export.bundle import Bundle

__all__ = ["PIPELINES", "Pipeline", "open_lines", "pipeline", "run_file", "run_lines", "to_json"]

#: Task -> ``module:class`` of its pipeline.
PIPELINES = {
    "feature-extraction": "albert_export.pipelines.feature_extraction:FeatureExtractionPipeline",
    "pretraining": "albert_export.pipelines.pretraining:PretrainingPipeline",
    "fill-mask": "albert_export.pipelines.fill_mask:FillMaskPipeline",
    "text-classification": "albert_export.pipelines.text_classification:TextClassificationPipeline",
    "multiple-choice": "albert_export.pipelines.multiple_choice:MultipleChoicePipeline",
    "token-classification": "albert_export.pipelines.token_classification:TokenClassificationPipeline",
    "question-answering": "albert_export.pipelines.question_answering:QuestionAnsweringPipeline",
}


def pipeline_class(task: str) -> type[Pipeline[Any, Any, Any, Any]]:
    """Return the pipeline class of a task, by the task's name in the table."""
    found: type[Pipeline[Any, Any, Any, Any]] = resolve(PIPELINES[task])
    return found


def pipeline(
    path: str | os.PathLike[str] | Bundle,
    *,
    target: str | None = None,
    precision: str | None = None,
    file: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    runtime: str | None = None,
    device_memory: int | str | None = None,
) -> Any:
    """Open a bundle as a function from text to answers.

    Args:
        path: The bundle's directory, or an opened bundle.
        target: Which target, e.g. ``onnx``; may be left out where there is one.
        precision: fp32 when left out, else the only one present.
        file: The artifact's file in the bundle; see :func:`albert_export.load`.
        device: ``auto`` for the best that is really there, or ``cpu``, ``cuda`` …
        threads: Threads of one run; None for one on each processor that this process has.
        runtime: Which runtime reads the artifact; see :func:`albert_export.load`.
        device_memory: The most memory of a GPU; see :func:`albert_export.load`.

    Returns:
        The :class:`Pipeline` of the bundle's task, a context manager; its class says what to call it with.

    Raises:
        BundleError: The directory is no bundle, was altered, or has no such artifact.
        TokenizerError: The tokenizer's files cannot be used.
        DeviceError: The device is not there.
        MissingDependencyError: A package that this needs is not installed.
        UnknownNameError: No target, precision or runtime of that name.
        InputError: ``device``, ``threads``, ``runtime`` or ``device_memory`` is no value of its kind.
    """
    from albert_export.bundle import Bundle
    from albert_export.runtimes import load
    from albert_export.tokenization import load_tokenizer

    if isinstance(path, Bundle):
        bundle = path
    else:
        bundle = Bundle.open(path, verify="sizes")
        bundle.verify(bundle.select(target, precision, file=file))
    kind = pipeline_class(bundle.task.name)
    # The tokenizer first: it is quick, and when it is missing nothing has to be closed again.
    tokenizer = load_tokenizer(bundle.path, config=bundle.config)
    session = load(
        bundle,
        target=target,
        precision=precision,
        file=file,
        device=device,
        threads=threads,
        runtime=runtime,
        device_memory=device_memory,
    )
    return kind(session, tokenizer)
