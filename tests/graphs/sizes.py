"""Sizes of released models."""

from __future__ import annotations

#: albert-base-v2.
BASE = {
    "vocab_size": 30_000,
    "embedding_size": 128,
    "hidden_size": 768,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "max_position_embeddings": 512,
}

#: An int8 file has at most this share of the bytes of the one in fp32.
INT8_SHARE = 0.27
