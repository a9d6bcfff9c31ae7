"""Tiny Flax models with seeded weights, as :mod:`tests.models.conftest` makes PyTorch's."""

from __future__ import annotations

from typing import Any

from albert_export import AlbertConfig
from albert_export.models import flax_albert
from albert_export.models.filling import is_head
from albert_export.models.flax_loading import fill
from tests.golden.seeded_weights import TINY, seeded_weight

FLAX_CLASSES = (
    "FlaxAlbertModel",
    "FlaxAlbertForPreTraining",
    "FlaxAlbertForMaskedLM",
    "FlaxAlbertForSequenceClassification",
    "FlaxAlbertForMultipleChoice",
    "FlaxAlbertForTokenClassification",
    "FlaxAlbertForQuestionAnswering",
)


def seed_params(model: Any, seed: int = 0) -> None:
    """Give every parameter the seeded one of its name."""
    tensors = {name: seeded_weight(name, shape, seed) for name, shape in model.parameter_shapes().items()}
    params, _ = fill(model, tensors, dtype=None, may_be_fresh=is_head)
    model.hold(params)


def tiny_flax_model(name: str, *, seed: int = 0, **changes: Any) -> Any:
    settings = {key: changes.pop(key) for key in ("dtype", "form", "add_pooling_layer") if key in changes}
    config = AlbertConfig(**{**TINY, **changes})
    model = getattr(flax_albert, name)(config, _do_init=False, **settings)
    seed_params(model, seed)
    return model
