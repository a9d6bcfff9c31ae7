"""What the models of every framework settle alike."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest

from albert_export.errors import ConfigError
from albert_export.tasks import TASKS

CLASSES = [
    pytest.param(module, getattr(task, field), id=getattr(task, field))
    for module, field in (
        ("torch_albert", "torch_class"),
        ("tf_albert", "tensorflow_class"),
        ("flax_albert", "flax_class"),
    )
    for task in TASKS
]


@pytest.mark.parametrize(("module", "name"), CLASSES)
@pytest.mark.parametrize(
    ("given", "shown"), [("albert", "'albert'"), (Path("albert"), "'albert'"), (None, "…"), ({"hidden_size": 8}, "…")]
)
def test_a_constructor_given_a_name_tells_of_from_pretrained(module: str, name: str, given: Any, shown: str) -> None:
    model = getattr(importlib.import_module(f"albert_export.models.{module}"), name)
    told = re.escape(f"{name} is made from an AlbertConfig; received {given!r}; fix: ")
    with pytest.raises(ConfigError, match=f"^{told}.*{re.escape(f'{name}.from_pretrained({shown})')}$"):
        model(given)
