"""The layers of ALBERT in TensorFlow, from embeddings to the stack: siblings of :mod:`.torch_encoder`, in its order.

What the reference's TensorFlow model does otherwise than its PyTorch model is done here as there: the mask bias is
-10000 (:meth:`.tf_albert.TFAlbertModel.attention_bias`), and there is dropout after the feed-forward network. Two of
its mistakes are not repeated: it ignores ``position_embedding_type`` and ``tie_word_embeddings``, and so gives wrong
answers for checkpoints that use them; here both count, as in PyTorch.

Tensor names end in their dimensions::

    B  batch                    E  embedding width          A  attention heads
    S  sequence                 D  hidden width             K  width of one head
    T  sequence attended to     F  feed-forward width       V  vocabulary
    N  choices                  C  labels                   L  layers applied    G  groups    I  inner layers
"""

from __future__ import annotations

from albert_export.models import _tensorflow_required  # noqa: F401

# isort: split
import tensorflow as tf

from albert_export.checkpoints.names import heads_of
from albert_export.config import AlbertConfig
from albert_export.models.tf_layers import Dtype, Embedding, LayerNorm, Linear, TFLayer, activation, dropout, size
from albert_export.models.tf_outputs import TFBaseModelOutput


class TFAlbertEmbeddings(TFLayer):
    """Words, segments and, when absolute, positions: ``[B,S]`` ids to ``[B,S,E]``."""

    def __init__(self, config: AlbertConfig, dtype: Dtype, name: str = "embeddings") -> None:
        super().__init__(dtype, name)
        E = config.embedding_size
        self.word_embeddings = Embedding(config.vocab_size, E, dtype, "word_embeddings")
        self.position_embeddings = Embedding(config.max_position_embeddings, E, dtype, "position_embeddings")
        self.token_type_embeddings = Embedding(config.type_vocab_size, E, dtype, "token_type_embeddings")
        self.LayerNorm = LayerNorm(E, config.layer_norm_eps, dtype, "LayerNorm")
        self.dropout_rate = config.hidden_dropout_prob
        self.position_embedding_type = config.position_embedding_type

    def call(
        self,
        input_ids: tf.Tensor | None = None,
        token_type_ids: tf.Tensor | None = None,
        position_ids: tf.Tensor | None = None,
        inputs_embeds: tf.Tensor | None = None,
        training: bool | None = False,
    ) -> tf.Tensor:
        """Return the normalised sum ``[B,S,E]``."""
        words_BSE = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        if token_type_ids is None:
            token_type_ids = tf.zeros(tf.shape(words_BSE)[:-1], tf.int32)
        sum_BSE = words_BSE + self.token_type_embeddings(token_type_ids)
        if self.position_embedding_type == "absolute":
            if position_ids is None:
                position_ids = tf.expand_dims(tf.range(size(words_BSE, 1)), 0)
            sum_BSE = sum_BSE + self.position_embeddings(position_ids)
        return dropout(self.LayerNorm(sum_BSE), self.dropout_rate, training)


class TFAlbertAttention(TFLayer):
    """Self-attention with its output projection, residual and normalisation: ``[B,S,D]`` to ``[B,S,D]``.

    Args:
        config: Shape of the model.
        heads: How many heads this layer has, those that were pruned not counted.
        dtype: Dtype or policy.
        name: Name scope.
    """

    def __init__(self, config: AlbertConfig, heads: int, dtype: Dtype, name: str = "attention") -> None:
        super().__init__(dtype, name)
        D = config.hidden_size
        self.num_attention_heads = heads
        self.attention_head_size = D // config.num_attention_heads
        attended = heads * self.attention_head_size
        self.query = Linear(D, attended, dtype, "query")
        self.key = Linear(D, attended, dtype, "key")
        self.value = Linear(D, attended, dtype, "value")
        self.attention_dropout_rate = config.attention_probs_dropout_prob
        self.output_dropout_rate = config.hidden_dropout_prob
        self.dense = Linear(attended, D, dtype, "dense")
        self.LayerNorm = LayerNorm(D, config.layer_norm_eps, dtype, "LayerNorm")
        self.position_embedding_type = config.position_embedding_type
        if self.position_embedding_type != "absolute":
            self.max_position_embeddings = config.max_position_embeddings
            distances = 2 * config.max_position_embeddings - 1
            self.distance_embedding = Embedding(distances, self.attention_head_size, dtype, "distance_embedding")

    def call(
        self,
        hidden_BSD: tf.Tensor,
        attention_bias: tf.Tensor,
        attentions: list[tf.Tensor] | None = None,
        training: bool | None = False,
    ) -> tf.Tensor:
        """Attend, project, add and normalise.

        Args:
            hidden_BSD: ``[B,S,D]``.
            attention_bias: Added to the scores, ``[B,1,1,T]``.
            attentions: Where given, the probabilities ``[B,A,S,T]`` are appended.
            training: Whether to drop out.
        """
        A, K, S = self.num_attention_heads, self.attention_head_size, size(hidden_BSD, 1)

        def split(x: tf.Tensor) -> tf.Tensor:
            return tf.transpose(tf.reshape(x, [-1, S, A, K]), [0, 2, 1, 3])

        query_BASK = split(self.query(hidden_BSD))
        key_BATK = split(self.key(hidden_BSD))
        value_BATK = split(self.value(hidden_BSD))

        # the query is scaled, not the scores: S·K multiplications a head in place of S·T
        scores_BAST = tf.matmul(query_BASK * K**-0.5, key_BATK, transpose_b=True) + attention_bias
        if self.position_embedding_type != "absolute":
            scores_BAST = scores_BAST + self.relative_scores(query_BASK, key_BATK)
        probabilities_BAST = dropout(tf.nn.softmax(scores_BAST, axis=-1), self.attention_dropout_rate, training)
        if attentions is not None:
            attentions.append(probabilities_BAST)

        context_BSD = tf.reshape(tf.transpose(tf.matmul(probabilities_BAST, value_BATK), [0, 2, 1, 3]), [-1, S, A * K])
        projected_BSD = dropout(self.dense(context_BSD), self.output_dropout_rate, training)
        return self.LayerNorm(hidden_BSD + projected_BSD)

    def relative_scores(self, query_BASK: tf.Tensor, key_BATK: tf.Tensor) -> tf.Tensor:
        """Score the distance of every pair of positions, ``[B,A,S,T]``; not scaled, as in the reference.

        ``relative_key`` is Shaw et al. (arXiv:1803.02155), equation 4; ``relative_key_query`` is method 4 of
        Huang et al. (arXiv:2009.13658).
        """
        A, K, S = self.num_attention_heads, self.attention_head_size, size(query_BASK, 2)
        positions_S = tf.range(S)
        distance_ST = tf.expand_dims(positions_S, 1) - positions_S + (self.max_position_embeddings - 1)
        distance_STK = self.distance_embedding(distance_ST)
        # Batched over one of the two positions: every pair has a distance of its own, shared by batch and heads. In
        # einsum this is one line, but TFLite has no such operator.
        query_SXK = tf.reshape(tf.transpose(query_BASK, [2, 0, 1, 3]), [S, -1, K])
        scores_SXT = tf.matmul(query_SXK, distance_STK, transpose_b=True)
        scores_BAST = tf.transpose(tf.reshape(scores_SXT, [S, -1, A, S]), [1, 2, 0, 3])
        if self.position_embedding_type == "relative_key_query":
            key_TXK = tf.reshape(tf.transpose(key_BATK, [2, 0, 1, 3]), [S, -1, K])
            scores_TXS = tf.matmul(key_TXK, tf.transpose(distance_STK, [1, 2, 0]))
            scores_BAST = scores_BAST + tf.transpose(tf.reshape(scores_TXS, [S, -1, A, S]), [1, 2, 3, 0])
        return scores_BAST


class TFAlbertLayer(TFLayer):
    """Attention, then the feed-forward network: ``[B,S,D]`` to ``[B,S,D]``; arguments of :class:`TFAlbertAttention`."""

    def __init__(self, config: AlbertConfig, heads: int, dtype: Dtype, name: str) -> None:
        super().__init__(dtype, name)
        D, F = config.hidden_size, config.intermediate_size
        self.full_layer_layer_norm = LayerNorm(D, config.layer_norm_eps, dtype, "full_layer_layer_norm")
        self.attention = TFAlbertAttention(config, heads, dtype)
        self.ffn = Linear(D, F, dtype, "ffn")
        self.ffn_output = Linear(F, D, dtype, "ffn_output")
        self.activation = activation(config.hidden_act)
        self.dropout_rate = config.hidden_dropout_prob

    def call(
        self,
        hidden_BSD: tf.Tensor,
        attention_bias: tf.Tensor,
        attentions: list[tf.Tensor] | None = None,
        training: bool | None = False,
    ) -> tf.Tensor:
        """Apply the layer; arguments as of :meth:`TFAlbertAttention.call`."""
        attended_BSD = self.attention(hidden_BSD, attention_bias, attentions, training)
        fed_BSD = self.ffn_output(self.activation(self.ffn(attended_BSD)))
        # the reference's PyTorch model has no dropout here
        return self.full_layer_layer_norm(dropout(fed_BSD, self.dropout_rate, training) + attended_BSD)


class TFAlbertLayerGroup(TFLayer):
    """The inner layers that share one place in the stack, one after the other: ``[B,S,D]`` to ``[B,S,D]``.

    Args:
        config: Shape of the model.
        group: Which group this is; its heads may have been pruned.
        dtype: Dtype or policy.
        name: Name scope.
    """

    def __init__(self, config: AlbertConfig, group: int, dtype: Dtype, name: str) -> None:
        super().__init__(dtype, name)
        self.albert_layers = [
            TFAlbertLayer(config, heads_of(config, group, inner), dtype, f"albert_layers_{inner}")
            for inner in range(config.inner_group_num)
        ]

    def call(
        self,
        hidden_BSD: tf.Tensor,
        attention_bias: tf.Tensor,
        attentions: list[tf.Tensor] | None = None,
        training: bool | None = False,
    ) -> tf.Tensor:
        """Apply every inner layer."""
        for albert_layer in self.albert_layers:
            hidden_BSD = albert_layer(hidden_BSD, attention_bias, attentions, training)
        return hidden_BSD


class TFAlbertTransformer(TFLayer):
    """The stack: L applications of G groups of weights."""

    def __init__(self, config: AlbertConfig, dtype: Dtype, name: str = "encoder") -> None:
        super().__init__(dtype, name)
        self.config = config
        self.embedding_hidden_mapping_in = Linear(
            config.embedding_size, config.hidden_size, dtype, "embedding_hidden_mapping_in"
        )
        self.albert_layer_groups = [
            TFAlbertLayerGroup(config, group, dtype, f"albert_layer_groups_{group}")
            for group in range(config.num_hidden_groups)
        ]

    def group_of(self, layer: int) -> int:
        """Return which group's weights layer ``layer`` uses."""
        return int(layer / (self.config.num_hidden_layers / self.config.num_hidden_groups))

    def run_layers(self, hidden_BSD: tf.Tensor, attention_bias: tf.Tensor) -> tf.Tensor:
        """Apply all layers when only the last result is wanted; the export replaces this method by a rolled loop."""
        for layer in range(self.config.num_hidden_layers):
            hidden_BSD = self.albert_layer_groups[self.group_of(layer)](hidden_BSD, attention_bias)
        return hidden_BSD

    def call(
        self,
        embedded_BSE: tf.Tensor,
        attention_bias: tf.Tensor,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        training: bool | None = False,
    ) -> TFBaseModelOutput | tuple[tf.Tensor | tuple[tf.Tensor, ...], ...]:
        """Map the embeddings to the hidden width and apply all layers.

        Args:
            embedded_BSE: ``[B,S,E]``.
            attention_bias: ``[B,1,1,T]``.
            output_attentions: Whether to return every layer's probabilities.
            output_hidden_states: Whether to return every layer's output.
            return_dict: Whether to return an output object in place of a tuple.
            training: Whether to drop out.
        """
        hidden_BSD = self.embedding_hidden_mapping_in(embedded_BSE)
        attentions: list[tf.Tensor] | None = [] if output_attentions else None
        states: list[tf.Tensor] | None = [hidden_BSD] if output_hidden_states else None
        if attentions is None and states is None and not training:
            hidden_BSD = self.run_layers(hidden_BSD, attention_bias)
        else:
            for layer in range(self.config.num_hidden_layers):
                group = self.albert_layer_groups[self.group_of(layer)]
                hidden_BSD = group(hidden_BSD, attention_bias, attentions, training)
                if states is not None:
                    states.append(hidden_BSD)
        output = TFBaseModelOutput(
            last_hidden_state=hidden_BSD,
            hidden_states=None if states is None else tuple(states),
            attentions=None if attentions is None else tuple(attentions),
        )
        return output if return_dict else output.to_tuple()


class TFAlbertDecoder(TFLayer):
    """The matrix of a decoder that is not tied to the word embeddings, ``[V,E]`` as they are."""

    def __init__(self, config: AlbertConfig, dtype: Dtype, name: str = "decoder") -> None:
        super().__init__(dtype, name)
        self.weight = self.zeros("weight", config.vocab_size, config.embedding_size)


class TFAlbertMLMHead(TFLayer):
    """Scores every word of the vocabulary for every token: ``[B,S,D]`` to ``[B,S,V]``.

    Attributes:
        decoder: Holder of the decoder's matrix; None where it is tied to the word embeddings.
    """

    def __init__(self, config: AlbertConfig, dtype: Dtype, name: str = "predictions") -> None:
        super().__init__(dtype, name)
        self.LayerNorm = LayerNorm(config.embedding_size, config.layer_norm_eps, dtype, "LayerNorm")
        self.bias = self.zeros("bias", config.vocab_size)
        self.dense = Linear(config.hidden_size, config.embedding_size, dtype, "dense")
        self.decoder = None if config.tie_word_embeddings else TFAlbertDecoder(config, dtype)
        self.activation = activation(config.hidden_act)

    def call(self, hidden_BSD: tf.Tensor, word_embeddings: Embedding) -> tf.Tensor:
        """Return the scores; ``word_embeddings`` are the decoder where it is tied."""
        table_VE = (word_embeddings if self.decoder is None else self.decoder).weight
        mapped_BSE = self.LayerNorm(self.activation(self.dense(hidden_BSD)))
        return tf.matmul(mapped_BSE, table_VE, transpose_b=True) + self.bias


class TFAlbertSOPHead(TFLayer):
    """Scores whether two sentences stand in order: ``[B,D]`` to ``[B,C]`` (ALBERT paper, section 3.1)."""

    def __init__(self, config: AlbertConfig, dtype: Dtype, name: str = "sop_classifier") -> None:
        super().__init__(dtype, name)
        self.dropout_rate = config.head_dropout_prob
        self.classifier = Linear(config.hidden_size, config.num_labels, dtype, "classifier")

    def call(self, pooled_BD: tf.Tensor, training: bool | None = False) -> tf.Tensor:
        """Return the scores."""
        return self.classifier(dropout(pooled_BD, self.dropout_rate, training))
