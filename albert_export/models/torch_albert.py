"""ALBERT in PyTorch: the eager reference that every artifact is traced from and compared with.

Seven models over the layers of :mod:`albert_export.models.torch_encoder`. Classes, signatures, parameter names,
outputs and losses are those of transformers 4.37.2. Tensor names end in their dimensions::

    B  batch      E  embedding width     V  vocabulary     L  layers
    S  sequence   D  hidden width        C  labels         A  attention heads
    T  sequence attended to              N  choices
"""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
from typing import Any

import torch
from torch import Tensor, nn

from albert_export.config import AlbertConfig
from albert_export.errors import ConfigError
from albert_export.models.torch_encoder import AlbertEmbeddings, AlbertMLMHead, AlbertSOPHead, AlbertTransformer
from albert_export.models.torch_inputs import check_choices, check_inputs
from albert_export.models.torch_losses import classification_loss, span_loss, token_loss
from albert_export.models.torch_outputs import (
    AlbertForPreTrainingOutput,
    BaseModelOutput,
    BaseModelOutputWithPooling,
    MaskedLMOutput,
    MultipleChoiceModelOutput,
    QuestionAnsweringModelOutput,
    SequenceClassifierOutput,
    TokenClassifierOutput,
)
from albert_export.models.torch_pretrained import AlbertPreTrainedModel

#: What ``return_dict=False`` gives: the fields that are there, in order.
Tensors = tuple[Any, ...]


class AlbertModel(AlbertPreTrainedModel):
    """The bare model: hidden states of every token and, with a pooler, one vector for the text.

    Args:
        config: Shape of the model.
        add_pooling_layer: Whether there is a pooler.
    """

    #: Lower bound of the mask bias, for artifacts in precisions narrower than the model's own; None: the dtype's least.
    mask_bias_floor: float | None = None

    def __init__(self, config: AlbertConfig, add_pooling_layer: bool = True) -> None:
        super().__init__(config)
        self.embeddings = AlbertEmbeddings(config)
        self.encoder = AlbertTransformer(config)
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size) if add_pooling_layer else None
        self.pooler_activation = nn.Tanh() if add_pooling_layer else None
        self.post_init()

    def attention_bias(self, attention_mask: Tensor, dtype: torch.dtype) -> Tensor:
        """Return what is added to the scores, ``[B,1,1,T]``: 0 where the mask is 1, the least number where it is 0."""
        least = torch.finfo(dtype).min
        if self.mask_bias_floor is not None:
            least = max(least, self.mask_bias_floor)
        return (1.0 - attention_mask[:, None, None, :].to(dtype)) * least

    def head_mask_by_layer(self, head_mask: Tensor, dtype: torch.dtype) -> Tensor:
        """Return ``[L,1,A,1,1]`` from ``[A]`` or ``[L,A]``; five dimensions pass through."""
        if head_mask.dim() == 1:
            head_mask = head_mask.expand(self.config.num_hidden_layers, -1)
        if head_mask.dim() == 2:
            head_mask = head_mask[:, None, :, None, None]
        return head_mask.to(dtype)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> BaseModelOutputWithPooling | Tensors:
        """Run the model.

        Args:
            input_ids: Token ids, ``[B,S]`` int64 or int32.
            attention_mask: 1 at real tokens, 0 at padding, ``[B,S]``; default all 1.
            token_type_ids: Segment of each token, ``[B,S]``; default all 0.
            position_ids: Position of each token, ``[B,S]`` or ``[1,S]``; default 0 … S-1.
            head_mask: 1 for heads that stay, 0 for those silenced, ``[A]`` or ``[L,A]``.
            inputs_embeds: In place of ``input_ids``, word embeddings ``[B,S,E]``.
            output_attentions: Whether to return attention probabilities; default from the configuration.
            output_hidden_states: Whether to return every layer's output; default from the configuration.
            return_dict: Whether to return an output object in place of a tuple; default from the configuration.
                The tuple of a model without pooler holds None in its place.

        Raises:
            InputError: Both or neither of ``input_ids`` and ``inputs_embeds``, a wrong rank, an id outside its
                table, or a sequence over ``max_position_embeddings``. Not checked while tracing.
        """
        config = self.config
        check_inputs(config, input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        embedded_BSE = self.embeddings(input_ids, token_type_ids, position_ids, inputs_embeds)
        if attention_mask is None:
            attention_mask = torch.ones(embedded_BSE.shape[:-1], device=embedded_BSE.device)
        encoded: BaseModelOutput = self.encoder(
            embedded_BSE,
            self.attention_bias(attention_mask, embedded_BSE.dtype),
            None if head_mask is None else self.head_mask_by_layer(head_mask, embedded_BSE.dtype),
            config.output_attentions if output_attentions is None else output_attentions,
            config.output_hidden_states if output_hidden_states is None else output_hidden_states,
        )
        hidden_BSD = encoded.last_hidden_state
        pooled_BD = None
        if self.pooler is not None and self.pooler_activation is not None:
            pooled_BD = self.pooler_activation(self.pooler(hidden_BSD[:, 0]))
        output = BaseModelOutputWithPooling(hidden_BSD, pooled_BD, encoded.hidden_states, encoded.attentions)
        if config.use_return_dict if return_dict is None else return_dict:
            return output
        return (hidden_BSD, pooled_BD, *encoded.to_tuple()[1:])


class AlbertForPreTraining(AlbertPreTrainedModel):
    """Masked words and sentence order, the two tasks ALBERT is pretrained on."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.albert = AlbertModel(config)
        self.predictions = AlbertMLMHead(config)
        self.sop_classifier = AlbertSOPHead(config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        sentence_order_label: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> AlbertForPreTrainingOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`AlbertModel.forward`.

        Args:
            labels: Words to predict, ``[B,S]``; -100 where none is.
            sentence_order_label: 0 in order, 1 swapped, ``[B]``. The loss needs both labels.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        words_BSV = self.predictions(encoded.last_hidden_state)
        order_BC = self.sop_classifier(encoded.pooler_output)
        loss = None
        if labels is not None and sentence_order_label is not None:
            loss = token_loss(words_BSV, labels) + token_loss(order_BC, sentence_order_label)
        output = AlbertForPreTrainingOutput(loss, words_BSV, order_BC, encoded.hidden_states, encoded.attentions)
        return self.finish(output, return_dict)


class AlbertForMaskedLM(AlbertPreTrainedModel):
    """Which words fit a ``[MASK]``; without pooler."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.albert = AlbertModel(config, add_pooling_layer=False)
        self.predictions = AlbertMLMHead(config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> MaskedLMOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`AlbertModel.forward`.

        Args:
            labels: Words to predict, ``[B,S]``; -100 where none is.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        logits_BSV = self.predictions(encoded.last_hidden_state)
        loss = None if labels is None else token_loss(logits_BSV, labels)
        return self.finish(MaskedLMOutput(loss, logits_BSV, encoded.hidden_states, encoded.attentions), return_dict)


class AlbertForSequenceClassification(AlbertPreTrainedModel):
    """A label, several labels or a number for a text or a pair of texts."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.albert = AlbertModel(config)
        self.dropout = nn.Dropout(config.head_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> SequenceClassifierOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`AlbertModel.forward`.

        Args:
            labels: ``[B]`` whole numbers (one label each), ``[B,C]`` floating (several), ``[B]`` floating
                (regression); see :func:`albert_export.models.torch_losses.classification_loss`.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        logits_BC = self.classifier(self.dropout(encoded.pooler_output))
        loss = None if labels is None else classification_loss(logits_BC, labels, self.config)
        output = SequenceClassifierOutput(loss, logits_BC, encoded.hidden_states, encoded.attentions)
        return self.finish(output, return_dict)


class AlbertForMultipleChoice(AlbertPreTrainedModel):
    """Which of N continuations fits a prompt."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.albert = AlbertModel(config)
        self.dropout = nn.Dropout(config.head_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, 1)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> MultipleChoiceModelOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`AlbertModel.forward`.

        Inputs are ``[B,N,S]`` (embeddings ``[B,N,S,E]``) and run as ``[B*N,S]``.

        Args:
            labels: Index of the choice that fits, ``[B]``.
        """
        check_choices(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=token_type_ids,
            position_ids=position_ids,
            inputs_embeds=inputs_embeds,
        )
        given = input_ids if inputs_embeds is None else inputs_embeds
        N = 1 if given is None else given.shape[1]  # AlbertModel refuses None
        ids, mask, types, positions, embeds = (
            None if tensor is None else tensor.flatten(0, 1)
            for tensor in (input_ids, attention_mask, token_type_ids, position_ids, inputs_embeds)
        )
        inputs = (ids, mask, types, positions, head_mask, embeds)
        encoded = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        logits_BN = self.classifier(self.dropout(encoded.pooler_output)).view(-1, N)
        loss = None if labels is None else token_loss(logits_BN, labels)
        output = MultipleChoiceModelOutput(loss, logits_BN, encoded.hidden_states, encoded.attentions)
        return self.finish(output, return_dict)


class AlbertForTokenClassification(AlbertPreTrainedModel):
    """A label for every token; without pooler."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.albert = AlbertModel(config, add_pooling_layer=False)
        self.dropout = nn.Dropout(config.head_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        labels: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> TokenClassifierOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`AlbertModel.forward`.

        Args:
            labels: Label of every token, ``[B,S]``; -100 where none is.
        """
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        logits_BSC = self.classifier(self.dropout(encoded.last_hidden_state))
        loss = None if labels is None else token_loss(logits_BSC, labels)
        output = TokenClassifierOutput(loss, logits_BSC, encoded.hidden_states, encoded.attentions)
        return self.finish(output, return_dict)


class AlbertForQuestionAnswering(AlbertPreTrainedModel):
    """The span of a text that answers a question; without pooler."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__(config)
        self.num_labels = config.num_labels
        self.albert = AlbertModel(config, add_pooling_layer=False)
        self.qa_outputs = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        head_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        start_positions: Tensor | None = None,
        end_positions: Tensor | None = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
    ) -> QuestionAnsweringModelOutput | Tensors:
        """Run the model; other arguments and errors as of :meth:`AlbertModel.forward`.

        Args:
            start_positions: First token of the answer, ``[B]``; clamped to ``[0, S]``, S itself counts in no loss.
            end_positions: Last token of the answer, likewise. The loss needs both.

        Raises:
            ConfigError: ``num_labels`` is not 2: the head scores the first and the last token, and nothing else.
        """
        if self.num_labels != 2:
            raise ConfigError(
                "num_labels must be 2 for question answering, whose labels are an answer's first and last token",
                received=self.num_labels,
                fix="load it with num_labels=2, or name two labels in its config.json",
            )
        inputs = (input_ids, attention_mask, token_type_ids, position_ids, head_mask, inputs_embeds)
        encoded = self.albert(*inputs, output_attentions, output_hidden_states, return_dict=True)
        start_BS, end_BS = self.qa_outputs(encoded.last_hidden_state).unbind(-1)
        start_BS, end_BS = start_BS.contiguous(), end_BS.contiguous()
        loss = None
        if start_positions is not None and end_positions is not None:
            loss = span_loss(start_BS, end_BS, start_positions, end_positions)
        output = QuestionAnsweringModelOutput(loss, start_BS, end_BS, encoded.hidden_states, encoded.attentions)
        return self.finish(output, return_dict)
