"""The layers of ALBERT in PyTorch, from embeddings to the stack, in reading order.

The architecture is that of "ALBERT: A Lite BERT for Self-supervised Learning of Language Representations"
(Lan et al., 2020, arXiv:1909.11942): embeddings factorised through a narrow width (section 3.1) and one layer's
weights applied many times. Parameter names are those of transformers 4.37.2; :mod:`.torch_albert` builds the models.

Tensor names end in their dimensions::

    B  batch                    E  embedding width          A  attention heads
    S  sequence computed        D  hidden width             K  width of one head, D = A·K
    T  sequence attended to     F  feed-forward width       V  vocabulary
    N  choices                  C  labels                   L  layers applied    G  groups    I  inner layers
"""

from __future__ import annotations

from albert_export.models import _torch_required  # noqa: F401

# isort: split
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from albert_export.config import AlbertConfig
from albert_export.models.torch_outputs import BaseModelOutput
from albert_export.models.torch_surgery import prune_linear


def _gelu_new(x: Tensor) -> Tensor:
    """GELU by its tanh approximation (Hendrycks and Gimpel, arXiv:1606.08415, section 2)."""
    return F.gelu(x, approximate="tanh")


#: Takes from hidden states ``[B,T,D]`` those of the tokens that are computed, ``[B,S,D]``.
Choice = Callable[[Tensor], Tensor]

_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "gelu_new": _gelu_new,
    "relu": F.relu,
    "silu": F.silu,
    "swish": F.silu,
}


def activation(hidden_act: str | Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return the function that ``AlbertConfig.hidden_act`` names, or is."""
    if callable(hidden_act):
        return hidden_act
    return _ACTIVATIONS[hidden_act]


class AlbertEmbeddings(nn.Module):
    """Words, segments and, when absolute, positions: ``[B,S]`` ids to ``[B,S,E]``."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        E = config.embedding_size
        self.word_embeddings = nn.Embedding(config.vocab_size, E, padding_idx=config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, E)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, E)
        self.LayerNorm = nn.LayerNorm(E, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.position_embedding_type = config.position_embedding_type

    def forward(
        self,
        input_ids: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        """Return the normalised sum ``[B,S,E]``."""
        words_BSE = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        if token_type_ids is None:
            token_type_ids = torch.zeros(words_BSE.shape[:-1], dtype=torch.long, device=words_BSE.device)
        sum_BSE = words_BSE + self.token_type_embeddings(token_type_ids)
        if self.position_embedding_type == "absolute":
            if position_ids is None:
                position_ids = torch.arange(words_BSE.shape[1], device=words_BSE.device).unsqueeze(0)
            sum_BSE = sum_BSE + self.position_embeddings(position_ids)
        normalised_BSE: Tensor = self.dropout(self.LayerNorm(sum_BSE))
        return normalised_BSE


class AlbertAttention(nn.Module):
    """Self-attention with its output projection, residual and normalisation: ``[B,T,D]`` to ``[B,S,D]``."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        D = config.hidden_size
        self.num_attention_heads = config.num_attention_heads
        self.attention_head_size = D // config.num_attention_heads
        self.query = nn.Linear(D, D)
        self.key = nn.Linear(D, D)
        self.value = nn.Linear(D, D)
        self.attention_dropout = nn.Dropout(config.attention_probs_dropout_prob)
        self.output_dropout = nn.Dropout(config.hidden_dropout_prob)
        self.dense = nn.Linear(D, D)
        self.LayerNorm = nn.LayerNorm(D, eps=config.layer_norm_eps)
        self.pruned_heads: set[int] = set()
        self.position_embedding_type = config.position_embedding_type
        if self.position_embedding_type != "absolute":
            self.max_position_embeddings = config.max_position_embeddings
            self.distance_embedding = nn.Embedding(2 * config.max_position_embeddings - 1, self.attention_head_size)

    def prune_heads(self, heads: set[int]) -> None:
        """Take ``heads`` out for good; numbers are those before any pruning, and those already gone are passed over."""
        kept = [
            head for head in range(self.num_attention_heads + len(self.pruned_heads)) if head not in self.pruned_heads
        ]
        self.pruned_heads = self.pruned_heads | heads
        K = self.attention_head_size
        rows = [row for place, head in enumerate(kept) if head not in heads for row in range(place * K, place * K + K)]
        for name in ("query", "key", "value"):
            setattr(self, name, prune_linear(getattr(self, name), rows, dim=0))
        self.dense = prune_linear(self.dense, rows, dim=1)
        self.num_attention_heads = len(rows) // K

    def forward(
        self,
        hidden_BTD: Tensor,
        attention_bias: Tensor,
        head_mask: Tensor | None = None,
        attentions: list[Tensor] | None = None,
        computed: Choice | None = None,
    ) -> Tensor:
        """Attend, project, add and normalise.

        Args:
            hidden_BTD: ``[B,T,D]``.
            attention_bias: Added to the scores, ``[B,1,1,T]``.
            head_mask: Factors of the probabilities, any shape that broadcasts to ``[B,A,S,T]``.
            attentions: Where given, the probabilities ``[B,A,S,T]`` are appended.
            computed: Chooses the tokens whose result is wanted, where it is not that of all; they attend to all. Only
                where positions are absolute.
        """
        heads = (self.num_attention_heads, self.attention_head_size)
        hidden_BSD = hidden_BTD if computed is None else computed(hidden_BTD)
        query_BASK = self.query(hidden_BSD).unflatten(-1, heads).transpose(1, 2)
        key_BATK = self.key(hidden_BTD).unflatten(-1, heads).transpose(1, 2)
        value_BATK = self.value(hidden_BTD).unflatten(-1, heads).transpose(1, 2)

        # the query is scaled, not the scores: S·K multiplications a head in place of S·T
        scores_BAST = (query_BASK * self.attention_head_size**-0.5) @ key_BATK.transpose(-1, -2) + attention_bias
        if self.position_embedding_type != "absolute":
            scores_BAST = scores_BAST + self.relative_scores(query_BASK, key_BATK)
        probabilities_BAST: Tensor = self.attention_dropout(scores_BAST.softmax(-1))
        if head_mask is not None:
            probabilities_BAST = probabilities_BAST * head_mask
        if attentions is not None:
            attentions.append(probabilities_BAST)

        context_BSD = (probabilities_BAST @ value_BATK).transpose(1, 2).flatten(2)
        attended_BSD: Tensor = self.LayerNorm(hidden_BSD + self.output_dropout(self.dense(context_BSD)))
        return attended_BSD

    def relative_scores(self, query_BASK: Tensor, key_BATK: Tensor) -> Tensor:
        """Score the distance of every pair of positions, ``[B,A,S,T]``; not scaled, as in the reference.

        ``relative_key`` is Shaw et al. (arXiv:1803.02155), equation 4; ``relative_key_query`` is method 4 of
        Huang et al. (arXiv:2009.13658).
        """
        positions_S = torch.arange(query_BASK.shape[2], device=query_BASK.device)
        distance_ST = positions_S.unsqueeze(1) - positions_S.unsqueeze(0) + (self.max_position_embeddings - 1)
        distance_STK = self.distance_embedding(distance_ST)
        scores_BAST = torch.einsum("bask,stk->bast", query_BASK, distance_STK)
        if self.position_embedding_type == "relative_key_query":
            scores_BAST = scores_BAST + torch.einsum("batk,stk->bast", key_BATK, distance_STK)
        return scores_BAST


class AlbertLayer(nn.Module):
    """Attention, then the feed-forward network: ``[B,T,D]`` to ``[B,S,D]``."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.full_layer_layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attention = AlbertAttention(config)
        self.ffn = nn.Linear(config.hidden_size, config.intermediate_size)
        self.ffn_output = nn.Linear(config.intermediate_size, config.hidden_size)
        self.activation = activation(config.hidden_act)

    def forward(
        self,
        hidden_BTD: Tensor,
        attention_bias: Tensor,
        head_mask: Tensor | None = None,
        attentions: list[Tensor] | None = None,
        computed: Choice | None = None,
    ) -> Tensor:
        """Apply the layer; arguments as of :meth:`AlbertAttention.forward`."""
        attended_BSD = self.attention(hidden_BTD, attention_bias, head_mask, attentions, computed)
        # the reference's PyTorch model has no dropout here (its TensorFlow and Flax ones do)
        fed_BSD = self.ffn_output(self.activation(self.ffn(attended_BSD)))
        layer_BSD: Tensor = self.full_layer_layer_norm(fed_BSD + attended_BSD)
        return layer_BSD


class AlbertLayerGroup(nn.Module):
    """The inner layers that share one place in the stack, one after the other: ``[B,T,D]`` to ``[B,S,D]``."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.albert_layers = nn.ModuleList(AlbertLayer(config) for _ in range(config.inner_group_num))

    def forward(
        self,
        hidden_BSD: Tensor,
        attention_bias: Tensor,
        head_mask: list[Tensor | None] | Tensor | None = None,
        attentions: list[Tensor] | None = None,
        computed: Choice | None = None,
    ) -> Tensor:
        """Apply every inner layer; ``head_mask`` has one entry for each of them, ``computed`` is of the last."""
        last = len(self.albert_layers) - 1
        for inner, albert_layer in enumerate(self.albert_layers):
            mask = None if head_mask is None else head_mask[inner]
            chosen = computed if inner == last else None
            hidden_BSD = albert_layer(hidden_BSD, attention_bias, mask, attentions, chosen)
        return hidden_BSD


class AlbertTransformer(nn.Module):
    """The stack: L applications of G groups of weights."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding_hidden_mapping_in = nn.Linear(config.embedding_size, config.hidden_size)
        self.albert_layer_groups = nn.ModuleList(AlbertLayerGroup(config) for _ in range(config.num_hidden_groups))

    def group_of(self, layer: int) -> int:
        """Return which group's weights layer ``layer`` uses."""
        return int(layer / (self.config.num_hidden_layers / self.config.num_hidden_groups))

    def run_layers(self, hidden_BSD: Tensor, attention_bias: Tensor) -> Tensor:
        """Apply all layers when only the last result is wanted; the export replaces this method by a rolled loop."""
        for layer in range(self.config.num_hidden_layers):
            hidden_BSD = self.albert_layer_groups[self.group_of(layer)](hidden_BSD, attention_bias)
        return hidden_BSD

    def forward(
        self,
        embedded_BSE: Tensor,
        attention_bias: Tensor,
        head_mask: Tensor | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        return_dict: bool = True,
    ) -> BaseModelOutput | tuple[Tensor | tuple[Tensor, ...], ...]:
        """Map the embeddings to the hidden width and apply all layers.

        Args:
            embedded_BSE: ``[B,S,E]``.
            attention_bias: ``[B,1,1,T]``.
            head_mask: One entry a layer, ``[L,…]``, each broadcasting to ``[B,A,S,T]``.
            output_attentions: Whether to return every layer's probabilities.
            output_hidden_states: Whether to return every layer's output.
            return_dict: Whether to return an output object in place of a tuple.
        """
        hidden_BSD: Tensor = self.embedding_hidden_mapping_in(embedded_BSE)
        attentions: list[Tensor] | None = [] if output_attentions else None
        states: list[Tensor] | None = [hidden_BSD] if output_hidden_states else None
        if head_mask is None and attentions is None and states is None:
            hidden_BSD = self.run_layers(hidden_BSD, attention_bias)
        else:
            # As in the reference, the mask is cut by group and then read by inner layer, not by layer: with one
            # group and one inner layer its row 0 serves every layer.
            per_group = self.config.num_hidden_layers // self.config.num_hidden_groups
            for layer in range(self.config.num_hidden_layers):
                group = self.group_of(layer)
                mask = None if head_mask is None else head_mask[group * per_group : (group + 1) * per_group]
                hidden_BSD = self.albert_layer_groups[group](hidden_BSD, attention_bias, mask, attentions)
                if states is not None:
                    states.append(hidden_BSD)
        output = BaseModelOutput(
            last_hidden_state=hidden_BSD,
            hidden_states=None if states is None else tuple(states),
            attentions=None if attentions is None else tuple(attentions),
        )
        return output if return_dict else output.to_tuple()


class AlbertMLMHead(nn.Module):
    """Scores every word of the vocabulary for every token: ``[B,S,D]`` to ``[B,S,V]``."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.LayerNorm = nn.LayerNorm(config.embedding_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.dense = nn.Linear(config.hidden_size, config.embedding_size)
        self.decoder = nn.Linear(config.embedding_size, config.vocab_size)
        self.decoder.bias = self.bias  # one parameter under two names, as in the reference's files
        self.activation = activation(config.hidden_act)

    def forward(self, hidden_BSD: Tensor) -> Tensor:
        """Return the scores."""
        logits_BSV: Tensor = self.decoder(self.LayerNorm(self.activation(self.dense(hidden_BSD))))
        return logits_BSV


class AlbertSOPHead(nn.Module):
    """Scores whether two sentences stand in order: ``[B,D]`` to ``[B,C]`` (ALBERT paper, section 3.1)."""

    def __init__(self, config: AlbertConfig) -> None:
        super().__init__()
        self.dropout = nn.Dropout(config.head_dropout_prob)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)

    def forward(self, pooled_BD: Tensor) -> Tensor:
        """Return the scores."""
        logits_BC: Tensor = self.classifier(self.dropout(pooled_BD))
        return logits_BC
