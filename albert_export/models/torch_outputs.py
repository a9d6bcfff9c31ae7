"""What the PyTorch models return: one class a head."""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
from torch import Tensor
from torch.utils import _pytree

from albert_export.models import outputs


class ModelOutput(outputs.ModelOutput):
    """Fields of a PyTorch model; see :class:`albert_export.models.outputs.ModelOutput`."""

    def __init_subclass__(cls) -> None:
        # torch.export, vmap and data-parallel wrappers see through registered containers only
        _pytree.register_pytree_node(
            cls,
            lambda output: (list(output.values()), list(output)),
            lambda values, names: cls(zip(names, values, strict=True)),
            serialized_type_name=f"{cls.__module__}.{cls.__qualname__}",
        )


class BaseModelOutput(ModelOutput):
    """Output of :class:`AlbertTransformer`.

    Attributes:
        last_hidden_state: ``[B,S,D]``, the last layer's output.
        hidden_states: Each ``[B,S,D]``: the mapped embeddings, then the output of every layer.
        attentions: Each ``[B,H,S,S]``: the attention probabilities of every layer and inner layer.
    """

    last_hidden_state: Tensor
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None


class BaseModelOutputWithPooling(ModelOutput):
    """Output of :class:`AlbertModel`.

    Attributes:
        last_hidden_state: ``[B,S,D]``, the last layer's output.
        pooler_output: ``[B,D]``, tanh of a linear map of the first token; ``None`` without a pooler.
        hidden_states: As in :class:`BaseModelOutput`.
        attentions: As in :class:`BaseModelOutput`.
    """

    last_hidden_state: Tensor
    pooler_output: Tensor | None
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None


class AlbertForPreTrainingOutput(ModelOutput):
    """Output of :class:`AlbertForPreTraining`.

    Attributes:
        loss: Scalar, masked words plus sentence order; there when both labels were given.
        prediction_logits: ``[B,S,V]``, a score for every word of the vocabulary.
        sop_logits: ``[B,2]``: sentences in order, sentences swapped.
        hidden_states: As in :class:`BaseModelOutput`.
        attentions: As in :class:`BaseModelOutput`.
    """

    loss: Tensor | None
    prediction_logits: Tensor
    sop_logits: Tensor
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None


class MaskedLMOutput(ModelOutput):
    """Output of :class:`AlbertForMaskedLM`.

    Attributes:
        loss: Scalar, there when labels were given.
        logits: ``[B,S,V]``, a score for every word of the vocabulary.
        hidden_states: As in :class:`BaseModelOutput`.
        attentions: As in :class:`BaseModelOutput`.
    """

    loss: Tensor | None
    logits: Tensor
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None


class SequenceClassifierOutput(ModelOutput):
    """Output of :class:`AlbertForSequenceClassification`.

    Attributes:
        loss: Scalar, there when labels were given.
        logits: ``[B,C]``, a score for every label, or the value of a regression.
        hidden_states: As in :class:`BaseModelOutput`.
        attentions: As in :class:`BaseModelOutput`.
    """

    loss: Tensor | None
    logits: Tensor
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None


class MultipleChoiceModelOutput(ModelOutput):
    """Output of :class:`AlbertForMultipleChoice`.

    Attributes:
        loss: Scalar, there when labels were given.
        logits: ``[B,N]``, a score for every choice.
        hidden_states: As in :class:`BaseModelOutput`, with ``B*N`` in place of ``B``.
        attentions: As in :class:`BaseModelOutput`, with ``B*N`` in place of ``B``.
    """

    loss: Tensor | None
    logits: Tensor
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None


class TokenClassifierOutput(ModelOutput):
    """Output of :class:`AlbertForTokenClassification`.

    Attributes:
        loss: Scalar, there when labels were given.
        logits: ``[B,S,C]``, a score for every label of every token.
        hidden_states: As in :class:`BaseModelOutput`.
        attentions: As in :class:`BaseModelOutput`.
    """

    loss: Tensor | None
    logits: Tensor
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None


class QuestionAnsweringModelOutput(ModelOutput):
    """Output of :class:`AlbertForQuestionAnswering`.

    Attributes:
        loss: Scalar, there when both positions were given.
        start_logits: ``[B,S]``, a score for every token as the answer's first.
        end_logits: ``[B,S]``, a score for every token as the answer's last.
        hidden_states: As in :class:`BaseModelOutput`.
        attentions: As in :class:`BaseModelOutput`.
    """

    loss: Tensor | None
    start_logits: Tensor
    end_logits: Tensor
    hidden_states: tuple[Tensor, ...] | None
    attentions: tuple[Tensor, ...] | None
