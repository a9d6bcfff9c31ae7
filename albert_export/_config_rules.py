"""The rules that the fields of an ``AlbertConfig`` keep, each alone and all together."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from albert_export.errors import ConfigError

if TYPE_CHECKING:
    from albert_export.config import AlbertConfig

#: Activations of the reference; ``swish`` is the older name of ``silu``.
ACTIVATIONS = ("gelu", "gelu_new", "relu", "silu", "swish")
POSITION_EMBEDDING_TYPES = ("absolute", "relative_key", "relative_key_query")
PROBLEM_TYPES = ("regression", "single_label_classification", "multi_label_classification")

_SIZES = (
    "vocab_size",
    "embedding_size",
    "hidden_size",
    "num_hidden_layers",
    "num_hidden_groups",
    "num_attention_heads",
    "intermediate_size",
    "inner_group_num",
    "max_position_embeddings",
    "type_vocab_size",
)
#: Far above any model; a weight of two such sizes can still be counted in 64 bits, which a framework does.
_LARGEST_SIZE = 10**8
_PROBABILITIES = ("hidden_dropout_prob", "attention_probs_dropout_prob")
_TOKEN_IDS = ("pad_token_id", "bos_token_id", "eos_token_id")
_FLAGS = ("output_attentions", "output_hidden_states", "return_dict", "tie_word_embeddings")


def check_fields(config: AlbertConfig) -> None:
    """Check every field.

    Raises:
        ConfigError: A field breaks its rule; the message names field, rule and value.
    """
    for name in _SIZES:
        rule = f"a whole number from 1 to {_LARGEST_SIZE}"
        _require(name, getattr(config, name), rule, lambda v: _is_int(v) and 1 <= v <= _LARGEST_SIZE)
    for name in _PROBABILITIES:
        _require(name, getattr(config, name), "a number from 0 to 1", lambda v: _is_number(v) and 0 <= v <= 1)
    if config.classifier_dropout_prob is not None:
        rule = "None or a number from 0 to 1"
        _require(
            "classifier_dropout_prob", config.classifier_dropout_prob, rule, lambda v: _is_number(v) and 0 <= v <= 1
        )
    for name in _TOKEN_IDS:
        rule = "None or a whole number of at least 0"
        _require(name, getattr(config, name), rule, lambda v: v is None or (_is_int(v) and v >= 0))
    for name in _FLAGS:
        _require(name, getattr(config, name), "true or false", lambda v: isinstance(v, bool))
    _require(
        "initializer_range", config.initializer_range, "a number of at least 0", lambda v: _is_number(v) and v >= 0
    )
    _require("layer_norm_eps", config.layer_norm_eps, "a number above 0", lambda v: _is_number(v) and v > 0)
    _require_one_of("position_embedding_type", config.position_embedding_type, POSITION_EMBEDDING_TYPES)
    if not callable(config.hidden_act):
        _require_one_of("hidden_act", config.hidden_act, ACTIVATIONS)
    if config.problem_type is not None:
        _require_one_of("problem_type", config.problem_type, PROBLEM_TYPES)
    _check_together(config)


def _check_together(config: AlbertConfig) -> None:
    if config.hidden_size % config.num_attention_heads:
        raise ConfigError(
            "hidden_size must be a multiple of num_attention_heads",
            received=f"hidden_size={config.hidden_size}, num_attention_heads={config.num_attention_heads}",
        )
    if config.num_hidden_groups > config.num_hidden_layers:
        raise ConfigError(
            "num_hidden_groups must be at most num_hidden_layers",
            received=f"num_hidden_groups={config.num_hidden_groups}, num_hidden_layers={config.num_hidden_layers}",
        )
    if config.inner_group_num > config.num_hidden_layers // config.num_hidden_groups:
        # The reference accepts the configuration and fails in the first forward pass with an IndexError.
        raise ConfigError(
            "inner_group_num must be at most num_hidden_layers / num_hidden_groups",
            received=f"inner_group_num={config.inner_group_num}, num_hidden_layers={config.num_hidden_layers}, "
            f"num_hidden_groups={config.num_hidden_groups}",
        )
    layers = config.num_hidden_groups * config.inner_group_num
    heads = range(config.num_attention_heads)
    for layer, pruned in config.pruned_heads.items():
        if not 0 <= layer < layers or not set(pruned) < set(heads):
            raise ConfigError(
                f"pruned_heads must name layers from 0 to {layers - 1}, and of each some but not all of the heads "
                f"from 0 to {len(heads) - 1}",
                received=f"{layer}: {pruned}",
            )
    if config.pad_token_id is not None and config.pad_token_id >= config.vocab_size:
        raise ConfigError(
            "pad_token_id must be below vocab_size",
            received=f"pad_token_id={config.pad_token_id}, vocab_size={config.vocab_size}",
        )


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -math.inf < value < math.inf


def _require(name: str, value: Any, rule: str, holds: Callable[[Any], bool]) -> None:
    if not holds(value):
        raise ConfigError(f"{name} must be {rule}", received=repr(value))  # "32" is no 32


def _require_one_of(name: str, value: Any, allowed: tuple[str, ...]) -> None:
    _require(name, value, f"one of {', '.join(allowed)}", lambda v: v in allowed)
