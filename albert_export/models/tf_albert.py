"""ALBERT in TensorFlow: siblings of the seven models of :mod:`albert_export.models.torch_albert`, in their order.

Six Keras models with heads over the layers of :mod:`albert_export.models.tf_encoder`; the bare one is in
:mod:`albert_export.models.tf_bare`. Classes, signatures, outputs and shapes of losses are those of transformers
4.37.2. Tensor names end in their dimensions::

    B  batch      E  embedding width     V  vocabulary     L  layers
    S  sequence   D  hidden width        C  labels         A  attention heads
    T  sequence attended to              N  choices
"""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
from collections.abc import Mapping
from typing import ClassVar

import tensorflow as tf

from albert_export.config import AlbertConfig
from albert_export.errors import ConfigError
from albert_export.models.tf_bare import Array, Tensors
from albert_export.models.tf_bare import TFAlbertModel as TFAlbertModel
from albert_export.models.tf_encoder import TFAlbertMLMHead, TFAlbertSOPHead
from albert_export.models.tf_layers import Dtype, Linear, dropout, size
from albert_export.models.tf_losses import IGNORED, classification_losses, example_losses, mean_loss, span_losses
from albert_export.models.tf_outputs import (
    TFAlbertForPreTrainingOutput,
    TFMaskedLMOutput,
    TFMultipleChoiceModelOutput,
    TFQuestionAnsweringModelOutput,
    TFSequenceClassifierOutput,
    TFTokenClassifierOutput,
)
from albert_export.models.tf_pretrained import TFAlbertPreTrainedModel


class TFAlbertForPreTraining(TFAlbertPreTrainedModel):
    """Masked words and sentence order, the two tasks ALBERT is pretrained on."""

    label_outputs: ClassVar[Mapping[str, str]] = {"labels": "prediction_logits", "sentence_order_label": "sop_logits"}
    ignored_label = IGNORED

    def __init__(self, config: AlbertConfig, *, dtype: Dtype | None = None, name: str | None = None) -> None:
        super().__init__(config, dtype=dtype, name=name)
        self.albert = TFAlbertModel(config, dtype=self.dtype_policy, name="albert")
        self.predictions = TFAlbertMLMHead(config, self.dtype_policy)
        self.sop_classifier = TFAlbertSOPHead(config, self.dtype_policy)
        self.post_init()

    def call(
        self,
        input_ids: Array | None = None,
        attention_mask: Array | None = None,
        token_type_ids: Array | None = None,
        position_ids: Array | None = None,
        head_mask: Array | None = None,
        inputs_embeds: Array | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        labels: Array | None = None,
        sentence_order_label: Array | None = None,
        training: bool | None = False,
    ) -> TFAlbertForPreTrainingOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`TFAlbertModel.call`.

        Args:
            labels: Words to predict, ``[B,S]``; -100 where none is.
            sentence_order_label: 0 in order, 1 swapped, ``[B]``; -100 counts not. The loss needs both labels.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self.albert.encode(*inputs, output_attentions, output_hidden_states, training)
        words_BSV = self.predictions(encoded.last_hidden_state, self.albert.embeddings.word_embeddings)
        order_BC = self.sop_classifier(encoded.pooler_output, training)
        loss = None
        if labels is not None and sentence_order_label is not None:
            loss = mean_loss(words_BSV, labels) + mean_loss(order_BC, sentence_order_label)
        output = TFAlbertForPreTrainingOutput(loss, words_BSV, order_BC, encoded.hidden_states, encoded.attentions)
        return self.finish(output, return_dict)


class TFAlbertForMaskedLM(TFAlbertPreTrainedModel):
    """Which words fit a ``[MASK]``; without pooler."""

    label_outputs: ClassVar[Mapping[str, str]] = {"labels": "logits"}
    ignored_label = IGNORED

    def __init__(self, config: AlbertConfig, *, dtype: Dtype | None = None, name: str | None = None) -> None:
        super().__init__(config, dtype=dtype, name=name)
        self.albert = TFAlbertModel(config, add_pooling_layer=False, dtype=self.dtype_policy, name="albert")
        self.predictions = TFAlbertMLMHead(config, self.dtype_policy)
        self.post_init()

    def call(
        self,
        input_ids: Array | None = None,
        attention_mask: Array | None = None,
        token_type_ids: Array | None = None,
        position_ids: Array | None = None,
        head_mask: Array | None = None,
        inputs_embeds: Array | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        labels: Array | None = None,
        training: bool | None = False,
    ) -> TFMaskedLMOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`TFAlbertModel.call`.

        Args:
            labels: Words to predict, ``[B,S]``; -100 where none is.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self.albert.encode(*inputs, output_attentions, output_hidden_states, training)
        logits_BSV = self.predictions(encoded.last_hidden_state, self.albert.embeddings.word_embeddings)
        loss = None if labels is None else mean_loss(logits_BSV, labels)
        return self.finish(TFMaskedLMOutput(loss, logits_BSV, encoded.hidden_states, encoded.attentions), return_dict)


class TFAlbertForSequenceClassification(TFAlbertPreTrainedModel):
    """A label or a number for a text or a pair of texts."""

    label_outputs: ClassVar[Mapping[str, str]] = {"labels": "logits"}

    def __init__(self, config: AlbertConfig, *, dtype: Dtype | None = None, name: str | None = None) -> None:
        super().__init__(config, dtype=dtype, name=name)
        self.num_labels = config.num_labels
        self.albert = TFAlbertModel(config, dtype=self.dtype_policy, name="albert")
        self.dropout_rate = config.head_dropout_prob
        self.classifier = Linear(config.hidden_size, config.num_labels, self.dtype_policy, "classifier")
        self.post_init()

    def regresses(self) -> bool:
        """Return whether labels are numbers to predict: with one label."""
        return self.num_labels == 1

    def call(
        self,
        input_ids: Array | None = None,
        attention_mask: Array | None = None,
        token_type_ids: Array | None = None,
        position_ids: Array | None = None,
        head_mask: Array | None = None,
        inputs_embeds: Array | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        labels: Array | None = None,
        training: bool | None = False,
    ) -> TFSequenceClassifierOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`TFAlbertModel.call`.

        Args:
            labels: ``[B]``: class indices or, with one label, numbers; see
                :func:`albert_export.models.tf_losses.classification_losses`.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self.albert.encode(*inputs, output_attentions, output_hidden_states, training)
        logits_BC = self.classifier(dropout(encoded.pooler_output, self.dropout_rate, training))
        loss = None if labels is None else classification_losses(logits_BC, labels)
        output = TFSequenceClassifierOutput(loss, logits_BC, encoded.hidden_states, encoded.attentions)
        return self.finish(output, return_dict)


class TFAlbertForMultipleChoice(TFAlbertPreTrainedModel):
    """Which of N continuations fits a prompt."""

    label_outputs: ClassVar[Mapping[str, str]] = {"labels": "logits"}

    def __init__(self, config: AlbertConfig, *, dtype: Dtype | None = None, name: str | None = None) -> None:
        super().__init__(config, dtype=dtype, name=name)
        self.albert = TFAlbertModel(config, dtype=self.dtype_policy, name="albert")
        self.dropout_rate = config.hidden_dropout_prob  # not the classifier's own, as in the reference
        self.classifier = Linear(config.hidden_size, 1, self.dtype_policy, "classifier")
        self.post_init()

    def call(
        self,
        input_ids: Array | None = None,
        attention_mask: Array | None = None,
        token_type_ids: Array | None = None,
        position_ids: Array | None = None,
        head_mask: Array | None = None,
        inputs_embeds: Array | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        labels: Array | None = None,
        training: bool | None = False,
    ) -> TFMultipleChoiceModelOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`TFAlbertModel.call`.

        Inputs are ``[B,N,S]`` (embeddings ``[B,N,S,E]``) and run as ``[B*N,S]``.

        Args:
            labels: Index of the choice that fits, ``[B]``.
        """

        def flat(tensor: tf.Tensor | None) -> tf.Tensor | None:
            if tensor is None:
                return None
            return tf.reshape(tensor, [-1, *(size(tensor, axis) for axis in range(2, len(tensor.shape)))])

        N = size(input_ids if inputs_embeds is None else inputs_embeds, 1)
        ids, mask, types, positions, embeds = (
            flat(tensor) for tensor in (input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds)
        )
        inputs = (ids, mask, types, positions, head_mask, embeds)
        encoded = self.albert.encode(*inputs, output_attentions, output_hidden_states, training)
        pooled_BD = dropout(encoded.pooler_output, self.dropout_rate, training)
        logits_BN = tf.reshape(self.classifier(pooled_BD), [-1, N])
        loss = None if labels is None else example_losses(logits_BN, labels)
        output = TFMultipleChoiceModelOutput(loss, logits_BN, encoded.hidden_states, encoded.attentions)
        return self.finish(output, return_dict)


class TFAlbertForTokenClassification(TFAlbertPreTrainedModel):
    """A label for every token; without pooler."""

    label_outputs: ClassVar[Mapping[str, str]] = {"labels": "logits"}
    ignored_label = "negative"

    def __init__(self, config: AlbertConfig, *, dtype: Dtype | None = None, name: str | None = None) -> None:
        super().__init__(config, dtype=dtype, name=name)
        self.num_labels = config.num_labels
        self.albert = TFAlbertModel(config, add_pooling_layer=False, dtype=self.dtype_policy, name="albert")
        self.dropout_rate = config.head_dropout_prob
        self.classifier = Linear(config.hidden_size, config.num_labels, self.dtype_policy, "classifier")
        self.post_init()

    def call(
        self,
        input_ids: Array | None = None,
        attention_mask: Array | None = None,
        token_type_ids: Array | None = None,
        position_ids: Array | None = None,
        head_mask: Array | None = None,
        inputs_embeds: Array | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        labels: Array | None = None,
        training: bool | None = False,
    ) -> TFTokenClassifierOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`TFAlbertModel.call`.

        Args:
            labels: Label of every token, ``[B,S]``; negative where none is.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self.albert.encode(*inputs, output_attentions, output_hidden_states, training)
        logits_BSC = self.classifier(dropout(encoded.last_hidden_state, self.dropout_rate, training))
        loss = None if labels is None else mean_loss(logits_BSC, labels, ignore_negative=True)
        output = TFTokenClassifierOutput(loss, logits_BSC, encoded.hidden_states, encoded.attentions)
        return self.finish(output, return_dict)


class TFAlbertForQuestionAnswering(TFAlbertPreTrainedModel):
    """The span of a text that answers a question; without pooler.

    Raises:
        ConfigError: ``num_labels`` is not 2: the head scores the first and the last token, and nothing else.
    """

    label_outputs: ClassVar[Mapping[str, str]] = {"start_positions": "start_logits", "end_positions": "end_logits"}

    def __init__(self, config: AlbertConfig, *, dtype: Dtype | None = None, name: str | None = None) -> None:
        super().__init__(config, dtype=dtype, name=name)
        if config.num_labels != 2:
            raise ConfigError(
                "num_labels must be 2 for question answering, whose labels are an answer's first and last token",
                received=config.num_labels,
                fix="load it with num_labels=2, or name two labels in its config.json",
            )
        self.num_labels = config.num_labels
        self.albert = TFAlbertModel(config, add_pooling_layer=False, dtype=self.dtype_policy, name="albert")
        self.qa_outputs = Linear(config.hidden_size, config.num_labels, self.dtype_policy, "qa_outputs")
        self.post_init()

    def call(
        self,
        input_ids: Array | None = None,
        attention_mask: Array | None = None,
        token_type_ids: Array | None = None,
        position_ids: Array | None = None,
        head_mask: Array | None = None,
        inputs_embeds: Array | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        start_positions: Array | None = None,
        end_positions: Array | None = None,
        training: bool | None = False,
    ) -> TFQuestionAnsweringModelOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`TFAlbertModel.call`.

        Args:
            start_positions: First token of the answer, ``[B]``, each in ``[0, S)``.
            end_positions: Last token of the answer, likewise. The loss needs both.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self.albert.encode(*inputs, output_attentions, output_hidden_states, training)
        start_BS, end_BS = tf.unstack(self.qa_outputs(encoded.last_hidden_state), axis=-1)
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = span_losses(start_BS, end_BS, start_positions, end_positions)
        output = TFQuestionAnsweringModelOutput(loss, start_BS, end_BS, encoded.hidden_states, encoded.attentions)
        return self.finish(output, return_dict)
