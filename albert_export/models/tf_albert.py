"""ALBERT in TensorFlow: siblings of the seven models of :mod:`albert_export.models.torch_albert`, in their order.

Seven Keras models over the layers of :mod:`albert_export.models.tf_encoder`. Classes, signatures, outputs and shapes of
losses are those of transformers 4.37.2. Tensor names end in their dimensions::

    B  batch      E  embedding width     V  vocabulary     L  layers
    S  sequence   D  hidden width        C  labels         A  attention heads
    T  sequence attended to              N  choices
"""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
from collections.abc import Mapping
from typing import Any, ClassVar

import tensorflow as tf

from albert_export.config import AlbertConfig
from albert_export.errors import ConfigError
from albert_export.models.tf_encoder import TFAlbertEmbeddings, TFAlbertMLMHead, TFAlbertSOPHead, TFAlbertTransformer
from albert_export.models.tf_inputs import refuse_head_mask
from albert_export.models.tf_layers import Dtype, Linear, dropout, size
from albert_export.models.tf_losses import IGNORED, classification_losses, example_losses, mean_loss, span_losses
from albert_export.models.tf_outputs import (
    TFAlbertForPreTrainingOutput,
    TFBaseModelOutput,
    TFBaseModelOutputWithPooling,
    TFMaskedLMOutput,
    TFMultipleChoiceModelOutput,
    TFQuestionAnsweringModelOutput,
    TFSequenceClassifierOutput,
    TFTokenClassifierOutput,
)
from albert_export.models.tf_pretrained import TFAlbertPreTrainedModel

#: What a call takes as a tensor; numpy arrays and lists of numbers are made one.
Array = Any
#: What ``return_dict=False`` gives: the fields that are there, in order.
Tensors = tuple[Any, ...]


class TFAlbertModel(TFAlbertPreTrainedModel):
    """The bare model: hidden states of every token and, with a pooler, one vector for the text.

    Args:
        config: Shape of the model.
        add_pooling_layer: Whether there is a pooler.
        dtype: Dtype of weights and results, or a Keras dtype policy; default Keras's own.
        name: Name of the Keras model.
    """

    def __init__(
        self,
        config: AlbertConfig,
        add_pooling_layer: bool = True,
        *,
        dtype: Dtype | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(config, dtype=dtype, name=name)
        self.embeddings = TFAlbertEmbeddings(config, self.dtype_policy)
        self.encoder = TFAlbertTransformer(config, self.dtype_policy)
        D = config.hidden_size
        self.pooler = Linear(D, D, self.dtype_policy, "pooler") if add_pooling_layer else None
        self.post_init()

    def get_config(self) -> dict[str, Any]:
        """Return what ``from_config`` makes the model from."""
        return {**super().get_config(), "add_pooling_layer": self.pooler is not None}

    def attention_bias(self, attention_mask: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """Return what is added to the scores, ``[B,1,1,T]``: 0 where the mask is 1, -10000 where it is 0.

        As in the reference's TensorFlow model: a row without a real token attends as if it were unmasked.
        """
        # expanded, not indexed: TFLite's converter fails on [:, None, None, :] when both axes are dynamic
        mask_B11T = tf.expand_dims(tf.expand_dims(tf.cast(attention_mask, dtype), 1), 1)
        return (1.0 - mask_B11T) * -10000.0

    def encode(
        self,
        input_ids: tf.Tensor | None = None,
        attention_mask: tf.Tensor | None = None,
        token_type_ids: tf.Tensor | None = None,
        position_ids: tf.Tensor | None = None,
        head_mask: tf.Tensor | None = None,
        inputs_embeds: tf.Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        training: bool | None = False,
    ) -> TFBaseModelOutputWithPooling:
        """Run the model on tensors, inside a call of a model with a head; arguments as of :meth:`call`."""
        refuse_head_mask(head_mask)
        config = self.config
        embedded_BSE = self.embeddings(input_ids, token_type_ids, position_ids, inputs_embeds, training)
        if attention_mask is None:
            attention_mask = tf.ones(tf.shape(embedded_BSE)[:-1], embedded_BSE.dtype)
        encoded: TFBaseModelOutput = self.encoder(
            embedded_BSE,
            self.attention_bias(attention_mask, embedded_BSE.dtype),
            config.output_attentions if output_attentions is None else output_attentions,
            config.output_hidden_states if output_hidden_states is None else output_hidden_states,
            training=training,
        )
        hidden_BSD = encoded.last_hidden_state
        pooled_BD = None if self.pooler is None else tf.tanh(self.pooler(hidden_BSD[:, 0]))
        return TFBaseModelOutputWithPooling(hidden_BSD, pooled_BD, encoded.hidden_states, encoded.attentions)

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
        training: bool | None = False,
    ) -> TFBaseModelOutputWithPooling | Tensors:
        """Run the model.

        Called as ``model(...)``; the first argument may also be a dictionary of inputs, or a list or tuple of tensors
        in the order of these arguments. Arrays of any framework and lists of numbers are taken too.

        Args:
            input_ids: Token ids, ``[B,S]`` int64 or int32.
            attention_mask: 1 at real tokens, 0 at padding, ``[B,S]``; default all 1.
            token_type_ids: Segment of each token, ``[B,S]``; default all 0.
            position_ids: Position of each token, ``[B,S]`` or ``[1,S]``; default 0 … S-1.
            head_mask: Refused, as the reference's TensorFlow models fail on it.
            inputs_embeds: In place of ``input_ids``, word embeddings ``[B,S,E]``.
            output_attentions: Whether to return attention probabilities; default from the configuration.
            output_hidden_states: Whether to return every layer's output; default from the configuration.
            return_dict: Whether to return an output object in place of a tuple; default from the configuration.
                The tuple of a model without pooler holds None in its place.
            training: Whether to drop out.

        Raises:
            InputError: ``head_mask``, both or neither of ``input_ids`` and ``inputs_embeds``, a wrong rank, an id
                outside its table, or a sequence over ``max_position_embeddings``. Shapes and values are not checked
                while tracing.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        output = self.encode(*inputs, output_attentions, output_hidden_states, training)
        if self.config.use_return_dict if return_dict is None else return_dict:
            return output
        states = TFBaseModelOutput(output.last_hidden_state, output.hidden_states, output.attentions)
        return (output.last_hidden_state, output.pooler_output, *states.to_tuple()[1:])


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
        if config.num_labels != 2:
            raise ConfigError(
                "num_labels must be 2 for question answering, whose labels are an answer's first and last token",
                received=config.num_labels,
                fix="load it with num_labels=2, or name two labels in its config.json",
            )
        super().__init__(config, dtype=dtype, name=name)
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
