"""What the PyTorch models return: one class a head, read by attribute, by key, by position or as a tuple.

Field names and order are those of transformers 4.37.2. A field that was not asked for reads as ``None`` by attribute
and is absent everywhere else, so ``output[0]`` is the loss when labels were given and the first tensor otherwise.
"""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
from typing import Any

from torch import Tensor
from torch.utils import _pytree


class ModelOutput(dict[str, Any]):
    """A dictionary of the fields that are there; each field is an attribute as well.

    ``output.logits``, ``output["logits"]`` and ``output[1]`` are the same tensor; a slice gives a tuple; iteration
    gives the names, as of any dictionary. Subclasses declare their fields as annotations, in order.

    Args:
        values: Fields in order; or one mapping or iterable of (name, value), as ``torch.nn.DataParallel`` builds it.
        named: Fields by name. ``None`` means absent.

    Raises:
        TypeError: A field that the class does not have, or too many of them.
    """

    def __init__(self, *values: Any, **named: Any) -> None:
        names = self.field_names()
        if len(values) == 1 and not isinstance(values[0], (Tensor, tuple, type(None))):
            named = dict(values[0]) | named
            values = ()
        given = dict(zip(names, values, strict=False)) | named
        if len(values) > len(names) or not given.keys() <= set(names):
            raise TypeError(f"{type(self).__name__} has the fields {', '.join(names)}")
        super().__init__((name, given[name]) for name in names if given.get(name) is not None)

    def __init_subclass__(cls) -> None:
        # torch.export, vmap and data-parallel wrappers see through registered containers only
        _pytree.register_pytree_node(
            cls,
            lambda output: (list(output.values()), list(output)),
            lambda values, names: cls(zip(names, values, strict=True)),
            serialized_type_name=f"{cls.__module__}.{cls.__qualname__}",
        )

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """Return the names of all fields, there or not, in order."""
        return tuple(cls.__annotations__)

    def to_tuple(self) -> tuple[Any, ...]:
        """Return the values that are there, in field order."""
        return tuple(self[name] for name in self.field_names() if name in self)

    def __getitem__(self, key: str | int | slice) -> Any:
        return super().__getitem__(key) if isinstance(key, str) else self.to_tuple()[key]

    def __getattr__(self, name: str) -> Any:
        if name in self.field_names():
            return self.get(name)
        raise AttributeError(
            f"{type(self).__name__} has no field {name!r}; its fields: {', '.join(self.field_names())}"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in self.field_names():
            raise AttributeError(f"{type(self).__name__} has no field {name!r}")
        if value is None:
            self.pop(name, None)
        else:
            self[name] = value


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
