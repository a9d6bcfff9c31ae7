"""THE TABLE of task heads: the one place that knows names, classes, inputs, outputs, axes and dtypes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from albert_export.errors import UnknownNameError

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig

#: Axes that a caller chooses at run time, in the order in which they are reported.
DYNAMIC_AXES = ("batch", "choices", "sequence", "positions")


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a task.

    Attributes:
        name: Name in every artifact and in ``Runtime.run``.
        dtype: numpy dtype name: ``int64`` for inputs, ``float32`` for outputs of an fp32 artifact.
        axes: One entry a dimension: a dynamic axis of :data:`DYNAMIC_AXES`, the name of an ``AlbertConfig``
            attribute (``hidden_size``, ``vocab_size``, ``num_labels``), or a literal size.
    """

    name: str
    dtype: str
    axes: tuple[str | int, ...]

    def shape(self, config: AlbertConfig, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Return the concrete shape for ``sizes`` of the dynamic axes."""
        return tuple(
            axis if isinstance(axis, int) else sizes[axis] if axis in DYNAMIC_AXES else int(getattr(config, axis))
            for axis in self.axes
        )


@dataclass(frozen=True)
class Task:
    """One head of ALBERT, in every framework.

    Attributes:
        name: The value of ``--task``.
        aliases: Other names accepted for it.
        torch_class: Class in ``albert_export.models.torch_albert``.
        tensorflow_class: Class in ``albert_export.models.tf_albert``.
        flax_class: Name of the Flax sibling.
        inputs: Input tensors, in the order of the artifact's signature.
        outputs: Output tensors, in the order of the artifact's signature.
        parts: Parts of the model besides the encoder, as the table of weight names calls them. Masked words, tokens
            and spans read no pooled output.
        summary: What the head answers, for ``albert-export tasks``.
    """

    name: str
    aliases: tuple[str, ...]
    torch_class: str
    tensorflow_class: str
    flax_class: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    parts: tuple[str, ...]
    summary: str

    @property
    def dynamic_axes(self) -> tuple[str, ...]:
        """The dynamic axes of this task's inputs: ``choices`` only for multiple choice, ``positions`` where chosen."""
        return tuple(axis for axis in DYNAMIC_AXES if any(axis in spec.axes for spec in self.inputs))


def _inputs(*axes: str) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, "int64", axes) for name in ("input_ids", "attention_mask", "token_type_ids"))


def _output(name: str, *axes: str | int) -> TensorSpec:
    return TensorSpec(name, "float32", axes)


TASKS: tuple[Task, ...] = (
    Task(
        "feature-extraction",
        ("base", "embed"),
        "AlbertModel",
        "TFAlbertModel",
        "FlaxAlbertModel",
        _inputs("batch", "sequence"),
        (
            _output("last_hidden_state", "batch", "sequence", "hidden_size"),
            _output("pooler_output", "batch", "hidden_size"),
        ),
        ("pooler",),
        "a vector for each token and one for the text",
    ),
    Task(
        "pretraining",
        (),
        "AlbertForPreTraining",
        "TFAlbertForPreTraining",
        "FlaxAlbertForPreTraining",
        _inputs("batch", "sequence"),
        (_output("prediction_logits", "batch", "sequence", "vocab_size"), _output("sop_logits", "batch", "num_labels")),
        ("pooler", "masked words", "untied decoder", "sentence order"),
        "masked words, and whether two sentences stand in order",
    ),
    Task(
        "fill-mask",
        ("mlm",),
        "AlbertForMaskedLM",
        "TFAlbertForMaskedLM",
        "FlaxAlbertForMaskedLM",
        _inputs("batch", "sequence"),
        (_output("logits", "batch", "sequence", "vocab_size"),),
        ("masked words", "untied decoder"),
        "the words that fit a [MASK]",
    ),
    Task(
        "text-classification",
        ("seqcls", "sequence-classification"),
        "AlbertForSequenceClassification",
        "TFAlbertForSequenceClassification",
        "FlaxAlbertForSequenceClassification",
        _inputs("batch", "sequence"),
        (_output("logits", "batch", "num_labels"),),
        ("pooler", "classifier"),
        "a label, several labels or a number for a text or a pair",
    ),
    Task(
        "multiple-choice",
        ("choice",),
        "AlbertForMultipleChoice",
        "TFAlbertForMultipleChoice",
        "FlaxAlbertForMultipleChoice",
        _inputs("batch", "choices", "sequence"),
        (_output("logits", "batch", "choices"),),
        ("pooler", "choice classifier"),
        "which of several continuations fits a prompt",
    ),
    Task(
        "token-classification",
        ("ner", "tokcls"),
        "AlbertForTokenClassification",
        "TFAlbertForTokenClassification",
        "FlaxAlbertForTokenClassification",
        _inputs("batch", "sequence"),
        (_output("logits", "batch", "sequence", "num_labels"),),
        ("classifier",),
        "a label for each token, such as named entities",
    ),
    Task(
        "question-answering",
        ("qa",),
        "AlbertForQuestionAnswering",
        "TFAlbertForQuestionAnswering",
        "FlaxAlbertForQuestionAnswering",
        _inputs("batch", "sequence"),
        (_output("start_logits", "batch", "sequence"), _output("end_logits", "batch", "sequence")),
        ("answer span",),
        "the span of a text that answers a question",
    ),
)


@cache
def _by_name() -> dict[str, Task]:
    return {name: task for task in TASKS for name in (task.name, *task.aliases)}


def get_task(name: str) -> Task:
    """Return the task of that name or alias.

    Raises:
        UnknownNameError: No task has the name; the message names the nearest.
    """
    known = _by_name()
    if name not in known:
        raise UnknownNameError("task", name, tuple(known))
    return known[name]
