"""Tiny TensorFlow models with seeded weights, as :mod:`tests.models.conftest` makes PyTorch's."""

from __future__ import annotations

from typing import Any

from albert_export import AlbertConfig
from albert_export.models import tf_albert
from albert_export.models.tf_loading import is_transposed
from tests.golden.seeded_weights import TINY, seeded_weight

TF_CLASSES = (
    "TFAlbertModel",
    "TFAlbertForPreTraining",
    "TFAlbertForMaskedLM",
    "TFAlbertForSequenceClassification",
    "TFAlbertForMultipleChoice",
    "TFAlbertForTokenClassification",
    "TFAlbertForQuestionAnswering",
)


def fill(model: Any, seed: int = 0) -> None:
    """Give every weight the seeded one of its name."""
    for name, variable in model.named_weights():
        shape = stored_shape(name, variable)
        value = seeded_weight(name, shape, seed)
        variable.assign(value.T if is_transposed(name) else value)


def stored_shape(name: str, variable: Any) -> tuple[int, ...]:
    shape = tuple(variable.shape)
    return shape[::-1] if is_transposed(name) else shape


def tiny_tf_model(name: str, *, seed: int = 0, dtype: str | None = None, **changes: Any) -> Any:
    model = getattr(tf_albert, name)(AlbertConfig(**{**TINY, **changes}), dtype=dtype)
    fill(model, seed)
    return model
