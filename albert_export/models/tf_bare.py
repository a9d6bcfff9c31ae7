"""ALBERT in TensorFlow without a head: sibling of ``AlbertModel`` of :mod:`albert_export.models.torch_albert`.

Tensor names end in their dimensions, as in :mod:`albert_export.models.tf_albert`.
"""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
from typing import Any

import tensorflow as tf

from albert_export.config import AlbertConfig
from albert_export.models.tf_encoder import TFAlbertEmbeddings, TFAlbertTransformer
from albert_export.models.tf_inputs import refuse_head_mask
from albert_export.models.tf_layers import Dtype, Linear
from albert_export.models.tf_outputs import TFBaseModelOutput, TFBaseModelOutputWithPooling
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
