"""The product's own pipelines on the model that is being trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch

from albert_export.config import AlbertConfig
from albert_export.models import torch_albert
from albert_export.parity.eager_runtime import EagerRuntime
from albert_export.pipelines import pipeline_class
from albert_export.tasks import get_task
from tools.mini.encoding import TEXT_LABELS, TOKEN_LABELS

if TYPE_CHECKING:
    from torch import Tensor

    from albert_export.models.torch_pretrained import AlbertPreTrainedModel
    from albert_export.pipelines import Pipeline
    from albert_export.runtimes.protocol import Array
    from albert_export.tokenization import AlbertTokenizerFast
    from tools.mini.model import MiniModel

#: Task -> the names of its labels.
LABELS = {"text-classification": TEXT_LABELS, "token-classification": TOKEN_LABELS}
#: Task -> options that go with the model. Of three thousand questions of the training, the longest answer has seven
#: tokens; a limit near that keeps two candidates from becoming one answer, from the start of the first to the end of
#: the second.
OPTIONS = {"question-answering": {"max_answer_len": 10}}


def eager_runtime(model: AlbertPreTrainedModel, task: str, *, half: bool = False) -> EagerRuntime:
    """Return a torch model behind the protocol of the runtimes.

    Args:
        model: A model of the product's own classes, for ``task``.
        task: The head's name.
        half: Whether matrices are multiplied in bfloat16: quicker, for curves and not for figures.
    """
    model.eval()
    row = get_task(task)

    def compute(inputs: Mapping[str, Array]) -> Mapping[str, Array]:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            outputs = model(**{name: torch.from_numpy(array) for name, array in inputs.items()}, return_dict=True)
        return {spec.name: outputs[spec.name].float().numpy() for spec in row.outputs}

    return EagerRuntime(compute, task=row, config=model.config)


def task_config(config: AlbertConfig, task: str) -> AlbertConfig:
    """Return the encoder's configuration with the labels, class and options of a task."""
    fields = config.to_dict()
    for name in ("id2label", "label2id", "num_labels", "architectures", "task_specific_params"):
        fields.pop(name, None)
    if task in OPTIONS:
        fields["task_specific_params"] = {task: OPTIONS[task]}
    labels = LABELS.get(task)
    if labels is not None:
        fields["id2label"] = dict(enumerate(labels))
    return AlbertConfig(**fields, architectures=[get_task(task).torch_class])


def head_weights(model: MiniModel, task: str) -> dict[str, Tensor]:
    """Return canonical name -> weight of what a task has beside the encoder."""
    if task in ("pretraining", "fill-mask"):
        weights = {
            f"predictions.{name}": tensor
            for name, tensor in model.predictions.state_dict().items()
            if not name.startswith("decoder.")
        }
        if task == "pretraining":
            weights |= {f"sop_classifier.{name}": tensor for name, tensor in model.sop_classifier.state_dict().items()}
        return weights
    if task == "feature-extraction":
        return {}
    name = "qa_outputs" if task == "question-answering" else "classifier"
    return {f"{name}.{part}": tensor for part, tensor in model.heads[task].state_dict().items()}


def product_model(
    encoder: Mapping[str, Tensor], head: Mapping[str, Tensor], config: AlbertConfig, task: str
) -> AlbertPreTrainedModel:
    """Return the product's own model of a task with the given weights, all of which must find their place.

    Args:
        encoder: Names of ``AlbertModel`` with the prefix ``albert.``.
        head: Names of the head.
        config: The encoder's configuration.
        task: The head's name.
    """
    own = task_config(config, task)
    made: AlbertPreTrainedModel = getattr(torch_albert, get_task(task).torch_class)(own)
    if task == "feature-extraction":
        weights = {name.removeprefix("albert."): tensor for name, tensor in encoder.items()}
    else:
        has_pooler = any("pooler" in name for name in made.state_dict())
        weights = {name: tensor for name, tensor in encoder.items() if has_pooler or "pooler" not in name} | dict(head)
    missing, unexpected = made.load_state_dict(weights, strict=False)
    tied = {"predictions.decoder.weight", "predictions.decoder.bias"}
    if unexpected or set(missing) - tied:
        raise ValueError(f"weights of {task} without a place: {unexpected}, without a value: {missing}")
    made.tie_weights()
    return made


def eager_pipeline(
    model: MiniModel, tokenizer: AlbertTokenizerFast, task: str, *, half: bool = False
) -> Pipeline[Any, Any, Any, Any]:
    """Return the product's pipeline of a task on the model's present weights, rounded to fp16 as they are stored."""
    from tools.mini.model import rounded_to_half

    encoder = rounded_to_half({f"albert.{name}": tensor for name, tensor in model.albert.state_dict().items()})
    head = rounded_to_half(head_weights(model, task))
    return pipeline_class(task)(
        eager_runtime(product_model(encoder, head, model.config, task), task, half=half), tokenizer
    )
