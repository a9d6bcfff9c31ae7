"""ALBERT in Flax: siblings of the seven models of :mod:`albert_export.models.torch_albert`, in their order.

Each is a ``flax.linen`` module over the layers of :mod:`albert_export.models.flax_encoder`, and a model around it that
holds parameters and configuration (:mod:`albert_export.models.flax_pretrained`). Classes, signatures and outputs are
those of transformers 4.37.2, but that sentence order has ``num_labels`` scores, as in PyTorch, not always two. Tensor
names end in their dimensions::

    B  batch      E  embedding width     V  vocabulary     L  layers
    S  sequence   D  hidden width        C  labels         A  attention heads
    T  sequence attended to              N  choices
"""

from __future__ import annotations

from albert_export.models import _flax_required  # noqa: F401

# isort: split
from abc import abstractmethod
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from albert_export.config import AlbertConfig
from albert_export.errors import ConfigError
from albert_export.models.flax_encoder import (
    EAGER,
    FlaxAlbertEmbeddings,
    FlaxAlbertMLMHead,
    FlaxAlbertSOPHead,
    FlaxAlbertTransformer,
    Form,
)
from albert_export.models.flax_layers import Dtype, linear
from albert_export.models.flax_outputs import (
    FlaxAlbertForPreTrainingOutput,
    FlaxBaseModelOutputWithPooling,
    FlaxMaskedLMOutput,
    FlaxMultipleChoiceModelOutput,
    FlaxQuestionAnsweringModelOutput,
    FlaxSequenceClassifierOutput,
    FlaxTokenClassifierOutput,
    ModelOutput,
)
from albert_export.models.flax_pretrained import FlaxAlbertPreTrainedModel

#: What ``return_dict=False`` gives: the fields that are there, in order.
Tensors = tuple[Any, ...]


def default_types(input_ids: jax.Array) -> jax.Array:
    """Return the segments of inputs that name none: all 0."""
    return jnp.zeros_like(input_ids)


def default_positions(input_ids: jax.Array) -> jax.Array:
    """Return the positions of inputs that name none: 0 … S-1 in every row."""
    return jnp.broadcast_to(jnp.arange(input_ids.shape[-1], dtype=jnp.int32), input_ids.shape)


class FlaxAlbertModule(nn.Module):
    """The bare model as a linen module.

    Attributes:
        config: Shape of the model.
        dtype: Dtype of the computation.
        form: How it computes.
        add_pooling_layer: Whether there is a pooler.
    """

    config: AlbertConfig
    dtype: Dtype = jnp.float32
    form: Form = EAGER
    add_pooling_layer: bool = True

    def setup(self) -> None:
        """Make the parts."""
        self.embeddings = FlaxAlbertEmbeddings(self.config, self.dtype)
        self.encoder = FlaxAlbertTransformer(self.config, self.dtype, self.form)
        if self.add_pooling_layer:
            self.pooler = linear(self.config, self.config.hidden_size, self.dtype)

    def attention_bias(self, attention_mask: jax.Array) -> jax.Array:
        """Return what is added to the scores, ``[B,1,1,T]``: 0 where the mask is above 0, very little elsewhere.

        With the least number there is, as in the reference, a row without a real token attends to all alike.
        """
        least = jnp.finfo(self.dtype).min if self.form.mask_bias is None else self.form.mask_bias
        mask_B11T = attention_mask[:, None, None, :]
        return jnp.where(mask_B11T > 0, jnp.zeros((), self.dtype), jnp.asarray(least, self.dtype))

    def __call__(
        self,
        input_ids: jax.Array,
        attention_mask: jax.Array,
        token_type_ids: jax.Array | None = None,
        position_ids: jax.Array | None = None,
        deterministic: bool = True,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        return_dict: bool = True,
    ) -> FlaxBaseModelOutputWithPooling | Tensors:
        """Run the model on arrays ``[B,S]``, which are not checked; see :class:`FlaxAlbertPreTrainedModel`."""
        embedded_BSE = self.embeddings(
            input_ids,
            default_types(input_ids) if token_type_ids is None else token_type_ids,
            default_positions(input_ids) if position_ids is None else position_ids,
            deterministic,
        )
        encoded = self.encoder(
            embedded_BSE, self.attention_bias(attention_mask), deterministic, output_attentions, output_hidden_states
        )
        hidden_BSD = encoded.last_hidden_state
        pooled_BD = jnp.tanh(self.pooler(hidden_BSD[:, 0])) if self.add_pooling_layer else None
        output = FlaxBaseModelOutputWithPooling(hidden_BSD, pooled_BD, encoded.hidden_states, encoded.attentions)
        return output if return_dict else output.to_tuple()


class FlaxAlbertModel(FlaxAlbertPreTrainedModel):
    """The bare model: hidden states of every token and, with a pooler, one vector for the text.

    ``add_pooling_layer=False`` leaves the pooler out.
    """

    module_class = FlaxAlbertModule


class FlaxAlbertModuleWithHead(nn.Module):
    """A linen module of the bare model and a head; fields of :class:`FlaxAlbertModule`."""

    config: AlbertConfig
    dtype: Dtype = jnp.float32
    form: Form = EAGER

    def encoder(self, *, add_pooling_layer: bool) -> FlaxAlbertModule:
        """Return the bare model, for ``setup``."""
        return FlaxAlbertModule(self.config, self.dtype, self.form, add_pooling_layer)

    @abstractmethod
    def answer(self, encoded: FlaxBaseModelOutputWithPooling, deterministic: bool) -> ModelOutput:
        """Return the head's output for what the bare model gave."""

    def __call__(
        self,
        input_ids: jax.Array,
        attention_mask: jax.Array,
        token_type_ids: jax.Array | None = None,
        position_ids: jax.Array | None = None,
        deterministic: bool = True,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        return_dict: bool = True,
    ) -> ModelOutput | Tensors:
        """Run the model on arrays ``[B,S]``, which are not checked; see :class:`FlaxAlbertPreTrainedModel`."""
        encoded = self.albert(
            input_ids,
            attention_mask,
            token_type_ids,
            position_ids,
            deterministic,
            output_attentions,
            output_hidden_states,
        )
        output = self.answer(encoded, deterministic)
        output.update({name: encoded[name] for name in ("hidden_states", "attentions") if name in encoded})
        return output if return_dict else output.to_tuple()


class FlaxAlbertForPreTrainingModule(FlaxAlbertModuleWithHead):
    """Masked words and sentence order, as a linen module."""

    def setup(self) -> None:
        """Make the parts."""
        self.albert = self.encoder(add_pooling_layer=True)
        self.predictions = FlaxAlbertMLMHead(self.config, self.dtype)
        self.sop_classifier = FlaxAlbertSOPHead(self.config, self.dtype)

    def answer(self, encoded: FlaxBaseModelOutputWithPooling, deterministic: bool) -> FlaxAlbertForPreTrainingOutput:
        """Score words ``[B,S,V]`` and order ``[B,C]``."""
        words_BSV = self.predictions(encoded.last_hidden_state, self.albert.embeddings.word_embeddings.embedding)
        pooled_BD = encoded["pooler_output"]
        return FlaxAlbertForPreTrainingOutput(words_BSV, self.sop_classifier(pooled_BD, deterministic))


class FlaxAlbertForPreTraining(FlaxAlbertPreTrainedModel):
    """Masked words and sentence order, the two tasks ALBERT is pretrained on."""

    module_class = FlaxAlbertForPreTrainingModule


class FlaxAlbertForMaskedLMModule(FlaxAlbertModuleWithHead):
    """Masked words, as a linen module."""

    def setup(self) -> None:
        """Make the parts."""
        self.albert = self.encoder(add_pooling_layer=False)
        self.predictions = FlaxAlbertMLMHead(self.config, self.dtype)

    def answer(self, encoded: FlaxBaseModelOutputWithPooling, deterministic: bool) -> FlaxMaskedLMOutput:  # noqa: ARG002
        """Score words ``[B,S,V]``."""
        table_VE = self.albert.embeddings.word_embeddings.embedding
        return FlaxMaskedLMOutput(self.predictions(encoded.last_hidden_state, table_VE))


class FlaxAlbertForMaskedLM(FlaxAlbertPreTrainedModel):
    """Which words fit a ``[MASK]``; without pooler."""

    module_class = FlaxAlbertForMaskedLMModule


class FlaxAlbertForSequenceClassificationModule(FlaxAlbertModuleWithHead):
    """A label for a text, as a linen module."""

    def setup(self) -> None:
        """Make the parts."""
        self.albert = self.encoder(add_pooling_layer=True)
        self.dropout = nn.Dropout(self.config.head_dropout_prob)
        self.classifier = linear(self.config, self.config.num_labels, self.dtype)

    def answer(self, encoded: FlaxBaseModelOutputWithPooling, deterministic: bool) -> FlaxSequenceClassifierOutput:
        """Score labels ``[B,C]``."""
        pooled_BD = self.dropout(encoded.pooler_output, deterministic=deterministic)
        return FlaxSequenceClassifierOutput(self.classifier(pooled_BD))


class FlaxAlbertForSequenceClassification(FlaxAlbertPreTrainedModel):
    """A label or a number for a text or a pair of texts."""

    module_class = FlaxAlbertForSequenceClassificationModule


class FlaxAlbertForMultipleChoiceModule(FlaxAlbertModuleWithHead):
    """Choices, as a linen module: inputs are ``[B,N,S]`` and run as ``[B*N,S]``."""

    def setup(self) -> None:
        """Make the parts."""
        self.albert = self.encoder(add_pooling_layer=True)
        self.dropout = nn.Dropout(self.config.hidden_dropout_prob)  # not the classifier's own, as in the reference
        self.classifier = linear(self.config, 1, self.dtype)

    def answer(self, encoded: FlaxBaseModelOutputWithPooling, deterministic: bool) -> FlaxMultipleChoiceModelOutput:
        """Score choices, still one below the other, ``[B*N,1]``."""
        pooled_XD = self.dropout(encoded.pooler_output, deterministic=deterministic)
        return FlaxMultipleChoiceModelOutput(self.classifier(pooled_XD))

    def __call__(
        self,
        input_ids: jax.Array,
        attention_mask: jax.Array,
        token_type_ids: jax.Array | None = None,
        position_ids: jax.Array | None = None,
        deterministic: bool = True,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        return_dict: bool = True,
    ) -> ModelOutput | Tensors:
        """Run the model on arrays ``[B,N,S]``, which are not checked; see :class:`FlaxAlbertPreTrainedModel`."""
        B, N, S = input_ids.shape
        output = super().__call__(
            input_ids.reshape(B * N, S),
            attention_mask.reshape(B * N, S),
            None if token_type_ids is None else token_type_ids.reshape(B * N, S),
            None if position_ids is None else position_ids.reshape(B * N, S),
            deterministic,
            output_attentions,
            output_hidden_states,
        )
        assert isinstance(output, FlaxMultipleChoiceModelOutput)
        output = output.replace(logits=output.logits.reshape(B, N))
        return output if return_dict else output.to_tuple()


class FlaxAlbertForMultipleChoice(FlaxAlbertPreTrainedModel):
    """Which of N continuations fits a prompt."""

    module_class = FlaxAlbertForMultipleChoiceModule
    choices = True


class FlaxAlbertForTokenClassificationModule(FlaxAlbertModuleWithHead):
    """A label for every token, as a linen module."""

    def setup(self) -> None:
        """Make the parts."""
        self.albert = self.encoder(add_pooling_layer=False)
        self.dropout = nn.Dropout(self.config.head_dropout_prob)
        self.classifier = linear(self.config, self.config.num_labels, self.dtype)

    def answer(self, encoded: FlaxBaseModelOutputWithPooling, deterministic: bool) -> FlaxTokenClassifierOutput:
        """Score labels ``[B,S,C]``."""
        hidden_BSD = self.dropout(encoded.last_hidden_state, deterministic=deterministic)
        return FlaxTokenClassifierOutput(self.classifier(hidden_BSD))


class FlaxAlbertForTokenClassification(FlaxAlbertPreTrainedModel):
    """A label for every token; without pooler."""

    module_class = FlaxAlbertForTokenClassificationModule


class FlaxAlbertForQuestionAnsweringModule(FlaxAlbertModuleWithHead):
    """The span of an answer, as a linen module."""

    def setup(self) -> None:
        """Make the parts."""
        self.albert = self.encoder(add_pooling_layer=False)
        self.qa_outputs = linear(self.config, self.config.num_labels, self.dtype)

    def answer(
        self,
        encoded: FlaxBaseModelOutputWithPooling,
        deterministic: bool,  # noqa: ARG002
    ) -> FlaxQuestionAnsweringModelOutput:
        """Score first and last tokens, ``[B,S]`` each."""
        logits_BSC = self.qa_outputs(encoded.last_hidden_state)
        return FlaxQuestionAnsweringModelOutput(logits_BSC[..., 0], logits_BSC[..., 1])


class FlaxAlbertForQuestionAnswering(FlaxAlbertPreTrainedModel):
    """The span of a text that answers a question; without pooler.

    Raises:
        ConfigError: ``num_labels`` is not 2: the head scores the first and the last token, and nothing else.
    """

    module_class = FlaxAlbertForQuestionAnsweringModule

    def check_config(self, config: AlbertConfig) -> None:
        """Refuse other numbers of labels than 2."""
        if config.num_labels != 2:
            raise ConfigError(
                "num_labels must be 2 for question answering, whose labels are an answer's first and last token",
                received=config.num_labels,
                fix="load it with num_labels=2, or name two labels in its config.json",
            )
