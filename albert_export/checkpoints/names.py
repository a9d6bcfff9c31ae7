"""THE TABLE of weights: the canonical name, the shape and the owner of every parameter, and what may be left over.

Canonical names are those of a safetensors file with a head, as the reference writes it: with the ``albert.`` prefix,
linear weights as ``[out, in]``. One row is one kind of weight; ``{group}`` and ``{layer}`` stand for the layer group
and the inner layer. A bare ``AlbertModel`` uses the same names without the prefix.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig
    from albert_export.tasks import Task

#: Prefix of the encoder's weights in a checkpoint that has a head.
PREFIX = "albert."

_LAYER = "albert.encoder.albert_layer_groups.{group}.albert_layers.{layer}."
_TF1_LAYER = "bert/encoder/transformer/group_{group}/inner_group_{layer}/"


@dataclass(frozen=True)
class Row:
    """One kind of weight.

    Attributes:
        name: Canonical name, with ``{group}`` and ``{layer}`` where every inner layer has its own.
        axes: One entry a dimension: a field of ``AlbertConfig``, a literal size, ``attention_size`` (the width of the
            heads that were not pruned from this layer), ``head_size`` or ``distances`` (relative positions).
        part: The part of the model that owns it; :attr:`albert_export.tasks.Task.parts` says which a task has.
        initial: How a fresh one is filled: ``normal`` (mean 0, deviation ``initializer_range``), ``zeros`` or ``ones``.
        linear: Whether it is the matrix of a linear layer: ``[out, in]`` here, but ``[in, out]`` in TensorFlow and Flax
            and their files. Any other weight lies alike everywhere, but for the untied decoder's in Flax.
        keras: Last part of its name in the reference's TensorFlow models and ``tf_model.h5``; None for what those
            models do not have.
        tf1: Its name in Google's own checkpoints of TensorFlow 1; None for what those models do not have. A ``kernel``
            lies as ``[in, out]`` there, all else as here.
    """

    name: str
    axes: tuple[str | int, ...]
    part: str
    initial: str
    linear: bool = False
    keras: str | None = None
    tf1: str | None = None

    @property
    def flax(self) -> str:
        """Last part of its name in Flax models and ``flax_model.msgpack``; a ``kernel`` is ``[in, out]`` there."""
        if self.name.endswith(".bias"):
            return "bias"
        if self.linear or self.part == "untied decoder":
            return "kernel"
        return "scale" if self.initial == "ones" else "embedding"


def _linear(name: str, wide: str | int, narrow: str, part: str, tf1: str) -> tuple[Row, Row]:
    return (
        Row(f"{name}.weight", (wide, narrow), part, "normal", linear=True, keras="kernel", tf1=f"{tf1}/kernel"),
        Row(f"{name}.bias", (wide,), part, "zeros", keras="bias", tf1=f"{tf1}/bias"),
    )


def _head(name: str, labels: str | int, part: str, tf1: str) -> tuple[Row, Row]:
    return (
        Row(
            f"{name}.weight", (labels, "hidden_size"), part, "normal", linear=True, keras="kernel", tf1=f"{tf1}weights"
        ),
        Row(f"{name}.bias", (labels,), part, "zeros", keras="bias", tf1=f"{tf1}bias"),
    )


def _layer_norm(name: str, width: str, part: str, tf1: str) -> tuple[Row, Row]:
    return (
        Row(f"{name}.weight", (width,), part, "ones", keras="gamma", tf1=f"{tf1}/gamma"),
        Row(f"{name}.bias", (width,), part, "zeros", keras="beta", tf1=f"{tf1}/beta"),
    )


def _embeddings(name: str, rows: str, keras: str) -> Row:
    return Row(
        f"albert.embeddings.{name}.weight",
        (rows, "embedding_size"),
        "encoder",
        "normal",
        keras=keras,
        tf1=f"bert/embeddings/{name}",
    )


ROWS: tuple[Row, ...] = (
    _embeddings("word_embeddings", "vocab_size", "weight"),
    _embeddings("position_embeddings", "max_position_embeddings", "embeddings"),
    _embeddings("token_type_embeddings", "type_vocab_size", "embeddings"),
    *_layer_norm("albert.embeddings.LayerNorm", "embedding_size", "encoder", "bert/embeddings/LayerNorm"),
    *_linear(
        "albert.encoder.embedding_hidden_mapping_in",
        "hidden_size",
        "embedding_size",
        "encoder",
        "bert/encoder/embedding_hidden_mapping_in",
    ),
    *_layer_norm(_LAYER + "full_layer_layer_norm", "hidden_size", "encoder", _TF1_LAYER + "LayerNorm_1"),
    *(
        row
        for name in ("query", "key", "value")
        for row in _linear(
            f"{_LAYER}attention.{name}",
            "attention_size",
            "hidden_size",
            "encoder",
            f"{_TF1_LAYER}attention_1/self/{name}",
        )
    ),
    *_linear(
        _LAYER + "attention.dense",
        "hidden_size",
        "attention_size",
        "encoder",
        _TF1_LAYER + "attention_1/output/dense",
    ),
    *_layer_norm(_LAYER + "attention.LayerNorm", "hidden_size", "encoder", _TF1_LAYER + "LayerNorm"),
    Row(_LAYER + "attention.distance_embedding.weight", ("distances", "head_size"), "relative positions", "normal"),
    *_linear(_LAYER + "ffn", "intermediate_size", "hidden_size", "encoder", _TF1_LAYER + "ffn_1/intermediate/dense"),
    *_linear(
        _LAYER + "ffn_output",
        "hidden_size",
        "intermediate_size",
        "encoder",
        _TF1_LAYER + "ffn_1/intermediate/output/dense",
    ),
    *_linear("albert.pooler", "hidden_size", "hidden_size", "pooler", "bert/pooler/dense"),
    Row("predictions.bias", ("vocab_size",), "masked words", "zeros", keras="bias", tf1="cls/predictions/output_bias"),
    *_layer_norm("predictions.LayerNorm", "embedding_size", "masked words", "cls/predictions/transform/LayerNorm"),
    *_linear("predictions.dense", "embedding_size", "hidden_size", "masked words", "cls/predictions/transform/dense"),
    Row("predictions.decoder.weight", ("vocab_size", "embedding_size"), "untied decoder", "normal"),
    *_head("sop_classifier.classifier", "num_labels", "sentence order", "cls/seq_relationship/output_"),
    *_head("classifier", "num_labels", "classifier", "output_"),
    *_head("classifier", 1, "choice classifier", "output_"),
    *_head("qa_outputs", "num_labels", "answer span", "cls/squad/output_"),
)

#: Second names of one parameter, for as long as the config ties them; a file may hold both.
TIED_DECODER_WEIGHT = ("predictions.decoder.weight", "albert.embeddings.word_embeddings.weight")
TIED_DECODER_BIAS = ("predictions.decoder.bias", "predictions.bias")


@dataclass(frozen=True)
class Leftover:
    """Weights that a checkpoint may hold though the model has no place for them.

    Attributes:
        names: Canonical names; nothing but these exact names is covered.
        unless: The row does not apply to a model that has a weight of this prefix: there it must be consumed.
        reason: Why leaving them out changes no answer.
    """

    names: tuple[str, ...]
    unless: str | None
    reason: str


LEFTOVERS: tuple[Leftover, ...] = (
    Leftover(
        ("albert.embeddings.position_ids", "albert.embeddings.token_type_ids"),
        None,
        "a buffer of older releases: it only counts from 0, or holds zeros",
    ),
    Leftover(
        ("albert.pooler.weight", "albert.pooler.bias"),
        "albert.pooler.",
        "the pooler: this head does not read the pooled output",
    ),
    Leftover(
        (
            "predictions.bias",
            "predictions.LayerNorm.weight",
            "predictions.LayerNorm.bias",
            "predictions.dense.weight",
            "predictions.dense.bias",
            "predictions.decoder.weight",
            "predictions.decoder.bias",
        ),
        "predictions.",
        "weights of the masked-word head",
    ),
    Leftover(
        ("sop_classifier.classifier.weight", "sop_classifier.classifier.bias"),
        "sop_classifier.",
        "weights of the sentence-order head",
    ),
    Leftover(("classifier.weight", "classifier.bias"), "classifier.", "weights of a classification head"),
    Leftover(("qa_outputs.weight", "qa_outputs.bias"), "qa_outputs.", "weights of the question-answering head"),
)

#: Why a stored name is not consumed though the model has the parameter: its tied copy is read instead.
TIED_COPY_REASON = "a tied copy: the decoder's copy of the same parameter is read, as the reference reads it last"

#: Spellings of checkpoints converted from TensorFlow in the first releases: ending -> canonical ending.
OLD_ENDINGS: dict[str, str] = {
    "LayerNorm.gamma": "LayerNorm.weight",
    "LayerNorm.beta": "LayerNorm.bias",
    "full_layer_layer_norm.gamma": "full_layer_layer_norm.weight",
    "full_layer_layer_norm.beta": "full_layer_layer_norm.bias",
}


@cache
def _row_patterns() -> tuple[tuple[re.Pattern[str], Row], ...]:
    return tuple((re.compile(re.sub(r"\\{(group|layer)\\}", r"\\d+", re.escape(row.name))), row) for row in ROWS)


def row_of(name: str) -> Row | None:
    """Return the row of a canonical name, whatever the sizes of the model; None for a name that is not in the table."""
    return next((row for pattern, row in _row_patterns() if pattern.fullmatch(name)), None)


def keras_name(name: str) -> str | None:
    """Return what the reference's TensorFlow models call the weight of a canonical name, without the model's own name.

    ``albert.encoder.….albert_layer_groups.0.….ffn.weight`` is
    ``albert/encoder/albert_layer_groups_._0/…/ffn/kernel:0``. None for weights that those models do not have.
    """
    if name == TIED_DECODER_BIAS[0]:  # a variable of its own there
        return "predictions/decoder/bias:0"
    row = row_of(name)
    if row is None or row.keras is None:
        return None
    path = name.rpartition(".")[0].replace(".", "/")
    return re.sub(r"(_groups|_layers)/(\d+)", r"\1_._\2", f"{path}/{row.keras}:0")


def name_of_keras(keras: str) -> str | None:
    """Return the canonical name of what :func:`keras_name` gives; None for any other name."""
    path, _, last = keras.replace("_._", ".").replace("/", ".").removesuffix(":0").rpartition(".")
    name = f"{path}.{'bias' if last in ('bias', 'beta') else 'weight'}"
    return name if keras_name(name) == keras else None


@cache
def _tf1_patterns() -> tuple[tuple[re.Pattern[str], Row], ...]:
    return tuple(
        (re.compile(re.sub(r"\\{(group|layer)\\}", r"(?P<\1>0|[1-9]\\d*)", re.escape(row.tf1))), row)
        for row in ROWS
        if row.tf1 is not None
    )


def tf1_name(name: str) -> str | None:
    """Return what Google's checkpoints of TensorFlow 1 call the weight of a canonical name; None for what they lack."""
    row = row_of(name)
    if row is None or row.tf1 is None:
        return None
    group, layer, *_ = [*re.findall(r"(?:_groups|_layers)\.(\d+)", name), "", ""]
    return row.tf1.format(group=group, layer=layer)


def name_of_tf1(stored: str) -> str | None:
    """Return the canonical name of what :func:`tf1_name` gives; None for any other name."""
    for pattern, row in _tf1_patterns():
        match = pattern.fullmatch(stored)
        if match is not None:
            return row.name.format(**match.groupdict())
    return None


def flax_name(name: str) -> str | None:
    """Return the path of the weight of a canonical name in Flax models, ``/`` between its parts.

    ``albert.encoder.….albert_layer_groups.0.….ffn.weight`` is ``albert/encoder/albert_layer_groups/0/…/ffn/kernel``.
    None for a name that is not in the table.
    """
    row = row_of(name)
    return None if row is None else f"{name.rpartition('.')[0].replace('.', '/')}/{row.flax}"


def name_of_flax(path: str) -> str | None:
    """Return the canonical name of what :func:`flax_name` gives; None for any other path."""
    places, _, last = path.replace("/", ".").rpartition(".")
    name = f"{places}.{'bias' if last == 'bias' else 'weight'}"
    return name if flax_name(name) == path else None


def is_flax_transposed(name: str) -> bool:
    """Return whether the weight of a canonical name lies as ``[in, out]`` in Flax, but ``[out, in]`` in checkpoints."""
    row = row_of(name)
    return row is not None and row.flax == "kernel"


def tied_names(config: AlbertConfig) -> dict[str, str]:
    """Return second name -> canonical name of every parameter that has two.

    The decoder's bias is always the head's bias; its weight is the word embedding unless the config unties them.
    """
    pairs = [TIED_DECODER_BIAS, *([TIED_DECODER_WEIGHT] if config.tie_word_embeddings else [])]
    return dict(pairs)


def parameters(config: AlbertConfig, task: Task, *, pooler: bool = True) -> dict[str, tuple[int, ...]]:
    """Return canonical name -> shape of every parameter of the task's model, tied ones once, in the table's order.

    Args:
        config: Sizes, groups, pruned heads, and whether the decoder is tied.
        task: The head.
        pooler: False for an ``AlbertModel`` without one; other heads have their pooler or lack it regardless.
    """
    return {
        name: shape
        for row, name, shape in rows_of(config, task)
        if pooler or row.part != "pooler" or task.name != "feature-extraction"
    }


def rows_of(config: AlbertConfig, task: Task) -> Iterator[tuple[Row, str, tuple[int, ...]]]:
    """Yield (row, canonical name, shape) for every parameter of the task's model, in the table's order."""
    parts = {"encoder", *task.parts}
    if config.position_embedding_type != "absolute":
        parts.add("relative positions")
    if config.tie_word_embeddings:
        parts.discard("untied decoder")
    places = [(group, layer) for group in range(config.num_hidden_groups) for layer in range(config.inner_group_num)]
    for row in ROWS:
        if row.part in parts:
            for group, layer in places if "{group}" in row.name else places[:1]:
                shape = tuple(_size(config, axis, group, layer) for axis in row.axes)
                yield row, row.name.format(group=group, layer=layer), shape


def heads_of(config: AlbertConfig, group: int, layer: int) -> int:
    """Return how many attention heads are left to an inner layer of a group."""
    # `pruned_heads` counts layers through the groups, as the reference's prune_heads does.
    pruned = set(config.pruned_heads.get(group * config.inner_group_num + layer, ()))
    return config.num_attention_heads - len(pruned)


def _size(config: AlbertConfig, axis: str | int, group: int, layer: int) -> int:
    if isinstance(axis, int):
        return axis
    head_size = config.hidden_size // config.num_attention_heads
    if axis == "head_size":
        return head_size
    if axis == "distances":
        return 2 * config.max_position_embeddings - 1
    if axis == "attention_size":
        return heads_of(config, group, layer) * head_size
    return int(getattr(config, axis))
