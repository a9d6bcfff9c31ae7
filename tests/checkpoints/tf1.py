"""Checkpoints as Google released them: tensor bundles that TensorFlow itself writes, with names of the table."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from albert_export.checkpoints.names import tf1_name
from albert_export.config import AlbertConfig
from tests.checkpoints.tiny import tiny_config, tiny_tensors

#: Fields of the albert_config.json of the v2 releases that AlbertConfig has no use for.
OTHER_FIELDS = {"net_structure_type": 0, "gap_size": 0, "num_memory_blocks": 0, "down_scale_factor": 1}
_SHARED_FIELDS = (
    "attention_probs_dropout_prob",
    "embedding_size",
    "hidden_dropout_prob",
    "hidden_size",
    "initializer_range",
    "inner_group_num",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_groups",
    "num_hidden_layers",
    "type_vocab_size",
    "vocab_size",
)


def write_bundle(prefix: Path, tensors: Mapping[str, Any]) -> None:
    """Write a bundle of one shard with TensorFlow's own writer."""
    import tensorflow as tf

    prefix.parent.mkdir(parents=True, exist_ok=True)
    names = list(tensors)
    values = [tf.convert_to_tensor(tensors[name]) for name in names]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)


def write_shards(prefix: Path, *shards: Mapping[str, Any]) -> None:
    """Write a bundle with a shard for each of the mappings, as a distributed run does."""
    import tensorflow as tf

    parts = [prefix.with_name(f"part-{number}") for number in range(len(shards))]
    for part, tensors in zip(parts, shards, strict=True):
        write_bundle(part, tensors)
    tf.raw_ops.MergeV2Checkpoints(
        checkpoint_prefixes=[str(part) for part in parts], destination_prefix=str(prefix), delete_old_dirs=False
    )


def google_names(tensors: Mapping[str, np.ndarray], prefix: str = "") -> dict[str, np.ndarray]:
    """Return the weights under Google's names, kernels as ``[in, out]``."""
    found = {}
    for name, value in tensors.items():
        stored = tf1_name(name)
        assert stored is not None, name
        found[prefix + stored] = np.ascontiguousarray(value.T) if stored.endswith("/kernel") else value
    return found


def with_training(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights with what Google's optimizer keeps beside them."""
    slots = {f"{name}/{slot}": value * 0 for name, value in tensors.items() for slot in ("adam_m", "adam_v")}
    return {**tensors, **slots, "global_step": np.array(125_000, np.int64)}


def write_config(directory: Path, config: AlbertConfig, **changes: Any) -> None:
    fields = {name: getattr(config, name) for name in _SHARED_FIELDS}
    directory.mkdir(parents=True, exist_ok=True)
    text = json.dumps({**fields, "hidden_act": "gelu", **OTHER_FIELDS, **changes})
    (directory / "albert_config.json").write_text(text, encoding="utf-8")


def write_release(
    directory: Path, task: str = "pretraining", prefix: str = "model.ckpt-best", **changes: Any
) -> dict[str, np.ndarray]:
    """Write ``albert_config.json`` and a bundle of a tiny model; return its weights by their canonical names."""
    config = tiny_config(**changes)
    tensors = tiny_tensors(config, task)
    write_config(directory, config)
    write_bundle(directory / prefix, with_training(google_names(tensors)))
    return tensors
