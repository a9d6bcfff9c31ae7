"""The layers of ALBERT in Flax, from embeddings to the stack: siblings of :mod:`.torch_encoder`, in its order.

Parameter paths are those of transformers 4.37.2. What its Flax model does otherwise than its PyTorch model is done here
as there: a mask counts as 1 where it is above 0, dropout of attention probabilities is the same for all heads and rows,
and there is dropout after the feed-forward network. It ignores ``position_embedding_type``, and so gives wrong answers
for checkpoints that use it; here it counts, as in PyTorch. It normalises with the fast variance, mean(x²) - mean(x)²;
here the variance is that of the centred numbers.

Tensor names end in their dimensions::

    B  batch                    E  embedding width          A  attention heads
    S  sequence                 D  hidden width             K  width of one head
    T  sequence attended to     F  feed-forward width       V  vocabulary
    N  choices                  C  labels                   L  layers applied    G  groups    I  inner layers
"""

from __future__ import annotations

from albert_export.models import _flax_required  # noqa: F401

# isort: split
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from albert_export.checkpoints.names import heads_of
from albert_export.config import AlbertConfig
from albert_export.models.flax_layers import Dtype, Embedding, activation, layer_norm, linear
from albert_export.models.flax_outputs import FlaxBaseModelOutput


@dataclass(frozen=True)
class Form:
    """How a model computes what it computes; the export chooses other forms than the eager models have.

    ``model.module.clone(form=Form(…))`` is the same model in another form, with the same parameters.

    Attributes:
        rolled: Whether the layers that share their weights are one loop, not one copy of the layer's operations each.
        mask_bias: What is added to the scores of masked tokens; None for the least number of the dtype, as in the
            reference, with which a row without a real token attends to all alike.
    """

    rolled: bool = True
    mask_bias: float | None = None


EAGER = Form()


class FlaxAlbertEmbeddings(nn.Module):
    """Words, segments and, when absolute, positions: ``[B,S]`` ids to ``[B,S,E]``."""

    config: AlbertConfig
    dtype: Dtype = jnp.float32

    def setup(self) -> None:
        """Make the parts."""
        config = self.config
        E, deviation = config.embedding_size, config.initializer_range
        self.word_embeddings = Embedding(config.vocab_size, E, deviation)
        self.position_embeddings = Embedding(config.max_position_embeddings, E, deviation)
        self.token_type_embeddings = Embedding(config.type_vocab_size, E, deviation)
        self.LayerNorm = layer_norm(config, self.dtype)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def __call__(
        self, input_ids: jax.Array, token_type_ids: jax.Array, position_ids: jax.Array, deterministic: bool = True
    ) -> jax.Array:
        """Return the normalised sum ``[B,S,E]``."""
        sum_BSE = self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids)
        if self.config.position_embedding_type == "absolute" or self.is_initializing():
            positions_BSE = self.position_embeddings(position_ids)
            if self.config.position_embedding_type == "absolute":
                sum_BSE = sum_BSE + positions_BSE
        normalised_BSE: jax.Array = self.dropout(self.LayerNorm(sum_BSE), deterministic=deterministic)
        return normalised_BSE


class FlaxAlbertAttention(nn.Module):
    """Self-attention with its output projection, residual and normalisation: ``[B,S,D]`` to ``[B,S,D]``.

    Attributes:
        config: Shape of the model.
        heads: How many heads this layer has, those that were pruned not counted.
        dtype: Dtype of the computation.
    """

    config: AlbertConfig
    heads: int
    dtype: Dtype = jnp.float32

    def setup(self) -> None:
        """Make the parts."""
        config = self.config
        self.head_size = config.hidden_size // config.num_attention_heads
        attended = self.heads * self.head_size
        self.query = linear(config, attended, self.dtype)
        self.key = linear(config, attended, self.dtype)
        self.value = linear(config, attended, self.dtype)
        self.attention_dropout = nn.Dropout(config.attention_probs_dropout_prob, broadcast_dims=(0, 1))
        self.dense = linear(config, config.hidden_size, self.dtype)
        self.LayerNorm = layer_norm(config, self.dtype)
        self.output_dropout = nn.Dropout(config.hidden_dropout_prob)
        if config.position_embedding_type != "absolute":
            distances = 2 * config.max_position_embeddings - 1
            self.distance_embedding = Embedding(distances, self.head_size, config.initializer_range)

    def __call__(
        self, hidden_BSD: jax.Array, attention_bias: jax.Array, deterministic: bool = True
    ) -> tuple[jax.Array, jax.Array]:
        """Attend, project, add and normalise.

        Args:
            hidden_BSD: ``[B,S,D]``.
            attention_bias: Added to the scores, ``[B,1,1,T]``.
            deterministic: Whether nothing is dropped.

        Returns:
            The result ``[B,S,D]``, and the probabilities ``[B,A,S,T]``.
        """
        B, S = hidden_BSD.shape[:2]
        A, K = self.heads, self.head_size
        query_BSAK = self.query(hidden_BSD).reshape(B, S, A, K)
        key_BTAK = self.key(hidden_BSD).reshape(B, S, A, K)
        value_BTAK = self.value(hidden_BSD).reshape(B, S, A, K)

        # the query is scaled, not the scores: S·K multiplications a head in place of S·T
        scores_BAST = jnp.einsum("bsak,btak->bast", query_BSAK * K**-0.5, key_BTAK) + attention_bias
        if self.config.position_embedding_type != "absolute":
            scores_BAST = scores_BAST + self.relative_scores(query_BSAK, key_BTAK)
        probabilities_BAST = self.attention_dropout(
            jax.nn.softmax(scores_BAST, axis=-1).astype(self.dtype), deterministic=deterministic
        )
        context_BSD = jnp.einsum("bast,btak->bsak", probabilities_BAST, value_BTAK).reshape(B, S, A * K)
        projected_BSD = self.output_dropout(self.dense(context_BSD), deterministic=deterministic)
        return self.LayerNorm(hidden_BSD + projected_BSD), probabilities_BAST

    def relative_scores(self, query_BSAK: jax.Array, key_BTAK: jax.Array) -> jax.Array:
        """Score the distance of every pair of positions, ``[B,A,S,T]``; not scaled, as in the reference.

        ``relative_key`` is Shaw et al. (arXiv:1803.02155), equation 4; ``relative_key_query`` is method 4 of
        Huang et al. (arXiv:2009.13658).
        """
        positions_S = jnp.arange(query_BSAK.shape[1])
        distance_ST = positions_S[:, None] - positions_S[None, :] + (self.config.max_position_embeddings - 1)
        distance_STK = self.distance_embedding(distance_ST).astype(query_BSAK.dtype)
        scores_BAST = jnp.einsum("bsak,stk->bast", query_BSAK, distance_STK)
        if self.config.position_embedding_type == "relative_key_query":
            scores_BAST = scores_BAST + jnp.einsum("btak,stk->bast", key_BTAK, distance_STK)
        return scores_BAST


class FlaxAlbertLayer(nn.Module):
    """Attention, then the feed-forward network: ``[B,S,D]`` to ``[B,S,D]``; fields of :class:`FlaxAlbertAttention`."""

    config: AlbertConfig
    heads: int
    dtype: Dtype = jnp.float32

    def setup(self) -> None:
        """Make the parts."""
        config = self.config
        self.full_layer_layer_norm = layer_norm(config, self.dtype)
        self.attention = FlaxAlbertAttention(config, self.heads, self.dtype)
        self.ffn = linear(config, config.intermediate_size, self.dtype)
        self.ffn_output = linear(config, config.hidden_size, self.dtype)
        self.activation = activation(config.hidden_act)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)

    def __call__(
        self, hidden_BSD: jax.Array, attention_bias: jax.Array, deterministic: bool = True
    ) -> tuple[jax.Array, jax.Array]:
        """Apply the layer; arguments and results as of :meth:`FlaxAlbertAttention.__call__`."""
        attended_BSD, probabilities_BAST = self.attention(hidden_BSD, attention_bias, deterministic)
        fed_BSD = self.ffn_output(self.activation(self.ffn(attended_BSD)))
        # the reference's PyTorch model has no dropout here
        fed_BSD = self.dropout(fed_BSD, deterministic=deterministic)
        return self.full_layer_layer_norm(fed_BSD + attended_BSD), probabilities_BAST


class FlaxAlbertInnerLayers(nn.Module):
    """What the inner layers of a group are under: in Flax a number is a part of a path of its own."""

    config: AlbertConfig
    group: int
    dtype: Dtype = jnp.float32

    def setup(self) -> None:
        """Make the layers."""
        self.layers = [
            FlaxAlbertLayer(self.config, heads_of(self.config, self.group, inner), self.dtype, name=str(inner))
            for inner in range(self.config.inner_group_num)
        ]

    def __call__(
        self, hidden_BSD: jax.Array, attention_bias: jax.Array, deterministic: bool = True
    ) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """Apply every layer, one after the other; the probabilities are those of each."""
        attentions: tuple[jax.Array, ...] = ()
        for layer in self.layers:
            hidden_BSD, probabilities_BAST = layer(hidden_BSD, attention_bias, deterministic)
            attentions = (*attentions, probabilities_BAST)
        return hidden_BSD, attentions


class FlaxAlbertLayerGroup(nn.Module):
    """The inner layers that share one place in the stack, one after the other: ``[B,S,D]`` to ``[B,S,D]``.

    Attributes:
        config: Shape of the model.
        group: Which group this is; its heads may have been pruned.
        dtype: Dtype of the computation.
    """

    config: AlbertConfig
    group: int
    dtype: Dtype = jnp.float32

    def setup(self) -> None:
        """Make the layers."""
        self.albert_layers = FlaxAlbertInnerLayers(self.config, self.group, self.dtype)

    def __call__(
        self, hidden_BSD: jax.Array, attention_bias: jax.Array, deterministic: bool = True
    ) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """Apply every inner layer; the probabilities are those of each."""
        applied: tuple[jax.Array, tuple[jax.Array, ...]] = self.albert_layers(hidden_BSD, attention_bias, deterministic)
        return applied


class FlaxAlbertLayerGroups(nn.Module):
    """The stack: L applications of G groups of weights, as one loop a group or one after the other."""

    config: AlbertConfig
    dtype: Dtype = jnp.float32
    form: Form = EAGER

    def setup(self) -> None:
        """Make the groups."""
        self.groups = [
            FlaxAlbertLayerGroup(self.config, group, self.dtype, name=str(group))
            for group in range(self.config.num_hidden_groups)
        ]

    def group_of(self, layer: int) -> int:
        """Return which group's weights layer ``layer`` uses."""
        return int(layer / (self.config.num_hidden_layers / self.config.num_hidden_groups))

    def __call__(
        self,
        hidden_BSD: jax.Array,
        attention_bias: jax.Array,
        deterministic: bool = True,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
    ) -> tuple[jax.Array, list[jax.Array], list[jax.Array]]:
        """Apply all layers; return the last state, each layer's and each layer's probabilities, where asked for."""
        states: list[jax.Array] = []
        attentions: list[jax.Array] = []
        layers = [self.group_of(layer) for layer in range(self.config.num_hidden_layers)]
        for group in sorted(set(layers)):
            turns = layers.count(group)
            hidden_BSD, kept, probabilities = self.apply_group(
                self.groups[group],
                turns,
                hidden_BSD,
                attention_bias,
                deterministic,
                output_attentions,
                output_hidden_states,
            )
            states += kept
            attentions += probabilities
        return hidden_BSD, states, attentions

    def apply_group(
        self,
        group: FlaxAlbertLayerGroup,
        turns: int,
        hidden_BSD: jax.Array,
        attention_bias: jax.Array,
        deterministic: bool,
        output_attentions: bool,
        output_hidden_states: bool,
    ) -> tuple[jax.Array, list[jax.Array], list[jax.Array]]:
        """Apply one group ``turns`` times; other arguments and results as of :meth:`__call__`."""

        def apply(group: FlaxAlbertLayerGroup, hidden_BSD: jax.Array, _: None) -> tuple[jax.Array, Any]:
            hidden_BSD, probabilities = group(hidden_BSD, attention_bias, deterministic)
            state = hidden_BSD if output_hidden_states else None
            return hidden_BSD, (state, probabilities if output_attentions else ())

        if self.form.rolled and turns > 1:
            loop = nn.scan(
                apply, variable_broadcast="params", split_rngs={"params": False, "dropout": True}, length=turns
            )
            hidden_BSD, (stacked, probabilities) = loop(group, hidden_BSD, None)
            kept = [
                (None if stacked is None else stacked[turn], [inner[turn] for inner in probabilities])
                for turn in range(turns)
            ]
        else:
            kept = []
            for _ in range(turns):
                hidden_BSD, found = apply(group, hidden_BSD, None)
                kept.append(found)
        return (
            hidden_BSD,
            [state for state, _ in kept if state is not None],
            [one for _, probabilities in kept for one in probabilities],
        )


class FlaxAlbertTransformer(nn.Module):
    """The mapping to the hidden width, and the stack."""

    config: AlbertConfig
    dtype: Dtype = jnp.float32
    form: Form = EAGER

    def setup(self) -> None:
        """Make the parts."""
        self.embedding_hidden_mapping_in = linear(self.config, self.config.hidden_size, self.dtype)
        self.albert_layer_groups = FlaxAlbertLayerGroups(self.config, self.dtype, self.form)

    def __call__(
        self,
        embedded_BSE: jax.Array,
        attention_bias: jax.Array,
        deterministic: bool = True,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
    ) -> FlaxBaseModelOutput:
        """Map the embeddings to the hidden width and apply all layers.

        Args:
            embedded_BSE: ``[B,S,E]``.
            attention_bias: ``[B,1,1,T]``.
            deterministic: Whether nothing is dropped.
            output_attentions: Whether to return every layer's probabilities.
            output_hidden_states: Whether to return every layer's output.
        """
        hidden_BSD = self.embedding_hidden_mapping_in(embedded_BSE)
        last_BSD, states, attentions = self.albert_layer_groups(
            hidden_BSD, attention_bias, deterministic, output_attentions, output_hidden_states
        )
        return FlaxBaseModelOutput(
            last_hidden_state=last_BSD,
            hidden_states=(hidden_BSD, *states) if output_hidden_states else None,
            attentions=tuple(attentions) if output_attentions else None,
        )


class FlaxAlbertMLMHead(nn.Module):
    """Scores every word of the vocabulary for every token: ``[B,S,D]`` to ``[B,S,V]``."""

    config: AlbertConfig
    dtype: Dtype = jnp.float32

    def setup(self) -> None:
        """Make the parts; the decoder's ``kernel`` is ``[E,V]``, and there where it is not tied."""
        config = self.config
        self.LayerNorm = layer_norm(config, self.dtype)
        self.bias = self.param("bias", nn.initializers.zeros, (config.vocab_size,))
        self.dense = linear(config, config.embedding_size, self.dtype)
        self.activation = activation(config.hidden_act)
        if not config.tie_word_embeddings:
            self.decoder = linear(config, config.vocab_size, self.dtype, use_bias=False)

    def __call__(self, hidden_BSD: jax.Array, table_VE: jax.Array) -> jax.Array:
        """Return the scores; the word embeddings ``table_VE`` are the decoder where it is tied."""
        mapped_BSE = self.LayerNorm(self.activation(self.dense(hidden_BSD)))
        if self.config.tie_word_embeddings:
            scores_BSV = jnp.einsum("bse,ve->bsv", mapped_BSE, table_VE.astype(mapped_BSE.dtype))
        else:
            scores_BSV = self.decoder(mapped_BSE)
        return scores_BSV + self.bias


class FlaxAlbertSOPHead(nn.Module):
    """Scores whether two sentences stand in order: ``[B,D]`` to ``[B,C]`` (ALBERT paper, section 3.1)."""

    config: AlbertConfig
    dtype: Dtype = jnp.float32

    def setup(self) -> None:
        """Make the parts."""
        self.dropout = nn.Dropout(self.config.head_dropout_prob)
        self.classifier = linear(self.config, self.config.num_labels, self.dtype)

    def __call__(self, pooled_BD: jax.Array, deterministic: bool = True) -> jax.Array:
        """Return the scores."""
        scores_BC: jax.Array = self.classifier(self.dropout(pooled_BD, deterministic=deterministic))
        return scores_BC
