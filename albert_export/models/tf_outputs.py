"""What the TensorFlow models return: one class a head, siblings of :mod:`albert_export.models.torch_outputs`."""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
from typing import Any

import optree
import tensorflow as tf

from albert_export.models import outputs


class ModelOutput(outputs.ModelOutput):
    """Fields of a TensorFlow model; see :class:`albert_export.models.outputs.ModelOutput`."""

    def __init_subclass__(cls) -> None:
        # Keras sees through registered containers only: its functional models, `fit` and `predict` need the tensors
        def flatten(output: Any) -> tuple[tuple[Any, ...], tuple[str, ...], tuple[str, ...]]:
            return tuple(output.values()), tuple(output), tuple(output)

        def rebuild(names: Any, values: Any) -> Any:
            return cls(zip(names, values, strict=True))

        optree.register_pytree_node(cls, flatten, rebuild, namespace="keras")


class TFBaseModelOutput(ModelOutput):
    """Output of :class:`TFAlbertTransformer`.

    Attributes:
        last_hidden_state: ``[B,S,D]``, the last layer's output.
        hidden_states: Each ``[B,S,D]``: the mapped embeddings, then the output of every layer.
        attentions: Each ``[B,A,S,S]``: the attention probabilities of every layer and inner layer.
    """

    last_hidden_state: tf.Tensor
    hidden_states: tuple[tf.Tensor, ...] | None
    attentions: tuple[tf.Tensor, ...] | None


class TFBaseModelOutputWithPooling(ModelOutput):
    """Output of :class:`TFAlbertModel`.

    Attributes:
        last_hidden_state: ``[B,S,D]``, the last layer's output.
        pooler_output: ``[B,D]``, tanh of a linear map of the first token; ``None`` without a pooler.
        hidden_states: As in :class:`TFBaseModelOutput`.
        attentions: As in :class:`TFBaseModelOutput`.
    """

    last_hidden_state: tf.Tensor
    pooler_output: tf.Tensor | None
    hidden_states: tuple[tf.Tensor, ...] | None
    attentions: tuple[tf.Tensor, ...] | None


class TFAlbertForPreTrainingOutput(ModelOutput):
    """Output of :class:`TFAlbertForPreTraining`.

    Attributes:
        loss: ``[1]``, masked words plus sentence order; there when both labels were given.
        prediction_logits: ``[B,S,V]``, a score for every word of the vocabulary.
        sop_logits: ``[B,2]``: sentences in order, sentences swapped.
        hidden_states: As in :class:`TFBaseModelOutput`.
        attentions: As in :class:`TFBaseModelOutput`.
    """

    loss: tf.Tensor | None
    prediction_logits: tf.Tensor
    sop_logits: tf.Tensor
    hidden_states: tuple[tf.Tensor, ...] | None
    attentions: tuple[tf.Tensor, ...] | None


class TFMaskedLMOutput(ModelOutput):
    """Output of :class:`TFAlbertForMaskedLM`.

    Attributes:
        loss: ``[1]``, there when labels were given.
        logits: ``[B,S,V]``, a score for every word of the vocabulary.
        hidden_states: As in :class:`TFBaseModelOutput`.
        attentions: As in :class:`TFBaseModelOutput`.
    """

    loss: tf.Tensor | None
    logits: tf.Tensor
    hidden_states: tuple[tf.Tensor, ...] | None
    attentions: tuple[tf.Tensor, ...] | None


class TFSequenceClassifierOutput(ModelOutput):
    """Output of :class:`TFAlbertForSequenceClassification`.

    Attributes:
        loss: ``[B]``, one for each example; there when labels were given.
        logits: ``[B,C]``, a score for every label, or the value of a regression.
        hidden_states: As in :class:`TFBaseModelOutput`.
        attentions: As in :class:`TFBaseModelOutput`.
    """

    loss: tf.Tensor | None
    logits: tf.Tensor
    hidden_states: tuple[tf.Tensor, ...] | None
    attentions: tuple[tf.Tensor, ...] | None


class TFMultipleChoiceModelOutput(ModelOutput):
    """Output of :class:`TFAlbertForMultipleChoice`.

    Attributes:
        loss: ``[B]``, one for each example; there when labels were given.
        logits: ``[B,N]``, a score for every choice.
        hidden_states: As in :class:`TFBaseModelOutput`, with ``B*N`` in place of ``B``.
        attentions: As in :class:`TFBaseModelOutput`, with ``B*N`` in place of ``B``.
    """

    loss: tf.Tensor | None
    logits: tf.Tensor
    hidden_states: tuple[tf.Tensor, ...] | None
    attentions: tuple[tf.Tensor, ...] | None


class TFTokenClassifierOutput(ModelOutput):
    """Output of :class:`TFAlbertForTokenClassification`.

    Attributes:
        loss: ``[1]``, there when labels were given.
        logits: ``[B,S,C]``, a score for every label of every token.
        hidden_states: As in :class:`TFBaseModelOutput`.
        attentions: As in :class:`TFBaseModelOutput`.
    """

    loss: tf.Tensor | None
    logits: tf.Tensor
    hidden_states: tuple[tf.Tensor, ...] | None
    attentions: tuple[tf.Tensor, ...] | None


class TFQuestionAnsweringModelOutput(ModelOutput):
    """Output of :class:`TFAlbertForQuestionAnswering`.

    Attributes:
        loss: ``[B]``, one for each example; there when both positions were given.
        start_logits: ``[B,S]``, a score for every token as the answer's first.
        end_logits: ``[B,S]``, a score for every token as the answer's last.
        hidden_states: As in :class:`TFBaseModelOutput`.
        attentions: As in :class:`TFBaseModelOutput`.
    """

    loss: tf.Tensor | None
    start_logits: tf.Tensor
    end_logits: tf.Tensor
    hidden_states: tuple[tf.Tensor, ...] | None
    attentions: tuple[tf.Tensor, ...] | None
