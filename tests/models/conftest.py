from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from albert_export import AlbertConfig
from albert_export.models import torch_albert
from tests.golden.seeded_weights import TINY, fill

GOLDEN = Path(__file__).parent.parent / "golden"

CLASSES = (
    "AlbertModel",
    "AlbertForPreTraining",
    "AlbertForMaskedLM",
    "AlbertForSequenceClassification",
    "AlbertForMultipleChoice",
    "AlbertForTokenClassification",
    "AlbertForQuestionAnswering",
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def tiny_config(**changes: Any) -> AlbertConfig:
    return AlbertConfig(**{**TINY, **changes})


def tiny_model(name: str, *, seed: int = 0, **changes: Any) -> Any:
    model = getattr(torch_albert, name)(tiny_config(**changes)).eval()
    fill(model, seed)
    return model


def tiny_ids(name: str = "AlbertModel", seed: int = 0) -> torch.Tensor:
    shape = (2, 3, 7) if name == "AlbertForMultipleChoice" else (2, 7)
    return torch.from_numpy(np.random.RandomState(seed).randint(1, 61, shape))


def read_index() -> dict[str, Any]:
    index: dict[str, Any] = json.loads((GOLDEN / "torch_models.json").read_text(encoding="utf-8"))
    return index
