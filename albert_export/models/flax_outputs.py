"""What the Flax models return: one class a head, siblings of :mod:`albert_export.models.torch_outputs`."""

from __future__ import annotations

from albert_export.models import _flax_required  # noqa: F401

# isort: split
from typing import Any, Self

import jax

from albert_export.models import outputs


class ModelOutput(outputs.ModelOutput):
    """Fields of a Flax model; see :class:`albert_export.models.outputs.ModelOutput`. To JAX it is a pytree."""

    def __init_subclass__(cls) -> None:
        def flatten(output: Any) -> tuple[list[tuple[Any, Any]], tuple[str, ...]]:
            return [(jax.tree_util.DictKey(name), value) for name, value in output.items()], tuple(output)

        def rebuild(names: Any, values: Any) -> Any:
            # not through the constructor: while JAX looks at a tree, its leaves may be None, which would go missing
            output = cls()
            dict.update(output, zip(names, values, strict=True))
            return output

        jax.tree_util.register_pytree_with_keys(cls, flatten, rebuild)

    def replace(self, **changes: Any) -> Self:
        """Return a copy with other values of some fields."""
        return type(self)(**{**self, **changes})


class FlaxBaseModelOutput(ModelOutput):
    """Output of :class:`FlaxAlbertTransformer`.

    Attributes:
        last_hidden_state: ``[B,S,D]``, the last layer's output.
        hidden_states: Each ``[B,S,D]``: the mapped embeddings, then the output of every layer.
        attentions: Each ``[B,A,S,S]``: the attention probabilities of every layer and inner layer.
    """

    last_hidden_state: jax.Array
    hidden_states: tuple[jax.Array, ...] | None
    attentions: tuple[jax.Array, ...] | None


class FlaxBaseModelOutputWithPooling(ModelOutput):
    """Output of :class:`FlaxAlbertModel`.

    Attributes:
        last_hidden_state: ``[B,S,D]``, the last layer's output.
        pooler_output: ``[B,D]``, tanh of a linear map of the first token; ``None`` without a pooler.
        hidden_states: As in :class:`FlaxBaseModelOutput`.
        attentions: As in :class:`FlaxBaseModelOutput`.
    """

    last_hidden_state: jax.Array
    pooler_output: jax.Array | None
    hidden_states: tuple[jax.Array, ...] | None
    attentions: tuple[jax.Array, ...] | None


class FlaxAlbertForPreTrainingOutput(ModelOutput):
    """Output of :class:`FlaxAlbertForPreTraining`.

    Attributes:
        prediction_logits: ``[B,S,V]``, a score for every word of the vocabulary.
        sop_logits: ``[B,2]``: sentences in order, sentences swapped.
        hidden_states: As in :class:`FlaxBaseModelOutput`.
        attentions: As in :class:`FlaxBaseModelOutput`.
    """

    prediction_logits: jax.Array
    sop_logits: jax.Array
    hidden_states: tuple[jax.Array, ...] | None
    attentions: tuple[jax.Array, ...] | None


class FlaxMaskedLMOutput(ModelOutput):
    """Output of :class:`FlaxAlbertForMaskedLM`.

    Attributes:
        logits: ``[B,S,V]``, a score for every word of the vocabulary.
        hidden_states: As in :class:`FlaxBaseModelOutput`.
        attentions: As in :class:`FlaxBaseModelOutput`.
    """

    logits: jax.Array
    hidden_states: tuple[jax.Array, ...] | None
    attentions: tuple[jax.Array, ...] | None


class FlaxSequenceClassifierOutput(ModelOutput):
    """Output of :class:`FlaxAlbertForSequenceClassification`.

    Attributes:
        logits: ``[B,C]``, a score for every label, or the value of a regression.
        hidden_states: As in :class:`FlaxBaseModelOutput`.
        attentions: As in :class:`FlaxBaseModelOutput`.
    """

    logits: jax.Array
    hidden_states: tuple[jax.Array, ...] | None
    attentions: tuple[jax.Array, ...] | None


class FlaxMultipleChoiceModelOutput(ModelOutput):
    """Output of :class:`FlaxAlbertForMultipleChoice`.

    Attributes:
        logits: ``[B,N]``, a score for every choice.
        hidden_states: As in :class:`FlaxBaseModelOutput`, with ``B*N`` in place of ``B``.
        attentions: As in :class:`FlaxBaseModelOutput`, with ``B*N`` in place of ``B``.
    """

    logits: jax.Array
    hidden_states: tuple[jax.Array, ...] | None
    attentions: tuple[jax.Array, ...] | None


class FlaxTokenClassifierOutput(ModelOutput):
    """Output of :class:`FlaxAlbertForTokenClassification`.

    Attributes:
        logits: ``[B,S,C]``, a score for every label of every token.
        hidden_states: As in :class:`FlaxBaseModelOutput`.
        attentions: As in :class:`FlaxBaseModelOutput`.
    """

    logits: jax.Array
    hidden_states: tuple[jax.Array, ...] | None
    attentions: tuple[jax.Array, ...] | None


class FlaxQuestionAnsweringModelOutput(ModelOutput):
    """Output of :class:`FlaxAlbertForQuestionAnswering`.

    Attributes:
        start_logits: ``[B,S]``, a score for every token as the answer's first.
        end_logits: ``[B,S]``, a score for every token as the answer's last.
        hidden_states: As in :class:`FlaxBaseModelOutput`.
        attentions: As in :class:`FlaxBaseModelOutput`.
    """

    start_logits: jax.Array
    end_logits: jax.Array
    hidden_states: tuple[jax.Array, ...] | None
    attentions: tuple[jax.Array, ...] | None
